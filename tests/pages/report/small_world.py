"""Four people on both platforms, each an angle: who is found where can be read off the numbers."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.tracklet import Frame, Platform, Tracklet

HOSTILE = """"><script>window.pwn=1</script>'"""
COLOURS = ("crimson", "royalblue", "seagreen", "goldenrod")
# Degrees by person. From the ground: 1 is found first, 2 second behind 1, 3 third behind 2 and 4, 4 first.
GROUND = {1: 0.0, 2: 14.0, 3: 55.0, 4: 70.0}
AERIAL = {1: 10.0, 2: 40.0, 3: 85.0, 4: 66.0}


@dataclass(frozen=True)
class SmallWorld:
    ground: EmbeddingTable
    aerial: EmbeddingTable
    tracklets: dict[str, Tracklet]

    @property
    def everybody(self) -> EmbeddingTable:
        return self.ground.concatenate(self.aerial)


def table(platform: Platform, degrees: dict[int, float], prefix: str = "") -> EmbeddingTable:
    radians = np.deg2rad(list(degrees.values()))
    return EmbeddingTable(
        embeddings=np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32),
        pids=np.array(list(degrees)),
        camids=np.full(len(degrees), platform.number),
        platforms=np.full(len(degrees), platform.number),
        tracklet_ids=np.array([f"{prefix}{platform}-{pid}" for pid in degrees]),
    )


def paint(folder: Path, tracklet_id: str, pid: int, platform: Platform, *, frames: int = 3) -> Tracklet:
    folder.mkdir(parents=True, exist_ok=True)
    size = (24, 48) if platform is Platform.GROUND else (30, 30)
    paths = [folder / f"{platform}-{pid}-{number}.png" for number in range(frames)]
    for number, path in enumerate(paths):
        picture = Image.new("RGB", size, COLOURS[pid % len(COLOURS)])
        picture.paste((240, 240, 240), (2 + 3 * number, 4, 10 + 3 * number, 14))
        picture.save(path)
    return Tracklet(
        tracklet_id=tracklet_id,
        frames=tuple(Frame(path=str(path)) for path in paths),
        pid=pid,
        camid=platform.number,
        platform=platform,
    )


def make_world(folder: Path, *, prefix: str = "") -> SmallWorld:
    """All of it; `prefix` stands before every tracklet id."""
    tracklets = [paint(folder, f"{prefix}{platform}-{pid}", pid, platform) for platform in Platform for pid in GROUND]
    return SmallWorld(
        ground=table(Platform.GROUND, GROUND, prefix),
        aerial=table(Platform.AERIAL, AERIAL, prefix),
        tracklets={tracklet.tracklet_id: tracklet for tracklet in tracklets},
    )
