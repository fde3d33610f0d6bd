"""A folder of tracklets and a checkpoint to one embedding table on disk."""

from dataclasses import replace
from os import PathLike

from skyreid.arguments import find_named, path_of
from skyreid.checkpoint import weights_sha256
from skyreid.clips.clip_choice import TEST_CLIPS
from skyreid.clips.frame_bank import FrameBank
from skyreid.datasets.manifest import MANIFEST_FILE, Manifest, read_manifest
from skyreid.distributed import Workers
from skyreid.errors import NothingFoundError, SettingError
from skyreid.extraction.embed_tracklets import embed_tracklets
from skyreid.extraction.loading import load
from skyreid.feeding import TestChoice
from skyreid.progress import Progress, silent
from skyreid.retrieval.embedding_table import EmbeddingTable, save_table
from skyreid.tracklet import Tracklet


def embed(
    folder: str | PathLike[str],
    checkpoint: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    camera: str | None = None,
    clip_length: int | None = None,
    sampling: TestChoice | None = None,
    progress: Progress = silent,
) -> EmbeddingTable:
    """Embed what `folder`/manifest.jsonl lists; the table remembers where the pictures are.

    Args:
        folder: what `skyreid build` made.
        checkpoint: folder of the model.
        out: the table to write, .npz; None = it is only returned.
        camera: only its tracklets; None = those of all cameras.
        clip_length: frames a clip; None = as the checkpoint says.
        sampling: which frames of a tracklet are seen; None = as the checkpoint says.
        progress: told after every batch.

    Raises:
        SettingError: the manifest has no such camera, no such sampling, or a path is none.
        ManifestError: no manifest, or a damaged one.
        CheckpointError: no checkpoint, or a damaged one.
        MissingFrameError: a frame is missing or unreadable.
        NothingFoundError: the manifest lists no tracklets; no table is written.
    """
    manifest_path = path_of(folder, "a folder of tracklets") / MANIFEST_FILE
    checkpoint = path_of(checkpoint, "a checkpoint")
    if sampling is not None:
        find_named(sampling, TEST_CLIPS, "sampling")
    manifest = read_manifest(manifest_path)
    workers = Workers()
    embedder = load(checkpoint, device=workers.device)
    feeding = embedder.feeding.taking(clip_length=clip_length, sampling=sampling)
    # Each frame is read once, so a bank would only hold memory.
    bank = FrameBank(feeding.image_size, capacity_bytes=0)
    table = embed_tracklets(embedder.encoder, _of_camera(manifest, camera), bank, workers, feeding, progress=progress)
    table = replace(table, manifest=str(manifest_path.resolve()), model=weights_sha256(checkpoint))
    if out is not None and workers.is_first:
        save_table(out, table)
    return table


def _of_camera(manifest: Manifest, camera: str | None) -> tuple[Tracklet, ...]:
    if not manifest.tracklets:
        raise NothingFoundError(
            "the manifest lists no tracklets: nobody was found when it was built; build it anew with --detector or "
            "with annotations"
        )
    if camera is None:
        return manifest.tracklets
    cameras = manifest.info.get("cameras", [])
    if not isinstance(cameras, list) or camera not in cameras:
        raise SettingError(f"the manifest has no camera {camera!r}; its cameras: {cameras}")
    return tuple(tracklet for tracklet in manifest.tracklets if tracklet.camid == cameras.index(camera))
