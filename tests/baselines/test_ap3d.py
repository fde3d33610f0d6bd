"""AP3D's own part against one position at a time; the whole method: tests/reference/baselines."""

import math

import pytest
import torch
from torch.nn import functional

from skyreid.baselines.ap3d import AlignedTemporalConvolution, Ap3d, Ap3dConfig, build_ap3d, build_ap3d_nl
from skyreid.errors import SettingError
from skyreid.extraction.embed_tracklets import Encoder
from tests.baselines.drawn_weights import with_drawn_weights
from tests.tiny_model import drawn, randomized

CHANNELS = 32


def aligned(*, detached_gate=True):
    return randomized(AlignedTemporalConvolution(CHANNELS, detached_gate=detached_gate)).double()


def slow(part, clip):
    """One clip [frame, channel, height, width], frame by frame and position by position."""
    features = clip.flatten(2).mT  # [frame, position, channel]
    told = torch.zeros_like(features)
    for frame, positions in enumerate(features):
        for tap, neighbour in enumerate((frame - 1, frame, frame + 1)):
            if not 0 <= neighbour < len(features):
                continue
            others = features[neighbour]
            for place, own in enumerate(positions):
                seen = own
                if neighbour != frame:
                    query, keys = (functional.normalize(part.semantics(x), dim=-1) for x in (own, others))
                    weights = torch.tensor([math.exp(4 * float(query @ key)) for key in keys], dtype=torch.float64)
                    registered = (weights[:, None] * others).sum(0) / weights.sum()
                    agreement = part.gate_frame(own) * part.gate_neighbour(registered)
                    seen = registered * part.gate(agreement).sigmoid()
                told[frame, place] += part.temporal.weight[:, :, tap] @ seen
    return clip + told.mT.reshape(clip.shape)


@torch.no_grad()
def test_it_equals_one_position_at_a_time():
    part, clips = aligned(), drawn(2, 3, CHANNELS, 2, 3).double()
    expected = torch.cat([slow(part, clip) for clip in clips])
    torch.testing.assert_close(part(clips.flatten(0, 1), 3), expected)


@torch.no_grad()
def test_a_clip_of_one_frame_has_no_neighbours():
    part, frame = aligned(), drawn(1, CHANNELS, 2, 3).double()
    torch.testing.assert_close(part(frame, 1), slow(part, frame))


def test_it_starts_as_the_identity():
    features = drawn(6, CHANNELS, 2, 3)
    assert torch.equal(AlignedTemporalConvolution(CHANNELS, detached_gate=True)(features, 3), features)


@pytest.mark.parametrize("detached", [True, False])
def test_the_detached_gate_alone_leaves_a_part_of_the_gradient_out(detached):
    part, features = aligned(detached_gate=detached), drawn(2, CHANNELS, 2, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: part(x, 2), features, raise_exception=False) is not detached


def test_blocks_stand_where_the_paper_puts_them():
    with torch.device("meta"):
        names = [name for name, _ in build_ap3d_nl(num_classes=2, frames=4).named_modules()]
    assert [name for name in names if name.endswith("after_conv2")] == [
        f"backbone.layer{stage}.{block}.after_conv2" for stage, block in ((2, 0), (2, 2), (3, 0), (3, 2), (3, 4))
    ]
    assert [name for name in names if name.endswith("after_block")] == [
        f"backbone.layer{stage}.{block}.after_block" for stage, block in ((2, 1), (2, 3), (3, 1), (3, 3), (3, 5))
    ]


def test_the_clean_preset_lets_the_gate_learn_from_the_features():
    with torch.device("meta"):
        presets = [build_ap3d(num_classes=2, frames=4, preset=preset) for preset in ("release", "clean")]
    parts = [
        next(part for part in model.modules() if isinstance(part, AlignedTemporalConvolution)) for model in presets
    ]
    assert [part.detached_gate for part in parts] == [True, False]


def test_frames_too_small_for_non_local_blocks_are_refused():
    with pytest.raises(SettingError, match=r"of 17 x 17 pixels or more; got 64 x 16"):
        build_ap3d_nl(num_classes=2, frames=4, image_size=(64, 16))


@pytest.fixture(scope="module")
def tiny():
    return with_drawn_weights(Ap3d(Ap3dConfig(num_classes=3, image_size=(64, 32), non_local=True)))


@torch.no_grad()
def test_a_clip_has_the_same_embedding_in_any_batch(tiny):
    clips, platforms = drawn(3, 2, 3, 64, 32), torch.zeros(3, dtype=torch.int64)
    together = tiny.embed(clips, platforms)
    assert isinstance(tiny, Encoder)
    assert together.shape == (3, tiny.embed_dim)
    torch.testing.assert_close(together[1:2], tiny.embed(clips[1:2], platforms[1:2]), rtol=1e-4, atol=1e-4)


def test_training_teaches_every_parameter(tiny):
    labels = torch.tensor([0, 0, 1, 1])
    tiny.train()
    outputs = tiny(drawn(4, 2, 3, 64, 32))
    losses = tiny.losses(outputs, labels)
    torch.stack([*losses.values()]).sum().backward()
    tiny.eval()
    assert losses.keys() == {"identity", "triplet"}
    assert [name for name, parameter in tiny.named_parameters() if parameter.grad is None] == []
