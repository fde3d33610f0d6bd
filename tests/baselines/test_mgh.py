"""The graphs of MGH against a slow loop, its released quirks, its losses and what it refuses."""

import pytest
import torch
from torch.autograd import gradcheck
from torch.nn import functional

from skyreid.baselines.mgh import FRAMES_AROUND, STRIPS, Mgh, MghConfig, NeighbourLayer, StripGraph, build_mgh
from skyreid.baselines.resnet50_frames import ResNet50Config, ResNet50Frames
from skyreid.errors import SettingError

SIZE = (128, 32)
NUM_CLASSES = 5


@pytest.fixture(scope="module")
def model():
    return build_mgh(num_classes=NUM_CLASSES, frames=3, image_size=SIZE)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def node_frames(num_frames, num_strips):
    return torch.arange(num_frames).repeat_interleave(num_strips)


def mean_of_nearest_by_loop(nodes, frame_of_node):
    means = torch.zeros_like(nodes)
    for clip, clip_nodes in enumerate(nodes):
        for node, frame in enumerate(frame_of_node):
            others = [
                (float(functional.cosine_similarity(clip_nodes[node], clip_nodes[other], dim=0)), other)
                for other, other_frame in enumerate(frame_of_node)
                if other != node and abs(int(other_frame - frame)) <= FRAMES_AROUND
            ]
            (_, nearest), (_, second) = sorted(others, reverse=True)[:2]
            means[clip, node] = (clip_nodes[nearest] + clip_nodes[second]) / 2
    return means


def test_a_layer_joins_a_node_with_its_two_nearest_within_three_frames():
    layer = NeighbourLayer(6, 8).double().eval()
    frame_of_node = node_frames(9, 2)
    nodes = drawn(2, 18, 6)
    joined = torch.cat([layer.own(nodes), layer.neighbours(mean_of_nearest_by_loop(nodes, frame_of_node))], dim=-1)
    expected = (joined / joined.norm(dim=-1, keepdim=True)).clamp(min=0) / (1 + layer.norm.eps) ** 0.5
    torch.testing.assert_close(layer(nodes, frame_of_node), expected)


def test_a_frame_further_away_than_three_is_not_seen():
    layer = NeighbourLayer(6, 8).double().eval()
    nodes = drawn(1, 6, 6)
    changed = nodes.clone()
    changed[:, 5] = drawn(6, seed=1)
    before, after = (layer(each, node_frames(6, 1)) for each in (nodes, changed))
    torch.testing.assert_close(after[:, :2], before[:, :2])
    assert not torch.allclose(after[:, 5], before[:, 5])


def test_the_two_nodes_of_a_frame_shown_twice_come_out_alike():
    layer = NeighbourLayer(6, 8).double().eval()
    nodes = drawn(1, 2, 6).repeat_interleave(2, dim=1)
    out = layer(nodes, node_frames(4, 1))
    torch.testing.assert_close(out[:, 0::2], out[:, 1::2])


def test_gradients_of_a_layer_are_those_of_finite_differences():
    layer = NeighbourLayer(4, 6).double().train()
    frame_of_node = node_frames(3, 2)
    assert gradcheck(lambda nodes: layer(nodes, frame_of_node), drawn(2, 6, 4).requires_grad_())


