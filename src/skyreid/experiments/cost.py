"""What a method costs: parameters, operations, speed.

Parameters are counted three ways, since the paper's Table 3 does not say how it counts. Source: BASELINES section 4;
"tunable" there fits the parameters without the classifiers of identities and without heads that only a loss needs.
"""

import time
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from skyreid.baselines import BaselineModel, build_baseline
from skyreid.baselines.baseline import Baseline
from skyreid.models.vsla_clip import VideoEncoder
from skyreid.processes.distributed import Processes

_TIMED_CLIPS = 4
_ROUNDS = 3


@dataclass(frozen=True, kw_only=True)
class ParameterCounts:
    """Counts of single parameters."""

    all: int
    without_heads: int
    """Without classifiers of training identities and heads of losses."""
    trained: int
    """That want a gradient; members that a release builds and never uses are among them."""

    def to_json(self) -> dict[str, object]:
        """The three counts."""
        return dict(vars(self))

    def lines(self) -> list[str]:
        """The three counts for a human, in millions."""
        return [f"{name.replace('_', ' '):16} {count / 1e6:9.3f} M" for name, count in vars(self).items()]


@dataclass(frozen=True, kw_only=True)
class Cost:
    parameters: ParameterCounts
    gflops_per_clip: float
    """Of one embedding; a multiplication with its addition counts as two."""
    clips_per_s: float
    """Embeddings on this machine, the fastest of a few rounds."""


def measure_cost(
    encoder: VideoEncoder | Baseline,
    model: nn.Module,
    processes: Processes,
    *,
    frames: int,
    training_only: tuple[str, ...],
) -> Cost:
    """Count and time.

    Args:
        encoder: embeds; in evaluation mode and on the processes' device afterwards.
        model: `encoder`, or the whole that it is a part of.
        processes: whose device and precision are timed.
        frames: frames a clip.
        training_only: starts of the names of parameters that no embedding needs.
    """
    encoder.eval()
    return Cost(
        parameters=count(dict(model.named_parameters()), training_only=training_only),
        gflops_per_clip=_flops(encoder, frames) / 1e9,
        clips_per_s=_TIMED_CLIPS
        / min(_seconds(encoder.to(processes.device), processes, frames) for _ in range(_ROUNDS)),
    )


def count(parameters: Mapping[str, nn.Parameter], *, training_only: tuple[str, ...]) -> ParameterCounts:
    """Count parameters by name; `training_only` are starts of names that no embedding needs."""
    return ParameterCounts(
        all=sum(p.numel() for p in parameters.values()),
        without_heads=sum(p.numel() for name, p in parameters.items() if not name.startswith(training_only)),
        trained=sum(p.numel() for p in parameters.values() if p.requires_grad),
    )


def count_baseline_parameters(model: BaselineModel) -> ParameterCounts:
    """Count without allocating a single one."""
    with torch.device("meta"):
        built = build_baseline(model)
    return count(dict(built.named_parameters()), training_only=built.training_only)


def _flops(encoder: VideoEncoder | Baseline, frames: int) -> int:
    # Without memory nothing is fused: a device's own kernels of attention and LSTM would not be counted.
    hollow = deepcopy(encoder).to("meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        hollow.embed(*_clips(1, frames, hollow.image_size, torch.device("meta")))
    return counter.get_total_flops()


@torch.no_grad()
def _seconds(encoder: VideoEncoder | Baseline, processes: Processes, frames: int) -> float:
    clips = _clips(_TIMED_CLIPS, frames, encoder.image_size, processes.device)
    start = time.perf_counter()
    with processes.mixed_precision():
        encoder.embed(*clips).cpu()  # waits for the device
    return time.perf_counter() - start


def _clips(
    count: int, frames: int, image_size: tuple[int, int], device: torch.device
) -> tuple[Float[Tensor, "clip frame 3 height width"], Int[Tensor, " clip"]]:
    return (
        torch.zeros(count, frames, 3, *image_size, device=device),
        torch.zeros(count, dtype=torch.long, device=device),
    )
