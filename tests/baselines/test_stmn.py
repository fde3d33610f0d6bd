"""The memories of STMN against slow loops, its released quirks, its losses and what it refuses."""

import math

import pytest
import torch
from torch.autograd import gradcheck
from torch.nn import functional

from skyreid.baselines.stmn import Memory, SpatialMemory, Stmn, StmnConfig, TemporalMemory, build_stmn, memory_spread
from skyreid.errors import SettingError
from tests.reference.baselines.stored_outputs import find_stored

pytestmark = pytest.mark.slow  # seconds that every change would pay; what is tested changes rarely
SIZE = (64, 32)
FRAMES = 3
NUM_CLASSES = 5


@pytest.fixture(scope="module")
def model():
    return build_stmn(num_classes=NUM_CLASSES, frames=FRAMES, image_size=SIZE)


@pytest.fixture(scope="module")
def clips():
    return torch.randn(4, FRAMES, 3, *SIZE, generator=torch.Generator().manual_seed(0))


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def read_by_loop(memory, query, *, over_slots):
    """Key by key and channel by channel."""
    keys = memory.keys.detach()
    squares = (keys**2).sum(dim=0 if over_slots else 1)
    weights = []
    for slot in range(len(keys)):
        likeness = 0.0
        for channel in range(len(query)):
            length = squares[channel if over_slots else slot].sqrt()
            likeness += float(query[channel] / query.norm() * keys[slot, channel] / length)
        weights.append(math.exp(likeness))
    return sum(weight / sum(weights) * value for weight, value in zip(weights, memory.values.detach(), strict=True))


@pytest.mark.parametrize("over_slots", [True, False])
def test_a_memory_is_read_slot_by_slot(over_slots):
    memory = Memory(4, 6, 3, keys_normed_over_slots=over_slots).double()
    queries = drawn(5, 6)
    read, attention = memory(queries)
    assert attention.shape == (5, 4)
    for query, ours in zip(queries, read, strict=True):
        torch.testing.assert_close(ours, read_by_loop(memory, query, over_slots=over_slots))


def active_spatial_memory(*, mixes_positions):
    memory = SpatialMemory(6, mixes_positions=mixes_positions, keys_normed_over_slots=True).double().eval()
    torch.nn.init.ones_(memory.norm.weight)
    return memory


def test_what_the_clean_spatial_memory_subtracts_is_read_position_by_position():
    memory = active_spatial_memory(mixes_positions=False)
    values, keys = drawn(2, 6, 3, 2), drawn(2, 6, 3, 2, seed=1)
    out, attention = memory(values, keys)
    known = memory.memory(keys[1, :, 2, 0][None])[0][0] / (1 + memory.norm.eps) ** 0.5
    torch.testing.assert_close(out[1, :, 2, 0], values[1, :, 2, 0] - known)
    assert attention.shape == (12, 10)


def test_the_released_spatial_memory_reads_pieces_of_the_map_as_it_lies():
    memory = active_spatial_memory(mixes_positions=True)
    values, keys = drawn(2, 6, 3, 2), drawn(2, 6, 3, 2, seed=1)
    out, _ = memory(values, keys)
    piece = keys[1, 4].flatten()  # 6 positions of one channel, where 6 channels of one position are meant
    known = memory.memory(piece[None])[0][0] / (1 + memory.norm.eps) ** 0.5
    torch.testing.assert_close(out[1, 4].flatten(), values[1, 4].flatten() - known)


def test_the_released_piece_is_a_position_where_a_map_has_no_other():
    released, clean = (active_spatial_memory(mixes_positions=mixes) for mixes in (True, False))
    clean.load_state_dict(released.state_dict())
    values, keys = drawn(3, 6, 1, 1), drawn(3, 6, 1, 1, seed=1)
    torch.testing.assert_close(released(values, keys), clean(values, keys))


