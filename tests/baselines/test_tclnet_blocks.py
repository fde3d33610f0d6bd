"""TCLNet's parts against loops over frames and positions; what is erased, and who learns from whom."""

import pytest
import torch
from torch.autograd import gradcheck
from torch.nn import functional
from torch.testing import assert_close

from skyreid.baselines.tclnet_blocks import GROUP, SaliencyBoosting, SaliencyErasing
from tests.baselines.drawn_weights import with_drawn_weights
from tests.tiny_model import drawn, randomized

CHANNELS, HEIGHT, WIDTH = 16, 4, 3


def normed(norm, feature):
    return (feature - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias


def one_frame_at_a_time(part, images):
    """TSB in evaluation mode, as a loop over frames and positions."""
    linear, norm = part.out
    out = []
    for clip in images.split(GROUP):
        for asking, frame in enumerate(clip):
            query = functional.normalize(frame.mean((1, 2)), dim=0)
            scores, values = [], []
            for other, features in enumerate(clip):
                if other == asking:
                    continue
                padded = functional.pad(features, (1, 0, 1, 0))
                for row in range(HEIGHT):
                    for column in range(WIDTH):
                        memory = padded[:, row : row + 2, column : column + 2].mean((1, 2))
                        scores.append(5 * query @ functional.normalize(memory, dim=0))
                        values.append(features[:, row, column])
            seen = torch.stack(scores).softmax(0) @ torch.stack(values)
            out.append(frame + normed(norm, linear(seen))[:, None, None])
    return torch.stack(out)


def test_boosting_equals_one_frame_at_a_time():
    part = randomized(SaliencyBoosting(CHANNELS)).double()
    images = drawn(2 * GROUP, CHANNELS, HEIGHT, WIDTH).double()
    with torch.no_grad():
        assert_close(part(images, GROUP), one_frame_at_a_time(part, images))


def test_boosting_starts_as_the_identity():
    images = drawn(GROUP, CHANNELS, HEIGHT, WIDTH)
    assert_close(SaliencyBoosting(CHANNELS)(images, GROUP), images)


def test_gradients_of_boosting_equal_finite_differences():
    part = randomized(SaliencyBoosting(CHANNELS)).double()
    images = drawn(GROUP, CHANNELS, HEIGHT, WIDTH).double().requires_grad_()
    assert gradcheck(lambda values: part(values, GROUP), (images,), fast_mode=True)


@pytest.fixture(scope="module")
def erasing():
    return with_drawn_weights(SaliencyErasing()).double()


def pairs(clips=2, height=6):
    return drawn(clips, 2, 1024, height, 2).double()


def erased_by_hand(part, first_out, second):
    """One clip's second frame before stage 4, position by position; also the row in the middle of what is erased."""
    linear, norm = part.out
    height, width = second.shape[1:]
    salient = part.reduce.weight @ first_out.mean((1, 2))
    score = torch.stack(
        [torch.stack([salient @ second[:, row, column] / 32 for column in range(width)]) for row in range(height)]
    )
    row_scores = [float(row.mean()) for row in score]
    around = [sum(row_scores[max(0, row - 1) : row + 2]) for row in range(height)]
    middle = around.index(max(around))
    kept = [row for row in range(height) if abs(row - middle) > 1]
    share = score[kept].flatten().softmax(0)
    seen = second[:, kept].flatten(1) @ share
    out = torch.zeros_like(second)
    out[:, kept] = second[:, kept]
    return out + normed(norm, linear(seen))[:, None, None], middle


def test_the_second_frame_is_erased_where_the_first_one_looked(erasing):
    middles = set()
    with torch.no_grad():
        given = pairs(clips=6)
        ours = erasing(given)
        for (first, second), (first_max, second_max) in zip(given, ours, strict=True):
            linear, norm = erasing.out
            whole = first + normed(norm, linear(first.mean((1, 2))))[:, None, None]
            first_out = erasing.branches[0](erasing.shared(whole[None], 1), 1)[0]
            assert_close(first_max, first_out.amax((1, 2)))
            erased, middle = erased_by_hand(erasing, first_out, second)
            second_out = erasing.branches[1](erasing.shared(erased[None], 1), 1)[0]
            assert_close(second_max, second_out.amax((1, 2)))
            middles.add(middle)
    assert len(middles) > 1


def test_the_first_frame_steers_the_second_but_does_not_learn_from_it(erasing):
    given = pairs().requires_grad_()
    (gradient,) = torch.autograd.grad(erasing(given)[:, 1].sum(), given)
    assert not gradient[:, 0].any()
    assert gradient[:, 1].any()
    changed = given.detach().clone()
    changed[:, 0] = -changed[:, 0]
    with torch.no_grad():
        assert not torch.allclose(erasing(changed)[:, 1], erasing(given)[:, 1])


def test_the_gradient_of_what_steers_equals_a_finite_difference(erasing):
    given, step = pairs(), 1e-6
    weight = erasing.reduce.weight
    direction = drawn(*weight.shape).double()
    (gradient,) = torch.autograd.grad(erasing(given)[:, 1].sum(), weight)
    with torch.no_grad():
        weight += step * direction
        after = erasing(given)[:, 1].sum()
        weight -= 2 * step * direction
        before = erasing(given)[:, 1].sum()
        weight += step * direction
    assert float((after - before) / (2 * step)) == pytest.approx(float((gradient * direction).sum()), rel=1e-5)


def test_the_branches_start_alike_and_share_nothing():
    part = SaliencyErasing()
    for one, other in zip(part.branches[0].parameters(), part.branches[1].parameters(), strict=True):
        assert torch.equal(one, other)
        assert one is not other
