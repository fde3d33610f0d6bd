"""PiT's pyramid part by part, its trunk against PyTorch's attention; the whole method: tests/reference/baselines."""

import re

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

from skyreid.baselines.pit import (
    PUBLISHED_GRID,
    DropPath,
    ViTBlock,
    ViTFrames,
    build_pit,
    make_last_block,
    patch_grid,
    vit_names,
)
from skyreid.errors import SettingError
from skyreid.extraction.embed_tracklets import Encoder
from skyreid.losses import TripletConfig, batch_hard_triplet
from skyreid.models.platform_prompt import UNKNOWN_PLATFORM
from tests.tiny_model import drawn, randomized

pytestmark = pytest.mark.slow  # seconds that every change would pay; what is tested changes rarely

DIM = 768
SIZE = (64, 40)
ROWS, COLUMNS = 5, 3
NUM_CLASSES = 3
UNUSED = 7_858_408
"""Parameters that the release builds and nothing reads: a block, a LayerNorm and ImageNet's classifier."""
REGIONS = [
    (slice(0, 5), slice(0, 3)),
    *((rows, slice(0, 3)) for rows in (slice(0, 2), slice(2, 4), slice(4, 5))),
    *((slice(0, 5), columns) for columns in (slice(0, 2), slice(2, 3))),
    *((rows, columns) for rows in (slice(0, 2), slice(2, 4), slice(4, 5)) for columns in (slice(0, 2), slice(2, 3))),
]
LAYERS = [0] + [1] * 3 + [2] * 2 + [3] * 6
PLATFORMS = torch.tensor([0, 1, 0, 1])
HEADS = 12
TRUNK_SIZE = (40, 28)


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_pit(num_classes=NUM_CLASSES, frames=8, image_size=SIZE)


@pytest.fixture(scope="module")
def clips():
    return drawn(4, 2, 3, *SIZE)


@torch.no_grad()
def test_every_part_is_what_the_class_token_makes_of_its_patches(model, clips):
    for number, layer in enumerate(model.eval().pyramid):
        layer[1].bias.fill_(number)  # the copies start alike
    embedding = model.embed(clips[:1], PLATFORMS[:1])
    tokens = model.trunk(clips[:1], 3.0 * model.platform.vectors[:1])[0]
    expected = []
    for layer, (rows, columns) in zip(LAYERS, REGIONS, strict=True):
        block, norm = model.pyramid[layer]
        of_frames = []
        for frame in tokens:
            patches = frame[1:].reshape(ROWS, COLUMNS, DIM)[rows, columns].reshape(-1, DIM)
            of_frames.append(norm(block(torch.cat([frame[:1], patches])[None, None])[0, 0, 0]))
        expected.append(torch.stack(of_frames).mean(dim=0))
    assert_close(embedding[0], torch.cat(expected), rtol=1e-4, atol=1e-4)
    for layer in model.pyramid:
        layer[1].bias.zero_()


