"""A folder of tracklets and a checkpoint to one embedding table on disk."""

from dataclasses import replace
from pathlib import Path

from skyreid.checkpoint import weights_sha256
from skyreid.clips.frame_bank import FrameBank
from skyreid.datasets.manifest import Manifest, read_manifest
from skyreid.distributed import Workers
from skyreid.errors import SettingError
from skyreid.extraction.embed_tracklets import ExtractionConfig, embed_tracklets
from skyreid.extraction.loading import load
from skyreid.progress import Progress, silent
from skyreid.retrieval.embedding_table import EmbeddingTable, save_table
from skyreid.tracklet import Tracklet


def embed_folder(
    folder: Path,
    checkpoint: Path,
    out: Path,
    config: ExtractionConfig,
    *,
    camera: str | None = None,
    progress: Progress = silent,
) -> EmbeddingTable:
    """Embed what `folder`/manifest.jsonl lists; the table remembers where the pictures are.

    Args:
        folder: what `skyreid build` made.
        checkpoint: folder of the model.
        out: the table to write.
        config: frames per clip and how they are taken.
        camera: only its tracklets; None = those of all cameras.
        progress: told after every batch.

    Raises:
        SettingError: the manifest has no such camera.
        ManifestError: no manifest, or a damaged one.
        CheckpointError: no checkpoint, or a damaged one.
        MissingFrameError: a frame is missing or unreadable.
    """
    manifest_path = folder / "manifest.jsonl"
    manifest = read_manifest(manifest_path)
    workers = Workers()
    encoder = load(checkpoint, device=workers.device).encoder
    # Each frame is read once, so a bank would only hold memory.
    bank = FrameBank(encoder.image_size, capacity_bytes=0)
    table = embed_tracklets(encoder, _of_camera(manifest, camera), bank, workers, config, progress=progress)
    table = replace(table, manifest=str(manifest_path.resolve()), model=weights_sha256(checkpoint))
    if workers.is_first:
        save_table(out, table)
    return table


def _of_camera(manifest: Manifest, camera: str | None) -> tuple[Tracklet, ...]:
    if camera is None:
        return manifest.tracklets
    cameras = manifest.info.get("cameras", [])
    if not isinstance(cameras, list) or camera not in cameras:
        raise SettingError(f"the manifest has no camera {camera!r}; its cameras: {cameras}")
    return tuple(tracklet for tracklet in manifest.tracklets if tracklet.camid == cameras.index(camera))
