"""The trunk of PiT against PyTorch's own attention, and timm's names, written out here."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

from skyreid.baselines.vit_frames import DropPath, ViTBlock, ViTFrames, make_last_block, patch_grid, vit_names
from tests.tiny_model import drawn, randomized

DIM, HEADS = 768, 12
SIZE = (40, 28)


@pytest.fixture(scope="module")
def block():
    return randomized(ViTBlock(0.0)).double()


@pytest.fixture(scope="module")
def trunk():
    return ViTFrames(SIZE).eval()


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
        drops = [block.drop_path.probability for block in (*ViTFrames(SIZE).blocks, make_last_block()[0])]
    assert drops == pytest.approx([0.1 * number / 11 for number in range(12)])


@torch.no_grad()
def test_tokens_are_patches_with_their_place_and_what_is_added(trunk):
    frames, added = drawn(2, 3, 3, *SIZE), drawn(2, DIM, seed=2)
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
    frames, added = drawn(1, 2, 3, *SIZE), torch.zeros(1, DIM)
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
