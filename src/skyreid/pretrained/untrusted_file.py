"""What a file of weights says of itself, believed only where its bytes bear it out; nothing in it is executed, ever.

Read are `.safetensors` and PyTorch's zip archives (`torch.save` since 1.6, and TorchScript, in which OpenAI publishes
CLIP). Neither torch.load nor torch.jit.load is called, so neither their holes nor their conveniences apply, and no
sandbox is needed around code that never runs: `inert_pickle` reads the pickle as data, and the code inside a
TorchScript archive is not even opened. No memory is taken before every claim has been compared with the file:

- entries are stored, not deflated, as PyTorch writes them: what is read is no longer than the file;
- a storage is exactly as long as its entry, and a tensor lies within its storage and has no more elements than it:
  strides cannot turn 1.5 KB into 10 000 000 000 elements;
- all tensors together stay under MAX_ELEMENTS.

Training programs wrap the weights, and leave their own state beside them:

    state_dict, model, ...          the key that a checkpoint keeps them under; Lightning: state_dict.model.*
    module, _orig_mod, ...          levels that DataParallel, torch.compile, FSDP and the like put between the names
    state_dict_ema, ema, ...        the running average of the same weights, beside them

They are found by one name that every file of a format has, its landmark, at whatever depth it stands. Where it stands
once, that is the place; where it stands more than once, whoever imports says which is meant.

PyTorch is not needed here, so that a hostile file is refused in less time and memory than PyTorch takes to load; the
numbers are `foreign_state`'s to read.
"""

import math
import struct
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath

import safetensors

from skyreid.errors import CheckpointError, UnsafeFileError
from skyreid.files.file_kinds import WEIGHTS, require_kind
from skyreid.pretrained.inert_pickle import ModuleState, StorageClaim, TensorClaim, read_inert

MAX_NAMES = 100_000
"""Of everything in a file; a CLIP with its optimizer has some 2000."""
MAX_NAME_LENGTH = 512
MAX_ELEMENTS = 2**30
"""Of all tensors of a file together. The largest CLIP that fits our towers, ViT-L/14 at 336 pixels,
has 0.43 of these thousand million; the paper's model has 0.14."""
MAX_PICKLE_BYTES = 4 * 2**20
"""Of the pickle that describes the tensors; 700 tensors take 0.1 MB."""
MAX_AXES = 8
BYTE_ORDERS = {b"little": "<", b"big": ">"}
ZIP_MAGIC = b"PK\x03\x04"
NOISE_ERRORS = (
    safetensors.SafetensorError,
    zipfile.BadZipFile,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    ValueError,
    struct.error,
)
"""What the two readers and the operating system raise on noise, by experiment and by their sources."""
WRAPPER_LEVELS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
"""Levels of a name that stand for a wrapper around a module and for nothing in it."""
SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class WeightsFile:
    """What a file says that it holds, compared with its bytes. Names have dots between the levels."""

    path: Path
    names: dict[str, str]
    """Of the tensors where the weights stand: the name in the file to the name without what wraps it."""
    claims: dict[str, TensorClaim] | None
    """Of those tensors, by the name in the file; None for safetensors, whose tensors are as long as the file."""
    others: tuple[str, ...] = ()
    """Names, where the weights stand, of what is no tensor."""
    beside: tuple[str, ...] = ()
    """What stands beside the weights."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the weights stand in a file."""

    names: dict[str, str]
    """Name in the file to the name without what wraps it."""
    beside: tuple[str, ...]
    """What else the file holds, each by the shortest name that is not the weights' own."""


def read_claims(path: Path, *, landmark: str | None = None, inside: str | None = None) -> WeightsFile:
    """Read what a weights file says of itself, and compare it with its bytes.

    Args:
        path: a safetensors file, or a PyTorch zip archive (.pt, .pth, .bin).
        landmark: a name by which the weights are found, whatever wraps them; None = everything, as it stands.
        inside: what stands around the weights that are meant, where the file holds several.

    Raises:
        UnsafeFileError: the file would run code, or claims what it does not hold.
        CheckpointError: no such file, or one that is cut or of another kind, or that holds several models.
    """
    require_kind(path, WEIGHTS, error=CheckpointError)
    with blamed_on(path):
        with path.open("rb") as file:
            start = file.read(len(ZIP_MAGIC))
        if start.startswith(ZIP_MAGIC):
            return _claims_of_archive(path, landmark, inside)
        if path.suffix == ".safetensors":
            return _claims_of_safetensors(path, landmark, inside)
        raise CheckpointError(
            "neither a .safetensors file nor a PyTorch zip archive (torch 1.6 or later); an older PyTorch "
            "file that you trust can be saved anew: torch.save(torch.load(OLD, weights_only=True), NEW)"
        )


@contextmanager
def blamed_on(path: Path) -> Iterator[None]:
    """Name the file in whatever is wrong with it."""
    try:
        yield
    except CheckpointError as error:
        raise type(error)(f"{path}: {error}") from error
    except NOISE_ERRORS as error:
        raise CheckpointError(f"{path}: cut or garbled ({error})") from error


