"""`skyreid evaluate RUN`: a finished training run to scores with intervals and a report to look at."""

from skyreid.run_evaluation.evaluation import RunEvaluation, evaluate_run

__all__ = ["RunEvaluation", "evaluate_run"]
