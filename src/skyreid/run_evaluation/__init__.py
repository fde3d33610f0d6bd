"""`skyreid evaluate CHECKPOINT`: a checkpoint on a benchmark to scores with intervals and a report to look at."""

from skyreid.run_evaluation.evaluation import CheckpointEvaluation, evaluate_checkpoint

__all__ = ["CheckpointEvaluation", "evaluate_checkpoint"]
