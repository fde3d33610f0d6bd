"""What a finished run holds: its configuration, its benchmark, embeddings of the test set."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from skyreid.checkpoint import read_checkpoint, weights_sha256
from skyreid.clips.frame_bank import FrameBank
from skyreid.config_json import from_json
from skyreid.datasets import read_benchmark
from skyreid.datasets.benchmark import Benchmark
from skyreid.datasets.data_hash import data_sha256, hash_benchmark, pictures_sha256
from skyreid.datasets.manifest import MANIFEST_FILE, read_manifest
from skyreid.distributed import Workers
from skyreid.errors import CheckpointError, DatasetError
from skyreid.evaluation.results.scored_tables import KnownFacts
from skyreid.extraction.embed_tracklets import embed_tracklets
from skyreid.extraction.loading import BASELINE, ClipEmbedder, load
from skyreid.feeding import Feeding, TestChoice
from skyreid.progress import Progress
from skyreid.retrieval.embedding_table import EmbeddingTable, load_table, save_table
from skyreid.strict_json import Json
from skyreid.tracklet import Tracklet
from skyreid.training.baseline_config import BaselineConfig
from skyreid.training.two_stage_config import TwoStageConfig


@dataclass(frozen=True)
class FinishedRun:
    """A run folder, opened by `open_finished_run`."""

    folder: Path
    config: TwoStageConfig | BaselineConfig
    provenance: Mapping[str, Json]

    @cached_property
    def benchmark(self) -> Benchmark:
        """What the run is tested on, and was trained on.

        Raises:
            DatasetError: it is not what its format says, or not the one that the run was trained on.
        """
        found = hash_benchmark(read_benchmark(self.config.benchmark, self.config.data_root, split=self.config.split))
        trained_on = self.provenance.get("data_sha256")
        sha256 = data_sha256(found.tracklets)
        if trained_on not in (None, sha256):
            raise DatasetError(
                f"{self.config.data_root} must hold the pictures and people that {self.folder} was trained with, of "
                f"the data sha256 {trained_on}; got {sha256} (where that benchmark has moved, say so by --data-root)"
            )
        return found

    @cached_property
    def tracklets(self) -> tuple[Tracklet, ...]:
        """The test set, with all that a manifest beside the benchmark knows of it."""
        tested = (*self.benchmark.query, *self.benchmark.gallery)
        if not self._manifest_path.exists():
            return tested
        # The benchmark's reader numbers tracklets in its own way: the first frame tells which one it is.
        listed = {Path(t.frames[0].path).resolve(): t.attributes for t in read_manifest(self._manifest_path).tracklets}
        return tuple(replace(t, attributes=listed.get(Path(t.frames[0].path).resolve(), {})) for t in tested)

    @cached_property
    def embedder(self) -> ClipEmbedder:
        """The trained model."""
        return load(self.folder / "checkpoint", device=Workers(precision="float32").device)

    @property
    def is_simulated(self) -> bool | None:
        """Whether the people are drawn; None = nobody says."""
        if not self._manifest_path.exists():
            return None
        simulated = read_manifest(self._manifest_path).info.get("simulated")
        return simulated if isinstance(simulated, bool) else None

    def facts(self) -> KnownFacts:
        """For the protocol card."""
        seed, commit = self.provenance.get("seed"), self.provenance.get("commit")
        return KnownFacts(
            dataset=self.config.benchmark,
            split=str(self.config.split),
            simulated=self.is_simulated,
            flip=False,
            checkpoint_rule="last epoch",
            model=self.config.method if isinstance(self.config, BaselineConfig) else "vsla-clip",
            seed=seed if isinstance(seed, int) else None,
            commit=None if commit is None else str(commit),
        )

    def tables(self, sampling: TestChoice, cache: Path, *, progress: Progress) -> tuple[EmbeddingTable, EmbeddingTable]:
        """Query and gallery, embedded once: by the run itself, or now into `cache`.

        Tables of other weights or other pictures are not used: they are embedded again, both.

        Raises:
            MissingFrameError: a frame is missing or unreadable.
        """
        feeding = self.embedder.feeding.taking(sampling=sampling)
        paths = [self.folder / "query.npz", self.folder / "gallery.npz"]
        if not self._are_current(paths, feeding):
            paths = [cache / f"query.{sampling}.npz", cache / f"gallery.{sampling}.npz"]
            if not self._are_current(paths, feeding):
                self._embed(feeding, paths, progress)
        query, gallery = (load_table(path) for path in paths)
        return query, gallery

    def _are_current(self, paths: list[Path], feeding: Feeding) -> bool:
        """Whether these weights, fed like this, made the tables from the pictures that are there now."""
        for path, tracklets in zip(paths, (self.benchmark.query, self.benchmark.gallery), strict=True):
            if not path.exists():
                return False
            table = load_table(path)
            pictures = [str(pictures_sha256(tracklet)).encode() for tracklet in tracklets]
            if (table.model, table.feeding) != (self._weights_sha256, feeding) or table.pictures is None:
                return False
            if table.pictures.tolist() != pictures:
                return False
        return True

    def _embed(self, feeding: Feeding, paths: list[Path], progress: Progress) -> None:
        bank, workers = FrameBank(feeding.image_size, capacity_bytes=0), Workers(precision="float32")
        for path, tracklets in zip(paths, (self.benchmark.query, self.benchmark.gallery), strict=True):
            table = embed_tracklets(self.embedder.encoder, tracklets, bank, workers, feeding, progress=progress)
            save_table(path, replace(table, model=self._weights_sha256))

    @cached_property
    def _weights_sha256(self) -> str:
        return weights_sha256(self.folder / "checkpoint")

    @property
    def _manifest_path(self) -> Path:
        return self.config.data_root / MANIFEST_FILE


def open_finished_run(folder: Path, *, data_root: Path | None) -> FinishedRun:
    """Open the folder of a run that has come to its end.

    Args:
        folder: that `skyreid train` wrote.
        data_root: of the benchmark, where it has moved since.

    Raises:
        CheckpointError: no run, one that has not finished, or a damaged one.
    """
    if not (folder / "checkpoint").is_dir():
        raise CheckpointError(
            f"{folder} must be the folder of a finished run; it holds no checkpoint "
            "(skyreid train writes one at its end; --resume goes on with a run that was stopped)"
        )
    checkpoint = read_checkpoint(folder / "checkpoint")
    config_type = BaselineConfig if checkpoint.config.get("kind") == BASELINE else TwoStageConfig
    config = from_json(config_type, checkpoint.config.get("training"), where=f"{folder}: training")
    if data_root is not None:
        config = replace(config, data_root=data_root)
    return FinishedRun(folder, config, checkpoint.provenance)
