"""The image tower against a slow restatement of the paper's Eq. 14 to 17, and its invariances."""

import re

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

from skyreid.models.image_tower import AdapterConfig, ClipFeatures, ImageTower, ImageTowerConfig
from tests.models.test_transformer import pytorchs
from tests.tiny_model import ADAPTERS, IMAGE_SIZE, NO_ADAPTERS, drawn, randomized, tiny_image_config, tiny_model

DIM, EMBED = 128, 32
BENDS = {
    "quick-gelu": lambda hidden: hidden / (1 + torch.exp(-1.702 * hidden)),
    "gelu": lambda hidden: 0.5 * hidden * (1 + torch.erf(hidden / 2**0.5)),
}


def make_tower(*, adapters=ADAPTERS, activation="quick-gelu"):
    return randomized(ImageTower(tiny_image_config(adapters=adapters, activation=activation), embed_dim=EMBED))


def make_frames(clips=2, frames=3, seed=1):
    return drawn(clips, frames, 3, *IMAGE_SIZE, seed=seed)


def make_prompts(clips=2, depth=2, seed=3):
    return drawn(clips, depth, 2, DIM, seed=seed)


def slow_tower(tower, frames, prompts, *, adapt, activation="quick-gelu"):
    """One frame at a time, all tokens through all blocks; frames meet in the cross-frame adapter only."""
    features = []
    for clip in range(len(frames)):
        stream = [slow_tokens(tower, frame) for frame in frames[clip]]
        for layer, block in enumerate(tower.blocks):
            penultimate = torch.stack(stream)[:, 0]
            has_prompt = prompts is not None and layer < prompts.shape[1]
            prompt = prompts[clip, layer] if has_prompt else None
            stream = slow_block(block, stream, prompt, adapt=adapt, activation=activation)
        final = layer_norm(tower.norm_post, torch.stack(stream))[:, 0]
        features.append((penultimate.mean(0), final.mean(0), (final @ tower.projection).mean(0)))
    return ClipFeatures(*(torch.stack(kind) for kind in zip(*features, strict=True)))


def slow_tokens(tower, frame):
    patch = tower.patches.kernel_size[0]
    tokens = [tower.class_token]
    for top in range(0, frame.shape[1], patch):
        for left in range(0, frame.shape[2], patch):
            seen = frame[:, top : top + patch, left : left + patch]
            tokens.append((tower.patches.weight * seen).sum(dim=(1, 2, 3)))
    return layer_norm(tower.norm_pre, torch.stack(tokens) + tower.position_table)


def slow_block(block, stream, prompt, *, adapt, activation="quick-gelu"):
    attention = pytorchs(block.attention)
    mixed = []
    for tokens in stream:
        normed = layer_norm(block.norm_attention, tokens)
        context = normed if prompt is None else torch.cat([normed, prompt])
        mixed.append(tokens + attention(normed[None], context[None], context[None])[0][0])
    if adapt and block.cross_frame is not None:
        across = block.cross_frame(torch.stack(stream)[None])[0]
        mixed = [tokens + added for tokens, added in zip(mixed, across, strict=True)]
    out = []
    for tokens in mixed:
        after = tokens + slow_mlp(block.mlp, layer_norm(block.norm_mlp, tokens), activation)
        out.append(after + block.intra_frame(tokens) if adapt and block.intra_frame is not None else after)
    return out


def slow_mlp(mlp, tokens, activation):
    hidden = BENDS[activation](tokens @ mlp.expand.weight.T + mlp.expand.bias)
    return hidden @ mlp.contract.weight.T + mlp.contract.bias