def test_nodes_are_the_strips_of_frame_after_frame():
    graph = StripGraph(4).eval()
    features = torch.randn(2, 3, 2048, 8, 2, generator=torch.Generator().manual_seed(0))
    seen = []
    graph.layers[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    graph(features)
    ((nodes, frame_of_node),) = seen
    assert frame_of_node.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    torch.testing.assert_close(nodes[1, 6], features[1, 1, :, 4:6].mean(dim=(1, 2)))


def test_the_feature_is_the_whole_then_2_4_and_8_strips(model):
    frames = torch.randn(2, 3, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    model.eval()
    pieces = []
    hooks = [part.register_forward_hook(lambda *call: pieces.append(call[2])) for part in model.graphs]
    with torch.no_grad():
        embedding = model(frames)["embedding"]
    for hook in hooks:
        hook.remove()
    assert [graph.num_strips for graph in model.graphs] == [*STRIPS] == [2, 4, 8]
    assert embedding.shape == (2, model.embed_dim) == (2, 5120)
    torch.testing.assert_close(embedding[:, 2048:], torch.cat(pieces, dim=1) / (1 + model.neck.eps) ** 0.5)


def test_the_backbone_starts_as_a_plain_resnet_50(model):
    plain = ResNet50Frames(ResNet50Config(stem_relu=False)).eval()
    weights = {name: value for name, value in model.backbone.state_dict().items() if "after_block" not in name}
    plain.load_state_dict(weights)
    images = torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(model.backbone.eval()(images, 2), plain(images, 2))


def test_the_clean_preset_computes_the_same_but_for_the_relu_of_the_stem():
    release, clean = (
        build_mgh(num_classes=2, frames=2, preset=preset, image_size=SIZE) for preset in ("release", "clean")
    )
    weights = {name: tensor for name, tensor in release.state_dict().items() if not name.startswith("unused.")}
    clean.load_state_dict(weights)
    frames = torch.randn(1, 2, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(release.eval().backbone.stem(frames[0]), clean.eval().backbone.stem(frames[0]))
    for each in (release, clean):
        torch.nn.init.constant_(each.backbone.bn1.bias, 100.0)  # nothing is below zero any more
    with torch.no_grad():
        assert torch.equal(release(frames)["embedding"], clean(frames)["embedding"])


def test_every_parameter_but_the_unused_ones_learns_from_the_losses(model):
    labels = torch.tensor([0, 0, 1, 1])
    outputs = model.train()(torch.randn(4, 3, 3, *SIZE, generator=torch.Generator().manual_seed(0)))
    assert outputs["logits"].shape == (4, 4, NUM_CLASSES)
    total = torch.stack([*model.losses(outputs, labels).values()]).sum()
    model.zero_grad()
    total.backward()
    assert total.isfinite()
    untaught = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert untaught == ["unused.classifier.weight", "unused.classifier.bias"]
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)


def test_losses_sum_four_smoothed_cross_entropies_and_pull_the_raw_feature():
    with torch.device("meta"):
        model = Mgh(MghConfig(num_classes=NUM_CLASSES))
    labels = torch.tensor([0, 0, 1, 1])
    logits, raw = drawn(4, 4, NUM_CLASSES), drawn(4, 7, seed=1)
    losses = model.losses({"logits": logits, "raw_feature": raw}, labels)
    wanted = 0.9 * functional.one_hot(labels, NUM_CLASSES).double() + 0.1 / NUM_CLASSES
    torch.testing.assert_close(losses["identity"], -(wanted[:, None] * logits.log_softmax(-1)).sum() / 4)
    distance = (raw[:, None] - raw[None]).norm(dim=-1)
    positive = torch.stack([distance[0, 1], distance[0, 1], distance[2, 3], distance[2, 3]])
    negative = torch.cat([distance[:2, 2:].amin(dim=1), distance[2:, :2].amin(dim=1)])
    torch.testing.assert_close(losses["triplet"], (positive - negative + 0.3).clamp(min=0).mean())


def test_the_clean_preset_lacks_the_classifier_that_nothing_reads():
    with torch.device("meta"):
        release, clean = (build_mgh(num_classes=2, frames=8, preset=preset) for preset in ("release", "clean"))
    lacking = release.state_dict().keys() - clean.state_dict().keys()
    assert lacking == {"unused.classifier.weight", "unused.classifier.bias"}
    assert clean.state_dict().keys() < release.state_dict().keys()


def test_a_map_that_does_not_fall_into_equal_strips_is_refused():
    with pytest.raises(SettingError) as refusal:
        build_mgh(num_classes=2, frames=8, image_size=(224, 112))
    assert str(refusal.value) == (
        "mgh: the rows of the last feature map must fall into 8 equal strips; got 14 rows from "
        "image_size=(224, 112); take a height that is a multiple of 128"
    )


def test_a_single_frame_is_refused(model):
    message = r"^mgh: a clip has at least 2 frames, so that a node has 2 neighbours; got 1$"
    with pytest.raises(SettingError, match=message):
        build_mgh(num_classes=2, frames=1)
    with pytest.raises(SettingError, match=message):
        model(torch.zeros(1, 1, 3, *SIZE))


def test_clips_of_another_size_are_refused(model):
    height, width = SIZE
    message = f"mgh: this model was built for clips of 2 frames of {height} x {width}; got 2 of {height} x {width + 1}"
    with pytest.raises(SettingError, match=f"^{message}$"):
        model(torch.zeros(1, 2, 3, height, width + 1))
