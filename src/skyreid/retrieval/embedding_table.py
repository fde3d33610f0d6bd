"""Embeddings with what is needed to rank and score them, in memory and as one .npz file.

A table is read and refused without PyTorch, whose start takes more time and memory than that; the first comparison
loads it.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64, Integer, Shaped

from skyreid.arguments import kind_of, path_of
from skyreid.errors import CheckpointError, SettingError, TableError
from skyreid.feeding import Feeding, feeding_differences, read_feeding
from skyreid.files.atomic_file import write_atomically
from skyreid.retrieval.npz_file import npz_pieces, read_npz
from skyreid.retrieval.row_lengths import LEAST_NORM, are_directions, rounded_to_float16, row_norms
from skyreid.tracklet import PLATFORMS, Platform

TABLE_FILE = "embeddings.npz"
"""Its name beside the manifest of a build that embedded while it cut."""
ARRAYS = ("embeddings", "pids", "camids", "platforms", "tracklet_ids")
"""What every table file holds, one array each. The first in a file is aligned by the length of this name, so that
it can be mapped, whether numpy wrote it or we."""
_UNMASKED = "people before their faces were covered"
"""The array `seen` of a table that `build` made while cutting; other tables have none."""
_LARGEST_SUGGESTING = 20_000
"""Tracklets among which one that is spelled alike is looked for, which takes a second."""
PER_FRAME = (
    ": one value per frame instead of one per tracklet? Taken by tracklet, such values belong to others, and matches "
    "of the same camera count as found. Give each tracklet its value once, outside the loop over its frames"
)
"""What to say of the mistake that made published scores worthless: camera ids listed by frame, read by tracklet."""


@runtime_checkable
class TorchTensor(Protocol):
    """A `torch.Tensor`, told by its methods, so that PyTorch need not be loaded to ask."""

    def detach(self) -> "TorchTensor": ...

    def cpu(self) -> "TorchTensor": ...

    def float(self) -> "TorchTensor": ...

    def numpy(self) -> np.ndarray: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingTable:
    """One row per tracklet, in manifest order.

    Raises:
        TableError: arrays of different length or of another type, a repeated tracklet id, a platform
            that is neither 0 nor 1, a value that is not finite, or a row without a direction.
    """

    embeddings: Float[np.ndarray, "tracklet embed"]
    """Un-normalised; float32, or float16 (see `in_float16`)."""
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

    def __post_init__(self) -> None:
        _check_types(self._arrays())
        self._check_embeddings()
        self._check_platforms()
        self._check_tracklet_ids()

    @classmethod
    def of(
        cls,
        embeddings: Float[np.ndarray, "tracklet embed"]
        | Float[TorchTensor, "tracklet embed"]
        | Sequence[Sequence[float | int]],
        *,
        tracklet_ids: Sequence[str] | Sequence[int] | Shaped[np.ndarray, " tracklet"],
        pids: Sequence[int] | Integer[np.ndarray, " tracklet"],
        camids: Sequence[int] | Integer[np.ndarray, " tracklet"],
        platforms: Platform | str | Sequence[Platform | str] | Sequence[int] | Integer[np.ndarray, " tracklet"],
        model: str | None = None,
    ) -> "EmbeddingTable":
        """Make a table of anyone's embeddings, from lists, NumPy or torch, of any float and integer type.

        Args:
            embeddings: one row a tracklet; they need no normalisation.
            tracklet_ids: unique strings or integers.
            pids: who each is; of unlabelled footage, a number of its own for each.
            camids: from 0.
            platforms: "ground" or "aerial", one for each or one for all; or numbers, 0 (ground) and 1 (aerial).
            model: name or hash of what made the embeddings: tables of two models are not compared.

        Raises:
            TableError: as the table itself, or a value that is no number.
            SettingError: no platform of this name.

        >>> EmbeddingTable.of(
        ...     [[0.5, 1.0], [1.0, 0.0]],
        ...     tracklet_ids=["a", "b"], pids=[1, 2], camids=[0, 1], platforms=["ground", "aerial"],
        ... )
        EmbeddingTable(2 tracklets of 2 numbers: 1 ground, 1 aerial; 2 pids, 2 cameras, model not stated)
        """
        rows = in_numpy(embeddings) if isinstance(embeddings, TorchTensor) else embeddings
        if isinstance(platforms, str):
            platforms = [platforms] * len(rows)
        numbers = [one if isinstance(one, int | np.integer) else Platform(one).number for one in platforms]
        return cls(
            embeddings=_as_embeddings(rows if isinstance(rows, np.ndarray) else _array("embeddings", rows, np.float32)),
            pids=_as_int64("pids", _array("pids", pids)),
            camids=_as_int64("camids", _array("camids", camids)),
            platforms=_as_int64("platforms", _array("platforms", numbers)),
            tracklet_ids=_array("tracklet_ids", tracklet_ids),
            model=model,
        )

    def on(self, platform: Platform | str) -> "EmbeddingTable":
        """Keep the tracklets of one platform, "ground" or "aerial"."""
        return self.select(self.platforms == Platform(platform).number)

    def __len__(self) -> int:
        return len(self.pids)

    def __repr__(self) -> str:
        model = "model not stated" if self.model is None else f"model {self.model[:12]}"
        model += ", of people before their faces were covered" if self.seen_unmasked else ""
        numbers = f"{self.embeddings.shape[1]} {'float16 ' if self.embeddings.dtype == np.float16 else ''}numbers"
        return (
            f"EmbeddingTable({len(self)} tracklets of {numbers}: {platform_counts(self)}; "
            f"{np.unique(self.pids).size} pids, {np.unique(self.camids).size} cameras, {model})"
        )

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

    def norms(self, first_column: int = 0) -> Float32[np.ndarray, " tracklet"]:
        """Length of each embedding, or of the part of it that begins at a column, but for rounding; made once."""
        if first_column not in self._norms:
            self._norms[first_column] = row_norms(self.embeddings, first_column)
        return self._norms[first_column]

    @cached_property
    def _norms(self) -> dict[int, Float32[np.ndarray, " tracklet"]]:
        return {}

    @cached_property
    def unit_embeddings(self) -> Float32[np.ndarray, "tracklet embed"]:
        """The embeddings scaled to length 1; made at the first comparison and kept."""
        from skyreid.retrieval.cosine import unit_rows  # loads PyTorch

        return unit_rows(self.embeddings)

    @cached_property
    def id_ranks(self) -> Int64[np.ndarray, " tracklet"]:
        """The place of each row's tracklet id in ascending order, by which ties are broken."""
        ranks = np.empty(len(self), dtype=np.int64)
        ranks[np.argsort(self.tracklet_ids, kind="stable")] = np.arange(len(self))
        return ranks

    def in_float16(self) -> "EmbeddingTable":
        """Round the embeddings to float16: half the file, and half the time of a search; cosines move by 0.00001."""
        return replace(self, embeddings=rounded_to_float16(self.embeddings, self.norms()))

    def select(self, mask: Bool[np.ndarray, " tracklet"]) -> "EmbeddingTable":
        """Keep the rows where `mask` is true, in their order."""
        kept = {name: array[mask] for name, array in self._arrays().items()}
        return EmbeddingTable(
            **kept,
            manifest=self.manifest,
            model=self.model,
            feeding=self.feeding,
            precision=self.precision,
            seen_unmasked=self.seen_unmasked,
        )

    def concatenate(self, other: "EmbeddingTable") -> "EmbeddingTable":
        """Put the rows of `other` behind the rows of this table.

        Raises:
            TableError: the tables differ in embedding size, model, feeding, kind of ids or manifest, or share a
                tracklet id.
        """
        require_comparable(self, other)
        if self.tracklet_ids.dtype.kind != other.tracklet_ids.dtype.kind:
            raise TableError(
                "tracklet_ids of two tables must be of one kind to be put together; "
                f"got {self.tracklet_ids.dtype} and {other.tracklet_ids.dtype}"
            )
        if self.manifest != other.manifest:
            raise TableError(
                "a table points at one manifest; "
                f"got {self.manifest!r} and {other.manifest!r} (extract both from one manifest, or set both to None)"
            )
        mine, others = self._arrays(), other._arrays()
        return EmbeddingTable(
            **{name: np.concatenate([mine[name], others[name]]) for name in mine if name in others},
            manifest=self.manifest,
            model=self.model if self.model == other.model else None,
            feeding=self.feeding if self.feeding == other.feeding else None,
            precision=self.precision if self.precision == other.precision else None,
            seen_unmasked=self.seen_unmasked or other.seen_unmasked,
        )

    def _arrays(self) -> dict[str, Shaped[np.ndarray, "tracklet ..."]]:
        pictures = {} if self.pictures is None else {"pictures": self.pictures}
        return {name: getattr(self, name) for name in ARRAYS} | pictures

    def _check_embeddings(self) -> None:
        unusable = np.flatnonzero(~are_directions(self.norms()))
        if unusable.size == 0:
            return
        row = int(unusable[0])
        where = f"embeddings, row {row} (tracklet {self.tracklet_ids[row]})"
        others = f"; {unusable.size} such rows" if unusable.size > 1 else ""
        if not np.isfinite(self.embeddings[row]).all():
            raise TableError(f"{where}: every value must be finite; got NaN or infinity{others}")
        raise TableError(
            f"{where}: the length of a row must be between {LEAST_NORM:g} and 1.8e19, else its cosine is "
            f"undefined; got {np.linalg.norm(self.embeddings[row].astype(np.float64)):g}{others}"
        )

    def _check_platforms(self) -> None:
        wrong = np.flatnonzero((self.platforms < 0) | (self.platforms >= len(PLATFORMS)))
        if wrong.size:
            row = int(wrong[0])
            raise TableError(f"platforms, row {row}: must be 0 (ground) or 1 (aerial); got {self.platforms[row]}")

    def _check_tracklet_ids(self) -> None:
        order = np.argsort(self.tracklet_ids, kind="stable")
        in_order = self.tracklet_ids[order]
        repeated = np.flatnonzero(in_order[1:] == in_order[:-1])
        if repeated.size:
            first, second = int(order[repeated[0]]), int(order[repeated[0] + 1])
            raise TableError(
                f"tracklet_ids must be unique; rows {first} and {second} are both {self.tracklet_ids[first]}"
            )


