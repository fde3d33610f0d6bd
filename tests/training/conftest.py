"""A benchmark of a few coloured rectangles in the real G2A layout, and the options of a tiny model."""

import numpy as np
import pytest
from PIL import Image

from skyreid.datasets.benchmarks.mars_layout import write_mars_layout
from skyreid.tracklet import Frame, Platform, Tracklet

TINY = (
    "--model.image.image-size 32 16 --model.image.patch-size 8 --model.image.stride 8 --model.image.width 64 "
    "--model.image.layers 2 --model.image.adapters.intra-frame 16 --model.image.adapters.cross-frame 64 "
    "--model.text.width 64 --model.text.layers 1 --model.embed-dim 32 --clip-length 3 --extraction.clip-length 3 "
    "--stage2.sampler.identities 2 --stage2.sampler.tracklets 2 --precision float32 --pretrained None"
).split()


@pytest.fixture(scope="session")
def tiny_g2a(tmp_path_factory):
    """Four training and four test identities, each seen from the ground and from the air."""
    folder = tmp_path_factory.mktemp("tiny")
    rng = np.random.default_rng(0)
    tracklets = {}
    for pid in range(1, 9):
        colour = rng.integers(0, 256, 3)
        for platform in Platform:
            frames = []
            for number in range(5):
                pixels = np.clip(colour + rng.normal(0, 30, (24, 12, 3)), 0, 255).astype(np.uint8)
                path = folder / f"{pid}_{platform}_{number}.jpg"
                Image.fromarray(pixels).save(path)
                frames.append(Frame(str(path)))
            tracklets[pid, platform] = Tracklet(
                tracklet_id=f"{pid}_{platform}",
                frames=tuple(frames),
                pid=pid,
                camid=platform.number,
                platform=platform,
            )
    root = folder / "g2a"
    write_mars_layout(
        root,
        train=[tracklet for (pid, _), tracklet in tracklets.items() if pid <= 4],
        query=[tracklets[pid, Platform.GROUND] for pid in range(5, 9)],
        gallery=[tracklets[pid, Platform.AERIAL] for pid in range(5, 9)],
    )
    return root
