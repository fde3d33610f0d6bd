"""A table that lies in many files: a folder with shards and the index that makes a table of them.

    shards.json                            the index: facts of the table, and of each shard rows, bytes and hashes
    00000-0123456789ab.safetensors         its first rows
    00001-ba9876543210.safetensors         the next ones

Shards are written first, by one process or by many; the index, written last and at once, makes the folder a table.
A table that was there before stays whole until then, since shards of another content have other names.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped

from skyreid.errors import CheckpointError, SettingError, TableError
from skyreid.files.atomic_file import sweep_leftovers, write_atomically
from skyreid.files.config_json import from_json, to_json
from skyreid.files.file_kinds import SHARD_NAME, TABLE, TABLE_INDEX, require_kind
from skyreid.files.regular_file import names_in
from skyreid.files.strict_json import Json, content_sha256, has_own_sha256, read_json, with_own_sha256
from skyreid.retrieval.shard_file import Head, Shard, map_embeddings, read_head, write_shard

FORMAT_NAME = "skyreid table in many files"
FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class IndexFacts:
    """What an .npz table says in texts of its own; None = unknown."""

    manifest: str | None = None
    model: str | None = None
    feeding: str | None = None
    precision: str | None = None
    seen: str | None = None

    def texts(self) -> dict[str, str]:
        """Give those that are known, by name."""
        return {name: text for name, text in vars(self).items() if text is not None}


@dataclass(frozen=True, kw_only=True)
class TableIndex:
    """What stands in shards.json."""

    facts: IndexFacts
    shards: tuple[Shard, ...]
    """In the order of their rows."""

    @property
    def rows(self) -> int:
        """How many tracklets the table has."""
        return sum(shard.rows for shard in self.shards)

    def sha256(self) -> str:
        """Hash all that it says."""
        content = to_json(self)
        assert isinstance(content, dict)
        return content_sha256(content)


def write_shards(
    folder: Path,
    arrays: Mapping[str, Shaped[np.ndarray, "row ..."]],
    *,
    shard_rows: int,
    numbers: Sequence[int] | None = None,
) -> list[Shard]:
    """Write rows of a table as shards of equal size; `write_index` then makes a table of them.

    Args:
        folder: of the table.
        arrays: all rows, as an .npz table holds them.
        shard_rows: tracklets of a shard; the last one has what is left.
        numbers: of the shards to write, from 0, where other processes write the others; None = all.

    Raises:
        SettingError: less than 1 tracklet a shard, or the folder holds something else.
        OSError: a shard cannot be written.
    """
    refuse_other_folder(folder)
    if numbers is None:
        numbers = range(count_shards(len(arrays["embeddings"]), shard_rows))
    return [
        write_shard(
            folder,
            number,
            {name: array[number * shard_rows : (number + 1) * shard_rows] for name, array in arrays.items()},
        )
        for number in numbers
    ]


def count_shards(num_rows: int, shard_rows: int) -> int:
    """Say in how many shards of equal size rows are written.

    Raises:
        SettingError: no whole number, or less than 1 tracklet a shard.
    """
    if not isinstance(shard_rows, Integral) or isinstance(shard_rows, bool):
        raise SettingError(f"shard_rows must be a whole number of tracklets; got {shard_rows!r}")
    if shard_rows < 1:
        raise SettingError(f"a shard must hold at least 1 tracklet; got {shard_rows}")
    return -(-num_rows // shard_rows)


def write_index(folder: Path, shards: Sequence[Shard], facts: Mapping[str, str]) -> None:
    """Make a table of shards that are there; files of an older table of this folder go, and those of killed writers.

    Args:
        folder: where they were written.
        shards: what `write_shard` gave for each, in the order of their rows; from however many processes.
        facts: of the table, as `TableRows.facts` gives them for this folder.

    Raises:
        TableError: no shard, or one that is not there.
        OSError: it cannot be written.
    """
    if not shards:
        raise TableError(f"{folder}: a table in many files has at least one tracklet; got none")
    if missing := [shard.file for shard in shards if not (folder / shard.file).is_file()]:
        raise TableError(f"{folder}: {len(missing)} of {len(shards)} files are not there, such as {missing[0]}")
    index = TableIndex(facts=IndexFacts(**facts), shards=tuple(shards))
    content: dict[str, Json] = {"format": FORMAT_NAME, "version": FORMAT_VERSION, "rows": index.rows}
    content |= {"facts": to_json(index.facts), "shards": to_json(index.shards)}
    text = json.dumps(with_own_sha256(content), indent=1).encode()
    write_atomically(folder / TABLE_INDEX, [text + b"\n"])
    sweep_leftovers(folder)
    kept = {shard.file for shard in shards}
    for name in names_in(folder):
        if SHARD_NAME.fullmatch(name) and name not in kept:
            (folder / name).unlink(missing_ok=True)


def read_index(folder: Path) -> TableIndex:
    """Read the index of a table in many files.

    Raises:
        TableError: no such table; or an index that is cut, edited, or of another version.
    """
    require_kind(folder, TABLE, error=TableError)
    path = folder / TABLE_INDEX
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise TableError(f"{path}: the index of the table cannot be read: {error}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT_NAME:
        raise TableError(f"{path} must be the index of a table, of the format {FORMAT_NAME!r}")
    if content.get("version") != FORMAT_VERSION:
        raise TableError(
            f"{path} is of version {content.get('version')!r}, this skyreid reads {FORMAT_VERSION}; write the table "
            "again with this one, or read it with the skyreid that wrote it"
        )
    if not has_own_sha256(content):
        raise TableError(f"{path} was cut or edited: its content does not have the sha256 that it names")
    try:
        index = from_json(TableIndex, {name: content.get(name) for name in ("facts", "shards")}, where="index")
    except CheckpointError as error:  # the reader of dataclasses knows no other file than checkpoints
        raise TableError(f"{path}: {error}") from None
    if not index.shards or content.get("rows") != index.rows:
        raise TableError(f"{path}: its shards must have {content.get('rows')} rows together; they have {index.rows}")
    return index


def read_heads(folder: Path, index: TableIndex) -> Head:
    """Read the columns of all shards, one behind the other, with what their embeddings are.

    Raises:
        TableError: a shard is missing, another one or damaged, or unlike the first; the message names it.
    """
    heads = [read_head(folder, shard) for shard in index.shards]
    first, kinds = heads[0], [_kinds(head) for head in heads]
    for shard, found in zip(index.shards, kinds, strict=True):
        if found != kinds[0]:
            raise TableError(
                f"{folder / shard.file} must hold what {index.shards[0].file} does, {kinds[0]}; got {found}"
            )
    columns = {name: np.concatenate([head.columns[name] for head in heads]) for name in first.columns}
    return Head(columns=columns, embedding_size=first.embedding_size, dtype=first.dtype)


def read_embeddings(folder: Path, index: TableIndex, head: Head) -> Float[np.ndarray, "row embed"]:
    """Read the embeddings of all shards into memory; those of a single one are mapped.

    Raises:
        TableError: a shard is missing, another one or damaged; the message names it.
    """
    if len(index.shards) == 1:
        return map_embeddings(folder, index.shards[0])
    whole, start = np.empty((index.rows, head.embedding_size), head.dtype), 0
    for shard in index.shards:
        whole[start : start + shard.rows] = map_embeddings(folder, shard)
        start += shard.rows
    return whole


def refuse_other_folder(folder: Path) -> None:
    """Refuse to write a table into a folder of something else.

    Raises:
        SettingError: the folder holds other things, or is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise SettingError(f"{folder} must be a folder, since the table is written in many files; it is a file")
    for name in names_in(folder) if folder.is_dir() else []:
        if name != TABLE_INDEX and not SHARD_NAME.fullmatch(name) and not name.endswith(".partial"):
            raise SettingError(f"{folder} must be a folder of its own for a table in many files; it holds {name!r}")


def _kinds(head: Head) -> str:
    columns = (f"{name} ({'text' if column.dtype.kind == 'U' else 'numbers'})" for name, column in head.columns.items())
    return f"{', '.join(columns)} and {head.embedding_size} {head.dtype} numbers"
