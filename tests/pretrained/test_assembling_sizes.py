import pytest
import torch

from skyreid.errors import CheckpointError
from skyreid.pretrained.assembling import image_sizes, square_grid, standing_grid, text_config
from skyreid.pretrained.foreign_state import ForeignState
from tests.pretrained.reference_clip import CONTEXT, EMBED, LAYERS, PATCH, WIDTH

NOTHING = ForeignState(tensors={}, origin="some.pt")


def test_sizes_are_read_off_the_shapes(known):
    state = ForeignState(tensors=known.state, origin="some.pt")
    sizes = image_sizes(state, "visual.")
    assert (sizes.width, sizes.layers, sizes.patch_size, sizes.patches, sizes.embed_dim) == (
        *(WIDTH, LAYERS, PATCH, 4, EMBED),
    )
    text = text_config(state, "")
    assert (text.width, text.layers, text.context_length) == (WIDTH, LAYERS, CONTEXT)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1280, 3, 14, 14), r"is a ViT-H \(heads of 80\); the towers here have heads of 64"),
        ((64, 3, 16, 8), "patches must be square; got 16 x 8"),
        ((64, 3), r"visual\.conv1\.weight must have 4 axes; got shape \[64, 3\]"),
    ],
)
def test_towers_that_do_not_fit_are_refused(known, shape, message):
    state = ForeignState(tensors={**known.state, "visual.conv1.weight": torch.zeros(shape)}, origin="some.pt")
    with pytest.raises(CheckpointError, match=message):
        image_sizes(state, "visual.")


def test_the_grid_of_a_pretrained_clip_is_square():
    assert square_grid(NOTHING, patches=196) == (14, 14)


def test_the_grid_of_a_release_checkpoint_stands_upright():
    assert standing_grid(NOTHING, patches=128) == (16, 8)


@pytest.mark.parametrize("patches", [-1, 0, 3, 128])
def test_no_square_is_made_up(patches):
    with pytest.raises(CheckpointError, match=f"the patches of a pretrained CLIP form a square; got {patches} patches"):
        square_grid(NOTHING, patches=patches)


@pytest.mark.parametrize("patches", [-1, 0, 1, 196, 210])
def test_no_upright_grid_is_made_up(patches):
    with pytest.raises(CheckpointError, match=f"taken to stand twice as high as wide; got {patches} patches"):
        standing_grid(NOTHING, patches=patches)