def in_numpy(embeddings: Float[TorchTensor, "..."]) -> Float32[np.ndarray, "..."]:
    """Take a tensor of any float type, on any device, with or without a gradient."""
    return embeddings.detach().cpu().float().numpy()


def require_comparable(query: EmbeddingTable, gallery: EmbeddingTable) -> None:
    """Refuse two tables that no cosine can compare.

    Raises:
        TableError: the embedding sizes differ, or different models made them, or one model that was fed differently.
    """
    sizes = query.embeddings.shape[1], gallery.embeddings.shape[1]
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


def platform_counts(table: EmbeddingTable) -> str:
    """Say how many tracklets each platform has, for a message."""
    return ", ".join(f"{np.count_nonzero(table.platforms == p.number)} {p}" for p in Platform)


def save_table(path: str | PathLike[str], table: EmbeddingTable) -> None:
    """Write a table as one uncompressed .npz, whole or not at all.

    Raises:
        SettingError: the path is none, or the table is none.
    """
    path = path_of(path, "the file of a table")
    if not isinstance(table, EmbeddingTable):
        raise SettingError(f"save_table takes a path and an EmbeddingTable; the second is {kind_of(table)}")
    arrays = table._arrays()
    texts = {
        "manifest": _from_the_table(table.manifest, path.parent.resolve()),
        "model": table.model,
        "feeding": None if table.feeding is None else table.feeding.to_text(),
        "precision": table.precision,
        "seen": _UNMASKED if table.seen_unmasked else None,
    }
    arrays |= {name: np.array(text) for name, text in texts.items() if text is not None}
    write_atomically(path, npz_pieces(arrays))


