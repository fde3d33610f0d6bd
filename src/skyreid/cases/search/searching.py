"""Who in a case resembles somebody: exact, over all whom the filters let through, with what was decided on them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from time import monotonic

import numpy as np
from jaxtyping import Bool
from sqlalchemy.engine import Connection

from skyreid.cases.case import Case, revision_of
from skyreid.cases.deciding.standing import OPEN, Standing, StandingKeeper
from skyreid.cases.search.choosing import Choosing
from skyreid.cases.search.reach import unreachable_rows
from skyreid.cases.search.refining import Learned
from skyreid.cases.search.search_cache import Gallery, SearchCache
from skyreid.cases.tracklets import (
    CaseModel,
    CaseTracklet,
    models_in,
    open_bridge,
    read_known_vectors,
    read_vectors,
    tracklet_numbers,
    tracklets_in,
)
from skyreid.errors import CaseError, NothingFoundError, SettingError, TableError
from skyreid.files.strict_json import Json
from skyreid.retrieval.comparing import Direction
from skyreid.retrieval.filters import Filters, LeftOut, filter_rows
from skyreid.retrieval.row_lengths import has_direction
from skyreid.retrieval.search import Asked
from skyreid.tracklet import Platform

_NO_FILTERS = Filters()
MOST_FOUND = 1_000
"""Of one search."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Somebody whom a search found; a similarity is not an identification."""

    place: int
    """In the list, from 1."""
    rank: int
    """Place by similarity alone, from 1; another one than in the list where that was refined."""
    similarity: float
    """Cosine with the queries, -1 to 1."""
    state: str
    """What was decided on them and the query: open, confirmed, rejected or unsure."""
    seen: CaseTracklet

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        sighting = self.seen.sighting
        start_s, end_s = sighting.offset_s or (None, None)
        return {
            "place": self.place,
            "rank": self.rank,
            "tracklet_id": self.seen.tracklet.tracklet_id,
            "similarity": self.similarity,
            "state": self.state,
            "platform": self.seen.source.platform.value,
            "camera": sighting.camera,
            "file": sighting.file,
            "start_s": start_s,
            "end_s": end_s,
            "time": None if sighting.clock is None else sighting.clock.isoformat(),
        }


@dataclass(frozen=True, kw_only=True)
class Refined:
    """How many sightings a list learned from."""

    confirmed: int
    rejected: int

    @property
    def words(self) -> str:
        """Such as "refined (3✓ 2✗)"."""
        return f"refined ({self.confirmed}✓ {self.rejected}✗)"


@dataclass(frozen=True, kw_only=True)
class CaseRanking:
    """What a search in a case found, the most similar first, or as decisions refined that."""

    candidates: tuple[Candidate, ...]
    refined: Refined | None
    """By what the order was refined; None = it is that of the similarities."""
    num_searched: int
    """Everybody whom the filters let through was compared."""
    left_out: tuple[LeftOut, ...]
    """What each filter left out."""
    num_decided: int
    """Left out because it was decided on them: they are the person already, or somebody else."""
    num_waiting: int
    """Tracklets that have no vector by this model yet."""
    model: CaseModel
    seconds: float

    def lines(self) -> list[str]:
        """Say it to a reader."""
        told = [
            f"{one.similarity:7.4f}  {one.seen.tracklet.tracklet_id}"
            + ("" if one.state == OPEN else f"  {one.state}")
            + ("" if one.place == one.rank else f"  (by similarity alone {one.rank})")
            for one in self.candidates
        ]
        if self.refined:
            told.append(f"{self.refined.words} by what was decided; --raw orders by similarity alone.")
        told += [f"{one.filter}: {one.in_words()}." for one in self.left_out if one.count]
        if self.num_decided:
            told.append(f"{self.num_decided} who are decided on already are left out (--decided shows them).")
        if self.num_waiting:
            told.append(f"{self.num_waiting} tracklets have no vector by this model yet: the result is partial.")
        return [*told, f"searched {self.num_searched:,} tracklets, exact. A ranking is not an identification."]

    def to_json(self) -> dict[str, Json]:
        """Say it to a program."""
        return {
            "candidates": [one.to_json() for one in self.candidates],
            "refined": None if self.refined is None else asdict(self.refined),
            "num_searched": self.num_searched,
            "left_out": [one.to_json() for one in self.left_out],
            "num_decided": self.num_decided,
            "num_waiting": self.num_waiting,
            "model": self.model.model,
            "seconds": self.seconds,
        }


