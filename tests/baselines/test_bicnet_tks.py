"""BiCnet-TKS: streams, losses, sizes and refusals, its parts against loops; its outputs: tests/reference/baselines."""

import math

import pytest
import torch
from torch.autograd import gradcheck
from torch.nn import functional
from torch.testing import assert_close

from skyreid.baselines.bicnet_tks import (
    HIGH,
    LOW,
    BicnetTks,
    BicnetTksConfig,
    DiverseAttention,
    HighToLow,
    TemporalKernelSelection,
    build_bicnet_tks,
    mask_divergence,
)
from skyreid.baselines.resnet50_frames import ResNet50Frames
from skyreid.errors import SettingError
from tests.baselines.drawn_weights import with_drawn_weights
from tests.tiny_model import drawn, randomized

pytestmark = pytest.mark.slow  # seconds that every change would pay; what is tested changes rarely
SIZE = (128, 64)
LABELS = torch.tensor([0, 0, 1, 1])
CHANNELS, HEIGHT, WIDTH = 32, 16, 8
CLIPS = 2


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


def streams(channels=CHANNELS, clips=CLIPS, height=HEIGHT, width=WIDTH):
    return (
        drawn(clips * len(HIGH), channels, height, width, seed=1).double(),
        drawn(clips * len(LOW), channels, height // 2, width // 2, seed=2).double(),
    )


def places(clip):
    """Where frames 0 to 7 of a clip stand: the stream and the number of the image in it."""
    return [
        ("high", 2 * clip + HIGH.index(frame)) if frame in HIGH else ("low", 6 * clip + LOW.index(frame))
        for frame in range(8)
    ]


def test_a_high_frame_is_added_to_the_three_frames_behind_it():
    part = randomized(HighToLow(CHANNELS)).double()
    high, low = streams()
    expected = low.clone()
    for clip in range(CLIPS):
        where = places(clip)
        for frame in LOW:
            slot = (frame - 1) % 4
            weight = part.transform.weight[slot * CHANNELS : (slot + 1) * CHANNELS, :, 0, 0]
            sender = functional.max_pool2d(high[where[4 * (frame // 4)][1]], 2)
            expected[where[frame][1]] += torch.einsum("oc,chw->ohw", weight, sender)
    assert_close(part(high, low), expected)


def one_cell_at_a_time(part, high, low):
    """TKS in evaluation mode, as a loop over clips, cells and frames."""
    out = {"high": high.clone(), "low": low.clone()}
    sides = {"high": 8, "low": 4}
    norm = part.norm
    for clip in range(CLIPS):
        where = places(clip)
        short, long = {}, {}
        for row in range(HEIGHT // 8):
            for column in range(WIDTH // 8):
                means = []
                for stream, image in where:
                    side, source = sides[stream], {"high": high, "low": low}[stream]
                    cell = source[image, :, row * side : (row + 1) * side, column * side : (column + 1) * side]
                    means.append(cell.mean((1, 2)))
                nothing = torch.zeros_like(means[0])
                padded = [nothing, nothing, *means, nothing, nothing]
                for frame in range(8):
                    centre = frame + 2
                    short[frame, row, column] = sum(
                        part.short.weight[:, :, tap] @ padded[centre + tap - 1] for tap in range(3)
                    )
                    long[frame, row, column] = sum(
                        part.long.weight[:, :, tap] @ padded[centre + 2 * (tap - 1)] for tap in range(3)
                    )
        seen = torch.stack([short[key] + long[key] for key in short]).mean(0)
        chosen = part.choose(part.squeeze(seen[None]))[0].view(2, CHANNELS).softmax(0)
        for frame, row, column in short:
            mixed = chosen[0] * short[frame, row, column] + chosen[1] * long[frame, row, column]
            mixed = (mixed - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
            stream, image = where[frame]
            side = sides[stream]
            out[stream][image, :, row * side : (row + 1) * side, column * side : (column + 1) * side] += mixed[
                :, None, None
            ]
    return out["high"], out["low"]


def test_kernel_selection_equals_one_cell_at_a_time():
    part = randomized(TemporalKernelSelection(CHANNELS)).double()
    with torch.no_grad():
        assert_close(part(*streams()), one_cell_at_a_time(part, *streams()))


def test_kernel_selection_normalises_the_high_stream_and_then_the_low_one():
    part = TemporalKernelSelection(CHANNELS).double()
    followed = []
    part.norm.register_forward_pre_hook(lambda module, inputs: followed.append(tuple(inputs[0].shape)))
    high, low = streams()
    part(high, low)
    assert followed == [tuple(high.shape), tuple(low.shape)]


def one_frame_at_a_time(part, high, low):
    """DAO in evaluation mode, as a loop over frames; the masks by the slot of the low frame."""
    out_high, out_low, masks = high.clone(), low.clone(), {}

    def told(rows, mask, norm):
        mean = sum(weight * row for weight, row in zip(mask, rows.T, strict=True))
        return (mean - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias

    for image, frame in enumerate(high):
        rows = functional.avg_pool2d(frame, 2).mean(2)
        out_high[image] += told(rows, rows.mean(0).softmax(0), part.norms[0])[:, None, None]
    for image, frame in enumerate(low):
        slot, rows = image % 3, frame.mean(2)
        if slot == 0:
            mask = rows.mean(0).softmax(0)
        else:
            score = torch.stack([part.score[slot - 1](row)[0] for row in rows.T])
            mask = part.relate[slot - 1](score[None])[0].softmax(0)
        out_low[image] += told(rows, mask, part.norms[1 + slot])[:, None, None]
        masks.setdefault(slot, []).append(mask)
    return out_high, out_low, *(torch.stack(masks[slot]) for slot in range(3))


def test_diverse_attention_equals_one_frame_at_a_time():
    part = randomized(DiverseAttention(CHANNELS, rows=HEIGHT // 2)).double()
    with torch.no_grad():
        for ours, expected in zip(part(*streams()), one_frame_at_a_time(part, *streams()), strict=True):
            assert_close(ours, expected)


def test_masks_are_shares_of_the_rows():
    masks = randomized(DiverseAttention(CHANNELS, rows=HEIGHT // 2)).double()(*streams())[2:]
    for mask in masks:
        assert mask.shape == (CLIPS * len(HIGH), HEIGHT // 2)
        assert_close(mask.sum(1), torch.ones(len(mask), dtype=torch.float64))


def test_both_start_as_the_identity():
    high, low = streams()
    kept_high, kept_low = TemporalKernelSelection(CHANNELS).double()(high, low)
    attended = DiverseAttention(CHANNELS, rows=HEIGHT // 2).double()(high, low)
    for out, stream in [(kept_high, high), (kept_low, low), (attended.high, high), (attended.low, low)]:
        assert_close(out, stream)


def test_gradients_equal_finite_differences():
    small = streams(channels=16, clips=1, height=8, width=8)
    values = tuple(stream.requires_grad_() for stream in small)
    selection = randomized(TemporalKernelSelection(16)).double()
    attention = randomized(DiverseAttention(16, rows=4)).double()
    assert gradcheck(selection, values, fast_mode=True)
    assert gradcheck(attention, values, fast_mode=True)


def test_the_divergence_of_masks_is_the_overlap_of_distributions():
    """The Gram matrix of two unit vectors differs from the identity in the two places of their product."""
    masks = [drawn(3, 6, seed=seed).double().softmax(dim=1) for seed in (1, 2, 3)]
    overlaps = [
        sum(math.sqrt(p * q) for p, q in zip(one, other, strict=True))
        for first, second in ((0, 1), (0, 2), (1, 2))
        for one, other in zip(masks[first].tolist(), masks[second].tolist(), strict=True)
    ]
    assert float(mask_divergence(masks)) == pytest.approx(math.sqrt(2) / 4 * sum(overlaps) / len(overlaps), rel=1e-10)


def test_masks_that_share_no_place_cost_nothing_and_the_same_mask_twice_costs_most():
    apart = [torch.tensor([row], dtype=torch.float64) for row in ([1.0, 0.0], [0.0, 1.0])]
    assert mask_divergence(apart) == 0
    assert float(mask_divergence([apart[0], apart[0]])) == pytest.approx(math.sqrt(2) / 4, rel=1e-10)
