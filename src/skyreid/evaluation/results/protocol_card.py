"""The protocol card: what two scores must have in common before one may be called better than the other."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Literal, TypeAlias

import numpy as np

from skyreid.datasets.data_hash import Row, rows_sha256
from skyreid.datasets.protocol import EvaluationProtocol
from skyreid.files.regular_file import shortened
from skyreid.retrieval.cosine import COSINE
from skyreid.retrieval.ranker import Ranker
from skyreid.retrieval.table_rows import TableRows
from skyreid.tracklet import PLATFORMS, Platform

Asking: TypeAlias = Literal["any", "ground", "aerial"]
CheckpointRule: TypeAlias = Literal[
    "last epoch", "fixed epoch", "best on held-out identities", "best on test", "not trained"
]
SIMULATED_NOTICE = "SIMULATED DATA: nobody here exists; never to be set beside scores on real footage."
PROTOCOL_FIELDS = (
    "protocol",
    "query_platform",
    "gallery_platform",
    "other_platform_only",
    "gallery_includes_queries",
    "junk_same_camera",
)
"""What a card says of the `EvaluationProtocol`. Its `mAP_cut` is left out: it adds a score and changes none."""
_MAY_DIFFER = {"may_differ": True}
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class KnownFacts:
    """What two tables themselves do not tell; None = not stated."""

    dataset: str | None = None
    split: str | None = None
    """Number from 0, name or hash of the division into train and test."""
    simulated: bool | None = None
    flip: bool | None = None
    """Whether embeddings of mirrored clips are averaged in."""
    checkpoint_rule: CheckpointRule | None = None
    """How the epoch was chosen."""
    model: str | None = field(default=None, metadata=_MAY_DIFFER)
    """What a table calls it."""
    seed: int | None = field(default=None, metadata=_MAY_DIFFER)
    """Of the training."""
    commit: str | None = field(default=None, metadata=_MAY_DIFFER)


@dataclass(frozen=True, kw_only=True)
class ProtocolCard(KnownFacts):
    """Everything that makes two scores comparable; None = not stated, as of tables from elsewhere.

    Two scores can be compared when every field is equal but those marked `_MAY_DIFFER` here, and when
    neither checkpoint was chosen by its score on the test set. What was not trained can be compared with what was.
    """

    data_sha256: str | None = None
    """Data hash of the tracklets in the two tables: who they are, and what their crops are."""
    tables_sha256: str | None = None
    """Of who stands in the two tables; see `tables_sha256`."""
    model_sha256: str | None = field(default=None, metadata=_MAY_DIFFER)
    """Of the weights."""
    precision: str | None = field(default=None, metadata=_MAY_DIFFER)
    """In which numbers the embeddings were computed; those of query and gallery where they differ."""

    protocol: str
    query_platform: Asking
    gallery_platform: Asking
    other_platform_only: bool
    gallery_includes_queries: bool
    junk_same_camera: bool
    """These six as in `EvaluationProtocol`."""

    sampling: str | None = None
    """Which frames of a tracklet are seen: "one-clip", "all-frames", or another program's word."""
    clip_length: int | None = None
    """Frames a clip."""
    distance: str
    ranker: str
    """What orders the gallery: the distance itself, or the name of a re-ranking or query expansion."""

    @classmethod
    def of(cls, protocol: EvaluationProtocol, *, ranker: Ranker = COSINE) -> "ProtocolCard":
        """Make the card of a score that `evaluate` gives; state the rest with `dataclasses.replace`."""
        return cls(
            protocol=protocol.name,
            query_platform=_asking(protocol.query_platform),
            gallery_platform=_asking(protocol.gallery_platform),
            other_platform_only=protocol.other_platform_only,
            gallery_includes_queries=protocol.gallery_includes_queries,
            junk_same_camera=protocol.junk_same_camera,
            distance=COSINE.name,
            ranker=ranker.name,
        )

    @property
    def is_reranked(self) -> bool:
        """Whether something else than the distance ordered the gallery."""
        return self.ranker != self.distance

    def is_of(self, protocol: EvaluationProtocol) -> bool:
        """Whether the card says of the protocol what it is."""
        card = ProtocolCard.of(protocol)
        return all(getattr(self, name) == getattr(card, name) for name in PROTOCOL_FIELDS)

    def in_words(self) -> str:
        """Say how the scores came about, in a sentence for a caption; model and ranker stand in its rows."""
        words = [f"{self.dataset or 'dataset not stated'}, split {_value(self.split)}", self._protocol_in_words()]
        words.append(f"sampling {_value(self.sampling)}, frames a clip {_value(self.clip_length)}")
        words.append(f"flip {_value(self.flip)}, distance {self.distance}")
        words.append(f"checkpoint: {_value(self.checkpoint_rule)}")
        words.append(f"data sha256 {_value(self.data_sha256)}")
        notice = f"{SIMULATED_NOTICE} " if self.simulated else ""
        return notice + "; ".join(words) + "."

    def not_stated(self) -> list[str]:
        """Name what should be equal to compare scores, but nobody filled in."""
        return [
            _label(each.name) for each in fields(self) if not _may_differ(each) and getattr(self, each.name) is None
        ]

    def _protocol_in_words(self) -> str:
        searched = "whole" if self.gallery_platform == "any" else self.gallery_platform
        words = [f"{self.protocol}: {self.query_platform} queries against the {searched} gallery"]
        if self.other_platform_only:
            words.append("only the other platform is ranked")
        if self.gallery_includes_queries:
            words.append("queries stand in the gallery")
        words.append(f"same person and camera {'ignored' if self.junk_same_camera else 'counted'}")
        return ", ".join(words)


