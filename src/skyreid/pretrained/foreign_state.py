"""Other people's tensors under other people's names, and the account of every key."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile

from torch import Tensor

from skyreid.errors import CheckpointError

BESIDE = "beside the weights: the state of somebody's training"
LISTED = 10
"""Keys that a message lists before it says "and 37 more"."""
WRAPPER_LEVELS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
"""Levels of a name that stand for a wrapper around a module and for nothing in it."""
SHOWN = 10


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


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the weights stand in a file."""

    names: dict[str, str]
    """Name in the file to the name without what wraps it."""
    beside: tuple[str, ...]
    """What else the file holds, each by the shortest name that is not the weights' own."""


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
    places = sorted({place for name in names if (place := _place(name, landmark)) is not None})
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


def _place(name: str, landmark: str) -> str | None:
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
