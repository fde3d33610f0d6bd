"""The backbone of most methods; its numbers are compared in tests/reference/baselines."""

import pytest
import torch
from torch import nn

from skyreid.baselines.resnet50_frames import (
    Place,
    ResNet50Config,
    ResNet50Frames,
    make_stage,
    map_size,
    resnet50_names,
)
from tests.tiny_model import drawn


class Recorder(nn.Module):
    """A part that changes nothing and remembers what it was called with."""

    def __init__(self, place, calls):
        super().__init__()
        self.place, self.calls = place, calls

    def forward(self, features, num_frames):
        self.calls.append((self.place, features.shape[1], num_frames))
        return features


def test_parts_are_called_in_order_with_their_channels_and_the_frames_of_a_clip():
    calls: list[tuple[Place, int, int]] = []

    def part(place):
        return Recorder(place, calls) if place.block == 1 else None

    backbone = ResNet50Frames(after_conv2=part, after_block=part).eval()
    with torch.no_grad():
        backbone(drawn(2, 3, 32, 16), 2)
    widths = [(stage, width) for stage, width in ((1, 64), (2, 128), (3, 256), (4, 512))]
    places = [Place(stage, 1, channels) for stage, width in widths for channels in (width, 4 * width)]
    assert calls == [(place, place.channels, 2) for place in places]


@pytest.mark.parametrize("size", [(256, 128), (64, 32), (70, 45)])
@pytest.mark.parametrize("padding", [0, 1])
def test_the_sizes_of_maps_are_known_without_running(size, padding):
    backbone = ResNet50Frames(ResNet50Config(stem_pool_padding=padding)).to("meta")
    features = backbone.stem(torch.zeros(1, 3, *size, device="meta"))
    assert features.shape[-2:] == map_size(size, 0, stem_pool_padding=padding)
    for number, stage in enumerate((backbone.layer1, backbone.layer2, backbone.layer3, backbone.layer4), start=1):
        features = stage(features, 1)
        assert features.shape[-2:] == map_size(size, number, stem_pool_padding=padding)


def test_the_stem_without_relu_lets_negative_numbers_through():
    images = drawn(2, 3, 32, 32)
    with_relu, without = (ResNet50Frames(ResNet50Config(stem_relu=relu)).eval() for relu in (True, False))
    without.load_state_dict(with_relu.state_dict())
    signed = without.stem(images)
    assert signed.amin() < 0
    torch.testing.assert_close(signed.relu(), with_relu.stem(images))


def test_a_stage_may_end_without_relu():
    stage = make_stage(4, last_relu=False).eval()
    assert stage(drawn(1, 1024, 2, 2), 1).amin() < 0
    assert stage[1].final_relu


def test_without_its_last_stage_it_gives_what_stage_3_gives():
    backbone = ResNet50Frames(ResNet50Config(has_last_stage=False)).to("meta")
    assert backbone(torch.zeros(1, 3, 64, 32, device="meta"), 1).shape == (1, 1024, 4, 2)


@pytest.mark.parametrize("conv_bias", [True, False])
def test_published_weights_cover_all_but_counters_and_the_biases_that_nobody_published(conv_bias):
    with torch.device("meta"):
        own = ResNet50Frames(ResNet50Config(conv_bias=conv_bias)).state_dict()
    published = resnet50_names(lambda name: (name,))
    uncovered = {name for name in own if name not in published.targets and name not in published.dropped}
    convolutions = {name.replace(".weight", ".bias") for name, tensor in own.items() if tensor.ndim == 4}
    assert uncovered == (convolutions if conv_bias else set())
    assert set(published.targets) <= own.keys()