def differences(a: ProtocolCard, b: ProtocolCard, *, apart_from: frozenset[str] = frozenset()) -> list[str]:
    """Say in plain words what forbids to compare the scores of two cards; nothing = they can be compared.

    A field that one card states and the other does not is a difference.

    Args:
        a: one card.
        b: the other.
        apart_from: names of further fields that may differ.
    """
    rules = {a.checkpoint_rule, b.checkpoint_rule}
    if "not trained" in rules and None not in rules:
        apart_from |= {"checkpoint_rule"}  # of what was not trained nothing was chosen
    found = unequal_fields(a, b, apart_from=apart_from | {each.name for each in fields(a) if _may_differ(each)})
    if "best on test" in rules:
        found.append("checkpoint rule: best on test, which is comparable with nothing; score the last epoch")
    return found


def unequal_fields(a: ProtocolCard, b: ProtocolCard, *, apart_from: frozenset[str]) -> list[str]:
    """Say in plain words what two cards state differently, be it what may differ or not."""
    return [
        f"{_label(each.name)}: {_value(getattr(a, each.name))} and {_value(getattr(b, each.name))}"
        for each in fields(ProtocolCard)
        if each.name not in apart_from and getattr(a, each.name) != getattr(b, each.name)
    ]


def labels(found: Sequence[str]) -> str:
    """Name what is in the way of a comparison, without the values."""
    return ", ".join(dict.fromkeys(difference.partition(":")[0] for difference in found))


def tables_sha256(query: TableRows, gallery: TableRows) -> str:
    """Hash who asks and who is searched: ids, pids, cameras, platforms. Embeddings and order do not count.

    It tells whether two models were asked the same, also where there is no manifest.
    """
    digest = hashlib.sha256()
    for table in (query, gallery):
        order = np.argsort(table.tracklet_ids)
        columns = (table.tracklet_ids, table.pids, table.camids, table.platforms)
        digest.update(json.dumps([column[order].tolist() for column in columns]).encode())
    return digest.hexdigest()


def tables_data_sha256(query: TableRows, gallery: TableRows) -> str | None:
    """Give the data hash of the tracklets that two tables were made from; None where a table does not know it."""
    rows: list[Row] = []
    for table in (query, gallery):
        if table.pictures is None:
            return None
        columns = (table.tracklet_ids, table.pids, table.camids, table.platforms, table.pictures)
        rows += [
            (str(tracklet_id), pid, camid, PLATFORMS[platform], pictures.decode("ascii", "replace"))
            for tracklet_id, pid, camid, platform, pictures in zip(*(c.tolist() for c in columns), strict=True)
        ]
    return rows_sha256(rows)


def _may_differ(card_field: Field[object]) -> bool:
    return card_field.metadata == _MAY_DIFFER


def _asking(platform: Platform | None) -> Asking:
    return "any" if platform is None else platform.value


def _label(name: str) -> str:
    return name.replace("_", " ")


def _value(value: str | int | bool | None) -> str:
    if value is None:
        return "not stated"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return shortened(value) if isinstance(value, str) and _SHA256.fullmatch(value) else str(value)
