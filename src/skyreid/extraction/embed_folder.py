"""A folder of pictures and a model to one embedding table, in memory and on disk."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import torch

from skyreid.arguments import find_named, path_of
from skyreid.clips.frame_sampling import TEST_CLIPS
from skyreid.datasets import read_benchmark
from skyreid.datasets.data_hash import with_hashes
from skyreid.datasets.manifest import MANIFEST_FILE, Manifest, read_manifest
from skyreid.errors import NO_TRACKLETS, DatasetError, NothingFoundError, SettingError
from skyreid.extraction.cluster_embedding import ClusterEmbedding, EmbeddingWay, facts_of
from skyreid.extraction.committed_clips import CommittedClips, committed_clips
from skyreid.extraction.embed_tracklets import ExtractionConfig, embed_tracklets
from skyreid.extraction.loading import ClipEmbedder, load
from skyreid.extraction.precision import on_threads
from skyreid.feeding import TestChoice
from skyreid.files.file_kinds import BUILD, CROPS, require_kind
from skyreid.files.picture_file import SUFFIXES
from skyreid.files.regular_file import names_in, natural_order
from skyreid.files.strict_json import Json
from skyreid.processes.distributed import Precision, Processes
from skyreid.processes.progress import Progress, silent
from skyreid.processes.workers import workers_at
from skyreid.retrieval.embedding_table import EmbeddingTable, save_table
from skyreid.retrieval.table_folder import count_shards, refuse_other_folder, write_index, write_shards
from skyreid.tracklet import Frame, Platform, Tracklet

logger = logging.getLogger(__name__)
Part: TypeAlias = Literal["test", "query", "gallery", "train"]
"""Of a benchmark; "test" is query and gallery."""
TablePrecision: TypeAlias = Literal["float32", "float16"]


def embed(
    folder: str | PathLike[str],
    checkpoint: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    data: str | None = None,
    split: int = 0,
    part: Part = "test",
    platform: Platform | str | None = None,
    camera: str | None = None,
    clip_length: int | None = None,
    sampling: TestChoice | None = None,
    precision: Precision = "auto",
    batch: int = ExtractionConfig.batch_size,
    threads: int | None = None,
    table_precision: TablePrecision = "float32",
    shard_rows: int | None = None,
    ray: str | None = None,
    progress: Progress = silent,
) -> EmbeddingTable:
    """Embed the tracklets of a folder: of a build, of somebody's benchmark, or one subfolder of crops each.

    With `out`, what is embedded is committed batch by batch into OUT.clips: a run that was killed goes on from there
    when it is called again in the same way, and ends in the same bits. Clips whose pictures changed meanwhile are
    embedded again, and so is everything when the model is another one; a log message says so.

    Args:
        folder: what `skyreid build` made; with `data`, a benchmark; without a manifest, a folder of crops.
        checkpoint: folder of the model, or what else `load` takes: somebody's network, or a name.
        out: the table to write, .npz, or a folder with `shard_rows`; None = it is only returned. Of a build, it
            remembers where the pictures are.
        data: name of the benchmark that `folder` holds; None = it holds none.
        split: of benchmarks with several.
        part: of a benchmark.
        platform: of a folder of crops, which does not tell; None = "ground", unless the model asks for it.
        camera: of a build, only its tracklets; None = those of all cameras.
        clip_length: frames a clip; None = as the model says.
        sampling: which frames of a tracklet are seen; None = as the model says.
        precision: "float32" is the exact path; "auto" as `load` decides. The table records it.
        batch: clips that the model sees at once.
        threads: that compute, and as many that read pictures; None = one for each core.
        table_precision: of the written numbers: "float16" is half the file and two thirds of the time of a search, by
            cosines that are off by less than 0.0001.
        shard_rows: tracklets of each file, where the table is written as a folder of many; None = one file.
        ray: HOST:PORT of a Ray cluster whose workers embed, on `threads` CPUs each (None = 1), and a GPU where there is
            any; None = this process does. The bits are those of one process with as many threads on such a machine.
        progress: told after every batch.

    Raises:
        ClusterError: the cluster cannot be used.
        SettingError: no such camera, sampling, part, platform or precision; a batch, threads or shard_rows below 1;
            another run is embedding into this table; a folder for many files that holds something else; an option that
            does not go with such a folder; or the model must be told a platform that nobody named; or a path is none.
        ManifestError: a damaged manifest.
        DatasetError: the folder is none of the three, or not what the benchmark's format says.
        CheckpointError: no checkpoint, or a damaged one; or no network that can be used so.
        WeightsError: published weights that cannot be had.
        MissingFrameError: a frame is missing or unreadable.
        NothingFoundError: the manifest lists no tracklets, or none of the camera; no table is written.
    """
    folder, checkpoint = path_of(folder, "a folder of tracklets"), path_of(checkpoint, "a checkpoint")
    if sampling is not None:
        find_named(sampling, TEST_CLIPS, "sampling")
    find_named(part, {name: name for name in get_args(Part)}, "part of a benchmark")
    find_named(table_precision, {name: name for name in get_args(TablePrecision)}, "precision of a table")
    filmed_from = None if platform is None else Platform(platform)
    manifest_path = folder / MANIFEST_FILE
    is_build = data is None and manifest_path.exists()
    _refuse_unread(split=split, part=part, platform=filmed_from, camera=camera, data=data, is_build=is_build)
    if is_build:
        tracklets = _of_camera(read_manifest(manifest_path), camera)
    elif data is not None:
        tracklets = _part(data, folder, split, part)
    else:
        tracklets = read_crops(folder, platform=filmed_from or Platform.GROUND)
    _refuse_place(out, shard_rows)
    if batch < 1:
        raise SettingError(f"batch must be at least 1 clip; got {batch}")
    # The policy of the model says how it computes; nothing is to change it.
    processes = Processes(precision="float32")
    if ray is not None:
        threads = threads or 1
        if processes.world_size > 1:
            raise SettingError(f"ray={ray!r} and torchrun are two ways to spread the same work; take one of them")
    with on_threads(threads) as used, workers_at(ray) as workers:
        embedder = _load_alike(checkpoint, processes, precision, progress)
        if embedder.feeding.needs_platform and not (is_build or data is not None or filmed_from is not None):
            raise SettingError(
                f"{folder}: the model must be told which platform filmed, and a folder of crops does not say: name it "
                "by --platform ground or --platform aerial"
            )
        # The table speaks for all crops of a tracklet, also for those that are in no clip.
        tracklets = with_hashes(tracklets, progress=progress)
        feeding = embedder.feeding.taking(clip_length=clip_length, sampling=sampling)
        elsewhere = None
        device = processes.device.type
        made_by = facts_of(embedder, feeding, device=device, threads=torch.get_num_threads(), batch=batch)
        if workers.are_elsewhere:
            way = EmbeddingWay(model=str(checkpoint), precision=precision, feeding=feeding, batch=batch, threads=used)
            elsewhere = ClusterEmbedding(workers, way, progress)
            made_by = elsewhere.made_by
        with _committed(out, made_by, embedder.embed_dim, processes, tracklets) as committed:
            table = embed_tracklets(
                embedder.encoder,
                tracklets,
                processes,
                feeding,
                batch_size=batch,
                threads=used,
                committed=committed,
                elsewhere=elsewhere,
                progress=progress,
            )
            table = replace(
                table,
                manifest=str(manifest_path.resolve()) if is_build else None,
                model=embedder.model,
                precision=str(made_by["precision"]),
            )
            if table_precision == "float16":
                table = table.in_float16()
            if out is not None:
                _save(path_of(out, "the file of a table"), table, shard_rows, processes)
            processes.wait_for_all()  # what is committed goes when the table is there
    return table


def _refuse_place(out: str | PathLike[str] | None, shard_rows: int | None) -> None:
    """Refuse a place where the table cannot be written, before anything is embedded."""
    if shard_rows is None:
        if out is not None and path_of(out, "the file of a table").is_dir():
            raise SettingError(
                f"{out} is a folder: name a file such as table.npz, or say by --shard-rows how many tracklets each of "
                "many files holds"
            )
        return
    if out is None:
        raise SettingError(f"shard_rows is of a table that is written; name it by out; got shard_rows={shard_rows}")
    count_shards(0, shard_rows)
    refuse_other_folder(path_of(out, "the folder of a table"))


def _save(path: Path, table: EmbeddingTable, shard_rows: int | None, processes: Processes) -> None:
    """Write a table; of a table in many files every process writes some, and the first one makes them a table."""
    if shard_rows is None:
        if processes.is_first:
            save_table(path, table)
        return
    numbers = processes.uneven_share(range(count_shards(len(table), shard_rows)))
    written = write_shards(path, table.arrays(), shard_rows=shard_rows, numbers=numbers)
    shards = processes.gather_items(written)
    if processes.is_first:
        write_index(path, shards, table.facts(path))


def _load_alike(checkpoint: Path, processes: Processes, precision: Precision, progress: Progress) -> ClipEmbedder:
    """Let the first process choose the precision, and all compute in it."""
    embedder = load(checkpoint, device=processes.device, precision=precision, progress=progress)
    chosen: Precision = processes.first_then_others(lambda: embedder.policy.precision)
    if embedder.policy.precision == chosen:
        return embedder
    return load(checkpoint, device=processes.device, precision=chosen)


@contextmanager
def _committed(
    out: str | PathLike[str] | None,
    made_by: dict[str, Json],
    embed_dim: int,
    processes: Processes,
    tracklets: Sequence[Tracklet],
) -> Iterator[CommittedClips | None]:
    """Open what an earlier run has left beside the table, and say what of it is of no use any more."""
    if out is None:
        yield None
        return
    table = path_of(out, "the file of a table")
    share = "" if processes.world_size == 1 else f"-{processes.rank + 1}-of-{processes.world_size}"
    path = table.with_name(f"{table.name}.clips{share}")
    with committed_clips(path, made_by, embed_dim=embed_dim) as committed:
        if changed := committed.changed(tracklets):
            logger.warning(
                "%s: the pictures of %d tracklets changed since they were embedded, such as %s; what was embedded with "
                "them is embedded again",
                path,
                len(changed),
                changed[0],
            )
        yield committed


def _refuse_unread(
    *, split: int, part: Part, platform: Platform | None, camera: str | None, data: str | None, is_build: bool
) -> None:
    """Refuse what was given and would not be read."""
    if data is None and (split != 0 or part != "test"):
        raise SettingError(f"split and part are of a benchmark, which --data names; got split={split}, part={part!r}")
    if camera is not None and not is_build:
        raise SettingError(f"the cameras of a folder stand in the manifest of 'skyreid build'; got camera={camera!r}")
    if platform is not None and (is_build or data is not None):
        raise SettingError(f"a manifest and a benchmark tell the platforms themselves; got platform={platform.value!r}")


def _part(data: str, root: Path, split: int, part: Part) -> tuple[Tracklet, ...]:
    benchmark = read_benchmark(data, root, split=split)
    parts = {
        "test": (*benchmark.query, *benchmark.gallery),
        "query": benchmark.query,
        "gallery": benchmark.gallery,
        "train": benchmark.train,
    }
    if not parts[part]:
        raise DatasetError(f"{root}: {data} has no tracklets in its part {part!r}")
    return parts[part]


def _of_camera(manifest: Manifest, camera: str | None) -> tuple[Tracklet, ...]:
    if not manifest.tracklets:
        raise NothingFoundError(f"the manifest {NO_TRACKLETS}")
    if camera is None:
        return manifest.tracklets
    cameras = manifest.info.get("cameras", [])
    if not isinstance(cameras, list) or camera not in cameras:
        raise SettingError(f"the manifest has no camera {camera!r}; its cameras: {cameras}")
    of_camera = tuple(tracklet for tracklet in manifest.tracklets if tracklet.camid == cameras.index(camera))
    if not of_camera:
        raise NothingFoundError(f"nobody was found in the camera {camera!r}; name another of {cameras}")
    return of_camera


def read_crops(folder: Path, *, platform: Platform) -> tuple[Tracklet, ...]:
    """Read each subfolder as a tracklet of its own person, frames in the order of the numbers in their names.

    Args:
        folder: whose subfolders hold the pictures.
        platform: of all of them; such a folder does not tell.

    Raises:
        DatasetError: no such folder; none of its subfolders holds a picture, or pictures lie beside them.
    """
    require_kind(folder, CROPS, BUILD, error=DatasetError)
    pictures = {
        name: _pictures(folder / name)
        for name in sorted(names_in(folder), key=natural_order)
        if (folder / name).is_dir()
    }
    if loose := _pictures(folder):
        raise DatasetError(
            f"{folder}: {len(loose)} pictures lie beside the subfolders, such as {loose[0]}: one subfolder is one "
            "tracklet, so put them into one of their own"
        )
    if not any(pictures.values()):
        raise DatasetError(
            f"{folder} has no manifest.jsonl ('skyreid build' writes it) and no subfolders of crops, one for each "
            "tracklet; a benchmark is read by its name: --data g2a-vreid (skyreid data list names them)"
        )
    if empty := [name for name, inside in pictures.items() if not inside]:
        raise DatasetError(
            f"{folder}: {len(empty)} subfolders hold no picture, such as {empty[0]}; remove them, or put their crops "
            f"straight into them ({', '.join(sorted(SUFFIXES))})"
        )
    return tuple(
        Tracklet(
            tracklet_id=name,
            frames=tuple(Frame(str(folder / name / picture)) for picture in inside),
            pid=number,
            camid=0,
            platform=platform,
        )
        for number, (name, inside) in enumerate(pictures.items(), start=1)
    )


def _pictures(folder: Path) -> list[str]:
    return [name for name in sorted(names_in(folder), key=natural_order) if Path(name).suffix.lower() in SUFFIXES]