def _claims_of_safetensors(path: Path, landmark: str | None, inside: str | None) -> WeightsFile:
    # The format has no code, no strides and no gaps: its tensors are exactly as long as the file.
    if path.stat().st_size > MAX_ELEMENTS * 8:
        raise UnsafeFileError(f"longer than {MAX_ELEMENTS} numbers")
    with safetensors.safe_open(path, framework="numpy") as file:
        names = [_check_name(name) for name in file.keys()]  # noqa: SIM118 (it is no dict)
    place = _place_of(names, landmark, inside)
    return WeightsFile(path=path, names=place.names, claims=None, beside=place.beside)


def _claims_of_archive(path: Path, landmark: str | None, inside: str | None) -> WeightsFile:
    with zipfile.ZipFile(path) as zip_file:
        archive = TorchArchive(zip_file, file_bytes=path.stat().st_size)
        claims, others = _flatten(archive.read_tree())
        place = _place_of([*claims, *others], landmark, inside)
        wanted = {name: claims[name] for name in claims if name in place.names}
        archive.check(wanted)
        return WeightsFile(
            path=path,
            names={name: place.names[name] for name in wanted},
            claims=wanted,
            others=tuple(place.names[name] for name in others if name in place.names),
            beside=place.beside,
        )


def _place_of(names: list[str], landmark: str | None, inside: str | None) -> Place:
    found = None if landmark is None else find_weights(names, landmark, inside=inside)
    return found or Place(names={name: name for name in names}, beside=())


def _flatten(tree: object) -> tuple[dict[str, TensorClaim], list[str]]:
    """Name every tensor, and everything else that a plain dict holds.

    A module's other attributes (such as `training`) are its own business and are left out.
    """
    if not isinstance(tree, dict):
        raise CheckpointError("holds no dict of tensors")
    claims: dict[str, TensorClaim] = {}
    others: list[str] = []
    pending: list[tuple[str, Mapping[str, object]]] = [("", tree)]
    visited = 0
    while pending:
        prefix, node = pending.pop()
        for key, value in node.items():
            visited += 1
            if visited > MAX_NAMES:
                raise UnsafeFileError(f"holds more than {MAX_NAMES} names")
            name = _check_name(prefix + key)
            if isinstance(value, TensorClaim):
                claims[name] = value
            elif isinstance(value, dict):
                pending.append((f"{name}.", value))
            elif not isinstance(node, ModuleState):
                others.append(name)
    return claims, others


def _check_name(name: str) -> str:
    """Names end up in messages on somebody's terminal."""
    if len(name) > MAX_NAME_LENGTH or not (name.isascii() and name.isprintable()):
        raise UnsafeFileError(
            f"holds a name that is not {MAX_NAME_LENGTH} printable ASCII characters at most: {name[:40]!r}"
        )
    return name


