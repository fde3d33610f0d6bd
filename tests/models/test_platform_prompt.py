"""Which prompt a clip gets."""

import re

import pytest
import torch
from torch.testing import assert_close

from skyreid.models.platform_prompt import UNKNOWN_PLATFORM, PlatformPrompt, PlatformPromptConfig
from skyreid.tracklet import Platform


@pytest.fixture
def prompt():
    return PlatformPrompt(6, depth=3, length=2)


def test_every_clip_gets_the_set_of_its_platform(prompt):
    numbers = [Platform.AERIAL.number, Platform.GROUND.number, Platform.AERIAL.number]
    given = prompt(torch.tensor(numbers))
    assert given.shape == (3, 3, 2, 6)
    for clip, number in enumerate(numbers):
        assert torch.equal(given[clip], prompt.prompts[number])
    assert not torch.equal(given[0], given[1])


def test_where_nobody_knows_the_platform_the_mean_of_the_sets_is_used(prompt):
    given = prompt(torch.tensor([UNKNOWN_PLATFORM, 0]))
    assert_close(given[0], (prompt.prompts[0] + prompt.prompts[1]) / 2)
    assert torch.equal(given[1], prompt.prompts[0])


def test_a_clip_from_the_ground_teaches_the_ground_set_only(prompt):
    prompt(torch.tensor([0, 0])).sum().backward()
    assert torch.equal(prompt.prompts.grad[0], torch.full((3, 2, 6), 2.0))
    assert not prompt.prompts.grad[1].any()


@pytest.mark.parametrize(("depth", "length"), [(-1, 16), (3, 0)])
def test_impossible_sizes_are_refused(depth, length):
    message = f"a platform prompt has depth >= 0 and length >= 1; got {depth} x {length}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        PlatformPromptConfig(depth=depth, length=length)