def layer_norm(norm, tokens):
    centred = tokens - tokens.mean(-1, keepdim=True)
    scale = (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    return centred / scale * norm.weight + norm.bias


def assert_features_close(ours, theirs, **tolerance):
    for name, value in ours._asdict().items():
        assert_close(value, getattr(theirs, name), **tolerance, msg=lambda text, name=name: f"{name}: {text}")


@torch.no_grad()
@pytest.mark.parametrize(
    ("adapters", "depth"),
    [
        (NO_ADAPTERS, 0),
        (ADAPTERS, 0),
        (ADAPTERS, 2),
        (ADAPTERS, 3),
        (AdapterConfig(intra_frame=16, cross_frame=None), 1),
        (AdapterConfig(intra_frame=None, cross_frame=64), 1),
    ],
)
def test_it_equals_one_frame_at_a_time_with_every_token_kept(adapters, depth):
    tower, frames = make_tower(adapters=adapters), make_frames()
    prompts = make_prompts(depth=depth) if depth else None
    assert_features_close(tower(frames, prompts), slow_tower(tower, frames, prompts, adapt=True), rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("activation", BENDS)
def test_the_blocks_bend_as_the_pretrained_ones_did(activation):
    tower, frames = make_tower(activation=activation), make_frames()
    expected = slow_tower(tower, frames, None, adapt=True, activation=activation)
    assert_features_close(tower(frames), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_without_adapting_it_is_the_bare_clip_tower():
    adapted, frames = make_tower(), make_frames()
    bare = ImageTower(tiny_image_config(adapters=NO_ADAPTERS), embed_dim=EMBED)
    bare.load_state_dict({name: tensor for name, tensor in adapted.state_dict().items() if "_frame" not in name})
    assert_features_close(adapted(frames, adapt=False), bare(frames), rtol=0, atol=0)
    assert_features_close(
        adapted(frames, adapt=False), slow_tower(adapted, frames, None, adapt=False), rtol=1e-4, atol=1e-5
    )
    assert not torch.allclose(adapted(frames).joint, bare(frames).joint, atol=1e-2)


@torch.no_grad()
def test_the_last_block_gives_the_same_class_token_alone_as_with_all_tokens():
    block, tokens = make_tower().blocks[-1], drawn(2, 3, 7, DIM)
    for prompt in (None, drawn(2, 4, DIM, seed=5)):
        assert_close(block(tokens, prompt, keep=1), block(tokens, prompt)[:, :, :1], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_adapters_that_start_at_zero_change_nothing():
    zero = AdapterConfig(intra_frame=16, cross_frame=128, zero_init=True)
    adapted = ImageTower(tiny_image_config(adapters=zero), embed_dim=EMBED)
    frames = make_frames()
    assert_features_close(adapted(frames), adapted(frames, adapt=False), rtol=0, atol=0)


@torch.no_grad()
def test_the_platform_prompt_bypasses_the_layer_norm():
    block, tokens, prompt = make_tower().blocks[0], drawn(1, 1, 7, DIM), drawn(1, 2, DIM, seed=5)
    scaled = block(tokens, 3 * prompt)
    assert not torch.allclose(scaled, block(tokens, prompt), atol=1e-3)  # a LayerNorm would undo the factor
    expected = slow_block(block, [tokens[0, 0]], 3 * prompt[0], adapt=True)[0]
    assert_close(scaled[0, 0], expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("changed_layer", [0, 1, 2])
def test_every_block_has_a_prompt_of_its_own(changed_layer):
    tower, frames, prompts = make_tower(), make_frames(), make_prompts(depth=3)
    changed = prompts.clone()
    changed[:, changed_layer] += 1
    outputs = []
    for block in tower.blocks:
        block.register_forward_hook(lambda _block, _inputs, out: outputs.append(out))
    tower(frames, prompts)
    tower(frames, changed)
    for layer, (before, after) in enumerate(zip(outputs[:3], outputs[3:], strict=True)):
        assert torch.equal(before, after) == (layer < changed_layer), layer


@torch.no_grad()
def test_the_order_of_the_frames_changes_no_embedding():
    tower, frames, prompts = make_tower(), make_frames(frames=5), make_prompts()
    shuffled = frames[:, [3, 0, 4, 1, 2]]
    assert_features_close(tower(shuffled, prompts), tower(frames, prompts), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_a_clip_has_the_same_features_in_any_batch():
    tower, frames, prompts = make_tower(), make_frames(clips=4), make_prompts(clips=4)
    together = tower(frames, prompts)
    for clip in range(4):
        alone = tower(frames[clip : clip + 1], prompts[clip : clip + 1])
        expected = ClipFeatures(*(kind[clip : clip + 1] for kind in together))
        assert_features_close(alone, expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 2, 8])
def test_one_tower_serves_clips_of_any_length(frames):
    features = make_tower()(make_frames(frames=frames))
    assert [tuple(kind.shape) for kind in features] == [(2, DIM), (2, DIM), (2, EMBED)]
    assert all(kind.isfinite().all() for kind in features)


@torch.no_grad()
def test_the_class_features_are_those_of_the_class_tokens_among_all_tokens():
    tower, frames = make_tower(), make_frames()
    tokens = tower.tokens(frames)
    assert tokens.shape == (2, 3, 7, DIM)
    assert_close(tokens[:, :, 0].mean(dim=1), tower(frames).final, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_a_shift_of_the_class_token_is_that_of_its_clip():
    tower, frames, shift = make_tower(), make_frames(), drawn(2, DIM, seed=5)
    shifted = tower.tokens(frames, shift)
    tower.class_token.add_(shift[1])
    assert_close(shifted[1], tower.tokens(frames)[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("size", "patch", "stride"), [((256, 128), 16, 16), ((24, 16), 8, 4), ((30, 20), 16, 12)])
def test_the_grid_counts_the_patches_of_the_convolution(size, patch, stride):
    config = ImageTowerConfig(image_size=size, patch_size=patch, stride=stride)
    out = functional.conv2d(torch.zeros(1, 1, *size), torch.zeros(1, 1, patch, patch), stride=stride)
    assert config.grid == tuple(out.shape[2:])


def test_adapters_are_listed_by_kind():
    intra_frame, cross_frame = make_tower().adapters()
    assert (len(intra_frame), len(cross_frame)) == (3, 3)
    assert {type(module).__name__ for module in intra_frame} == {"IntraFrameAdapter"}
    assert {type(module).__name__ for module in cross_frame} == {"CrossFrameAdapter"}
    assert make_tower(adapters=NO_ADAPTERS).adapters() == ([], [])


def test_attention_heads_are_64_channels_wide():
    tower = make_tower()
    assert [block.attention.heads for block in tower.blocks] == [2, 2, 2]
    assert all(isinstance(block.norm_attention, nn.LayerNorm) for block in tower.blocks)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"width": 100}, "image tower width must be a multiple of 64; got 100"),
        ({"layers": 1}, "the image tower needs at least 2 blocks (the loss reads the last two); got 1"),
        ({"image_size": (256, 15)}, "a frame must hold one patch of 16 px; got image_size=(256, 15)"),
    ],
)
def test_impossible_sizes_are_refused(sizes, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ImageTowerConfig(**sizes)


def test_frames_of_another_size_are_refused():
    with pytest.raises(RuntimeError, match="must match"):
        make_tower()(drawn(1, 2, 3, 32, 16))


def test_blocks_that_are_computed_again_give_the_same_bits_and_keep_less():
    def run(*, recomputes):
        model = tiny_model()
        model.train_in_stage2("adapters", ("final", "joint"))
        tower = model.encoder.tower
        tower.recomputes_blocks = recomputes
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda t: t):
            features = model.encoder(drawn(2, 3, 3, *IMAGE_SIZE), torch.tensor([0, 1]))
        sum(feature.square().sum() for feature in features).backward()
        gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
        return features, gradients, sum(tensor.numel() for tensor in kept if not isinstance(tensor, nn.Parameter))

    (plain, gradients, all_kept), (again, same_gradients, kept) = run(recomputes=False), run(recomputes=True)
    assert all(torch.equal(one, other) for one, other in zip(plain, again, strict=True))
    assert gradients.keys() == same_gradients.keys()
    assert all(torch.equal(gradient, same_gradients[name]) for name, gradient in gradients.items())
    assert kept < all_kept / 4


def test_no_graph_is_kept_below_the_first_part_that_is_trained():
    model = tiny_model()
    model.train_in_stage2("adapters", ("final", "joint"))
    inputs = []
    first = model.encoder.tower.blocks[0]
    first.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    model.encoder(drawn(2, 3, 3, *IMAGE_SIZE), torch.tensor([0, 1]))
    assert [tokens.requires_grad for tokens in inputs] == [False]