def test_the_spatial_memory_starts_by_subtracting_nothing(model):
    values, keys = (torch.randn(2, 2048, 4, 2, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert torch.equal(model.spatial_memory.train()(values, keys)[0], values)


@pytest.mark.parametrize("mixes_positions", [True, False])
def test_gradients_of_the_spatial_memory_are_those_of_finite_differences(mixes_positions):
    memory = active_spatial_memory(mixes_positions=mixes_positions).train()
    values, keys = drawn(2, 6, 2, 1), drawn(2, 6, 2, 1, seed=1)
    assert gradcheck(lambda *maps: memory(*maps), (values.requires_grad_(), keys.requires_grad_()))


def test_the_temporal_memory_weighs_frames_by_all_of_the_clip():
    memory = TemporalMemory(4, FRAMES, keys_normed_over_slots=True).double()
    keys = drawn(2, FRAMES, 4)
    weights, attention = memory(keys)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2, dtype=torch.float64))
    state = (torch.zeros(1, 4, dtype=torch.float64), torch.zeros(1, 4, dtype=torch.float64))
    for frame in range(FRAMES):
        state = lstm_step(memory.lstm, keys[1, frame][None], state)
    read, expected = memory.memory(state[0])
    torch.testing.assert_close(attention[1:], expected)
    torch.testing.assert_close(weights[1:], read.softmax(dim=1))


def lstm_step(lstm, frame, state):
    hidden, cell = state
    gates = frame @ lstm.weight_ih_l0.T + lstm.bias_ih_l0 + hidden @ lstm.weight_hh_l0.T + lstm.bias_hh_l0
    into, forget, candidate, out = gates.chunk(4, dim=1)
    cell = forget.sigmoid() * cell + into.sigmoid() * candidate.tanh()
    return out.sigmoid() * cell.tanh(), cell


def test_gradients_of_the_temporal_memory_are_those_of_finite_differences():
    memory = TemporalMemory(4, FRAMES, keys_normed_over_slots=True).double()
    assert gradcheck(lambda keys: memory(keys), drawn(2, FRAMES, 4).requires_grad_())


def test_the_embedding_is_the_weighed_mean_of_frames(model, clips):
    model.eval()
    with torch.no_grad():
        trunk = model.trunk(clips[0], FRAMES)
        weights, _ = model.temporal_memory(model.temporal_key(trunk, FRAMES).mean(dim=(2, 3))[None])
        of_frames = model.value(trunk, FRAMES).mean(dim=(2, 3))  # the spatial memory subtracts nothing yet
        outputs = model(clips[:1])
    expected = sum(weight * feature for weight, feature in zip(weights[0], of_frames, strict=True))
    # The network ran twice on the same frames, so that only sums of four are rounded otherwise: 2e-7 of what is summed.
    torch.testing.assert_close(outputs["raw_feature"][0], expected)
    torch.testing.assert_close(outputs["embedding"], outputs["raw_feature"] / (1 + model.neck.eps) ** 0.5)


def test_only_the_values_end_with_relu(model, clips):
    with torch.no_grad():
        trunk = model.eval().trunk(clips[0], FRAMES)
        lowest = [float(stage(trunk, FRAMES).min()) for stage in (model.value, model.spatial_key, model.temporal_key)]
    assert lowest[0] == 0
    assert lowest[1] < 0
    assert lowest[2] < 0


def test_the_presets_differ_by_the_three_quirks():
    with torch.device("meta"):
        release, clean = (build_stmn(num_classes=2, frames=6, preset=preset) for preset in ("release", "clean"))
    assert release.state_dict().keys() == clean.state_dict().keys()
    quirks = [
        (
            isinstance(each.trunk.relu, torch.nn.ReLU),
            each.spatial_memory.mixes_positions,
            each.spatial_memory.memory.normed_axis,
            each.temporal_memory.memory.normed_axis,
        )
        for each in (release, clean)
    ]
    assert quirks == [(False, True, 0, 0), (True, False, 1, 1)]


def test_all_but_the_biases_of_the_necks_learns_from_the_losses(model, clips):
    outputs = model.train()(clips)
    total = torch.stack([*model.losses(outputs, torch.tensor([0, 0, 1, 1])).values()]).sum()
    model.zero_grad()
    total.backward()
    assert total.isfinite()
    stored = find_stored("stmn")
    without = [stored.stored_name(name) for name, parameter in model.named_parameters() if parameter.grad is None]
    assert without == stored.spec["no_grad_params"]
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)


