"""One epoch over batches of clips, whatever is trained."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from skyreid.clips.clip_batch import ClipBatch
from skyreid.distributed import Workers
from skyreid.training.optimizer import set_learning_rate


def train_epoch(
    step: nn.Module,
    optimizer: Optimizer,
    batches: Iterable[ClipBatch],
    *,
    learning_rate: float,
    erase_fill: tuple[float, float, float],
    workers: Workers,
    report: Callable[[dict[str, Tensor]], None],
) -> None:
    """Train for one epoch.

    Args:
        step: normalised frames, platforms and labels to named losses, as `workers.prepare` gave it back.
        optimizer: as `workers.prepare` gave it back.
        batches: this process's part of every batch.
        learning_rate: of this epoch.
        erase_fill: what erased rectangles are filled with.
        workers: the processes.
        report: is given the losses of every step.
    """
    set_learning_rate(optimizer, learning_rate)
    step.train()
    for batch in batches:
        on_device = batch.to(workers.device)
        losses = step(on_device.pixels(erase_fill), on_device.platforms, on_device.labels)
        optimizer.zero_grad(set_to_none=True)
        workers.backward(torch.stack([*losses.values()]).sum())
        optimizer.step()
        report(losses)
