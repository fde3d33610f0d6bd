"""Tracklets with real pictures behind them, painted in plain colours."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from skyreid.tracklet import Frame, Platform, Tracklet


@pytest.fixture
def painted(tmp_path: Path) -> Callable[..., Tracklet]:
    """A maker of tracklets: one frame per colour, all of one size (width, height)."""
    folder = tmp_path / "frames"
    folder.mkdir()

    def paint(
        name: str = "0001C1T0001",
        colours: tuple[str, ...] = ("red", "lime", "blue"),
        size: tuple[int, int] = (20, 40),
        platform: Platform = Platform.GROUND,
    ) -> Tracklet:
        paths = [folder / f"{len(list(folder.iterdir()))}_{colour}.png" for colour in colours]
        for number, (path, colour) in enumerate(zip(paths, colours, strict=True)):
            path = path.with_stem(f"{path.stem}_{number}")
            Image.new("RGB", size, colour).save(path)
            paths[number] = path
        frames = tuple(Frame(path=str(path)) for path in paths)
        return Tracklet(tracklet_id=name, frames=frames, pid=1, camid=3, platform=platform)

    return paint
