"""SINet: presets, losses, sizes and refusals, its parts against loops; its outputs: tests/reference/baselines."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck
from torch.nn import functional
from torch.testing import assert_close

from skyreid.baselines.sinet import (
    GROUP,
    IntegrationDistribution,
    SalientToBroad,
    Sinet,
    SinetConfig,
    build_sinet,
    frame_contrast,
    negatives_contrast,
)
from skyreid.errors import SettingError
from tests.baselines.drawn_weights import with_drawn_weights
from tests.tiny_model import drawn, randomized

pytestmark = pytest.mark.slow  # seconds that every change would pay; what is tested changes rarely

SIZE = (64, 48)
CHANNELS, HEIGHT, WIDTH = 32, 5, 4


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


def slow_frames(projections, clips_per_identity, temperature):
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
def test_the_contrast_of_frames_equals_one_positive_at_a_time(clips, frames, clips_per_identity):
    projections = drawn(clips, frames, 5).double()
    ours = frame_contrast(projections, clips_per_identity=clips_per_identity, temperature=0.5)
    assert float(ours) == pytest.approx(
        slow_frames(projections.tolist(), clips_per_identity, 0.5), rel=1e-10, abs=1e-12
    )


def test_other_identities_are_no_negatives():
    one, other = drawn(2, 3, 5).double(), drawn(2, 3, 5, seed=2).double()
    together = frame_contrast(torch.cat([one, other]), clips_per_identity=2)
    assert_close(together, frame_contrast(one, clips_per_identity=2) + frame_contrast(other, clips_per_identity=2))


@pytest.mark.parametrize(("clips", "block"), [(6, 4), (4, 1)])
def test_clips_without_partners_are_refused(clips, block):
    message = rf"2 or more of each; got {clips} clips in blocks of {block}"
    with pytest.raises(SettingError, match=message):
        frame_contrast(drawn(clips, 2, 5), clips_per_identity=block)


def slow_contrast(logits, is_positive, is_negative):
    losses = [
        -math.log(
            math.exp(logit) / (math.exp(logit) + sum(math.exp(x) for x, n in zip(row, negative, strict=True) if n))
        )
        for row, positive, negative in zip(logits, is_positive, is_negative, strict=True)
        for logit, chosen in zip(row, positive, strict=True)
        if chosen
    ]
    return sum(losses) / len(losses)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=3, max_size=7).filter(lambda ls: len(set(ls)) > 1), st.integers(0, 10**6))
def test_a_contrast_with_negatives_equals_one_positive_at_a_time(labels, seed):
    labels = torch.tensor(labels)
    same = labels[:, None] == labels
    logits = 4 * drawn(len(labels), len(labels), seed=seed).double()
    ours = negatives_contrast(logits, same, ~same)
    assert float(ours) == pytest.approx(slow_contrast(logits.tolist(), same.tolist(), (~same).tolist()), rel=1e-10)


def test_groups_do_not_see_each_other():
    logits = drawn(2, 4, 4)
    same = torch.tensor([0, 0, 1, 1])[:, None] == torch.tensor([0, 0, 1, 1])
    together = negatives_contrast(logits, same, ~same)
    assert torch.equal(together, torch.stack([negatives_contrast(group, same, ~same) for group in logits]))


def test_large_logits_do_not_overflow():
    logits = torch.tensor([[1000.0, -1000.0], [-1000.0, 1000.0]])
    positive = torch.eye(2, dtype=torch.bool)
    assert negatives_contrast(logits, positive, ~positive) == 0
    assert negatives_contrast(-logits, positive, ~positive) == 2000


def test_an_anchor_without_negatives_costs_nothing_and_its_gradient_is_finite():
    logits = drawn(3, 3).requires_grad_()
    everything = torch.ones(3, 3, dtype=torch.bool)
    loss = negatives_contrast(logits, everything, ~everything)
    loss.backward()
    assert loss == 0
    assert logits.grad.isfinite().all()
