"""Embeddings with what is needed to rank and score them, in memory and as one .npz file.

A table is read and refused without PyTorch, whose start takes more time and memory than that; the first comparison
loads it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Integer, Shaped

from skyreid.arguments import kind_of, path_of
from skyreid.errors import SettingError, TableError
from skyreid.files.atomic_file import write_atomically
from skyreid.retrieval.npz_file import npz_pieces, read_npz
from skyreid.retrieval.row_lengths import refuse_without_direction, rounded_to_float16, row_norms
from skyreid.retrieval.table_folder import read_embeddings, read_heads, read_index, write_index, write_shards
from skyreid.retrieval.table_rows import (
    COLUMNS,
    FACTS,
    TableRows,
    as_int64,
    check_columns,
    read_columns,
    read_facts,
    require_comparable,
)
from skyreid.tracklet import Platform

TABLE_FILE = "embeddings.npz"
"""Its name beside the manifest of a build that embedded while it cut."""
ARRAYS = ("embeddings", *COLUMNS)
"""What every table file holds, one array each. The first in a file is aligned by the length of this name, so that
it can be mapped, whether numpy wrote it or we."""


@runtime_checkable
class TorchTensor(Protocol):
    """A `torch.Tensor`, told by its methods, so that PyTorch need not be loaded to ask."""

    def detach(self) -> "TorchTensor": ...

    def cpu(self) -> "TorchTensor": ...

    def float(self) -> "TorchTensor": ...

    def numpy(self) -> np.ndarray: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingTable(TableRows):
    """One row per tracklet, in manifest order.

    Raises:
        TableError: arrays of different length or of another type, a repeated tracklet id, a platform
            that is neither 0 nor 1, a value that is not finite, or a row without a direction.
    """

    embeddings: Float[np.ndarray, "tracklet embed"]
    """Un-normalised; float32, or float16 (see `in_float16`)."""
    keeps_units: ClassVar[bool] = True
    """Whether embeddings that were scaled to length 1 are kept for the next comparison."""

    def __post_init__(self) -> None:
        _check_types(self.arrays())
        refuse_without_direction(self.embeddings, self.norms(), self.tracklet_ids)
        self.check_rows()

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
            pids=as_int64("pids", _array("pids", pids)),
            camids=as_int64("camids", _array("camids", camids)),
            platforms=as_int64("platforms", _array("platforms", numbers)),
            tracklet_ids=_array("tracklet_ids", tracklet_ids),
            model=model,
        )

    def on(self, platform: Platform | str) -> "EmbeddingTable":
        """Keep the tracklets of one platform, "ground" or "aerial"."""
        return self.select(self.platforms == Platform(platform).number)

    @property
    def embedding_size(self) -> int:
        """Numbers of an embedding."""
        return self.embeddings.shape[1]

    @property
    def starts(self) -> tuple[int, ...]:
        """The row at which each piece begins; a table in memory is one piece."""
        return (0,)

    def shard(self, place: int) -> "EmbeddingTable":
        """Give the rows of one piece."""
        return (self,)[place]

    def __repr__(self) -> str:
        numbers = "float16 numbers" if self.embeddings.dtype == np.float16 else "numbers"
        return f"EmbeddingTable({self._in_words(numbers)})"

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

    def in_float16(self) -> "EmbeddingTable":
        """Round the embeddings to float16: half the file, and half the time of a search; cosines move by 0.00001."""
        return replace(self, embeddings=rounded_to_float16(self.embeddings, self.norms()))

    def select(self, mask: Bool[np.ndarray, " tracklet"]) -> "EmbeddingTable":
        """Keep the rows where `mask` is true, in their order."""
        return replace(self, **{name: array[mask] for name, array in self.arrays().items()})

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
        mine, others = self.arrays(), other.arrays()
        return EmbeddingTable(
            **{name: np.concatenate([mine[name], others[name]]) for name in mine if name in others},
            manifest=self.manifest,
            model=self.model if self.model == other.model else None,
            feeding=self.feeding if self.feeding == other.feeding else None,
            precision=self.precision if self.precision == other.precision else None,
            seen_unmasked=self.seen_unmasked or other.seen_unmasked,
        )

    def arrays(self) -> dict[str, Shaped[np.ndarray, "tracklet ..."]]:
        """Give what a file of the table holds, by name."""
        return {"embeddings": self.embeddings, **self.columns()}


def in_numpy(embeddings: Float[TorchTensor, "..."]) -> Float32[np.ndarray, "..."]:
    """Take a tensor of any float type, on any device, with or without a gradient."""
    return embeddings.detach().cpu().float().numpy()


def save_table(path: str | PathLike[str], table: EmbeddingTable, *, shard_rows: int | None = None) -> None:
    """Write a table as one uncompressed .npz, or as a folder of many files; whole or not at all.

    Args:
        path: of the file, or of the folder: a new one, or one that holds such a table, which is replaced.
        table: what to write.
        shard_rows: tracklets of each file of the folder; None = one file.

    Raises:
        SettingError: the path is none, or a folder of something else; or the table is none.
        TableError: no tracklet to write into a folder.
    """
    path = path_of(path, "the file of a table")
    if not isinstance(table, EmbeddingTable):
        raise SettingError(f"save_table takes a path and an EmbeddingTable; the second is {kind_of(table)}")
    if shard_rows is not None:
        write_index(path, write_shards(path, table.arrays(), shard_rows=shard_rows), table.facts(path))
        return
    texts = {name: np.array(text) for name, text in table.facts(path.parent).items()}
    write_atomically(path, npz_pieces(table.arrays() | texts))


def load_table(path: str | PathLike[str]) -> EmbeddingTable:
    """Read a table that `save_table` or any other program wrote.

    Embeddings may come in any float type, numbers in any integer type; what is neither float32 nor float16 is
    converted. Uncompressed embeddings are mapped, not read, so that a large table opens at once; an evaluation then
    keeps one copy of them, scaled to length 1, in memory. A table in many files is read into memory as a whole, each
    file after its hash was compared. Nothing in a file is ever executed: an array of Python objects is refused.
    Arrays of other names are somebody else's and are left alone.

    Raises:
        TableError: no .npz file and no folder of a table; an array missing or of the wrong kind; a file of the folder
            that is missing, another one or damaged; or what `EmbeddingTable` refuses.
        SettingError: the path is none.
    """
    path = path_of(path, "a table")
    if path.is_dir():
        index = read_index(path)
        head = read_heads(path, index)
        arrays, folder = {"embeddings": read_embeddings(path, index, head), **head.columns}, path
        texts = index.facts.texts()
    else:
        read, folder = read_npz(path, (*ARRAYS, "pictures", *FACTS), mapped="embeddings"), path.parent
        arrays = {name: array for name, array in read.items() if name not in FACTS}
        texts = {name: _as_text(path, name, read[name]) for name in FACTS if name in read}
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        raise TableError(f"{path}: a table holds the arrays {', '.join(ARRAYS)}; missing: {', '.join(missing)}")
    try:
        converted = {"embeddings": _as_embeddings(arrays["embeddings"]), **read_columns(arrays)}
        _check_types(converted)
        return EmbeddingTable(**converted, **vars(read_facts(texts, folder)))
    except TableError as refusal:
        raise TableError(f"{path}: {refusal}") from None


def _check_types(arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse what the annotations of `EmbeddingTable` refuse; they are checked in tests only."""
    shape = arrays["embeddings"].shape
    if len(shape) != 2 or shape[1] == 0:
        raise TableError(f"embeddings must have the shape (tracklets, embedding size); got {shape}")
    if arrays["embeddings"].dtype not in (np.float32, np.float16):
        raise TableError(f"embeddings must be float32 or float16; got {arrays['embeddings'].dtype}")
    check_columns({name: array for name, array in arrays.items() if name != "embeddings"}, shape[0])


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


def _as_text(path: Path, name: str, array: Shaped[np.ndarray, "..."]) -> str:
    if array.dtype.kind != "U" or array.ndim != 0:
        raise TableError(f"{path}: {name} must be one string; got {array.dtype} of the shape {array.shape}")
    return str(array)
