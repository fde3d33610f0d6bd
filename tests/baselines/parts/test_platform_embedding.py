"""Which vector a clip gets."""

import pytest
import torch
from torch.testing import assert_close

from skyreid.baselines.parts.platform_embedding import PlatformEmbedding
from skyreid.models.platform_prompt import UNKNOWN_PLATFORM
from skyreid.tracklet import Platform


@pytest.fixture
def embedding():
    return PlatformEmbedding(6)


def test_every_clip_gets_the_vector_of_its_platform(embedding):
    numbers = [Platform.AERIAL.number, Platform.GROUND.number]
    given = embedding(torch.tensor(numbers), clips=2)
    assert torch.equal(given, embedding.vectors[numbers])
    assert not torch.equal(given[0], given[1])


def test_where_nobody_knows_the_platform_the_mean_is_used(embedding):
    given = embedding(torch.tensor([UNKNOWN_PLATFORM, Platform.AERIAL.number]), clips=2)
    assert_close(given[0], (embedding.vectors[0] + embedding.vectors[1]) / 2)
    assert torch.equal(given[1], embedding.vectors[1])


def test_without_platforms_every_clip_gets_the_mean(embedding):
    assert torch.equal(embedding(None, clips=2), embedding(torch.tensor([UNKNOWN_PLATFORM] * 2), clips=2))
