from pathlib import Path

import numpy as np
import pytest
import torch

from skyreid.pretrained.assembling import resize_position_table

STORED = Path(__file__).parent.parent / "reference" / "posembed" / "posembed.npz"


@pytest.mark.parametrize("target", [(16, 8), (4, 2), (8, 4), (24, 10)])
def test_equals_the_release(target):
    with np.load(STORED) as stored:
        table = torch.from_numpy(stored["input_14x14"])
        expected = torch.from_numpy(stored[f"out_{target[0]}x{target[1]}"])
    # In float64, the same on every processor: what is left is the float32 that the stored ones were made in, 4e-6.
    resized = resize_position_table(table.double(), grid=(14, 14), target=target)
    torch.testing.assert_close(resized, expected.double(), rtol=0, atol=5e-6)


def test_the_same_grid_changes_nothing():
    table = torch.randn(1 + 3 * 5, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(resize_position_table(table, grid=(3, 5), target=(3, 5)), table)


def test_a_plane_stays_a_plane_inside():
    """Bilinear: a table that rises evenly across its columns still does, half a cell in from the edges."""
    table = torch.cat([torch.zeros(1, 1), torch.arange(8.0).repeat(4)[:, None]]).double()
    resized = resize_position_table(table, grid=(4, 8), target=(4, 4))
    torch.testing.assert_close(resized[1:, 0], torch.tensor([0.5, 2.5, 4.5, 6.5]).double().repeat(4))
