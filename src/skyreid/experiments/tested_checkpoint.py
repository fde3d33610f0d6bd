"""A checkpoint and the benchmark that it is tested on: the one of its training, or any other; and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from skyreid.building.build_report import PER_TRACKLET
from skyreid.checkpoint import read_checkpoint
from skyreid.datasets import read_benchmark
from skyreid.datasets.benchmark import Benchmark
from skyreid.datasets.benchmarks import find_format
from skyreid.datasets.data_hash import data_sha256, hash_benchmark
from skyreid.datasets.manifest import MANIFEST_FILE, Manifest, read_manifest
from skyreid.datasets.protocol import EvaluationProtocol
from skyreid.errors import NO_TRACKLETS, CheckpointError, DatasetError, NothingFoundError, SettingError
from skyreid.evaluation.results.protocol_card import CheckpointRule, KnownFacts, tables_data_sha256
from skyreid.evaluation.table_evaluation import ScoredTables
from skyreid.extraction.cluster_embedding import ClusterEmbedding, EmbeddingWay
from skyreid.extraction.embed_tracklets import ExtractionConfig, embed_tracklets
from skyreid.extraction.loading import ClipEmbedder, load
from skyreid.extraction.network_encoder import names_a_network
from skyreid.feeding import Feeding, TestChoice
from skyreid.files.file_kinds import CHECKPOINT, RUN, kind_at, require_kind
from skyreid.files.strict_json import Json
from skyreid.processes.distributed import Processes
from skyreid.processes.progress import Progress, silent
from skyreid.processes.workers import Workers
from skyreid.retrieval.embedding_table import EmbeddingTable, load_table, save_table
from skyreid.tracklet import Tracklet
from skyreid.weights.published_files import PUBLISHED
from skyreid.weights.weights_cache import with_file


@dataclass(frozen=True, kw_only=True)
class TestedCheckpoint:
    """Made by `open_checkpoint`."""

    folder: Path
    """Of the checkpoint; of somebody's network, its file."""
    model: str
    """What `load` takes: the folder, or the network's file with its settings."""
    kept_tables: Path | None
    """Folder where a training left query.npz and gallery.npz of its own test set, if it did."""
    dataset: str
    """A name of `skyreid data list`."""
    root: Path
    """Folder of the benchmark."""
    split: int
    is_own_data: bool
    """Whether the benchmark must be the one of the training, picture by picture."""
    config: Mapping[str, Json]
    provenance: Mapping[str, Json]

    @cached_property
    def benchmark(self) -> Benchmark:
        """What the checkpoint is tested on.

        Raises:
            DatasetError: it is not what its format says; not the one of the training where that was wanted; has nobody
                who asks; or has test people whom the checkpoint was trained with.
        """
        found = hash_benchmark(read_benchmark(self.dataset, self.root, split=self.split))
        if not found.tracklets:
            raise NothingFoundError(f"{self.root}: {NO_TRACKLETS}")
        if not found.query:
            raise DatasetError(
                f"{self.root}: nobody asks in it: it has tracklets of one platform only; embed its cameras apart "
                "(skyreid embed --camera) and score them by 'skyreid evaluate tables --protocol cross-camera'"
            )
        if self.dataset == "manifest" and self._manifest and self._manifest.info.get("identities") == PER_TRACKLET:
            raise DatasetError(
                f"{self.root}: nobody has said which of its tracklets are the same person, so that nothing can be "
                "scored; say it by 'skyreid link'"
            )
        trained_on, sha256 = self.provenance.get("data_sha256"), data_sha256(found.tracklets)
        if self.is_own_data and trained_on not in (None, sha256):
            # Its first builds hashed who is in a set of tracklets, the last ones every picture too.
            is_old = str(self.provenance.get("skyreid", "")).startswith("0.1.")
            hashed = "; skyreid 0.1, which trained it, may have hashed the same data otherwise" if is_old else ""
            raise DatasetError(
                f"{self.root} must hold the pictures and people that {self.folder} was trained with, of the data "
                f"sha256 {trained_on}; got {sha256} (where that benchmark has moved, say so by --root; to score the "
                f"checkpoint on other data, say --data NAME --root D{hashed})"
            )
        if trained_on == sha256 and (trained_split := self._training.get("split")) != self.split:
            raise DatasetError(
                f"{self.folder} was trained on split {trained_split} of these data; test people of split {self.split} "
                f"are among those of its training (score it on --split {trained_split})"
            )
        return found

    @cached_property
    def tracklets(self) -> tuple[Tracklet, ...]:
        """The test set, with all that a manifest beside the benchmark knows of it."""
        tested = (*self.benchmark.query, *self.benchmark.gallery)
        if self._manifest is None:
            return tested
        # The benchmark's reader numbers tracklets in its own way: the first frame tells which one it is.
        listed = {Path(t.frames[0].path).resolve(): t.attributes for t in self._manifest.tracklets}
        return tuple(replace(t, attributes=listed.get(Path(t.frames[0].path).resolve(), {})) for t in tested)

    @cached_property
    def embedder(self) -> ClipEmbedder:
        """The model, exact: a stored score does not hang on the machine that it was computed on."""
        return load(self.model, device=Processes(precision="float32").device, precision="float32")

    @property
    def is_simulated(self) -> bool | None:
        """Whether the people are drawn; None = nobody says."""
        simulated = None if self._manifest is None else self._manifest.info.get("simulated")
        return simulated if isinstance(simulated, bool) else None

    def facts(self) -> KnownFacts:
        """For the protocol card."""
        kind, seed, commit = self.config.get("kind"), self.provenance.get("seed"), self.provenance.get("commit")
        rule: CheckpointRule | None = "last epoch" if self._training else "not trained" if kind == "clip-pair" else None
        return KnownFacts(
            dataset=self.dataset,
            split=str(self.split),
            simulated=self.is_simulated,
            flip=False,
            checkpoint_rule=rule,
            model=str(self._training.get("method", kind)),
            seed=seed if isinstance(seed, int) else None,
            commit=None if commit is None else str(commit),
        )

    def origin(self) -> dict[str, str]:
        """Say where the checkpoint comes from, line by line."""
        imported = self.provenance.get("imported")
        known = {name: str(value) for name, value in self.provenance.items() if not isinstance(value, dict | list)}
        if isinstance(imported, dict):
            known["imported from"] = str(imported.get("format"))
            sources = imported.get("sources")
            known |= {
                f"{role}, {source.get('name')}": f"sha256 {source.get('sha256')}"
                for role, source in (sources if isinstance(sources, dict) else {}).items()
            }
        return known

    def tables(
        self, sampling: TestChoice, cache: Path, *, workers: Workers, progress: Progress
    ) -> tuple[EmbeddingTable, EmbeddingTable]:
        """Query and gallery, embedded once: by the training itself, or now into `cache`.

        Tables of other weights or other pictures are not used: they are embedded again, both.

        Raises:
            MissingFrameError: a frame is missing or unreadable.
        """
        feeding = self.embedder.feeding.taking(sampling=sampling)
        kept = self.kept_tables
        paths = [] if kept is None else [kept / "query.npz", kept / "gallery.npz"]
        if not paths or not self._are_current(paths, feeding):
            paths = [cache / f"query.{sampling}.npz", cache / f"gallery.{sampling}.npz"]
            if not self._are_current(paths, feeding):
                self._embed(feeding, paths, workers, progress)
        query, gallery = (load_table(path) for path in paths)
        return query, gallery

    def _are_current(self, paths: Sequence[Path], feeding: Feeding) -> bool:
        """Whether these weights, fed like this, made the tables from the pictures and the people that are there now."""
        if not all(path.exists() for path in paths):
            return False
        query, gallery = (load_table(path) for path in paths)
        asking, searched = self.benchmark.query, self.benchmark.gallery
        return (
            {(table.model, table.feeding) for table in (query, gallery)} == {(self._weights_sha256, feeding)}
            and query.tracklet_ids.tolist() == [tracklet.tracklet_id for tracklet in asking]
            and gallery.tracklet_ids.tolist() == [tracklet.tracklet_id for tracklet in searched]
            and tables_data_sha256(query, gallery) == data_sha256((*asking, *searched))
        )

    def _embed(self, feeding: Feeding, paths: list[Path], workers: Workers, progress: Progress) -> None:
        processes = Processes(precision="float32")
        elsewhere = None
        if workers.are_elsewhere:
            way = EmbeddingWay(
                model=self.model, precision="float32", feeding=feeding, batch=ExtractionConfig.batch_size, threads=1
            )
            elsewhere = ClusterEmbedding(workers, way, progress)
        for path, tracklets in zip(paths, (self.benchmark.query, self.benchmark.gallery), strict=True):
            table = embed_tracklets(
                self.embedder.encoder, tracklets, processes, feeding, elsewhere=elsewhere, progress=progress
            )
            save_table(path, replace(table, model=self._weights_sha256))

    @cached_property
    def _weights_sha256(self) -> str:
        assert self.embedder.model is not None, "`load` tells it"
        return self.embedder.model

    @cached_property
    def _manifest(self) -> Manifest | None:
        path = self.root / MANIFEST_FILE
        return read_manifest(path) if path.exists() else None

    @property
    def _training(self) -> Mapping[str, Json]:
        return training_of(self.config)


