"""Tracklets with real pictures behind them, painted in plain colours."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from skyreid.tracklet import Frame, Platform, Tracklet


@pytest.fixture
def paint_tracklet(tmp_path: Path) -> Callable[..., Tracklet]:
    """A maker of tracklets: one frame per colour, all of one size (width, height)."""
    folder = tmp_path / "frames"
    folder.mkdir()
    numbers = itertools.count()

    def paint(
        name: str = "0001C1T0001",
        colours: tuple[str, ...] = ("red", "lime", "blue"),
        size: tuple[int, int] = (20, 40),
        platform: Platform = Platform.GROUND,
    ) -> Tracklet:
        frames = []
        for colour in colours:
            path = folder / f"{next(numbers)}.png"
            Image.new("RGB", size, colour).save(path)
            frames.append(Frame(path=str(path)))
        return Tracklet(tracklet_id=name, frames=tuple(frames), pid=1, camid=3, platform=platform)

    return paint
