import math

import pytest
import torch

from skyreid.losses.mask_divergence import mask_divergence
from tests.tiny_model import drawn


def test_of_distributions_it_is_their_overlap():
    """The Gram matrix of two unit vectors differs from the identity in the two places of their product."""
    masks = [drawn(3, 6, seed=seed).double().softmax(dim=1) for seed in (1, 2, 3)]
    overlaps = [
        sum(math.sqrt(p * q) for p, q in zip(one, other, strict=True))
        for first, second in ((0, 1), (0, 2), (1, 2))
        for one, other in zip(masks[first].tolist(), masks[second].tolist(), strict=True)
    ]
    assert float(mask_divergence(masks)) == pytest.approx(math.sqrt(2) / 4 * sum(overlaps) / len(overlaps), rel=1e-10)


def test_masks_that_share_no_place_cost_nothing_and_the_same_mask_twice_costs_most():
    apart = [torch.tensor([row], dtype=torch.float64) for row in ([1.0, 0.0], [0.0, 1.0])]
    assert mask_divergence(apart) == 0
    assert float(mask_divergence([apart[0], apart[0]])) == pytest.approx(math.sqrt(2) / 4, rel=1e-10)