@dataclass(frozen=True, kw_only=True, eq=False)
class Direction:
    query: EmbeddingTable
    gallery: EmbeddingTable
    protocol: EvaluationProtocol
    sampling: TestChoice
    plain: ScoredTables
    """Ranked by cosine."""
    reranked: ScoredTables | None
    """None = not asked for, or too few tracklets."""

    @property
    def num_tracklets(self) -> int:
        """Of query and gallery."""
        return len(self.query) + len(self.gallery)

    @property
    def name(self) -> str:
        """For a heading: ground → aerial."""
        return self.protocol.name.replace("-to-", " → ")


def open_checkpoint(
    folder: Path,
    *,
    data: str | None = None,
    root: Path | None = None,
    split: int | None = None,
    progress: Progress = silent,
) -> TestedCheckpoint:
    """Open a checkpoint, or somebody's network, for a test.

    Args:
        folder: a checkpoint, or the folder of a run that has come to its end; or a network or the name of published
            weights, as `load` takes them.
        data: name of the benchmark; None = the one of its training.
        root: folder of the benchmark; None = where it was in the training.
        split: of benchmarks with several; None = that of the training, else 0.
        progress: hears of published weights that are fetched.

    Raises:
        CheckpointError: no checkpoint, a run that has not finished, or a damaged one.
        SettingError: nobody says on what it is tested.
        DatasetError: no benchmark has this name.
    """
    text, is_checkpoint = str(folder), folder.is_dir()
    if not is_checkpoint and (text in PUBLISHED or names_a_network(text)):  # before anything is fetched
        if data is None or root is None:
            raise SettingError(f"{folder} was not trained here: say on what it is tested, by --data NAME --root D")
        find_format(data)
    text = text if is_checkpoint else with_file(text, "encoder", progress=progress)
    if data is not None and root is not None and not is_checkpoint and names_a_network(text):
        file = Path(text.partition(",")[0]).expanduser()
        return TestedCheckpoint(
            folder=file,
            model=text,
            kept_tables=None,
            dataset=data,
            root=root,
            split=split or 0,
            is_own_data=False,
            config={"kind": str(folder) if str(folder) in PUBLISHED else file.stem},
            provenance={"network": file.name},
        )
    require_kind(folder, CHECKPOINT, RUN, error=CheckpointError)
    checkpoint_folder = folder
    if kind_at(folder) is RUN:
        checkpoint_folder = folder / "checkpoint"
        if not checkpoint_folder.is_dir():
            raise CheckpointError(f"{folder} holds a training that has not come to its end: go on with it by --resume")
    checkpoint = read_checkpoint(checkpoint_folder)
    training = training_of(checkpoint.config)
    trained_on, trained_root, trained_split = (training.get(name) for name in ("benchmark", "data_root", "split"))
    if data is None and not isinstance(trained_on, str):
        raise SettingError(f"{folder} was not trained here: say on what it is tested, by --data NAME --root D")
    dataset = data or str(trained_on)
    find_format(dataset)
    if root is None and (data is not None or not isinstance(trained_root, str)):
        raise SettingError(f"the folder of {dataset} is not known: name it by --root")
    if split is None:
        split = trained_split if dataset == trained_on and isinstance(trained_split, int) else 0
    return TestedCheckpoint(
        folder=checkpoint_folder,
        model=str(checkpoint_folder),
        kept_tables=checkpoint_folder.parent,
        dataset=dataset,
        root=Path(str(trained_root)) if root is None else root,
        split=split,
        is_own_data=data is None,
        config=checkpoint.config,
        provenance=checkpoint.provenance,
    )


def training_of(config: Mapping[str, Json]) -> Mapping[str, Json]:
    """Give the settings of the training that made a checkpoint; nothing for one that came from elsewhere."""
    training = config.get("training")
    return training if isinstance(training, dict) else {}
