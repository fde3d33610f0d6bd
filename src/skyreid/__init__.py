"""Find a person seen by a ground camera in drone footage, and the other way round.

Everything here takes paths as strings or `Path`s, and platforms, protocols and benchmarks by name; what it cannot use
is refused by a `SkyreidError`. docs/python.md shows a first hour.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from skyreid.errors import SkyreidError
from skyreid.tracklet import Frame, Platform, Tracklet

if TYPE_CHECKING:
    from skyreid.building.build import build
    from skyreid.building.build_report import BuildReport
    from skyreid.building.sources import Source
    from skyreid.datasets import Benchmark, read_benchmark
    from skyreid.datasets.protocol import PROTOCOLS, EvaluationProtocol
    from skyreid.evaluation.calibration import Calibration, calibrate, load_calibration
    from skyreid.evaluation.ranking_scores import Scores
    from skyreid.evaluation.results.paired_difference import compare
    from skyreid.evaluation.table_evaluation import TableEvaluation, evaluate
    from skyreid.experiments.checkpoint_evaluation import CheckpointEvaluation, evaluate_checkpoint
    from skyreid.extraction.embed_folder import embed
    from skyreid.extraction.loading import ClipEmbedder, load
    from skyreid.finding import FindReport, find
    from skyreid.pretrained.importing import import_weights
    from skyreid.retrieval.embedding_table import EmbeddingTable, load_table, save_table
    from skyreid.retrieval.filters import Filters, Near
    from skyreid.retrieval.search import RankedEntry, Ranking, search
    from skyreid.retrieval.sharded_table import ShardedTable, open_table

__all__ = [
    "PROTOCOLS",
    "Benchmark",
    "BuildReport",
    "Calibration",
    "CheckpointEvaluation",
    "ClipEmbedder",
    "EmbeddingTable",
    "EvaluationProtocol",
    "Filters",
    "FindReport",
    "Frame",
    "Near",
    "Platform",
    "RankedEntry",
    "Ranking",
    "Scores",
    "ShardedTable",
    "SkyreidError",
    "Source",
    "TableEvaluation",
    "Tracklet",
    "build",
    "calibrate",
    "compare",
    "embed",
    "evaluate",
    "evaluate_checkpoint",
    "find",
    "import_weights",
    "load",
    "load_calibration",
    "load_table",
    "open_table",
    "read_benchmark",
    "save_table",
    "search",
]

_LOADED_ON_USE = {
    "PROTOCOLS": "skyreid.datasets.protocol",
    "Benchmark": "skyreid.datasets",
    "BuildReport": "skyreid.building.build_report",
    "Calibration": "skyreid.evaluation.calibration",
    "CheckpointEvaluation": "skyreid.experiments.checkpoint_evaluation",
    "ClipEmbedder": "skyreid.extraction.loading",
    "EmbeddingTable": "skyreid.retrieval.embedding_table",
    "EvaluationProtocol": "skyreid.datasets.protocol",
    "Filters": "skyreid.retrieval.filters",
    "FindReport": "skyreid.finding",
    "Near": "skyreid.retrieval.filters",
    "RankedEntry": "skyreid.retrieval.search",
    "Ranking": "skyreid.retrieval.search",
    "Scores": "skyreid.evaluation.ranking_scores",
    "ShardedTable": "skyreid.retrieval.sharded_table",
    "Source": "skyreid.building.sources",
    "TableEvaluation": "skyreid.evaluation.table_evaluation",
    "build": "skyreid.building.build",
    "calibrate": "skyreid.evaluation.calibration",
    "compare": "skyreid.evaluation.results.paired_difference",
    "embed": "skyreid.extraction.embed_folder",
    "evaluate": "skyreid.evaluation.table_evaluation",
    "evaluate_checkpoint": "skyreid.experiments.checkpoint_evaluation",
    "find": "skyreid.finding",
    "import_weights": "skyreid.pretrained.importing",
    "load": "skyreid.extraction.loading",
    "load_calibration": "skyreid.evaluation.calibration",
    "load_table": "skyreid.retrieval.embedding_table",
    "open_table": "skyreid.retrieval.sharded_table",
    "read_benchmark": "skyreid.datasets",
    "save_table": "skyreid.retrieval.embedding_table",
    "search": "skyreid.retrieval.search",
}
"""Public names whose modules need PyTorch: `import skyreid` and the command line stay quick without them."""


def __getattr__(name: str) -> object:
    if name in _LOADED_ON_USE:
        return getattr(import_module(_LOADED_ON_USE[name]), name)
    raise AttributeError(f"module 'skyreid' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Name what can be completed, loaded or not."""
    return sorted({*globals(), *__all__})
