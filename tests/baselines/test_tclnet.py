"""TCLNet: branches, longer clips, losses and refusals, its parts against loops; outputs: tests/reference/baselines."""

import pytest
import torch
from torch.autograd import gradcheck
from torch.nn import functional
from torch.testing import assert_close

from skyreid.baselines.resnet50_frames import ResNet50Frames
from skyreid.baselines.tclnet import (
    GROUP,
    TRIPLET,
    SaliencyBoosting,
    SaliencyErasing,
    Tclnet,
    TclnetConfig,
    build_tclnet,
)
from skyreid.errors import SettingError
from skyreid.losses import batch_hard_triplet
from tests.baselines.drawn_weights import with_drawn_weights
from tests.tiny_model import drawn, randomized

pytestmark = pytest.mark.slow  # seconds that every change would pay; what is tested changes rarely

SIZE = (64, 32)
CHANNELS, HEIGHT, WIDTH = 16, 4, 3


def built(frames=4):
    return Tclnet(TclnetConfig(num_classes=3, frames=frames, image_size=SIZE))


def clips(count=4, frames=4):
    return drawn(count, frames, 3, *SIZE)


@pytest.fixture(scope="module")
def model():
    return with_drawn_weights(built(frames=8))


@torch.no_grad()
def test_an_embedding_is_two_normalised_features_of_length_1_and_the_same_in_any_batch(model):
    given = clips(2, frames=8)
    outputs = model.eval()(given)
    halves = [neck(half) for neck, half in zip(model.necks, outputs["clip_feature"].chunk(2, dim=1), strict=True)]
    assert set(outputs) == {"clip_feature", "embedding"}
    assert_close(outputs["embedding"], torch.cat([functional.normalize(half) for half in halves], dim=1))
    assert_close(outputs["embedding"][1:], model(given[1:])["embedding"], rtol=1e-4, atol=1e-5)


def test_first_frames_start_as_in_the_published_network():
    model = built().double().eval()
    state = model.state_dict()
    targets = model.published_names().targets
    plain = ResNet50Frames().double().eval()
    plain.load_state_dict({name: state[places[0]] for name, places in targets.items()}, strict=False)
    frames = clips(1).double()
    with torch.no_grad():
        expected = plain(frames[0, [0, 2]], 2).amax((2, 3)).mean(0)
        assert_close(model(frames)["clip_feature"][0, :2048], expected)


def test_the_last_block_of_the_published_network_goes_to_both_branches():
    with torch.device("meta"):
        model = built()
    targets = model.published_names().targets
    assert targets["layer4.2.bn1.weight"] == ("erasing.branches.0.bn1.weight", "erasing.branches.1.bn1.weight")
    assert targets["layer4.0.conv1.weight"] == ("erasing.shared.0.conv1.weight",)
    assert {place for places in targets.values() for place in places} <= set(model.state_dict())


@torch.no_grad()
def test_a_longer_clip_is_the_mean_of_its_clips_of_four(model):
    with torch.device("meta"):
        short = built().eval()
    short.load_state_dict(model.eval().state_dict(), assign=True)
    given = clips(2, frames=8)
    fours = torch.stack([short(part)["clip_feature"] for part in given.split(4, dim=1)])
    assert_close(model(given)["clip_feature"], fours.mean(0), rtol=1e-4, atol=1e-4)


def test_training_teaches_every_parameter_and_statistics_follow_the_frames_of_one_pair_after_the_other(model):
    followed = []
    hook = model.erasing.out[1].register_forward_pre_hook(lambda module, inputs: followed.append(len(inputs[0])))
    outputs = model.train()(clips(frames=8))
    hook.remove()
    assert followed == [8, 8, 8, 8]  # 2 pairs of 2 frames; 4 clips of 2 groups
    assert {name: tuple(tensor.shape) for name, tensor in outputs.items()} == {
        "feature": (4, 2, 2048),
        "logits": (4, 2, 3),
    }
    terms = model.losses(outputs, torch.tensor([0, 0, 1, 1]))
    assert set(terms) == {"identity", "triplet"}
    torch.stack([*terms.values()]).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    assert [name for name, parameter in model.named_parameters() if not parameter.grad.any()] == []


def test_the_losses_of_the_branches_are_added():
    with torch.device("meta"):
        model = built()
    labels = torch.tensor([0, 0, 1, 1])
    outputs = {"feature": drawn(4, 2, 5).double(), "logits": drawn(4, 2, 3).double()}
    terms = model.losses(outputs, labels)
    triplets = [batch_hard_triplet(outputs["feature"][:, branch], labels, TRIPLET) for branch in range(2)]
    assert_close(terms["triplet"], triplets[0] + triplets[1])
    assert_close(
        terms["identity"], 2 * functional.cross_entropy(outputs["logits"].flatten(0, 1), labels.repeat_interleave(2))
    )


@pytest.mark.parametrize("frames", [0, 2, 6])
def test_clips_that_are_no_whole_number_of_fours_are_refused(frames):
    with pytest.raises(SettingError, match=rf"^tclnet: frames of a clip must be a multiple of 4; got {frames}$"):
        build_tclnet(num_classes=3, frames=frames, image_size=SIZE)


def test_frames_of_which_erasing_would_leave_nothing_are_refused():
    said = r"^tclnet: frames must leave more than 3 rows of features after stage 3; got image_size=\(48, 64\)$"
    with pytest.raises(SettingError, match=said):
        build_tclnet(num_classes=3, frames=4, image_size=(48, 64))


def test_clips_that_it_was_not_built_for_are_refused():
    said = r"^tclnet: this model was built for clips of 4 frames of 64 x 32; got 3 of 64 x 32$"
    with torch.device("meta"):
        model = built()
    with pytest.raises(SettingError, match=said):
        model(clips(frames=3))


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
