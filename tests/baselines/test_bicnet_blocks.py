"""BiCnet-TKS's parts between the streams against loops over clips, frames and rows."""

import torch
from torch.autograd import gradcheck
from torch.nn import functional
from torch.testing import assert_close

from skyreid.baselines.bicnet_blocks import HIGH, LOW, DiverseAttention, HighToLow, TemporalKernelSelection
from tests.tiny_model import drawn, randomized

CHANNELS, HEIGHT, WIDTH = 32, 16, 8
CLIPS = 2


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
