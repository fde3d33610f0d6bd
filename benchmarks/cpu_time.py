"""CPU seconds of pieces of work that take turns, and the speed of a large matrix product to hold them against."""

import time
from collections.abc import Callable, Mapping
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from typing import TypeVar

import torch

Work = Callable[[], object]
Result = TypeVar("Result")
PRODUCT_SIZE = 2048


def cpu_seconds(work: Work) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def used() -> float:
    """CPU seconds so far of this process and of those that it started and that have ended."""
    return sum(getrusage(who).ru_utime + getrusage(who).ru_stime for who in (RUSAGE_SELF, RUSAGE_CHILDREN))


def seconds_with_children(work: Callable[[], Result]) -> tuple[float, Result]:
    """CPU seconds of a piece of work as `used` counts them, and what the work gave."""
    begun = used()
    result = work()
    return used() - begun, result


def quickest(sides: Mapping[str, Work], rounds: int) -> dict[str, float]:
    """CPU seconds of each side's quickest turn, after one that is not counted: what else runs disturbs all alike."""
    turns = [{name: cpu_seconds(work) for name, work in sides.items()} for _ in range(rounds + 1)]
    return {name: min(turn[name] for turn in turns[1:]) for name in sides}


def product(dtype: torch.dtype) -> tuple[Work, float]:
    """A large matrix product, and its floating-point operations."""
    left, right = (torch.randn(PRODUCT_SIZE, PRODUCT_SIZE).to(dtype) for _ in range(2))
    return lambda: left @ right, 2.0 * PRODUCT_SIZE**3


def product_speed(dtype: torch.dtype) -> float:
    """Floating-point operations a CPU second in a large matrix product."""
    work, operations = product(dtype)
    return operations / quickest({"product": work}, 5)["product"]
