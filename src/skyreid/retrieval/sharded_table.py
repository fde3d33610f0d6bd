"""A table in many files, of which only the rows are in memory, who they are: embeddings stay where they lie.

Each file is opened when its embeddings are first needed, after its hash was compared, and mapped. What works piece by
piece takes a `Table`, in however many files it lies: `starts` says where its pieces begin, `shard` gives one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from skyreid.arguments import kind_of, path_of
from skyreid.errors import SettingError, TableError
from skyreid.retrieval.embedding_table import EmbeddingTable, load_table
from skyreid.retrieval.row_lengths import refuse_without_direction, row_norms
from skyreid.retrieval.shard_file import Shard, map_embeddings
from skyreid.retrieval.table_folder import read_heads, read_index
from skyreid.retrieval.table_rows import TableRows, check_columns, read_columns, read_facts


@dataclass(frozen=True, eq=False)
class ShardFile:
    """One file of a table; opened when its embeddings are first asked for, in each process anew."""

    folder: Path
    shard: Shard

    @cached_property
    def mapped(self) -> Float[np.ndarray, "row embed"]:
        """The embeddings, after the hash of the file was compared.

        Raises:
            TableError: the file is missing, another one or damaged.
        """
        return map_embeddings(self.folder, self.shard)

    @cached_property
    def embeddings(self) -> Float[np.ndarray, "row embed"]:
        """The embeddings, each of which has a direction.

        Raises:
            TableError: as `mapped`; or a value that no table can hold.
        """
        with self.named():
            refuse_without_direction(self.mapped, row_norms(self.mapped))
        return self.mapped

    @contextmanager
    def named(self) -> Iterator[None]:
        """Name the file in what is refused of it inside the `with` block."""
        try:
            yield
        except TableError as refusal:
            name = str(self.folder / self.shard.file)
            raise (refusal if name in str(refusal) else TableError(f"{name}: {refusal}")) from None

    def __getstate__(self) -> dict[str, object]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, kw_only=True, eq=False)
class ShardedTable(TableRows):
    """The rows of a table in many files, and where its embeddings lie; `open_table` makes it.

    It can be sent to other processes, which open the files on their own; they need the same folder.
    """

    folder: Path
    shards: tuple[Shard, ...]
    numbers_of_one: int
    """Of an embedding."""
    is_half: bool
    """Whether the embeddings are float16."""
    index_sha256: str
    """Of what the index says: a table of another content has another."""

    @property
    def embedding_size(self) -> int:
        """Numbers of an embedding."""
        return self.numbers_of_one

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The row at which each shard begins."""
        return tuple(np.cumsum([0, *(shard.rows for shard in self.shards[:-1])]).tolist())

    def shard(self, place: int) -> EmbeddingTable:
        """Give the rows of one shard, their embeddings mapped; checked when it is first asked for.

        Raises:
            TableError: its file is missing, another one or damaged, or holds a value that no table can hold.
        """
        if place not in self._opened:
            file, start = self.files[place], self.starts[place]
            columns = {name: column[start : start + file.shard.rows] for name, column in self.columns().items()}
            with file.named():
                self._opened[place] = _MappedShard(
                    embeddings=file.mapped,
                    **columns,
                    manifest=self.manifest,
                    model=self.model,
                    feeding=self.feeding,
                    precision=self.precision,
                    seen_unmasked=self.seen_unmasked,
                )
        return self._opened[place]

    @cached_property
    def files(self) -> tuple[ShardFile, ...]:
        """The files, none of them opened yet."""
        return tuple(ShardFile(self.folder, shard) for shard in self.shards)

    @cached_property
    def _opened(self) -> dict[int, EmbeddingTable]:
        return {}

    def __getstate__(self) -> dict[str, object]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __repr__(self) -> str:
        numbers = "float16 numbers" if self.is_half else "numbers"
        return f"ShardedTable({self._in_words(numbers)}, in {len(self.shards)} files)"


class _MappedShard(EmbeddingTable):
    """Rows that many others stand beside: what is made of their embeddings is not kept."""

    keeps_units = False


Table: TypeAlias = EmbeddingTable | ShardedTable
"""What is evaluated and searched piece by piece, in however many files it lies."""


def open_table(path: str | PathLike[str]) -> Table:
    """Open a table for evaluation or search: one in many files stays on the disk, another is read by `load_table`.

    Raises:
        TableError: as `load_table`; the embeddings of a table in many files are checked when they are first needed.
        SettingError: the path is none.
    """
    path = path_of(path, "a table")
    if not path.is_dir():
        return load_table(path)
    index = read_index(path)
    head = read_heads(path, index)
    try:
        columns = read_columns(head.columns)
        check_columns(columns, index.rows)
        table = ShardedTable(
            **columns,
            **vars(read_facts(index.facts.texts(), path)),
            folder=path.absolute(),
            shards=index.shards,
            numbers_of_one=head.embedding_size,
            is_half=head.dtype == np.float16,
            index_sha256=index.sha256(),
        )
        table.check_rows()
    except TableError as refusal:
        raise TableError(f"{path}: {refusal}") from None
    return table


def table_of(given: Table | str | PathLike[str]) -> Table:
    """Take a table, or open the one whose path is given.

    Raises:
        TableError: what `open_table` refuses.
        SettingError: it is neither.
    """
    if isinstance(given, EmbeddingTable | ShardedTable):
        return given
    if not isinstance(given, str | PathLike):
        raise SettingError(f"a table is an EmbeddingTable, or the path where it lies; got {kind_of(given)}")
    return open_table(given)
