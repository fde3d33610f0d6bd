"""A pair's image tower in TF-CLIP."""

from dataclasses import replace

import pytest
import torch

from skyreid.baselines.tf_clip import TfClip, TfClipConfig
from skyreid.errors import SettingError
from skyreid.models.tower_pair import TowerPair
from skyreid.pretrained.assembling import resize_position_table
from skyreid.pretrained.pair_checkpoint import load_clip_tower
from tests.tiny_model import NO_ADAPTERS, drawn, randomized, tiny_config

JOINT = 64


@pytest.fixture(scope="module")
def pair():
    config = replace(tiny_config(adapters=NO_ADAPTERS, prompt_depth=0), embed_dim=JOINT)
    return randomized(TowerPair(config, vocabulary=10, words=None))


def method(pair, **image):
    return TfClip(TfClipConfig(num_classes=2, image=replace(pair.config.image, **image), joint_dim=JOINT))


@torch.no_grad()
def test_the_tower_sees_as_the_pair_s_does_and_the_rest_keeps_its_start(pair):
    model = method(pair)
    start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    load_clip_tower(model, pair)
    clips = drawn(2, 3, 3, *model.image_size)
    assert torch.equal(model.tower(clips).joint, pair.encoder.tower(clips).joint)
    assert {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, start[name])} == {
        f"tower.{name}" for name in model.tower.state_dict()
    }


@torch.no_grad()
def test_training_the_method_leaves_the_pair_as_it_is(pair):
    model = method(pair)
    load_clip_tower(model, pair)
    model.tower.class_token.add_(1)
    assert not torch.equal(model.tower.class_token, pair.encoder.tower.class_token)


def test_the_position_table_is_resized_to_other_frames(pair):
    model = method(pair, image_size=(16, 8))
    load_clip_tower(model, pair)
    expected = resize_position_table(pair.encoder.tower.position_table, grid=(3, 2), target=(2, 1))
    assert torch.equal(model.tower.position_table, expected)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ({"width": 64}, "image tower width differs from the pretrained one: 64 and 128"),
        ({"layers": 2}, "image tower layers differs from the pretrained one: 2 and 3"),
        ({"activation": "gelu"}, "image tower activation differs from the pretrained one: gelu and quick-gelu"),
    ],
)
def test_a_tower_of_another_size_is_refused(pair, image, message):
    with pytest.raises(SettingError, match=f"^{message}$"):
        load_clip_tower(method(pair, **image), pair)
