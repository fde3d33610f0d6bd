"""The epochs of one stage: which are left, what each step is told to, what is kept after each."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from skyreid.progress import Progress
from skyreid.training.run_folder import RunLog


class Epochs:
    """Runs from the first unfinished epoch to the last.

    Args:
        stage: 1 or 2.
        total: epochs of the stage.
        finished: epochs that an earlier process finished.
        steps: steps that they took.
        steps_per_epoch: for the time left; a few more or less do not matter.
        log_dir: the run folder in the process that writes, None in the others.
        keep: saves the state after an epoch; is given the finished epochs and steps.
        progress: told after every step.
    """

    def __init__(
        self,
        *,
        stage: int,
        total: int,
        finished: int,
        steps: int,
        steps_per_epoch: int,
        log_dir: Path | None,
        keep: Callable[[int, int], None],
        progress: Progress,
    ) -> None:
        self._stage = stage
        self._total = total
        self._finished = finished
        self._steps = steps
        self._steps_per_epoch = steps_per_epoch
        self._log = RunLog(log_dir, stage=stage, steps_done=steps) if log_dir is not None else None
        self._keep = keep
        self._progress = progress

    def __iter__(self) -> Iterator[int]:
        try:
            for epoch in range(self._finished + 1, self._total + 1):
                yield epoch
                self._keep(epoch, self._steps)
        finally:
            if self._log is not None:
                self._log.close()

    def report(self, losses: dict[str, Tensor]) -> None:
        """Log the losses of one step."""
        self._steps += 1
        values = torch.stack([*losses.values()]).tolist()  # one wait for the device, not one a loss
        total = sum(values)
        if self._log is not None:
            self._log.write(self._steps, {"loss": total, **dict(zip(losses, values, strict=True))})
        steps = max(self._total * self._steps_per_epoch, self._steps)
        self._progress(f"stage {self._stage}", self._steps, steps, f"loss {total:.3f}")
