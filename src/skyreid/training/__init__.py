"""Training: a recipe's configuration and a benchmark in; a run folder, a checkpoint and scores out."""

from skyreid.processes.progress import Progress, silent
from skyreid.training.baseline_training import BaselineConfig, train_baseline
from skyreid.training.run import RunResult
from skyreid.training.two_stage import TwoStageConfig, train_two_stages

__all__ = ["train"]


def train(config: TwoStageConfig | BaselineConfig, *, resume: bool = False, progress: Progress = silent) -> RunResult:
    """Train what `config` describes, or go on with a run that was stopped, and evaluate the last epoch.

    Args:
        config: of a recipe, with the folders filled in.
        resume: whether `config.run_dir` may hold a run already.
        progress: told after every step and batch.

    Raises:
        DatasetError: the benchmark is not what its format says.
        CheckpointError: the run folder or the pretrained weights do not fit.
        SettingError: settings that cannot work; the run folder is not begun.
    """
    if isinstance(config, TwoStageConfig):
        return train_two_stages(config, resume=resume, progress=progress)
    return train_baseline(config, resume=resume, progress=progress)
