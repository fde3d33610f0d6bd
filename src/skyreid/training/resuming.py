"""What a run keeps of its model after every epoch, and how it is taken up again."""

import hashlib
from collections.abc import Collection

from torch import nn
from torch.optim import Optimizer

from skyreid.checkpoint import load_strictly
from skyreid.distributed import Workers
from skyreid.errors import CheckpointError
from skyreid.progress import Progress
from skyreid.training.epochs import Epochs
from skyreid.training.run_folder import RunFolder, TrainingState, check_same_start


class Resumable:
    """A model that is trained stage after stage, from the first epoch that no earlier process finished.

    Args:
        model: as the run starts it, on the CPU; the state of an earlier process is loaded into it.
        changing: names of the tensors that training changes.
        folder: of the run.
        workers: the processes.
        progress: told after every step.

    Raises:
        CheckpointError: the run began with other weights.
    """

    def __init__(
        self, model: nn.Module, changing: Collection[str], folder: RunFolder, workers: Workers, progress: Progress
    ) -> None:
        self._model = model
        self._changing = changing
        self._folder = folder
        self._workers = workers
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

    def epochs(self, stage: int, total: int, optimizer: Optimizer, *, steps_per_epoch: int) -> Epochs:
        """Take up a stage where the state left it."""
        state = self._state if self._state is not None and self._state.stage == stage else None
        if state is not None:
            try:
                optimizer.load_state_dict(state.optimizer)
                self._workers.restore_gradient_scaler(state.gradient_scaler)
            except (LookupError, TypeError, ValueError, RuntimeError) as error:
                raise CheckpointError(
                    f"{self._folder.path / 'state.pt'}: its optimizer is of another training: {error}; start a new run"
                ) from error

        def keep(epoch: int, step: int) -> None:
            if self._workers.is_first:
                weights = {name: tensor for name, tensor in self._model.state_dict().items() if name in self._changing}
                self._folder.save_state(
                    TrainingState(
                        stage=stage,
                        epoch=epoch,
                        step=step,
                        weights=weights,
                        optimizer=optimizer.state_dict(),
                        gradient_scaler=self._workers.gradient_scaler_state(),
                        initial_sha256=self.initial_sha256,
                    )
                )

        return Epochs(
            stage=stage,
            total=total,
            finished=state.epoch if state else 0,
            steps=state.step if state else 0,
            steps_per_epoch=steps_per_epoch,
            log_dir=self._folder.path if self._workers.is_first else None,
            keep=keep,
            progress=self._progress,
        )

    def _load(self) -> TrainingState | None:
        state = self._folder.load_state()
        if state is None:
            return None
        check_same_start(self._folder.path, state.initial_sha256, self.initial_sha256)
        load_strictly(self._model, {**self._model.state_dict(), **state.weights}, origin=str(self._folder.path))
        return state


def _tensors_sha256(model: nn.Module) -> str:
    """Hash every tensor of a model on the CPU, with its name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
