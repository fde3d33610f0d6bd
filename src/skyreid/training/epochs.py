"""The epochs of a run: which are left, what one of them does, what is kept after each.

Every process draws from the seed and the epoch alone, so that an epoch which was cut short is simply run again.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from skyreid.checkpoint import load_strictly
from skyreid.clips.clip_loader import ClipBatch
from skyreid.errors import CheckpointError
from skyreid.processes.distributed import Processes
from skyreid.processes.progress import Progress
from skyreid.training.optimizer import set_learning_rate
from skyreid.training.run_folder import RunFolder, RunLog, TrainingState, check_same_start

STEPS_BETWEEN_WAITS = 16
"""Steps whose losses a GPU keeps before they are read and logged together: reading them waits for all that it does."""


class Resumable:
    """A model that is trained stage after stage, from the first epoch that no earlier process finished.

    Args:
        model: as the run starts it, on the CPU; the state of an earlier process is loaded into it.
        changing: names of the tensors that training changes.
        folder: of the run.
        processes: the processes.
        progress: told after every step.

    Raises:
        CheckpointError: the run began with other weights.
    """

    def __init__(
        self, model: nn.Module, changing: Collection[str], folder: RunFolder, processes: Processes, progress: Progress
    ) -> None:
        self._model = model
        self._changing = changing
        self._folder = folder
        self._processes = processes
        self._progress = progress
        self.initial_sha256 = _tensors_sha256(model)
        """Of the weights that the run starts from."""
        self._state = self._load()

    @property
    def is_begun(self) -> bool:
        """Whether an earlier process finished an epoch."""
        return self._state is not None

    def is_done(self, stage: int, epochs: int) -> bool:
        """Tell whether an earlier process finished this stage."""
        return self._state is not None and (self._state.stage, self._state.epoch) >= (stage, epochs)

    def epochs(self, stage: int, total: int, optimizer: Optimizer, *, steps_per_epoch: int) -> "Epochs":
        """Take up a stage where the state left it."""
        state = self._state if self._state is not None and self._state.stage == stage else None
        if state is not None:
            try:
                optimizer.load_state_dict(state.optimizer)
                self._processes.restore_gradient_scaler(state.gradient_scaler)
            except (LookupError, TypeError, ValueError, RuntimeError) as error:
                raise CheckpointError(
                    f"{self._folder.path / 'state.pt'}: its optimizer is of another training: {error}; start a new run"
                ) from error

        def keep(epoch: int, step: int) -> None:
            if self._processes.is_first:
                weights = {name: tensor for name, tensor in self._model.state_dict().items() if name in self._changing}
                self._folder.save_state(
                    TrainingState(
                        stage=stage,
                        epoch=epoch,
                        step=step,
                        weights=weights,
                        optimizer=optimizer.state_dict(),
                        gradient_scaler=self._processes.gradient_scaler_state(),
                        initial_sha256=self.initial_sha256,
                    )
                )

        return Epochs(
            stage=stage,
            total=total,
            finished=state.epoch if state else 0,
            steps=state.step if state else 0,
            steps_per_epoch=steps_per_epoch,
            log_dir=self._folder.path if self._processes.is_first else None,
            keep=keep,
            progress=self._progress,
            steps_between_waits=STEPS_BETWEEN_WAITS if self._processes.device.type == "cuda" else 1,
        )

    def _load(self) -> TrainingState | None:
        state = self._folder.load_state()
        if state is None:
            return None
        check_same_start(self._folder.path, state.initial_sha256, self.initial_sha256)
        load_strictly(self._model, {**self._model.state_dict(), **state.weights}, origin=str(self._folder.path))
        return state


class Epochs:
    """The epochs of one stage, from the first unfinished one to the last.

    Args:
        stage: 1 or 2.
        total: epochs of the stage.
        finished: epochs that an earlier process finished.
        steps: steps that they took.
        steps_per_epoch: for the time left; a few more or less do not matter.
        log_dir: the run folder in the process that writes, None in the others.
        keep: saves the state after an epoch; is given the finished epochs and steps.
        progress: told after every step.
        steps_between_waits: steps whose losses are read and logged together.
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
        steps_between_waits: int = 1,
    ) -> None:
        self._stage = stage
        self._total = total
        self._finished = finished
        self._steps = steps
        self._steps_per_epoch = steps_per_epoch
        self._log = RunLog(log_dir, stage=stage, steps_done=steps) if log_dir is not None else None
        self._keep = keep
        self._progress = progress
        self._steps_between_waits = steps_between_waits
        self._unread: list[dict[str, Tensor]] = []

    def __iter__(self) -> Iterator[int]:
        try:
            for epoch in range(self._finished + 1, self._total + 1):
                yield epoch
                self._read()
                if self._log is not None:
                    self._log.flush()
                self._keep(epoch, self._steps)
        finally:
            if self._log is not None:
                self._log.close()

    def report(self, losses: dict[str, Tensor]) -> None:
        """Log the losses of one step, at the latest when its epoch is done."""
        self._unread.append({name: loss.detach() for name, loss in losses.items()})
        if len(self._unread) == self._steps_between_waits:
            self._read()

    def _read(self) -> None:
        """Log the steps that are not yet: one wait for the device, however many they are."""
        if not self._unread:
            return
        rows = torch.stack([torch.stack([*losses.values()]) for losses in self._unread]).tolist()
        for losses, values in zip(self._unread, rows, strict=True):
            self._steps += 1
            total = sum(values)
            if self._log is not None:
                self._log.write(self._steps, {"loss": total, **dict(zip(losses, values, strict=True))})
            steps = max(self._total * self._steps_per_epoch, self._steps)
            self._progress(f"stage {self._stage}", self._steps, steps, f"loss {total:.3f}")
        self._unread.clear()


def train_epoch(
    step: nn.Module,
    optimizer: Optimizer,
    batches: Iterable[ClipBatch],
    *,
    learning_rate: float,
    erase_fill: tuple[float, float, float],
    processes: Processes,
    report: Callable[[dict[str, Tensor]], None],
) -> None:
    """Train for one epoch over batches of clips.

    Args:
        step: normalised frames, platforms and labels to named losses, as `processes.prepare` gave it back.
        optimizer: as `processes.prepare` gave it back.
        batches: this process's part of every batch.
        learning_rate: of this epoch.
        erase_fill: what erased rectangles are filled with.
        processes: the processes.
        report: is given the losses of every step.
    """
    set_learning_rate(optimizer, learning_rate)
    step.train()
    for batch in batches:
        on_device = batch.to(processes.device)
        losses = step(on_device.pixels(erase_fill), on_device.platforms, on_device.labels)
        optimizer.zero_grad(set_to_none=True)
        processes.backward(torch.stack([*losses.values()]).sum())
        optimizer.step()
        report(losses)


def _tensors_sha256(model: nn.Module) -> str:
    """Hash every tensor of a model on the CPU, with its name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
