"""SINet's two parts against loops over groups, frames and positions."""

import pytest
import torch
from torch.autograd import gradcheck
from torch.nn import functional
from torch.testing import assert_close

from skyreid.baselines.sinet_blocks import GROUP, IntegrationDistribution, SalientToBroad
from tests.tiny_model import drawn, randomized

CHANNELS, HEIGHT, WIDTH = 32, 5, 4


def features(frames=GROUP, clips=2):
    return drawn(clips * frames, CHANNELS, HEIGHT, WIDTH).double().relu() + 0.1


def broadening(num_salient, channels=CHANNELS):
    return randomized(SalientToBroad(channels, num_salient)).double()


def one_group_at_a_time(part, images):
    """Follow the description step by step, every frame with the kernel of its own group."""
    out = []
    for group in images.split(GROUP):
        mean = group.mean(dim=(0, 2, 3))
        gate = part.gate(mean)
        for channel in range(group.shape[1]):
            if group[:, channel, 1:-1, 1:-1].mean() / (mean[channel] + 1e-8) <= 1:
                gate[channel] = 0
        first, last = group[: part.num_salient], group[part.num_salient :]
        salient = (first * gate[:, None, None]).relu()
        attention = part.attention(salient)
        attention = attention / attention.sum(1, keepdim=True).clamp(min=1e-12)
        attention = attention / attention.sum((0, 2, 3), keepdim=True).clamp(min=1e-12)
        kernel = torch.stack([(salient * attention[:, tap : tap + 1]).sum((0, 2, 3)) for tap in range(9)], dim=1)
        faded_sum, faded_features, kept_frames = 0.0, torch.zeros(group.shape[1], dtype=group.dtype), []
        for frame in last:
            padded = functional.pad((frame * gate[:, None, None]).relu()[None], (1, 1, 1, 1), mode="replicate")
            response = functional.conv2d(padded, kernel.view(1, -1, 3, 3))[0, 0] / 9
            attended = response.flatten().softmax(0).view(HEIGHT, WIDTH).clamp(min=1e-4)
            kept = torch.ones(HEIGHT, WIDTH, dtype=group.dtype)
            for row in range(HEIGHT):
                for column in range(WIDTH):
                    ratio = 1 / (HEIGHT * WIDTH * attended[row, column])
                    if ratio < 1:
                        kept[row, column] = (5 * (ratio - 1)).exp()
            faded_sum += (1 - kept).sum()
            faded_features += ((1 - kept) * frame).sum((1, 2))
            kept_frames.append(kept)
        out.extend(frame + 0.1 * (faded_features / faded_sum)[:, None, None] for frame in first)
        told = 0.1 * first.mean((0, 2, 3))[:, None, None]
        out.extend(frame * kept + told for frame, kept in zip(last, kept_frames, strict=True))
    return torch.stack(out)


@pytest.mark.parametrize("num_salient", [1, 2, 3])
@pytest.mark.parametrize("frames", [4, 8])
def test_broadening_equals_one_group_at_a_time(num_salient, frames):
    part, images = broadening(num_salient), features(frames)
    with torch.no_grad():
        assert_close(part(images, frames), one_group_at_a_time(part, images))


def test_broadening_keeps_groups_of_four_frames_apart():
    part, images = broadening(2), features(frames=8, clips=1)
    changed = images.clone()
    changed[5] += 1
    difference = (part(changed, 8) - part(images, 8)).detach().abs().amax(dim=(1, 2, 3))
    assert difference[:4].max() == 0
    assert difference[4:].min() > 1e-3


def test_broadening_gives_finite_gradients_where_every_channel_is_closed():
    images = torch.ones(GROUP, CHANNELS, HEIGHT, WIDTH).requires_grad_()
    out = randomized(SalientToBroad(CHANNELS, 1))(images, GROUP)
    out.sum().backward()
    assert out.isfinite().all()
    assert images.grad.isfinite().all()


def test_gradients_of_broadening_equal_finite_differences():
    part = broadening(2, channels=4)
    images = (drawn(GROUP, 4, 4, 3).double().relu() + 0.1).requires_grad_()
    assert gradcheck(lambda values: part(values, GROUP), (images,))


def mixing(frames=GROUP):
    return randomized(IntegrationDistribution(CHANNELS, frames * HEIGHT * WIDTH)).double()


def test_integration_equals_one_clip_at_a_time():
    part, images = mixing(), features()
    expected = []
    for clip in images.split(GROUP):
        reduced = part.reduce_channels(clip)
        table = torch.stack([reduced[:, inner].flatten() for inner in range(reduced.shape[1])])  # [inner, position]
        convolution, norm = part.integrate
        inner = table @ convolution.weight[..., 0].T + convolution.bias
        inner = inner * norm.weight / (norm.running_var + norm.eps).sqrt() + norm.bias
        table = table + inner @ part.distribute.weight[..., 0].T + part.distribute.bias
        told = part.expand_channels(torch.stack([row.view(GROUP, HEIGHT, WIDTH) for row in table], dim=1))
        expected.append((clip + told).relu())
    assert_close(part(images, GROUP), torch.cat(expected))


def test_integration_tells_every_frame_of_its_own_clip_only():
    part, images = mixing(), features()
    changed = images.clone()
    changed[5] += 1
    difference = (part(changed, GROUP) - part(images, GROUP)).detach().abs().amax(dim=(1, 2, 3))
    assert difference[:4].max() == 0
    assert difference[4:].min() > 1e-3


def test_integration_starts_as_the_identity_of_features_that_passed_a_relu():
    images = features().float()
    assert_close(IntegrationDistribution(CHANNELS, GROUP * HEIGHT * WIDTH)(images, GROUP), images)