@torch.no_grad()
def test_a_clip_has_the_same_embedding_in_any_batch_and_any_order_of_its_frames(model, clips):
    together = model.eval().embed(clips, PLATFORMS)
    assert isinstance(model, Encoder)
    assert together.shape == (4, model.embed_dim)
    assert_close(together[1:2], model.embed(clips[1:2].flip(1), PLATFORMS[1:2]), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_the_platform_is_told_and_where_nobody_knows_it_the_mean_is(model, clips):
    clip = clips[:1]
    ground, aerial, unknown = (model.eval().embed(clip, torch.tensor([number])) for number in (0, 1, UNKNOWN_PLATFORM))
    assert not torch.allclose(ground, aerial, atol=1e-3)
    start = model.platform.vectors.detach().clone()
    model.platform.vectors.copy_(start.mean(dim=0).expand_as(start))
    assert_close(model.embed(clip, torch.tensor([0])), unknown)
    assert_close(model(clip)["embedding"], unknown)
    model.platform.vectors.copy_(start)


def test_layers_of_the_pyramid_count_alike_in_the_losses(model):
    features, logits = drawn(4, 12, 5), drawn(4, 12, NUM_CLASSES, seed=2)
    labels = torch.tensor([0, 0, 1, 2])
    losses = model.losses({"features": features, "logits": logits}, labels)
    soft = TripletConfig(form="soft", distance="euclidean")
    weights = [1 / (4 * LAYERS.count(layer)) for layer in LAYERS]
    identity = sum(w * functional.cross_entropy(logits[:, part], labels) for part, w in enumerate(weights))
    triplet = sum(w * batch_hard_triplet(features[:, part], labels, soft) for part, w in enumerate(weights))
    assert losses.keys() == {"identity", "triplet"}
    assert_close(losses["identity"], identity)
    assert_close(losses["triplet"], triplet)


def test_training_teaches_every_parameter_but_the_biases_of_the_necks_and_the_unused_ones(model, clips):
    model.train()
    losses = model.losses(model(clips, PLATFORMS), torch.tensor([0, 0, 1, 1]))
    torch.stack([*losses.values()]).sum().backward()
    untaught = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    model.zero_grad()
    assert all(loss.isfinite() for loss in losses.values())
    assert untaught == [
        *(f"necks.{part}.bias" for part in range(12)),
        *(f"unused.{name}" for name, _ in model.unused.named_parameters()),
    ]


def test_logits_come_from_the_normed_and_triplets_from_the_raw_features(model, clips):
    model.train()
    model.trunk.eval()
    model.pyramid.eval()
    outputs = model(clips, PLATFORMS)
    part = outputs["features"][:, 7]
    assert_close(outputs["features"].flatten(1), model.eval()(clips, PLATFORMS)["embedding"])
    normed = functional.batch_norm(part, None, None, model.necks[7].weight, training=True)
    assert_close(outputs["logits"][:, 7], normed @ model.classifiers[7].weight.T, rtol=1e-4, atol=1e-6)


def test_the_clean_preset_lacks_what_nothing_reads_and_nothing_else():
    with torch.device("meta"):
        release, clean = (build_pit(num_classes=2, frames=8, preset=preset) for preset in ("release", "clean"))
    lacking = {name: p.numel() for name, p in release.named_parameters() if name not in clean.state_dict()}
    assert sum(lacking.values()) == UNUSED
    assert all(name.startswith("unused.") for name in lacking)
    assert clean.state_dict().keys() < release.state_dict().keys()


def test_published_weights_reach_the_trunk_and_all_four_copies_of_the_last_block(model):
    names = model.published_names()
    reached = {place for several in names.targets.values() for place in several}
    assert reached == {name for name in model.state_dict() if name.startswith(("trunk.", "pyramid."))}
    assert names.targets["blocks.11.attn.qkv.bias"] == tuple(
        f"pyramid.{layer}.0.attention.query_key_value.bias" for layer in range(4)
    )
    assert (names.position_table.grid, names.position_table.target) == (PUBLISHED_GRID, (ROWS, COLUMNS))


def test_the_copies_start_alike(model):
    start, *copies = model.pyramid
    for copy in copies:
        assert torch.equal(copy[0].mlp.expand.weight, start[0].mlp.expand.weight)


def test_frames_too_small_to_be_divided_are_refused():
    message = (
        "pit: a frame is divided into 3 parts down and 2 across, so it holds as many patches; "
        "got 39 x 28 pixels (40 x 28 is the least)"
    )
    with pytest.raises(SettingError, match=f"^{re.escape(message)}$"):
        build_pit(num_classes=2, frames=8, image_size=(39, 28))


def test_clips_of_another_size_are_refused(model, clips):
    with pytest.raises(
        SettingError, match=r"^pit: this model was built for clips of 2 frames of 64 x 40; got 2 of 64 x 39$"
    ):
        model(clips[..., :39], PLATFORMS)


@pytest.fixture(scope="module")
def block():
    return randomized(ViTBlock(0.0)).double()


@pytest.fixture(scope="module")
def trunk():
    return ViTFrames(TRUNK_SIZE).eval()


def slow_block(block, tokens):
    """One frame [token, dim]."""
    attention, mlp = block.attention, block.mlp
    normed = slow_norm(block.norm_attention, tokens)[:, None]
    attended, _ = functional.multi_head_attention_forward(
        *(normed, normed, normed, DIM, HEADS),
        *(attention.query_key_value.weight, attention.query_key_value.bias, None, None, False, 0.0),
        *(attention.out.weight, attention.out.bias),
    )
    mixed = tokens + attended[:, 0]
    hidden = mlp.expand(slow_norm(block.norm_mlp, mixed))
    return mixed + mlp.contract(0.5 * hidden * (1 + torch.erf(hidden / 2**0.5)))


def slow_norm(norm, tokens):
    centred = tokens - tokens.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt() * norm.weight + norm.bias


@torch.no_grad()
def test_a_block_equals_one_frame_at_a_time(block):
    tokens = drawn(2, 3, 5, DIM).double()
    expected = torch.stack([torch.stack([slow_block(block, frame) for frame in clip]) for clip in tokens])
    assert_close(block(tokens), expected)


@torch.no_grad()
def test_the_class_token_alone_is_the_same_as_among_all_tokens(block):
    tokens = drawn(2, 3, 5, DIM).double()
    assert_close(block(tokens, keep=1), block(tokens)[:, :, :1])


def test_what_is_left_out_is_left_out_for_whole_clips_and_made_up_for():
    branch = drawn(2000, 2, 3, 1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        out = DropPath(0.25).train()(branch)
    ratio = (out / branch).flatten(1)
    dropped = (ratio == 0).all(dim=1)
    assert_close(ratio[~dropped], torch.full_like(ratio[~dropped], 4 / 3))
    assert 0.2 < float(dropped.float().mean()) < 0.3


def test_nothing_is_left_out_in_evaluation():
    branch = drawn(50, 1, 1, 1)
    assert torch.equal(DropPath(0.25).eval()(branch), branch)


def test_the_last_block_drops_most():
    with torch.device("meta"):
        drops = [block.drop_path.probability for block in (*ViTFrames(TRUNK_SIZE).blocks, make_last_block()[0])]
    assert drops == pytest.approx([0.1 * number / 11 for number in range(12)])


@torch.no_grad()
def test_tokens_are_patches_with_their_place_and_what_is_added(trunk):
    frames, added = drawn(2, 3, 3, *TRUNK_SIZE), drawn(2, DIM, seed=2)
    seen = []
    hook = trunk.blocks[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    trunk(frames, added)
    hook.remove()
    patch = frames[1, 2, :, 24:40, 12:28]  # 12 pixels a step: row 2, column 1 of 3 x 2
    expected = (trunk.patches.weight * patch).sum(dim=(1, 2, 3)) + trunk.patches.bias
    assert seen[0].shape == (2, 3, 7, DIM)
    assert_close(seen[0][1, 2, 6], expected + trunk.position_table[0, 6] + added[1], rtol=1e-4, atol=1e-5)
    assert_close(seen[0][0, 1, 0], trunk.class_token[0, 0] + trunk.position_table[0, 0] + added[0])


@torch.no_grad()
def test_tokens_never_look_across_frames(trunk):
    frames, added = drawn(1, 2, 3, *TRUNK_SIZE), torch.zeros(1, DIM)
    together = trunk(frames, added)
    assert_close(together[:, 1:], trunk(frames[:, 1:], added), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("size", "grid"), [((256, 128), (21, 10)), ((128, 64), (10, 5)), ((40, 28), (3, 2))])
def test_the_grid_counts_the_patches_of_the_convolution(size, grid):
    out = functional.conv2d(torch.zeros(1, 1, *size), torch.zeros(1, 1, 16, 16), stride=12)
    assert patch_grid(size) == tuple(out.shape[2:]) == grid


def timm_shapes():
    shapes = {"cls_token": (1, 1, DIM), "pos_embed": (1, 197, DIM)}
    layers = {"patch_embed.proj": (DIM, 3, 16, 16), "norm": (DIM,), "head": (1000, DIM)}
    for block in range(12):
        layers |= {
            f"blocks.{block}.norm1": (DIM,),
            f"blocks.{block}.attn.qkv": (3 * DIM, DIM),
            f"blocks.{block}.attn.proj": (DIM, DIM),
            f"blocks.{block}.norm2": (DIM,),
            f"blocks.{block}.mlp.fc1": (4 * DIM, DIM),
            f"blocks.{block}.mlp.fc2": (DIM, 4 * DIM),
        }
    for layer, shape in layers.items():
        shapes |= {f"{layer}.weight": shape, f"{layer}.bias": shape[:1]}
    return shapes


def test_every_tensor_of_timm_s_file_has_its_place_and_every_place_its_tensor():
    assert sum(torch.Size(shape).numel() for shape in timm_shapes().values()) == 86_567_656
    with torch.device("meta"):
        model = nn.ModuleDict({"trunk": ViTFrames((256, 128)), "one": make_last_block(), "other": make_last_block()})
    names = vit_names("trunk", ("one", "other"), (21, 10))
    places = [place for several in names.targets.values() for place in several]
    assert {*names.targets, *names.dropped} == timm_shapes().keys()
    assert sorted(places) == sorted(model.state_dict())
    for name, several in names.targets.items():
        if name != "pos_embed":
            assert {tuple(model.state_dict()[place].shape) for place in several} == {timm_shapes()[name]}, name
    assert names.position_table.name == "pos_embed"
    assert names.position_table.grid[0] * names.position_table.grid[1] == 196
