"""Vectors of another model for a case that stands, from the crops that it keeps: `skyreid case re-embed`.

The footage is not gone through again. Tracklets are embedded in an order that says nothing of them, and every `GROUP`
comes into the case by one transaction: whoever is killed loses less than that, and the next run goes on.

Until all are embedded, tracklets ask by the old vectors. Pictures and texts ask by the new model once a sample has
vectors of both: a bridge (`bridging`) gives everybody a vector that it can be compared with, the new one, or the old
one brought over. What that loses is measured and said. The bridge goes when all have their own.
"""

import hashlib
import shutil
from collections import ChainMap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np
import sqlalchemy as sa
from jaxtyping import Float32

from skyreid.building.linking.event_log import check_annotator
from skyreid.cases.audit import record
from skyreid.cases.case import Case, next_revision
from skyreid.cases.schema import TRACKLETS, VECTORS
from skyreid.cases.search.bridging import Bridge, build_bridge
from skyreid.cases.search.search_cache import cache_folder
from skyreid.cases.tracklets import (
    BRIDGED,
    CaseModel,
    CaseTracklet,
    find_model,
    models_in,
    put_vectors,
    read_vectors,
    remove_vectors,
    tracklet_numbers,
    tracklets_in,
    vectors_by_number,
)
from skyreid.errors import DatasetError, SettingError
from skyreid.extraction.embed_tracklets import embed_tracklets
from skyreid.extraction.loading import ClipEmbedder, load
from skyreid.files.strict_json import Json
from skyreid.processes.distributed import Processes
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.cosine import unit_rows

GROUP = 64
"""Tracklets of one transaction."""
SAMPLE = 2_000
"""Tracklets with vectors of both models that a bridge is made from: with fewer in the case it would come too late."""


@dataclass(frozen=True, kw_only=True)
class ReEmbedReport:
    """What a run brought."""

    model: int
    """Number of the new model in the case."""
    embedded: int
    """Tracklets, now."""
    left_out: tuple[str, ...]
    """Why some could not be, a sentence each."""
    bridge: Bridge | None
    """To the new model, with what it was worth; None = none was made now."""

    def lines(self) -> list[str]:
        """Say it to a reader."""
        told = [f"{self.embedded} tracklets embedded as model {self.model}"]
        if self.bridge is not None:
            told.append(
                f"meanwhile pictures and texts ask by a bridge: of the ten most similar by the new model among "
                f"{self.bridge.num_judged} tracklets it finds {self.bridge.recall:.0%}; the old vectors, asked by "
                f"themselves, {self.bridge.recall_of_old:.0%}. Among more it finds fewer of them"
            )
        return [*told, *self.left_out]

    def to_json(self) -> dict[str, Json]:
        """Say it to a program."""
        bridge = None if self.bridge is None else self.bridge.to_json()
        return {"model": self.model, "embedded": self.embedded, "left_out": list(self.left_out), "bridge": bridge}


def re_embed(
    case: Case, model: str | PathLike[str], *, by: str, sample: int = SAMPLE, progress: Progress = silent
) -> ReEmbedReport:
    """Embed all tracklets of a case by another model; ends when none is left without.

    Args:
        case: whose.
        model: as `skyreid.load` takes it.
        by: who asks.
        sample: tracklets that a bridge is made from.
        progress: told after every group.

    Raises:
        SettingError, CheckpointError, WeightsError: as `load`; a sample of fewer than 100.
    """
    check_annotator(by)
    if sample < 100:
        raise SettingError(f"a bridge is made from at least 100 tracklets; got sample={sample}")
    embedder = load(model, progress=progress)
    number = _number_of(case, embedder, by)
    processes = Processes(precision="float32")  # the policy of the model says how it computes
    bridges, embedded, left_out = _Bridges(case, number, by, sample), 0, dict[int, str]()
    while missing := _without(case, number, left_out):  # others may come meanwhile
        for start in range(0, len(missing), GROUP):
            vectors, refusals = _embedded(embedder, missing[start : start + GROUP], processes)
            left_out |= refusals
            embedded += _bring(case, vectors, [number, *bridges.open])
            progress("embed again", min(start + GROUP, len(missing)), len(missing))
            if start + GROUP < len(missing):
                bridges.consider()
    if not left_out:
        bridges.close()
    return ReEmbedReport(
        model=number,
        embedded=embedded,
        left_out=tuple(left_out.values()),
        bridge=bridges.made,
    )