def test_losses_judge_the_mean_of_frames_and_the_clip():
    with torch.device("meta"):
        model = Stmn(StmnConfig(num_classes=NUM_CLASSES, frames=FRAMES))
    labels = torch.tensor([0, 0, 1, 1])
    outputs = {
        "frame_logits": drawn(4, FRAMES, NUM_CLASSES),
        "logits": drawn(4, NUM_CLASSES, seed=1),
        "frame_features": drawn(4, FRAMES, 7, seed=2),
        "raw_feature": drawn(4, 7, seed=3),
        "spatial_attention": drawn(9, 10, seed=4).softmax(dim=1),
        "temporal_attention": drawn(4, 5, seed=5).softmax(dim=1),
    }
    losses = model.losses(outputs, labels)

    def soft_triplet(features):
        distance = (features[:, None] - features[None]).norm(dim=-1)
        positive = torch.stack([distance[0, 1], distance[0, 1], distance[2, 3], distance[2, 3]])
        negative = torch.cat([distance[:2, 2:].amin(dim=1), distance[2:, :2].amin(dim=1)])
        return (positive - negative).exp().log1p().mean()

    def spread(attention):
        gaps = [float(slot.max() - slot.min()) for slot in attention.T]
        return torch.tensor(sum(max(0.0, 0.3 - gap) for gap in gaps) / len(gaps), dtype=torch.float64)

    expected = {
        "frame_identity": functional.cross_entropy(outputs["frame_logits"].mean(dim=1), labels),
        "identity": functional.cross_entropy(outputs["logits"], labels),
        "frame_triplet": soft_triplet(outputs["frame_features"].mean(dim=1)),
        "triplet": soft_triplet(outputs["raw_feature"]),
        "spatial_spread": spread(outputs["spatial_attention"]),
        "temporal_spread": spread(outputs["temporal_attention"]),
    }
    torch.testing.assert_close(losses, expected)


def test_published_weights_of_stage_4_go_to_all_three_copies(model):
    targets = model.published_names().targets
    assert targets["layer3.5.bn3.bias"] == ("trunk.layer3.5.bn3.bias",)
    assert targets["layer4.0.conv1.weight"] == tuple(
        f"{copy}.0.conv1.weight" for copy in ("value", "spatial_key", "temporal_key")
    )
    placed = [place for places in targets.values() for place in places]
    assert len(placed) == len(set(placed))
    assert set(placed) <= set(model.state_dict())


@pytest.mark.parametrize("num_classes", [625, 842, 930])
def test_the_parameters_are_as_many_as_the_original_has(num_classes):
    with torch.device("meta"):
        model = build_stmn(num_classes=num_classes, frames=4)
    counts = find_stored("stmn").spec["params"][str(num_classes)]
    assert sum(parameter.numel() for parameter in model.parameters()) == counts["total"]


def test_clips_of_another_length_are_refused(model, clips):
    message = rf"^stmn: this model was built for clips of {FRAMES} frames of 64 x 32; got 2 of 64 x 32$"
    with pytest.raises(SettingError, match=message):
        model(clips[:, :2])
    with pytest.raises(SettingError, match=r"^stmn: a clip has at least 1 frame; got 0$"):
        build_stmn(num_classes=2, frames=0)


def test_a_slot_costs_what_its_attention_falls_short_of_the_margin():
    attention = torch.tensor([[0.9, 0.5, 0.1], [0.1, 0.4, 0.1]], dtype=torch.float64)
    short_of = [0.0, 0.3 - 0.1, 0.3 - 0.0]
    assert float(memory_spread(attention)) == pytest.approx(sum(short_of) / 3, rel=1e-10)


def test_the_gradient_parts_the_strongest_and_the_weakest():
    attention = torch.tensor([[0.5], [0.45], [0.4]], requires_grad=True)
    memory_spread(attention).backward()
    assert attention.grad.flatten().tolist() == [-1.0, 0.0, 1.0]
