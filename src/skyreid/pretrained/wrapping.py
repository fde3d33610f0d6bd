"""Where in a file the weights stand: training programs wrap them, and leave their own state beside them.

    state_dict, model, ...          the key that a checkpoint keeps them under; Lightning: state_dict.model.*
    module, _orig_mod, ...          levels that DataParallel, torch.compile, FSDP and the like put between the names
    state_dict_ema, ema, ...        the running average of the same weights, beside them

They are found by one name that every file of a format has, its landmark, at whatever depth it stands. Where it stands
once, that is the place; where it stands more than once, whoever imports says which is meant.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import takewhile

from skyreid.errors import CheckpointError

WRAPPER_LEVELS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
"""Levels of a name that stand for a wrapper around a module and for nothing in it."""
SHOWN = 10


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