class _Bridges:
    """The bridge to the new model, while some have no vector by it.

    Args:
        case: whose.
        number: of the new model.
        by: who asks.
        sample: how many must have both vectors first.
    """

    def __init__(self, case: Case, number: int, by: str, sample: int) -> None:
        self._case, self._by, self._sample = case, by, sample
        with case.database.reading() as connection:
            models = models_in(connection)
        self._new = next(one for one in models if one.number == number)
        others = [one for one in models if one.number != number and one.num_vectors and not one.is_derived]
        self._old = next(iter(others), None)
        ours = [one for one in models if one.is_bridged and one.num_vectors and one.asks_by == self._new.asks_by]
        self.open = [one.number for one in ours]
        """Numbers of the models that take what is embedded, too."""
        self.made: Bridge | None = None

    def consider(self) -> None:
        """Make a bridge once there are pairs enough."""
        if self.open or self.made is not None or self._old is None:
            return
        pairs = self._pairs(self._old)
        if len(pairs) < self._sample:
            return
        with self._case.database.reading() as connection:
            old, new = (unit_rows(read_vectors(connection, one, pairs)) for one in (self._old, self._new))
        self.made = build_bridge(old, new)
        self._write(self._old, self.made)

    def close(self) -> None:
        """Remove what everybody has a vector of their own instead of."""
        if not self.open:
            return
        with self._case.database.writing() as connection:
            revision = next_revision(connection)
            for bridge in self.open:
                held = sa.select(VECTORS.c.tracklet).where(VECTORS.c.model == bridge)
                remove_vectors(connection, bridge, connection.execute(held).scalars().all(), revision=revision)
                record(connection, self._by, "case re-embed", f"model {self._new.number}", {"bridge removed": bridge})
        for bridge in self.open:
            shutil.rmtree(cache_folder(self._case, bridge), ignore_errors=True)  # as large as that of a model

    def _pairs(self, old: CaseModel) -> list[int]:
        """Numbers of those that have both, in a drawn order."""
        both = sa.select(VECTORS.c.tracklet).where(VECTORS.c.model == old.number)
        both = both.intersect(sa.select(VECTORS.c.tracklet).where(VECTORS.c.model == self._new.number))
        with self._case.database.reading() as connection:
            found = connection.execute(both).scalars().all()
        return sorted(found, key=lambda number: _drawn(str(number)))[: self._sample]

    def _write(self, old: CaseModel, bridge: Bridge) -> None:
        name = f"{BRIDGED}{hashlib.sha256(bridge.map.matrix.tobytes()).hexdigest()[:16]}-{self._new.model}"
        told: dict[str, Json] = {"of": old.number, **bridge.to_json()}
        with self._case.database.writing() as connection:
            number = find_model(
                connection, model=name, feeding=self._new.feeding, seen_unmasked=False, width=self._new.width
            )
            revision = next_revision(connection)
            held = sa.select(VECTORS.c.tracklet).where(VECTORS.c.model.in_([old.number, self._new.number])).distinct()
            everybody = connection.execute(held).scalars().all()
            for start in range(0, len(everybody), 5_000):
                some = everybody[start : start + 5_000]
                by_new = vectors_by_number(connection, self._new, some)
                rest = vectors_by_number(connection, old, [one for one in some if one not in by_new])
                put_vectors(connection, number, _across(rest, bridge) | by_new, revision=revision)
            record(connection, self._by, "case re-embed", f"model {self._new.number}", {**told, "bridge": number})
        self.open = [number]


def _across(old: dict[int, np.ndarray], bridge: Bridge) -> dict[int, Float32[np.ndarray, " new"]]:
    if not old:
        return {}
    return dict(zip(old, bridge.map.across(unit_rows(np.stack(list(old.values())))), strict=True))


def _number_of(case: Case, embedder: ClipEmbedder, by: str) -> int:
    if embedder.model is None:
        raise SettingError("a case knows models by the hash of their weights, and this one has none")
    with case.database.writing() as connection:
        number = find_model(
            connection,
            model=embedder.model,
            feeding=embedder.feeding,
            seen_unmasked=False,  # crops are kept with their faces covered
            width=embedder.embed_dim,
            precision=embedder.policy.precision,
        )
        record(connection, by, "case re-embed", f"model {number}", {"begun": True})
    return number


def _without(case: Case, number: int, left_out: Collection[int]) -> list[CaseTracklet]:
    """Give those without a vector in an order that says nothing of them; those in the trash may come back."""
    has = sa.select(VECTORS.c.tracklet).where(VECTORS.c.model == number)
    with case.database.reading() as connection:
        done = {*connection.execute(has).scalars(), *left_out}
        every = connection.execute(sa.select(TRACKLETS.c.number)).scalars()
        missing = [one for one in every if one not in done]
        found = tracklets_in(case, connection, numbers=missing, with_trash=True)
    return sorted(found, key=lambda one: _drawn(one.tracklet.tracklet_id))


def _embedded(
    embedder: ClipEmbedder, group: Sequence[CaseTracklet], processes: Processes
) -> tuple[dict[str, Float32[np.ndarray, " embed"]], dict[int, str]]:
    """Embed a group, by id; those whose crops are gone or damaged are named, by number, and the others embedded."""
    try:
        table = embed_tracklets(embedder.encoder, [one.tracklet for one in group], processes, embedder.feeding)
        return dict(zip([one.tracklet.tracklet_id for one in group], table.embeddings, strict=True)), {}
    except DatasetError as refusal:
        if len(group) == 1:
            why = f"{group[0].tracklet.tracklet_id} has no vector by the new model: {refusal}"
            return {}, {group[0].number: why}
    parts = [_embedded(embedder, [one], processes) for one in group]
    return dict(ChainMap(*(vectors for vectors, _ in parts))), dict(ChainMap(*(refusals for _, refusals in parts)))


def _bring(case: Case, vectors: Mapping[str, Float32[np.ndarray, " embed"]], models: Sequence[int]) -> int:
    """Store vectors in one transaction; gives how many, since some of their tracklets may be purged."""
    with case.database.writing() as connection:
        numbers = tracklet_numbers(connection, vectors)
        revision = next_revision(connection)
        for model in models:
            put_vectors(connection, model, {numbers[one]: vectors[one] for one in numbers}, revision=revision)
    return len(numbers)


def _drawn(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