class CaseSearch:
    """Searches one case again and again: keeps the caches of its models open. For one thread at a time.

    Args:
        case: that is searched.
        kept: who is who in it; None = found out here.
    """

    def __init__(self, case: Case, kept: StandingKeeper | None = None) -> None:
        self._case, self._kept = case, kept or StandingKeeper()
        self._caches: dict[int, SearchCache] = {}
        self._models: tuple[int, list[CaseModel]] = (-1, [])

    def search(
        self,
        queries: Sequence[str] = (),
        *,
        asked: Sequence[Asked] = (),
        platform: Platform | None = None,
        top_k: int = 20,
        filters: Filters = _NO_FILTERS,
        max_speed: float | None = None,
        model: int | None = None,
        with_decided: bool = False,
        person: str | None = None,
        refine: bool = False,
    ) -> CaseRanking:
        """Rank everybody whom the filters let through by likeness to what is asked with.

        Args:
            queries: ids of tracklets; several ask as one, by the mean of the cosines.
            asked: what else is asked with, embedded by the same model.
            platform: to be searched; None = both.
            top_k: how many to find.
            filters: what a candidate must fulfil.
            max_speed: metres a second that a person moves at most: who was too far away too soon to be the person of
                a tracklet that asks is left out; None = nobody is.
            model: number of the model; None = the one with the most vectors, or what `adapting` made of it when
                tracklets alone ask.
            with_decided: find those too who are confirmed as the query's person or rejected.
            person: who asks, and is not told what others said of a pair before enough did; None = all is told.
            refine: order by what was decided on the queries, too (`refining`).

        Raises:
            CaseError: no such tracklet or model, or a query without a vector.
            NothingFoundError: nobody may be found.
            SettingError: nothing to ask with, or a filter that cannot be.
            TableError: a vector of another size.
        """
        if not queries and not asked:
            raise SettingError("a search asks with something: a tracklet, a picture or a text")
        if not 1 <= top_k <= MOST_FOUND:
            raise SettingError(f"a search finds 1 to {MOST_FOUND}; got k={top_k}")
        begun = monotonic()
        with self._case.database.reading() as connection:
            chosen = self._choose_model(connection, model, by_tracklets=not asked)
            standing = self._kept.touching(connection, queries)
            if person is not None:
                standing = standing.seen_by(person)
            if missing := [one for one in queries if one not in standing.presences]:
                raise CaseError(f"{self._case.folder}: has no tracklet {missing[0]!r}, or it is in the trash")
            numbers = tracklet_numbers(connection, queries)
            directions = _directions(connection, chosen, [numbers[one] for one in queries], asked)
            gallery = self._cache(chosen).gallery(connection)
            rows = gallery.can_be_seen()
            waiting = sum(source.num_tracklets for source in gallery.sources.values() if source.is_open)
            waiting -= int(np.count_nonzero(rows))
            if numbers:
                rows &= ~np.isin(gallery.numbers, list(numbers.values()))
            decided = 0
            if not with_decided and (others := _decided(connection, standing, queries)):
                is_decided = rows & np.isin(gallery.numbers, others)
                decided = int(np.count_nonzero(is_decided))
                rows &= ~is_decided
            rows, told = _filtered(gallery, rows, platform, filters)
            if max_speed is not None:
                asking = tracklets_in(self._case, connection, numbers=[numbers[one] for one in queries])
                far = unreachable_rows(connection, gallery, rows, asking, max_speed=max_speed)
                rows &= ~far
                told = (*told, LeftOut(filter=f"reachable at {max_speed:g} m/s", count=int(np.count_nonzero(far))))
            candidates = np.flatnonzero(rows)
            if candidates.size == 0:
                left = "; ".join(f"{one.filter}: {one.in_words()}" for one in told if one.count)
                raise NothingFoundError(
                    f"{self._case.folder}: nobody is left to search" + (f" ({left})" if left else "")
                )
            learned = _learned(connection, chosen, standing, queries) if refine else None
            choose = Choosing(connection, chosen, gallery, directions, candidates)
            chosen_few = choose.refined(learned, top_k) if learned else choose.most_similar(top_k)
            found = tracklets_in(self._case, connection, numbers=chosen_few.numbers, sources=gallery.sources)
            seen = {one.number: one for one in found}
        return CaseRanking(
            candidates=tuple(
                Candidate(
                    place=place,
                    rank=rank,
                    similarity=similarity,
                    state=_state(standing, queries, seen[number].tracklet.tracklet_id),
                    seen=seen[number],
                )
                for place, (number, similarity, rank) in enumerate(chosen_few.rows(), start=1)
            ),
            refined=Refined(confirmed=len(learned.confirmed), rejected=len(learned.rejected)) if learned else None,
            num_searched=int(candidates.size),
            left_out=told,
            num_decided=decided,
            num_waiting=waiting,
            model=chosen,
            seconds=monotonic() - begun,
        )

    def _cache(self, model: CaseModel) -> SearchCache:
        if model.number not in self._caches:
            self._caches[model.number] = SearchCache(self._case, model)
        return self._caches[model.number]

    def _choose_model(self, connection: Connection, number: int | None, *, by_tracklets: bool) -> CaseModel:
        """Look a model up; how many vectors each has is counted when something changed."""
        revision = revision_of(connection)
        if self._models[0] != revision:
            self._models = revision, models_in(connection)
            for gone in self._caches.keys() - {one.number for one in self._models[1] if one.num_vectors}:
                del self._caches[gone]  # of a bridge, which is there for a while
        models = self._models[1]
        # One that has not seen all tracklets is out of date, and so is that of a model which another one replaced.
        adapted = [
            one.number
            for one in models
            if one.is_adapted and one.num_vectors == models[0].num_vectors and one.number > models[0].number
        ]
        if number is None and by_tracklets and adapted:
            number = max(adapted)
        if number is None and not by_tracklets and (bridge := open_bridge(models)):
            number = bridge.number
        return _chosen(self._case, models, number)


