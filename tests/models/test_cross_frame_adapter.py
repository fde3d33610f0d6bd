"""The cross-frame adapter against one position at a time; clips, positions and frame order."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from torch.testing import assert_close

from skyreid.models.cross_frame_adapter import HEAD_WIDTH, CrossFrameAdapter
from tests.tiny_model import drawn, randomized

DIM = 12
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 4))


def adapter():
    return randomized(CrossFrameAdapter(DIM, bottleneck=128)).double()


def one_position_at_a_time(adapter, tokens):
    """Every clip and token position alone: its frames are a sequence, heads and frames are loops."""
    out = torch.zeros_like(tokens)
    clips, frames, positions, _ = tokens.shape
    attention = adapter.attention
    for clip in range(clips):
        for position in range(positions):
            narrow = [adapter.down(tokens[clip, frame, position]) for frame in range(frames)]
            query = [attention.query(inner) for inner in narrow]
            key, value = zip(*(attention.key_value(inner).chunk(2) for inner in narrow), strict=True)
            for frame in range(frames):
                heads = []
                for start in range(0, 128, HEAD_WIDTH):
                    head = slice(start, start + HEAD_WIDTH)
                    scores = torch.stack([query[frame][head] @ key[other][head] for other in range(frames)])
                    weights = (scores / HEAD_WIDTH**0.5).softmax(0)
                    heads.append(sum(weights[other] * value[other][head] for other in range(frames)))
                out[clip, frame, position] = adapter.up(attention.out(torch.cat(heads)))
    return out


@settings(max_examples=15, deadline=None)
@given(SHAPES)
def test_it_equals_one_position_at_a_time_for_clips_of_any_length(shape):
    tokens, ours = drawn(*shape, DIM).double(), adapter()
    assert_close(ours(tokens), one_position_at_a_time(ours, tokens))


@settings(max_examples=15, deadline=None)
@given(SHAPES, st.randoms(use_true_random=False))
def test_shuffled_frames_give_shuffled_outputs(shape, random):
    order = list(range(shape[1]))
    random.shuffle(order)
    tokens, ours = drawn(*shape, DIM).double(), adapter()
    assert_close(ours(tokens[:, order]), ours(tokens)[:, order])


def test_clips_do_not_leak_into_each_other():
    tokens, ours = drawn(3, 4, 5, DIM).double(), adapter()
    changed = tokens.clone()
    changed[1] += 1
    difference = (ours(changed) - ours(tokens)).abs().amax(dim=(1, 2, 3))
    assert difference[[0, 2]].max() < 1e-12
    assert difference[1] > 1e-2


def test_a_position_sees_itself_in_every_frame_and_no_other_position():
    tokens, ours = drawn(2, 4, 5, DIM).double(), adapter()
    changed = tokens.clone()
    changed[:, 2, 3] += 1
    difference = (ours(changed) - ours(tokens)).abs().amax(dim=3)  # [clip, frame, token]
    assert difference[:, :, 3].min() > 1e-4
    assert difference[:, :, [0, 1, 2, 4]].max() < 1e-12


def test_zero_init_starts_as_the_zero_function():
    tokens = drawn(2, 3, 4, DIM)
    assert not CrossFrameAdapter(DIM, bottleneck=64, zero_init=True)(tokens).any()
    assert CrossFrameAdapter(DIM, bottleneck=64)(tokens).any()


def test_the_bottleneck_holds_whole_heads():
    with pytest.raises(ValueError, match=r"^cross-frame bottleneck must be a multiple of 64; got 100$"):
        CrossFrameAdapter(DIM, bottleneck=100)


def test_tokens_without_a_frame_axis_are_refused_by_the_shape_checker():
    with pytest.raises(TypeCheckError, match="clip frame token dim"):
        adapter()(drawn(6, 5, DIM).double())
