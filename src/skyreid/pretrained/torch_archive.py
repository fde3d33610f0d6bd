"""PyTorch's zip archives: the claims of their pickle, compared with the archive, made tensors.

No memory is taken before every claim has been checked:

- entries are stored, not deflated, as PyTorch writes them: what is read is no longer than the file;
- a storage is exactly as long as its entry, and a tensor lies within its storage and has no more
  elements than it: strides cannot turn 1.5 KB into 10 000 000 000 elements;
- all tensors together stay under MAX_ELEMENTS.

The code inside a TorchScript archive is not even opened.
"""

import math
import zipfile
from collections.abc import Mapping
from pathlib import PurePosixPath

import numpy as np
import torch
from torch import Tensor

from skyreid.errors import CheckpointError, UnsafeFileError
from skyreid.pretrained.inert_pickle import StorageClaim, TensorClaim, read_inert

MAX_ELEMENTS = 2**30
"""Of all tensors of a file together. The largest CLIP that fits our towers, ViT-L/14 at 336 pixels,
has 0.43 of these thousand million; the paper's model has 0.14."""
MAX_PICKLE_BYTES = 4 * 2**20
"""Of the pickle that describes the tensors; 700 tensors take 0.1 MB."""
MAX_AXES = 8
BYTE_ORDERS = {b"little": "<", b"big": ">"}


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

    def materialise(self, claims: Mapping[str, TensorClaim]) -> dict[str, Tensor]:
        """Check all claims, then read the numbers. Tensors that share a storage share memory.

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
        lengths = {storage.key: storage.numel * storage.dtype.itemsize for storage in storages}
        if sum(lengths.values()) > self._file_bytes:  # entries of a zip file can overlap
            raise UnsafeFileError("its storages claim more bytes than the file has")
        order = self._byte_order()
        numbers = {storage: self._read_storage(storage, order) for storage in storages}
        return {
            name: numbers[claim.storage].as_strided(claim.size, claim.stride, claim.offset)
            for name, claim in claims.items()
        }

    def _byte_order(self) -> str:
        if f"{self._root}byteorder" not in self._entries:
            return "<"  # archives older than the record were written on little-endian machines
        order = self._read("byteorder", most=16)
        if order not in BYTE_ORDERS:
            raise CheckpointError(f"byteorder must be little or big; got {order!r}")
        return BYTE_ORDERS[order]

    def _read_storage(self, storage: StorageClaim, order: str) -> Tensor:
        itemsize = storage.dtype.itemsize
        content = self._read(f"data/{storage.key}", exactly=storage.numel * itemsize)
        # Integers of the same width carry any dtype through numpy, which has no bfloat16.
        native = np.frombuffer(content, dtype=f"{order}i{itemsize}").astype(f"=i{itemsize}")
        return torch.from_numpy(native).view(storage.dtype)

    def _read(self, name: str, *, most: int | None = None, exactly: int | None = None) -> bytes:
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
        return self._archive.read(entry)


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
