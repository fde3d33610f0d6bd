"""Tracklets of noise in crops of several sizes, and a checkpoint of the tiny model."""

import numpy as np
import pytest
from PIL import Image

from skyreid.checkpoint import write_checkpoint
from skyreid.files.config_json import to_json
from skyreid.tracklet import PLATFORMS, Frame, Tracklet
from tests.tiny_model import tiny_model

LENGTHS = (5, 1, 8, 3, 10)


@pytest.fixture(scope="session")
def footage(tmp_path_factory):
    """The folder of the tracklets' frames."""
    return tmp_path_factory.mktemp("footage")


@pytest.fixture(scope="session")
def tracklets(footage):
    rng = np.random.default_rng(0)
    made = []
    for number, length in enumerate(LENGTHS):
        frames = []
        for position in range(length):
            path = footage / f"{number}_{position}.png"
            Image.fromarray(rng.integers(0, 256, (30 + number, 14, 3), dtype=np.uint8)).save(path)
            frames.append(Frame(str(path)))
        made.append(
            Tracklet(
                tracklet_id=f"t{9 - number}",
                frames=tuple(frames),
                pid=10 * number,
                camid=number % 3,
                platform=PLATFORMS[number % 2],
            )
        )
    return made


@pytest.fixture(scope="session")
def model():
    return tiny_model().requires_grad_(False)


@pytest.fixture
def save_checkpoint(tmp_path, model):
    """A maker of checkpoint folders; its arguments are what differs from a good one."""

    def save(*, weights=None, **config):
        folder = tmp_path / "checkpoint"
        write_checkpoint(
            folder,
            weights=model.state_dict() if weights is None else weights,
            config={"kind": "vsla-clip", "model": to_json(model.config), **config},
            provenance={"seed": 0},
        )
        return folder

    return save
