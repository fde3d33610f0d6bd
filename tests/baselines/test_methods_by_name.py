"""Methods by their numbers; their names are refused in tests/training/test_baseline_training.py."""

import re

import pytest

from skyreid.baselines import BaselineModel
from skyreid.errors import SettingError

POSSIBLE = {"num_classes": 2, "frames": 4, "image_size": (64, 32)}


@pytest.mark.parametrize(
    ("impossible", "came"),
    [
        ({"num_classes": 0}, "num_classes=0, frames=4, image_size=(64, 32)"),
        ({"frames": 0}, "num_classes=2, frames=0, image_size=(64, 32)"),
        ({"image_size": (0, 64)}, "num_classes=2, frames=4, image_size=(0, 64)"),
    ],
)
def test_numbers_below_one_are_refused(impossible, came):
    message = f"a method needs one identity, one frame a clip and frames of 1 x 1 or more; got {came}"
    with pytest.raises(SettingError, match=f"^{re.escape(message)}$"):
        BaselineModel(method="ap3d", **{**POSSIBLE, **impossible})
