"""The text tower against CLIP's: the whole context, padded, read where the sentence ends."""

import pytest
import torch
from torch.testing import assert_close

from skyreid.models.text_tower import TextTower, TextTowerConfig
from tests.models.test_image_tower import BENDS, layer_norm, slow_mlp
from tests.models.test_transformer import pytorchs
from tests.tiny_model import drawn, randomized


def make_tower(activation="quick-gelu"):
    config = TextTowerConfig(width=128, layers=3, context_length=20, activation=activation)
    return randomized(TextTower(config, embed_dim=32))


@pytest.fixture
def tower():
    return make_tower()


def clips_text_tower(tower, padded, end, activation):
    """All positions of the context, as CLIP runs them; the feature stands at `end`."""
    tokens = padded + tower.position_table
    later = torch.triu(torch.ones(2 * [len(tower.position_table)], dtype=torch.bool), diagonal=1)
    for block in tower.blocks:
        normed = layer_norm(block.norm_attention, tokens)
        tokens = tokens + pytorchs(block.attention)(normed, normed, normed, attn_mask=later)[0]
        tokens = tokens + slow_mlp(block.mlp, layer_norm(block.norm_mlp, tokens), activation)
    return layer_norm(tower.norm_final, tokens)[:, end] @ tower.projection


@torch.no_grad()
@pytest.mark.parametrize("activation", BENDS)
@pytest.mark.parametrize("length", [1, 7, 20])
def test_whatever_pads_a_sentence_up_to_the_context_changes_nothing(length, activation):
    tower = make_tower(activation)
    sentences = drawn(4, length, 128)
    padded = torch.cat([sentences, 10 * drawn(4, 20 - length, 128, seed=9)], dim=1)
    expected = clips_text_tower(tower, padded, length - 1, activation)
    assert_close(tower(sentences), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_sentence_has_the_same_feature_in_any_batch(tower):
    sentences = drawn(4, 7, 128)
    assert_close(torch.cat([tower(one[None]) for one in sentences]), tower(sentences), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_the_order_of_the_words_matters(tower):
    sentences = drawn(4, 7, 128)
    assert not torch.allclose(tower(sentences[:, [0, 2, 1, 3, 4, 5, 6]]), tower(sentences), atol=1e-3)


def test_the_heads_are_64_channels_wide():
    with pytest.raises(ValueError, match=r"^text tower width must be a multiple of 64; got 96$"):
        TextTowerConfig(width=96)


@torch.no_grad()
def test_sentences_of_several_lengths_share_a_batch(tower):
    sentences, lengths = drawn(4, 7, 128), torch.tensor([7, 3, 1, 5])
    alone = [tower(one[None, :length]) for one, length in zip(sentences, lengths, strict=True)]
    assert_close(tower(sentences, lengths), torch.cat(alone), rtol=1e-5, atol=1e-5)
