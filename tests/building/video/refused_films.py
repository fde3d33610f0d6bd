"""Films that are not decoded."""

import pytest

from skyreid.building.video.decode import DecodeLimits, frames
from skyreid.errors import VideoError


def refusal(path, **limits):
    """What is said of a film that must be refused."""
    with pytest.raises(VideoError) as caught:
        list(frames(path, limits=DecodeLimits(**limits)))
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")
