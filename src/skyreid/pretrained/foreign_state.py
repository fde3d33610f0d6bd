"""Other people's tensors under other people's names, and the account of every key."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor

from skyreid.errors import CheckpointError
from skyreid.pretrained.wrapping import contents

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
