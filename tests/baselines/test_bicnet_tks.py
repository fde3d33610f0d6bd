"""BiCnet-TKS as a whole: streams, losses, sizes and refusals; its outputs: tests/reference/baselines."""

import pytest
import torch
from torch.testing import assert_close

from skyreid.baselines.bicnet_tks import BicnetTks, BicnetTksConfig, build_bicnet_tks
from skyreid.baselines.resnet50_frames import ResNet50Frames
from skyreid.errors import SettingError
from skyreid.losses.mask_divergence import mask_divergence
from tests.baselines.drawn_weights import with_drawn_weights
from tests.tiny_model import drawn

SIZE = (128, 64)
LABELS = torch.tensor([0, 0, 1, 1])


def built(**changes):
    return BicnetTks(BicnetTksConfig(num_classes=3, image_size=SIZE, **changes))


def clips(count=4, frames=8):
    return drawn(count, frames, 3, *SIZE)


@pytest.fixture(scope="module")
def model():
    return with_drawn_weights(built())


@torch.no_grad()
def test_an_embedding_is_the_normalised_feature_of_a_clip_and_the_same_in_any_batch(model):
    given = clips(2)
    outputs = model.eval()(given)
    assert set(outputs) == {"clip_feature", "embedding"}
    assert_close(outputs["embedding"], model.neck(outputs["clip_feature"]))
    assert_close(outputs["embedding"][1:], model(given[1:])["embedding"], rtol=1e-4, atol=1e-4)


def test_it_starts_as_the_published_network_over_both_streams():
    model = built().double().eval()
    state = model.state_dict()
    for fusion in model.fusions:
        torch.nn.init.zeros_(fusion.transform.weight)
    plain = ResNet50Frames().double().eval()
    plain.load_state_dict(
        {name: state[place] for name, (place,) in model.published_names().targets.items()}, strict=False
    )
    frames = clips(1).double()
    with torch.no_grad():
        stem = plain.stem(frames[0])
        high, low = stem[[0, 4]], torch.nn.functional.max_pool2d(stem[[1, 2, 3, 5, 6, 7]], 2)
        for stage in (plain.layer1, plain.layer2, plain.layer3, plain.layer4):
            high, low = stage(high, 2), stage(low, 6)
        expected = high.amax((2, 3)).mean(0) / 2 + low.amax((2, 3)).mean(0) / 2
        assert_close(model(frames)["clip_feature"][0], expected)


def test_training_teaches_every_parameter_and_statistics_follow_the_high_stream_first(model):
    followed = []
    norm = model.backbone.layer3[0].bn1
    hook = norm.register_forward_pre_hook(lambda module, inputs: followed.append(len(inputs[0])))
    outputs = model.train()(clips())
    hook.remove()
    assert followed == [4 * 2, 4 * 6]
    assert {name: tuple(tensor.shape) for name, tensor in outputs.items()} == {
        "feature": (4, 2048),
        "logits": (4, 3),
        "first_mask": (8, 4),
        "second_mask": (8, 4),
        "third_mask": (8, 4),
    }
    terms = model.losses(outputs, LABELS)
    assert set(terms) == {"identity", "triplet", "divergence"}
    torch.stack([*terms.values()]).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    assert [name for name, parameter in model.named_parameters() if not parameter.grad.any()] == []


@pytest.mark.parametrize(("preset", "learns"), [("release", False), ("clean", True)])
def test_as_released_the_first_mask_does_not_learn_to_differ(preset, learns):
    with torch.device("meta"):
        model = build_bicnet_tks(num_classes=3, frames=8, preset=preset)
    masks = {
        f"{number}_mask": drawn(8, 4, seed=seed).softmax(1).requires_grad_()
        for seed, number in enumerate(("first", "second", "third"))
    }
    outputs = {"feature": drawn(4, 5), "logits": drawn(4, 3), **masks}
    divergence = model.losses(outputs, LABELS)["divergence"]
    assert_close(divergence, 0.01 * mask_divergence(list(masks.values())))
    divergence.backward()
    assert [mask.grad is not None for mask in masks.values()] == [learns, True, True]


def test_other_numbers_of_frames_are_refused():
    with pytest.raises(SettingError, match=r"^bicnet-tks: a clip has 8 frames; got 4$"):
        build_bicnet_tks(num_classes=3, frames=4, image_size=SIZE)


@pytest.mark.parametrize("size", [(0, 64), (96, 64), (128, 48)])
def test_frames_that_are_no_multiple_of_64_pixels_are_refused(size):
    with pytest.raises(SettingError) as refusal:
        build_bicnet_tks(num_classes=3, frames=8, image_size=size)
    assert str(refusal.value) == (
        f"bicnet-tks: height and width of the frames must be multiples of 64; got image_size={size}"
    )


def test_clips_that_it_was_not_built_for_are_refused():
    said = r"^bicnet-tks: this model was built for clips of 8 frames of 128 x 64; got 4 of 128 x 64$"
    with torch.device("meta"):
        model = built()
    with pytest.raises(SettingError, match=said):
        model(clips(frames=4))
