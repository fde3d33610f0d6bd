"""From a pretrained pair to a fresh model: what is copied, what stays, what is refused."""

import re
from dataclasses import replace

import pytest
import torch

from skyreid.errors import CheckpointError
from skyreid.models.identity_prompt import CLIP_TOKENS, SENTENCES
from skyreid.models.tower_pair import CLIP_VOCABULARY, TowerPair, start_from_pair
from tests.tiny_model import ADAPTERS, NO_ADAPTERS, randomized, tiny_config, tiny_model

BARE = tiny_config(adapters=NO_ADAPTERS, prompt_depth=0)


@pytest.fixture(scope="module")
def pair():
    return randomized(TowerPair(BARE, vocabulary=CLIP_VOCABULARY), seed=7)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_towers_and_words_are_copied_and_the_rest_stays_as_it_was(pair, sentence):
    model = tiny_model(tiny_config(sentence=sentence))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    start_from_pair(model, pair)
    state = model.state_dict()
    for part in ("encoder", "text_tower"):
        for name, tensor in getattr(pair, part).state_dict().items():
            assert torch.equal(state.pop(f"{part}.{name}"), tensor), name
    for name, words in zip(("fixed_before", "fixed_after"), SENTENCES[sentence], strict=True):
        words_now = state.pop(f"identity_prompt.{name}")
        assert torch.equal(words_now, pair.token_embedding.weight[[CLIP_TOKENS[word] for word in words]])
    assert "encoder.tower.blocks.0.cross_frame.down.weight" in state
    assert "encoder.platform_prompt.prompts" in state
    assert "identity_prompt.identity" in state
    for name, tensor in state.items():
        assert torch.equal(tensor, before[name]), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": 4}, "image tower layers differs from the pretrained one: 4 and 3"),
        ({"width": 64}, "image tower width differs from the pretrained one: 64 and 128"),
        ({"image_size": (32, 16)}, "image tower image_size differs from the pretrained one: (32, 16) and (24, 16)"),
        ({"stride": 4}, "image tower stride differs from the pretrained one: 4 and 8"),
        ({"activation": "gelu"}, "image tower activation differs from the pretrained one: gelu and quick-gelu"),
    ],
)
def test_an_image_tower_of_another_size_is_refused(pair, change, message):
    config = tiny_config()
    model = tiny_model(replace(config, image=replace(config.image, **change)))
    with pytest.raises(CheckpointError, match=f"^{re.escape(message)}$"):
        start_from_pair(model, pair)


def test_another_joint_space_is_refused(pair):
    with pytest.raises(CheckpointError, match=r"^embed_dim differs from the pretrained one: 64 and 32$"):
        start_from_pair(tiny_model(replace(tiny_config(), embed_dim=64)), pair)


def test_a_pair_with_another_tokenizer_is_refused():
    message = (
        "the sentence of an identity needs the words ., <end>, <start>; the pretrained pair's 100 tokens lack them "
        "(CLIP's own tokenizer has 49408)"
    )
    with pytest.raises(CheckpointError, match=f"^{re.escape(message)}$"):
        start_from_pair(tiny_model(), TowerPair(BARE, vocabulary=100))


def test_a_pair_of_whole_words_gives_the_rows_of_its_own_words():
    words = ["a", "<end>", "person", "<start>", "photo", ".", "of"]
    model = tiny_model(tiny_config(sentence="clip-reid"))
    pair = randomized(TowerPair(BARE, vocabulary=len(words), words=words), seed=3)
    start_from_pair(model, pair)
    rows = [words.index(word) for word in ("<start>", "a", "photo", "of", "a")]
    assert torch.equal(model.identity_prompt.get_buffer("fixed_before"), pair.token_embedding.weight[rows])


@pytest.mark.parametrize(
    "config", [replace(BARE, image=replace(BARE.image, adapters=ADAPTERS)), tiny_config(adapters=NO_ADAPTERS)]
)
def test_a_pair_has_neither_adapters_nor_a_platform_prompt(config):
    with pytest.raises(ValueError, match=r"^a pretrained pair has no adapters and no platform prompt$"):
        TowerPair(config, vocabulary=10)
