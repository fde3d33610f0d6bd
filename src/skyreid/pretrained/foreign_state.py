"""Other people's tensors under other people's names, read without running anything, and the account of every key."""

import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from skyreid.errors import CheckpointError
from skyreid.pretrained.inert_pickle import StorageClaim, TensorClaim
from skyreid.pretrained.untrusted_file import TorchArchive, blamed_on, contents, read_claims

BESIDE = "beside the weights: the state of somebody's training"
LISTED = 10
"""Keys that a message lists before it says "and 37 more"."""


@dataclass(frozen=True, kw_only=True)
class ForeignState:
    """A state dict with the name of where it came from, so that a refusal can say so."""

    tensors: Mapping[str, Tensor]
    origin: str
    others: tuple[str, ...] = ()
    """Names, where the weights stand, of what is no tensor; they too are accounted for."""
    beside: tuple[str, ...] = ()
    """What stands beside the weights in the file and was not read."""

    def refusal(self, why: str) -> CheckpointError:
        return CheckpointError(f"{self.origin}: {why}")

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Say of a size that one of our own constructors refuses that this file claims it."""
        try:
            yield
        except CheckpointError:
            raise
        except ValueError as error:
            raise self.refusal(str(error)) from error

    def shape(self, name: str, *, axes: int) -> tuple[int, ...]:
        """Give the shape of a tensor that tells a size.

        Raises:
            CheckpointError: no such tensor, or it has another number of axes.
        """
        if name not in self.tensors:
            raise self.refusal(f"has no {name}; it holds {contents(self.tensors)}")
        shape = tuple(self.tensors[name].shape)
        if len(shape) != axes:
            raise self.refusal(f"{name} must have {axes} axes; got shape {list(shape)}")
        return shape

    def count_layers(self, prefix: str) -> int:
        """Count the distinct block numbers under `prefix`; never more than there are keys."""
        numbers = {name.removeprefix(prefix).split(".", 1)[0] for name in self.tensors if name.startswith(prefix)}
        if not numbers:
            raise self.refusal(f"has no transformer blocks named {prefix}0...; it holds {contents(self.tensors)}")
        return len(numbers)

    def account(self, *, mapped: Collection[str], dropped: Mapping[str, str]) -> dict[str, str]:
        """Settle every key: all of `mapped` must be there, and nothing beside those and `dropped`.

        Returns:
            The keys of `dropped` that are there, and what stands beside the weights, with their reasons.

        Raises:
            CheckpointError: lists the missing and the unexpected keys.
        """
        found = {*self.tensors, *self.others}
        missing = [name for name in mapped if name not in self.tensors]
        unexpected = sorted(found - set(mapped) - dropped.keys())
        problems = [
            f"{len(names)} {kind}: {listed(names)}"
            for kind, names in (("missing", missing), ("unexpected", unexpected))
            if names
        ]
        if problems:
            raise self.refusal(f"the keys do not add up: {'; '.join(problems)}")
        return {name: reason for name, reason in dropped.items() if name in found} | dict.fromkeys(self.beside, BESIDE)


def listed(names: Iterable[str]) -> str:
    """Join names for a message, the first ten of them."""
    names = list(names)
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def read_untrusted_state(path: Path, *, landmark: str | None = None, inside: str | None = None) -> ForeignState:
    """Read the tensors of a weights file, named by their place in it with dots between the levels.

    Args:
        path: a safetensors file, or a PyTorch zip archive (.pt, .pth, .bin).
        landmark: a name by which the weights are found, whatever wraps them (`untrusted_file.find_weights`). What
            stands beside them is listed in `beside` and not read. None = everything, as it stands.
        inside: what stands around the weights that are meant, where the file holds several.

    Raises:
        UnsafeFileError: the file would run code, or claims what it does not hold.
        CheckpointError: no such file, or one that is cut or of another kind, or that holds several models.
    """
    weights = read_claims(path, landmark=landmark, inside=inside)
    with blamed_on(path):
        tensors = load_file(path) if weights.claims is None else _read_archive(path, weights.claims)
    return ForeignState(
        tensors={short: tensors[name] for name, short in weights.names.items()},
        origin=str(path),
        others=weights.others,
        beside=weights.beside,
    )


def _read_archive(path: Path, claims: Mapping[str, TensorClaim]) -> dict[str, Tensor]:
    """Read tensors whose claims were checked; those that share a storage share memory."""
    with zipfile.ZipFile(path) as zip_file:
        archive = TorchArchive(zip_file, file_bytes=path.stat().st_size)
        order = archive.byte_order()
        numbers = {
            storage: _as_tensor(archive.read_storage(storage), storage, order)
            for storage in {claim.storage for claim in claims.values()}
        }
    return {
        name: numbers[claim.storage].as_strided(claim.size, claim.stride, claim.offset)
        for name, claim in claims.items()
    }


def _as_tensor(content: bytes, storage: StorageClaim, order: str) -> Tensor:
    # Integers of the same width carry any dtype through numpy, which has no bfloat16.
    native = np.frombuffer(content, dtype=f"{order}i{storage.itemsize}").astype(f"=i{storage.itemsize}")
    return torch.from_numpy(native).view(getattr(torch, storage.dtype))
