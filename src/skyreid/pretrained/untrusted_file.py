"""Weights files from anywhere: read as data, or refused. Nothing in a file is executed, ever.

Read are `.safetensors` and PyTorch's zip archives (`torch.save` since 1.6, and TorchScript, in which
OpenAI publishes CLIP). Neither torch.load nor torch.jit.load is called, so neither their holes nor
their conveniences apply, and no sandbox is needed around code that never runs; `inert_pickle` and
`torch_archive` say what is believed of an archive.
"""

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import safetensors
from safetensors.torch import load_file

from skyreid.errors import CheckpointError, UnsafeFileError
from skyreid.file_kinds import WEIGHTS, require_kind
from skyreid.pretrained.foreign_state import ForeignState, Place, find_weights
from skyreid.pretrained.inert_pickle import ModuleState, TensorClaim
from skyreid.pretrained.torch_archive import MAX_ELEMENTS, TorchArchive

MAX_NAMES = 100_000
"""Of everything in a file; a CLIP with its optimizer has some 2000."""
MAX_NAME_LENGTH = 512
ZIP_MAGIC = b"PK\x03\x04"
ZIP_AND_SAFETENSORS_ERRORS = (
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


def read_untrusted_state(path: Path, *, landmark: str | None = None, inside: str | None = None) -> ForeignState:
    """Read the tensors of a weights file, named by their place in it with dots between the levels.

    Args:
        path: a safetensors file, or a PyTorch zip archive (.pt, .pth, .bin).
        landmark: a name by which the weights are found, whatever wraps them (`wrapping.find_weights`). What stands
            beside them is listed in `beside` and not read. None = everything, as it stands.
        inside: what stands around the weights that are meant, where the file holds several.

    Raises:
        UnsafeFileError: the file would run code, or claims what it does not hold.
        CheckpointError: no such file, or one that is cut or of another kind, or that holds several models.
    """
    require_kind(path, WEIGHTS, error=CheckpointError)
    try:
        with path.open("rb") as file:
            start = file.read(len(ZIP_MAGIC))
        if start.startswith(ZIP_MAGIC):
            state = _read_archive(path, landmark, inside)
        elif path.suffix == ".safetensors":
            state = _read_safetensors(path, landmark, inside)
        else:
            raise CheckpointError(
                "neither a .safetensors file nor a PyTorch zip archive (torch 1.6 or later); an older PyTorch "
                "file that you trust can be saved anew: torch.save(torch.load(OLD, weights_only=True), NEW)"
            )
    except CheckpointError as error:
        raise type(error)(f"{path}: {error}") from error
    except ZIP_AND_SAFETENSORS_ERRORS as error:
        raise CheckpointError(f"{path}: cut or garbled ({error})") from error
    return state


def _read_safetensors(path: Path, landmark: str | None, inside: str | None) -> ForeignState:
    # The format has no code, no strides and no gaps: its tensors are exactly as long as the file.
    if path.stat().st_size > MAX_ELEMENTS * 8:
        raise UnsafeFileError(f"longer than {MAX_ELEMENTS} numbers")
    tensors = load_file(path)
    for name in tensors:
        _check_name(name)
    place = _place(list(tensors), landmark, inside)
    return ForeignState(
        tensors={short: tensors[name] for name, short in place.names.items()}, origin=str(path), beside=place.beside
    )


def _read_archive(path: Path, landmark: str | None, inside: str | None) -> ForeignState:
    with zipfile.ZipFile(path) as zip_file:
        archive = TorchArchive(zip_file, file_bytes=path.stat().st_size)
        claims, others = _flatten(archive.read_tree())
        place = _place([*claims, *others], landmark, inside)
        return ForeignState(
            tensors=archive.materialise({place.names[name]: claims[name] for name in claims if name in place.names}),
            origin=str(path),
            others=tuple(place.names[name] for name in others if name in place.names),
            beside=place.beside,
        )


def _place(names: list[str], landmark: str | None, inside: str | None) -> Place:
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
