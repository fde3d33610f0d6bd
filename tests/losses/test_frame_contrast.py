import math

import pytest
import torch
from torch.testing import assert_close

from skyreid.errors import SettingError
from skyreid.losses.frame_contrast import frame_contrast
from tests.tiny_model import drawn


def slow(projections, clips_per_identity, temperature):
    total = 0.0
    for start in range(0, len(projections), clips_per_identity):
        group = projections[start : start + clips_per_identity]
        places = [(clip, frame) for clip in range(len(group)) for frame in range(len(group[0]))]
        losses = []
        for clip, frame in places:

            def similarity(other_clip, other_frame, clip=clip, frame=frame, group=group):
                one, other = group[clip][frame], group[other_clip][other_frame]
                dot = sum(x * y for x, y in zip(one, other, strict=True))
                return math.exp(dot / math.hypot(*one) / math.hypot(*other) / temperature)

            negatives = sum(similarity(*place) for place in places if place[1] != frame)
            positives = [similarity(*place) for place in places if place[1] == frame and place[0] != clip]
            losses += [-math.log(positive / (positive + negatives)) for positive in positives]
        total += sum(losses) / len(losses)
    return total


@pytest.mark.parametrize(("clips", "frames", "clips_per_identity"), [(4, 3, 2), (6, 2, 3), (2, 1, 2)])
def test_it_equals_one_positive_at_a_time(clips, frames, clips_per_identity):
    projections = drawn(clips, frames, 5).double()
    ours = frame_contrast(projections, clips_per_identity=clips_per_identity, temperature=0.5)
    assert float(ours) == pytest.approx(slow(projections.tolist(), clips_per_identity, 0.5), rel=1e-10, abs=1e-12)


def test_other_identities_are_no_negatives():
    one, other = drawn(2, 3, 5).double(), drawn(2, 3, 5, seed=2).double()
    together = frame_contrast(torch.cat([one, other]), clips_per_identity=2)
    assert_close(together, frame_contrast(one, clips_per_identity=2) + frame_contrast(other, clips_per_identity=2))


@pytest.mark.parametrize(("clips", "block"), [(6, 4), (4, 1)])
def test_clips_without_partners_are_refused(clips, block):
    message = rf"2 or more of each; got {clips} clips in blocks of {block}"
    with pytest.raises(SettingError, match=message):
        frame_contrast(drawn(clips, 2, 5), clips_per_identity=block)
