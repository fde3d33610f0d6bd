"""Who the tracklets of a table are and what made their embeddings: all of a table but the embeddings themselves.

Where they lie is the matter of `embedding_table` (in memory, or mapped from one file) and `sharded_table` (many files).
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int64, Shaped

from skyreid.errors import CheckpointError, TableError
from skyreid.feeding import Feeding, feeding_differences, read_feeding
from skyreid.tracklet import PLATFORMS, Platform

COLUMNS = ("pids", "camids", "platforms", "tracklet_ids")
"""What every table holds besides its embeddings, one value each per tracklet; `pictures` may stand beside them."""
FACTS = ("manifest", "model", "feeding", "precision", "seen")
"""What every table may say of itself, one text each."""
_UNMASKED = "people before their faces were covered"
"""The text `seen` of a table that `build` made while cutting; other tables have none."""
_LARGEST_SUGGESTING = 20_000
"""Tracklets among which one that is spelled alike is looked for, which takes a second."""
PER_FRAME = (
    ": one value per frame instead of one per tracklet? Taken by tracklet, such values belong to others, and matches "
    "of the same camera count as found. Give each tracklet its value once, outside the loop over its frames"
)
"""What to say of the mistake that made published scores worthless: camera ids listed by frame, read by tracklet."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TableRows(ABC):
    """The tracklets of a table, row by row, and what is known of how they were embedded."""

    pids: Int64[np.ndarray, " tracklet"]
    camids: Int64[np.ndarray, " tracklet"]
    platforms: Int64[np.ndarray, " tracklet"]
    """0 ground, 1 aerial."""
    tracklet_ids: Shaped[np.ndarray, " tracklet"]
    """Strings or integers, unique."""
    pictures: Shaped[np.ndarray, " tracklet"] | None = None
    """sha256 of what each tracklet showed, as `data_hash.pictures_sha256` gives it, 64 bytes each; None = unknown: the
    table is of another program, or of skyreid 0.1."""
    manifest: str | None = None
    """Path of the manifest that lists the frames of these tracklets; None = there are no pictures."""
    model: str | None = None
    """sha256 of the weights that made the embeddings; None = unknown."""
    feeding: Feeding | None = None
    """How those weights were fed; None = unknown."""
    precision: str | None = None
    """In which numbers they computed, such as "float32" or "bfloat16"; None = unknown. It forbids no comparison."""
    seen_unmasked: bool = False
    """Whether the model saw people before their faces were covered, so more than the pictures show."""

    @property
    @abstractmethod
    def embedding_size(self) -> int:
        """Numbers of an embedding."""

    def __len__(self) -> int:
        return len(self.pids)

    def row_of(self, tracklet_id: str) -> int:
        """Find the row of a tracklet; an id that is an integer is found by its digits.

        Raises:
            TableError: there is no such tracklet; the message names some that there are.
        """
        ids = self.tracklet_ids.astype(str)
        rows = np.flatnonzero(ids == tracklet_id)
        if rows.size == 0:
            close = get_close_matches(tracklet_id, ids.tolist(), n=1) if len(self) <= _LARGEST_SUGGESTING else []
            suggestion = f" (did you mean {close[0]!r}?)" if close else ""
            raise TableError(
                f"the table has no tracklet {tracklet_id!r}{suggestion}; it has {len(self)}: "
                f"{', '.join(ids[:5])}{', …' if len(self) > 5 else ''}"
            )
        return int(rows[0])

    @cached_property
    def id_ranks(self) -> Int64[np.ndarray, " tracklet"]:
        """The place of each row's tracklet id in ascending order, by which ties are broken."""
        ranks = np.empty(len(self), dtype=np.int64)
        ranks[np.argsort(self.tracklet_ids, kind="stable")] = np.arange(len(self))
        return ranks

    def columns(self) -> dict[str, Shaped[np.ndarray, " tracklet"]]:
        """Give what stands in columns, by name; `pictures` only if they are known."""
        pictures = {} if self.pictures is None else {"pictures": self.pictures}
        return {name: getattr(self, name) for name in COLUMNS} | pictures

    def facts(self, folder: Path) -> dict[str, str]:
        """Give what is known of the table, as the texts that a file of it in this folder holds."""
        texts = {
            "manifest": _from_the_table(self.manifest, folder.resolve()),
            "model": self.model,
            "feeding": None if self.feeding is None else self.feeding.to_text(),
            "precision": self.precision,
            "seen": _UNMASKED if self.seen_unmasked else None,
        }
        return {name: text for name, text in texts.items() if text is not None}

    def check_rows(self) -> None:
        """Refuse platforms that are none, and a tracklet that stands twice.

        Raises:
            TableError: the first that is found, by row.
        """
        wrong = np.flatnonzero((self.platforms < 0) | (self.platforms >= len(PLATFORMS)))
        if wrong.size:
            row = int(wrong[0])
            raise TableError(f"platforms, row {row}: must be 0 (ground) or 1 (aerial); got {self.platforms[row]}")
        order = np.argsort(self.tracklet_ids, kind="stable")
        in_order = self.tracklet_ids[order]
        repeated = np.flatnonzero(in_order[1:] == in_order[:-1])
        if repeated.size:
            first, second = int(order[repeated[0]]), int(order[repeated[0] + 1])
            raise TableError(
                f"tracklet_ids must be unique; rows {first} and {second} are both {self.tracklet_ids[first]}"
            )

    def _in_words(self, numbers: str) -> str:
        model = "model not stated" if self.model is None else f"model {self.model[:12]}"
        model += ", of people before their faces were covered" if self.seen_unmasked else ""
        return (
            f"{len(self)} tracklets of {self.embedding_size} {numbers}: {platform_counts(self)}; "
            f"{np.unique(self.pids).size} pids, {np.unique(self.camids).size} cameras, {model}"
        )