def _from_the_table(manifest: str | None, folder: Path) -> str | None:
    """Say where a manifest lies as seen from the table: nobody's home stands in a file that is passed on."""
    if manifest is None:
        return None
    try:
        return Path(os.path.relpath(manifest, folder)).as_posix()
    except ValueError:  # on another drive of Windows
        return manifest


def table_of(given: EmbeddingTable | str | PathLike[str]) -> EmbeddingTable:
    """Take a table, or read the one whose path is given.

    Raises:
        TableError: what `load_table` refuses.
        SettingError: it is neither.
    """
    if isinstance(given, EmbeddingTable):
        return given
    if not isinstance(given, str | PathLike):
        raise SettingError(f"a table is an EmbeddingTable, or the path of its .npz file; got {kind_of(given)}")
    return load_table(given)


def load_table(path: str | PathLike[str]) -> EmbeddingTable:
    """Read a table that `save_table` or any other program wrote.

    Embeddings may come in any float type, numbers in any integer type; what is neither float32 nor float16 is
    converted. Uncompressed embeddings are mapped, not read, so that a large table opens at once; an evaluation then
    keeps one copy of them, scaled to length 1, in memory. Nothing in the file is ever executed: an array of Python
    objects is refused. Arrays of other names are somebody else's and are left alone.

    Raises:
        TableError: not an .npz file, an array missing or of the wrong kind, or what `EmbeddingTable`
            refuses.
        SettingError: the path is none.
    """
    path = path_of(path, "a table")
    arrays = read_npz(
        path, (*ARRAYS, "pictures", "manifest", "model", "feeding", "precision", "seen"), mapped="embeddings"
    )
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        raise TableError(f"{path}: a table holds the arrays {', '.join(ARRAYS)}; missing: {', '.join(missing)}")
    try:
        converted = {
            "embeddings": _as_embeddings(arrays["embeddings"]),
            "pids": _as_int64("pids", arrays["pids"]),
            "camids": _as_int64("camids", arrays["camids"]),
            "platforms": _as_int64("platforms", arrays["platforms"]),
            "tracklet_ids": arrays["tracklet_ids"],
        }
        if "pictures" in arrays:
            converted["pictures"] = arrays["pictures"]
        _check_types(converted)
        fed, manifest = _as_text("feeding", arrays), _as_text("manifest", arrays)
        return EmbeddingTable(
            **converted,
            manifest=None if manifest is None else os.path.normpath(path.parent.resolve() / manifest),
            model=_as_text("model", arrays),
            feeding=None if fed is None else read_feeding(fed),
            precision=_as_text("precision", arrays),
            seen_unmasked=_as_text("seen", arrays) == _UNMASKED,
        )
    except (TableError, CheckpointError) as refusal:
        raise TableError(f"{path}: {refusal}") from None


