"""What TF-CLIP's modules may mix and what they must not; their numbers: tests/reference/baselines."""

import pytest
import torch
from torch.testing import assert_close

from skyreid.baselines.tf_clip_modules import MemoryDiffusion, SequencePrompt
from tests.tiny_model import drawn, randomized

DIM = 64


@pytest.fixture(scope="module")
def diffusion():
    return randomized(MemoryDiffusion(DIM, heads=2)).double()


@pytest.fixture(scope="module")
def prompt():
    return randomized(SequencePrompt(DIM)).double()


@torch.no_grad()
def test_frames_hear_their_own_clip_only(diffusion):
    tokens = drawn(3, 2, 5, DIM).double()
    out = diffusion(tokens)
    assert out.shape == (3, 2, 6, DIM)
    assert_close(out[1:2], diffusion(tokens[1:2]))
    changed = tokens.clone()
    changed[1, 0] += 1
    heard = (diffusion(changed) - out).abs().amax(dim=(2, 3)) > 1e-6
    assert heard.tolist() == [[False, False], [True, True], [False, False]]


@torch.no_grad()
def test_the_order_of_frames_moves_with_them(diffusion):
    tokens = drawn(2, 4, 5, DIM).double()
    order = [2, 0, 3, 1]
    assert_close(diffusion(tokens[:, order]), diffusion(tokens)[:, order])


@torch.no_grad()
def test_a_prompt_is_made_for_one_clip_and_moves_with_its_identity(prompt):
    memories, tokens = drawn(2, 4, DIM).double(), drawn(2, 5, DIM, seed=2).double()
    made = prompt(memories, tokens)
    order = [3, 1, 0, 2]
    assert_close(made[1:], prompt(memories[1:], tokens[1:]))
    assert_close(prompt(memories[:, order], tokens), made[:, order])
    assert_close(prompt(memories, tokens.flip(1)), made)


def test_the_prompt_drops_out_in_training_only(prompt):
    memories, tokens = drawn(1, 4, DIM).double(), drawn(1, 5, DIM, seed=2).double()
    assert torch.equal(prompt(memories, tokens), prompt(memories, tokens))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        prompt.train()
        assert not torch.allclose(prompt(memories, tokens), prompt(memories, tokens))
    prompt.eval()
