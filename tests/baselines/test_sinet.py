"""SINet as a whole: presets, losses, sizes and refusals; its outputs: tests/reference/baselines."""

import pytest
import torch
from torch.testing import assert_close

from skyreid.baselines.sinet import Sinet, SinetConfig, build_sinet
from skyreid.errors import SettingError
from skyreid.losses.frame_contrast import frame_contrast
from tests.baselines.drawn_weights import with_drawn_weights
from tests.tiny_model import drawn

SIZE = (64, 48)


def built(frames=4, **changes):
    return Sinet(SinetConfig(num_classes=3, frames=frames, image_size=SIZE, **changes))


def clips(frames=4, count=1):
    return drawn(count, frames, 3, *SIZE)


@pytest.fixture(scope="module", params=[4, 8])
def model(request):
    return with_drawn_weights(built(request.param))


@torch.no_grad()
def test_an_embedding_is_the_mean_over_frames_and_the_same_in_any_batch(model):
    given = clips(model.frames, count=2)
    outputs = model.eval()(given)
    assert {name: tuple(tensor.shape) for name, tensor in outputs.items()} == {
        "frame_features": (2, model.frames, 2048),
        "embedding": (2, 2048),
    }
    assert_close(outputs["embedding"], outputs["frame_features"].mean(dim=1))
    assert_close(outputs["embedding"][1:], model(given[1:])["embedding"], rtol=1e-4, atol=1e-4)


def test_training_teaches_every_parameter_and_the_neck_follows_clips_and_then_frames(model):
    followed = []
    hook = model.neck.register_forward_pre_hook(lambda module, inputs: followed.append(tuple(inputs[0].shape)))
    outputs = model.train()(clips(model.frames, count=4))
    hook.remove()
    assert followed == [(4, 2048), (4, 2048, model.frames)]
    assert {name: tuple(tensor.shape) for name, tensor in outputs.items()} == {
        "feature": (4, 2048),
        "logits": (4, 3),
        "projections": (4, model.frames, 2048),
    }
    terms = model.losses(outputs, torch.tensor([0, 0, 1, 1]))
    assert set(terms) == {"identity", "triplet", "contrast"}
    torch.stack([*terms.values()]).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    assert [name for name, parameter in model.named_parameters() if not parameter.grad.any()] == []


@pytest.mark.parametrize(
    ("labels", "frames", "block"),
    [([0] * 4 + [1] * 4, 4, 4), ([0] * 8, 4, 4), ([0, 0, 1, 1], 4, 2), ([0, 0, 1, 1], 8, 4), ([0] * 4, 8, 4)],
)
def test_frames_are_contrasted_within_four_groups_of_an_identity_or_two_where_there_are_no_four(labels, frames, block):
    with torch.device("meta"):
        model = built(frames)
    projections = drawn(len(labels), frames, 6)
    outputs = {"feature": drawn(len(labels), 5), "logits": drawn(len(labels), 3), "projections": projections}
    groups = projections.view(-1, 4, 6)  # the halves of a clip stand next to each other
    expected = 0.001 * frame_contrast(groups, clips_per_identity=block)
    assert_close(model.losses(outputs, torch.tensor(labels))["contrast"], expected)


def test_clips_of_an_identity_that_do_not_stand_together_are_refused():
    with torch.device("meta"):
        model = built()
    outputs = {"feature": drawn(4, 5), "logits": drawn(4, 3), "projections": drawn(4, 4, 6)}
    with pytest.raises(SettingError, match=r"^frames are contrasted between the clips of an identity"):
        model.losses(outputs, torch.tensor([0, 1, 0, 1]))


def test_convolution_biases_add_to_the_backbone_and_nothing_else():
    biased, plain = built(), built(conv_bias=False)
    state = biased.state_dict()
    only_biased = set(state) - set(plain.state_dict())
    assert len(only_biased) == 53  # the convolutions of a ResNet-50
    assert all(name.startswith("backbone.") and name.endswith("bias") for name in only_biased)
    plain.load_state_dict({name: tensor for name, tensor in state.items() if name not in only_biased})
    with torch.no_grad():
        for name in only_biased:
            state[name].zero_()
        assert torch.equal(biased.eval()(clips())["embedding"], plain.eval()(clips())["embedding"])


def test_the_stem_pool_is_padded_as_asked_and_nothing_else_differs():
    padded, unpadded = built(stem_pool_padding=1), built()
    assert padded.backbone.maxpool.padding == 1
    assert unpadded.backbone.maxpool.padding == 0
    padded.load_state_dict(unpadded.state_dict())
    padded.backbone.maxpool.padding = 0
    with torch.no_grad():
        assert torch.equal(padded.eval()(clips())["embedding"], unpadded.eval()(clips())["embedding"])


def test_the_clean_preset_has_an_ordinary_backbone():
    with torch.device("meta"):
        clean, released = (build_sinet(num_classes=3, frames=4, preset=preset) for preset in ("clean", "release"))
    assert (clean.backbone.conv1.bias is None, clean.backbone.maxpool.padding) == (True, 1)
    assert (released.backbone.conv1.bias is None, released.backbone.maxpool.padding) == (False, 0)


def test_the_published_weights_have_a_place_each():
    with torch.device("meta"):
        model = built()
    places = [place for targets in model.published_names().targets.values() for place in targets]
    assert len(places) == len(set(places)) == 265
    assert set(places) <= set(model.state_dict())


@pytest.mark.parametrize(("num_classes", "millions"), [(625, 34.89), (842, 35.34), (930, 35.52)])
def test_for_8_frames_it_has_as_many_parameters_as_the_original(num_classes, millions):
    with torch.device("meta"):
        model = build_sinet(num_classes=num_classes, frames=8)
    assert round(sum(parameter.numel() for parameter in model.parameters()) / 1e6, 2) == millions


@pytest.mark.parametrize("frames", [0, 2, 6, 12])
def test_other_numbers_of_frames_are_refused(frames):
    with pytest.raises(SettingError, match=rf"^sinet: a clip has 4 or 8 frames; got {frames}$"):
        build_sinet(num_classes=3, frames=frames, image_size=SIZE)


def test_frames_that_leave_no_inner_positions_are_refused():
    said = r"^sinet: frames must leave 3 x 3 features or more after stage 3; got image_size=\(64, 32\)$"
    with pytest.raises(SettingError, match=said):
        build_sinet(num_classes=3, frames=4, image_size=(64, 32))


def test_clips_that_it_was_not_built_for_are_refused():
    with torch.device("meta"):
        model = built()
    said = r"^sinet: this model was built for clips of 4 frames of 64 x 48; got 8 of 64 x 48$"
    with pytest.raises(SettingError, match=said):
        model(clips(frames=8))
