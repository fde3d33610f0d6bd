"""Find a person seen by a ground camera in drone footage, and the other way round."""

from typing import TYPE_CHECKING

from skyreid.errors import SkyreidError
from skyreid.tracklet import Frame, Platform, Tracklet

if TYPE_CHECKING:
    from skyreid.datasets import Benchmark, read_benchmark
    from skyreid.evaluation.ranking_scores import Scores, evaluate
    from skyreid.extraction.loading import ClipEmbedder, load
    from skyreid.retrieval.embedding_table import EmbeddingTable, load_table, save_table
    from skyreid.retrieval.search import Ranking, search

__all__ = [
    "Benchmark",
    "ClipEmbedder",
    "EmbeddingTable",
    "Frame",
    "Platform",
    "Ranking",
    "Scores",
    "SkyreidError",
    "Tracklet",
    "evaluate",
    "load",
    "load_table",
    "read_benchmark",
    "save_table",
    "search",
]

_LOADED_ON_USE = {
    "Benchmark": "skyreid.datasets",
    "ClipEmbedder": "skyreid.extraction.loading",
    "EmbeddingTable": "skyreid.retrieval.embedding_table",
    "Ranking": "skyreid.retrieval.search",
    "Scores": "skyreid.evaluation.ranking_scores",
    "evaluate": "skyreid.evaluation.ranking_scores",
    "load": "skyreid.extraction.loading",
    "load_table": "skyreid.retrieval.embedding_table",
    "read_benchmark": "skyreid.datasets",
    "save_table": "skyreid.retrieval.embedding_table",
    "search": "skyreid.retrieval.search",
}
"""Public names whose modules need PyTorch: `import skyreid` and the command line stay quick without them."""


def __getattr__(name: str) -> object:
    if name in _LOADED_ON_USE:
        from importlib import import_module

        return getattr(import_module(_LOADED_ON_USE[name]), name)
    raise AttributeError(f"module 'skyreid' has no attribute {name!r}")