def _chosen(case: Case, models: Sequence[CaseModel], number: int | None) -> CaseModel:
    chosen = next((one for one in models if number in (None, one.number)), None)
    if chosen is None or chosen.num_vectors == 0:
        raise CaseError(
            f"{case.folder}: has no vectors to search"
            + (f" by model {number}" if number is not None else "")
            + "; 'skyreid case work' makes them, 'skyreid case add CASE TABLE.npz' brings them in"
        )
    return chosen


def _directions(
    connection: Connection, model: CaseModel, numbers: Sequence[int], asked: Sequence[Asked]
) -> list[Direction]:
    from skyreid.retrieval.cosine import unit_rows  # loads PyTorch

    directions = [Direction(row[np.newaxis]) for row in unit_rows(read_vectors(connection, model, numbers))]
    for one in asked:
        given = np.asarray(one.embedding, dtype=np.float32).reshape(1, -1)
        if given.shape[1] != model.width - one.first_column or not has_direction(given)[0]:
            raise TableError(
                f"{one.words}: must be {model.width - one.first_column} finite numbers, not all zero, as the vectors "
                f"of this model are; got {given.shape[1]} (embed it with the same model)"
            )
        directions.append(Direction(unit_rows(given), one.first_column))
    return directions


def _filtered(
    gallery: Gallery, rows: Bool[np.ndarray, " row"], platform: Platform | None, filters: Filters
) -> tuple[Bool[np.ndarray, " row"], tuple[LeftOut, ...]]:
    told: list[LeftOut] = []
    if platform is not None:
        on_platform = rows & gallery.of_platform(platform)
        told.append(LeftOut(filter=f"platform {platform}", count=int(rows.sum() - on_platform.sum())))
        rows = on_platform
    left, by_filters = filter_rows(filters, rows, gallery.columns, cameras=gallery.cameras)
    return left, (*told, *by_filters)


def _told_apart(standing: Standing, queries: Sequence[str]) -> tuple[set[str], set[str]]:
    """Tracklets that are the person of a query, and those that are said not to be."""
    pids = standing.identities.pids
    same = {member for one in queries for member in standing.members[pids[one]]}
    return same, {member for one in queries for member in standing.rejected_with(one)}


def _decided(connection: Connection, standing: Standing, queries: Sequence[str]) -> list[int]:
    """Numbers of the tracklets that are the person of a query, or are said not to be."""
    same, other = _told_apart(standing, queries)
    return list(tracklet_numbers(connection, same | other).values())


def _learned(connection: Connection, model: CaseModel, standing: Standing, queries: Sequence[str]) -> Learned:
    """What was decided on the queries, as far as it has vectors."""
    from skyreid.retrieval.cosine import unit_rows  # loads PyTorch

    same, others = _told_apart(standing, queries)
    further = same - set(queries)
    confirmed, rejected = (
        unit_rows(read_known_vectors(connection, model, list(tracklet_numbers(connection, ids).values())))
        for ids in (further, others - further)
    )
    return Learned(confirmed=confirmed, rejected=rejected)


def _state(standing: Standing, queries: Sequence[str], tracklet_id: str) -> str:
    """What was decided on a candidate and the first of the queries that somebody decided on."""
    states = [standing.pair_state(one, tracklet_id) for one in queries if tracklet_id in standing.presences]
    return next((state for state in states if state != OPEN), OPEN)