class TorchArchive:
    """An open zip file, read as PyTorch lays it out.

    Raises:
        UnsafeFileError: entries that PyTorch does not write.
        CheckpointError: not an archive of PyTorch.
    """

    def __init__(self, archive: zipfile.ZipFile, *, file_bytes: int) -> None:
        self._archive = archive
        self._file_bytes = file_bytes
        self._entries = {entry.filename: entry for entry in archive.infolist()}
        if len(self._entries) != len(archive.infolist()):
            raise UnsafeFileError("holds two entries of one name")
        for name in self._entries:
            if "\\" in name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise UnsafeFileError(f"holds an entry that points out of it: {name[:80]!r}")
        pickles = [name for name in self._entries if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise CheckpointError(f"a PyTorch archive holds one data.pkl; this zip file holds {len(pickles)}")
        self._root = pickles[0].removesuffix("data.pkl")

    def read_tree(self) -> object:
        """Read the pickle; its tensors are `TensorClaim`s."""
        return read_inert(self._read("data.pkl", most=MAX_PICKLE_BYTES))

    def check(self, claims: Mapping[str, TensorClaim]) -> None:
        """Compare what tensors say of themselves with the archive.

        Raises:
            UnsafeFileError: a claim that the archive does not bear out.
            CheckpointError: a storage is missing or cut.
        """
        for name, claim in claims.items():
            _check_claim(name, claim)
        storages = {claim.storage for claim in claims.values()}
        elements = max(
            sum(math.prod(claim.size) for claim in claims.values()),
            sum(storage.numel for storage in storages),
        )
        if elements > MAX_ELEMENTS:
            raise UnsafeFileError(f"holds {elements} numbers; {MAX_ELEMENTS} at most are read")
        lengths = {storage.key: storage.num_bytes for storage in storages}
        if sum(lengths.values()) > self._file_bytes:  # entries of a zip file can overlap
            raise UnsafeFileError("its storages claim more bytes than the file has")
        self.byte_order()
        for storage in storages:
            self._entry(_entry_of(storage), exactly=storage.num_bytes)

    def read_storage(self, storage: StorageClaim) -> bytes:
        """Read the numbers of a storage, in the byte order of the archive."""
        return self._read(_entry_of(storage), exactly=storage.num_bytes)

    def byte_order(self) -> str:
        """Give the order of the bytes of a number, as numpy writes it: "<" or ">"."""
        if f"{self._root}byteorder" not in self._entries:
            return "<"  # archives older than the record were written on little-endian machines
        order = self._read("byteorder", most=16)
        if order not in BYTE_ORDERS:
            raise CheckpointError(f"byteorder must be little or big; got {order!r}")
        return BYTE_ORDERS[order]

    def _read(self, name: str, *, most: int | None = None, exactly: int | None = None) -> bytes:
        return self._archive.read(self._entry(name, most=most, exactly=exactly))

    def _entry(self, name: str, *, most: int | None = None, exactly: int | None = None) -> zipfile.ZipInfo:
        entry = self._entries.get(self._root + name)
        if entry is None:
            raise CheckpointError(f"lacks its entry {name[:80]!r}")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise UnsafeFileError(f"{name[:80]!r} is deflated or encrypted; PyTorch writes neither")
        if entry.compress_size != entry.file_size or entry.header_offset + entry.file_size > self._file_bytes:
            raise UnsafeFileError(f"{name[:80]!r} claims to be longer than the file")
        if most is not None and entry.file_size > most:
            raise UnsafeFileError(f"{name[:80]!r} is {entry.file_size} bytes long; {most} at most are read")
        if exactly is not None and entry.file_size != exactly:
            raise UnsafeFileError(f"{name[:80]!r} is {entry.file_size} bytes long; its tensors claim {exactly}")
        return entry


def _entry_of(storage: StorageClaim) -> str:
    return f"data/{storage.key}"


def _check_claim(name: str, claim: TensorClaim) -> None:
    axes = (*claim.size, *claim.stride)
    if len(claim.size) != len(claim.stride) or len(claim.size) > MAX_AXES or max(axes, default=0) > MAX_ELEMENTS:
        raise UnsafeFileError(f"{name} describes itself as no tensor of weights does")
    elements = math.prod(claim.size)
    steps = sum((size - 1) * stride for size, stride in zip(claim.size, claim.stride, strict=True))
    end = claim.offset + steps + 1 if elements else claim.offset
    if elements > claim.storage.numel or end > claim.storage.numel:
        raise UnsafeFileError(
            f"{name} claims {elements} elements, reaching to {end}, of a storage that holds {claim.storage.numel}"
        )


def find_weights(names: Collection[str], landmark: str, *, inside: str | None = None) -> Place | None:
    """Find the weights among the names of a file, tensors and others.

    Args:
        names: all names, levels joined by dots.
        landmark: a name that stands once in a model of the format, and at the end of no other name of it.
        inside: what stands around the weights that are meant, where a file holds several.

    Returns:
        None where the landmark is not in the file at all: it is of another format.

    Raises:
        CheckpointError: it stands at several places and `inside` names none of them, or not one alone.
    """
    places = sorted({place for name in names if (place := _prefix_of(name, landmark)) is not None})
    if not places and inside is None:
        return None
    meant = places if inside is None else [place for place in places if f"{place}.".startswith(f"{inside}.")]
    if len(meant) != 1:
        held = " and ".join(f"under {place.removesuffix('.')!r}" if place else "at its top" for place in places)
        asked = "" if inside is None else f" under {inside!r}"
        raise CheckpointError(
            f"the weights of one model are wanted{asked}; it holds "
            + (f"{landmark} {held}" if places else f"no {landmark}, but {contents(names)}")
            + " (say which by --inside NAME of 'skyreid model import', or save those weights alone)"
        )
    (prefix,) = meant
    others = tuple(place for place in places if place != prefix and place.startswith(prefix))
    own = {name: name.removeprefix(prefix) for name in names if name.startswith(prefix) and not name.startswith(others)}
    short = {name: _without_wrappers(inner) for name, inner in own.items()}
    return Place(
        names=short if len(set(short.values())) == len(short) else own,
        beside=tuple(sorted({_outermost(name, prefix) for name in names if name not in own})),
    )


def contents(names: Iterable[str]) -> str:
    """Say what a file holds: the first levels of its names, and how many names each has."""
    counts: dict[str, int] = {}
    for name in names:
        first = name.split(".", 1)[0]
        counts[first] = counts.get(first, 0) + 1
    shown = [first if count == 1 else f"{first} ({count} names)" for first, count in counts.items()]
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return ", ".join(shown[:SHOWN]) + more or "nothing"


def _prefix_of(name: str, landmark: str) -> str | None:
    """Give what stands before the landmark in a name, whatever wraps its parts; None where it does not end in it."""
    levels, wanted = name.split("."), landmark.split(".")
    while wanted and levels:
        level = levels.pop()
        if level == wanted[-1]:
            wanted.pop()
        elif level not in WRAPPER_LEVELS:
            return None
    return None if wanted else "".join(f"{level}." for level in levels)


def _without_wrappers(name: str) -> str:
    return ".".join(level for level in name.split(".") if level not in WRAPPER_LEVELS)


def _outermost(name: str, prefix: str) -> str:
    """Cut a name after the first level in which it leaves `prefix`."""
    levels, own = name.split("."), prefix.split(".")
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(levels, own, strict=False)))
    return ".".join(levels[: shared + 1])