def _check_types(arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse what the annotations of `EmbeddingTable` refuse; they are checked in tests only."""
    shape = arrays["embeddings"].shape
    if len(shape) != 2 or shape[1] == 0:
        raise TableError(f"embeddings must have the shape (tracklets, embedding size); got {shape}")
    if arrays["embeddings"].dtype not in (np.float32, np.float16):
        raise TableError(f"embeddings must be float32 or float16; got {arrays['embeddings'].dtype}")
    for name in ("pids", "camids", "platforms"):
        if arrays[name].dtype != np.int64:
            raise TableError(f"{name} must be int64; got {arrays[name].dtype}")
    if arrays["tracklet_ids"].dtype.kind not in "Uiu":
        raise TableError(f"tracklet_ids must be strings or integers; got {arrays['tracklet_ids'].dtype}")
    if "pictures" in arrays and arrays["pictures"].dtype != "S64":
        raise TableError(f"pictures must be 64 hexadecimal digits each (S64); got {arrays['pictures'].dtype}")
    for name in (name for name in arrays if name != "embeddings"):
        if arrays[name].shape != shape[:1]:
            is_longer = arrays[name].ndim == 1 and arrays[name].size > shape[0] > 0 and name != "tracklet_ids"
            raise TableError(
                f"{name} must hold one value per row of embeddings ({shape[0]}); got the shape {arrays[name].shape}"
                + (PER_FRAME if is_longer else "")
            )


def _array(name: str, given: object, dtype: type[np.float32] | None = None) -> Shaped[np.ndarray, "..."]:
    try:
        return np.asarray(given, dtype=dtype)
    except (ValueError, TypeError) as error:
        raise TableError(f"{name} must be one value, or one row of one length, for each tracklet: {error}") from None


def _as_embeddings(array: np.ndarray) -> Float[np.ndarray, "..."]:
    if array.dtype.kind != "f":
        raise TableError(f"embeddings must be floating point; got {array.dtype}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is refused by row
        return np.ascontiguousarray(array, dtype=np.float16 if array.dtype == np.float16 else np.float32)


def _as_int64(name: str, array: np.ndarray) -> Int64[np.ndarray, "..."]:
    if array.dtype.kind not in "iu":
        raise TableError(f"{name} must be integers; got {array.dtype}")
    if array.size and array.max() > np.iinfo(np.int64).max:
        raise TableError(f"{name} must be below 2**63; got {array.max()}")
    return array.astype(np.int64)


def _as_text(name: str, arrays: Mapping[str, np.ndarray]) -> str | None:
    if name not in arrays:
        return None
    array = arrays[name]
    if array.dtype.kind != "U" or array.ndim != 0:
        raise TableError(f"{name} must be one string; got {array.dtype} of the shape {array.shape}")
    return str(array)
