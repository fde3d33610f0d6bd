"""The refusal of clips that a method was not built for."""

import pytest
import torch

from skyreid.baselines.baseline import refuse_other_clips
from skyreid.errors import SettingError


def test_clips_of_the_right_size_pass():
    refuse_other_clips("method", torch.zeros(3, 4, 3, 32, 16), frames=4, image_size=(32, 16))


@pytest.mark.parametrize(
    ("frames", "height", "width", "said"),
    [(8, 32, 16, "got 8 of 32 x 16"), (4, 16, 32, "got 4 of 16 x 32"), (4, 32, 32, "got 4 of 32 x 32")],
)
def test_other_clips_are_refused_by_what_came(frames, height, width, said):
    with pytest.raises(SettingError) as refusal:
        refuse_other_clips("method", torch.zeros(2, frames, 3, height, width), frames=4, image_size=(32, 16))
    assert str(refusal.value) == f"method: this model was built for clips of 4 frames of 32 x 16; {said}"