@dataclass(frozen=True, kw_only=True)
class TableFacts:
    """What a file says of the table that it holds."""

    manifest: str | None
    model: str | None
    feeding: Feeding | None
    precision: str | None
    seen_unmasked: bool


def read_facts(texts: Mapping[str, str], folder: Path) -> TableFacts:
    """Read what `TableRows.facts` gave.

    Args:
        texts: by the names of `FACTS`; what is not known is missing.
        folder: where the file lies that holds them.

    Raises:
        TableError: a feeding that is none.
    """
    manifest, fed = texts.get("manifest"), texts.get("feeding")
    try:
        feeding = None if fed is None else read_feeding(fed)
    except CheckpointError as error:
        raise TableError(str(error)) from None
    return TableFacts(
        manifest=None if manifest is None else os.path.normpath(folder.resolve() / manifest),
        model=texts.get("model"),
        feeding=feeding,
        precision=texts.get("precision"),
        seen_unmasked=texts.get("seen") == _UNMASKED,
    )


def read_columns(arrays: Mapping[str, Shaped[np.ndarray, "..."]]) -> dict[str, Shaped[np.ndarray, " ..."]]:
    """Take the columns out of what a file holds, integers of any type as int64.

    Raises:
        TableError: one is missing, or numbers that are none.
    """
    if missing := [name for name in COLUMNS if name not in arrays]:
        raise TableError(f"a table holds the columns {', '.join(COLUMNS)}; missing: {', '.join(missing)}")
    columns = {name: as_int64(name, arrays[name]) for name in COLUMNS if name != "tracklet_ids"}
    return columns | {name: arrays[name] for name in ("tracklet_ids", "pictures") if name in arrays}


def check_columns(columns: Mapping[str, Shaped[np.ndarray, "..."]], num_rows: int) -> None:
    """Refuse what the annotations of `TableRows` refuse; they are checked in tests only.

    Raises:
        TableError: a column of another type or length; the message names it.
    """
    for name in ("pids", "camids", "platforms"):
        if columns[name].dtype != np.int64:
            raise TableError(f"{name} must be int64; got {columns[name].dtype}")
    if columns["tracklet_ids"].dtype.kind not in "Uiu":
        raise TableError(f"tracklet_ids must be strings or integers; got {columns['tracklet_ids'].dtype}")
    if "pictures" in columns and columns["pictures"].dtype != "S64":
        raise TableError(f"pictures must be 64 hexadecimal digits each (S64); got {columns['pictures'].dtype}")
    for name, column in columns.items():
        if column.shape != (num_rows,):
            is_longer = column.ndim == 1 and column.size > num_rows > 0 and name != "tracklet_ids"
            raise TableError(
                f"{name} must hold one value per row of embeddings ({num_rows}); got the shape {column.shape}"
                + (PER_FRAME if is_longer else "")
            )


def as_int64(name: str, array: Shaped[np.ndarray, "..."]) -> Int64[np.ndarray, "..."]:
    """Convert integers of any type.

    Raises:
        TableError: they are none, or too large.
    """
    if array.dtype.kind not in "iu":
        raise TableError(f"{name} must be integers; got {array.dtype}")
    if array.size and array.max() > np.iinfo(np.int64).max:
        raise TableError(f"{name} must be below 2**63; got {array.max()}")
    return array.astype(np.int64)


def require_comparable(query: TableRows, gallery: TableRows) -> None:
    """Refuse two tables that no cosine can compare.

    Raises:
        TableError: the embedding sizes differ, or different models made them, or one model that was fed differently.
    """
    sizes = query.embedding_size, gallery.embedding_size
    if sizes[0] != sizes[1]:
        raise TableError(
            f"embeddings of two tables must have one size; got {sizes[0]} and {sizes[1]} "
            "(extract both with the same model)"
        )
    if query.model is not None and gallery.model is not None and query.model != gallery.model:
        raise TableError(
            "embeddings of two tables must come from one model; "
            f"got the sha256 {query.model} and {gallery.model} (extract both with the same weights)"
        )
    if query.feeding is not None and gallery.feeding is not None and query.feeding != gallery.feeding:
        found = "; ".join(feeding_differences(query.feeding, gallery.feeding))
        raise TableError(f"embeddings of two tables must come from clips of one kind; got {found} (embed one anew)")


def platform_counts(table: TableRows) -> str:
    """Say how many tracklets each platform has, for a message."""
    return ", ".join(f"{np.count_nonzero(table.platforms == p.number)} {p}" for p in Platform)


def _from_the_table(manifest: str | None, folder: Path) -> str | None:
    """Say where a manifest lies as seen from the table: nobody's home stands in a file that is passed on."""
    if manifest is None:
        return None
    try:
        return Path(os.path.relpath(manifest, folder)).as_posix()
    except ValueError:  # on another drive of Windows
        return manifest
