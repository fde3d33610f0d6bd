import gzip
import re

import pytest
import torch
from torch.testing import assert_close

from skyreid.errors import CheckpointError, SettingError
from skyreid.extraction.text_encoder import VOCABULARY, BytePairTokenizer, TextEncoder, WordTokenizer, read_merges
from skyreid.files.config_json import to_json
from skyreid.models.identity_prompt import CLIP_TOKENS, END, START
from skyreid.models.tower_pair import CLIP_VOCABULARY, TowerPair
from skyreid.weights.weights_cache import in_cache
from tests.tiny_model import NO_ADAPTERS, tiny_config

WORDS = (START, END, ".", "a", "photo", "of", "person", "red", "jacket", "half-long")


@pytest.fixture
def pair():
    return TowerPair(tiny_config(adapters=NO_ADAPTERS, prompt_depth=0), vocabulary=len(WORDS), words=WORDS)


@pytest.fixture
def folder(save_checkpoint, pair):
    config = to_json(pair.config)
    return save_checkpoint(weights=pair.state_dict(), kind="clip-pair", model=config, words=list(WORDS))


def test_a_text_is_put_into_a_sentence_and_embedded_as_the_tower_embeds_its_tokens(folder, pair):
    sentence = "<start> a photo of a person red jacket . <end>".split()
    tokens = pair.token_embedding(torch.tensor([[WORDS.index(word) for word in sentence]]))
    expected = pair.text_tower(tokens)[0].detach()
    encoder = TextEncoder(folder)
    for text in ("red jacket", " Red  jacket. ", "a photo of a person red jacket."):
        assert_close(torch.from_numpy(encoder.embed(text)), expected, rtol=1e-5, atol=1e-6)
    assert encoder.embed_dim == len(expected)


def test_words_that_the_model_does_not_know_are_named_with_those_that_it_does(folder):
    message = "does not know 'violet', 'hat'; its words: a, half-long, jacket, of, person, photo, red"
    with pytest.raises(SettingError, match=message):
        TextEncoder(folder).embed("violet hat")


def test_a_text_of_nothing_or_of_too_much_is_refused(folder):
    encoder = TextEncoder(folder)
    with pytest.raises(SettingError, match="has at least one word"):
        encoder.embed("  ")
    with pytest.raises(SettingError, match="has at most 30 tokens, and this one 48"):
        encoder.embed("red " * 40)


def test_a_checkpoint_that_did_not_keep_its_words_says_so(save_checkpoint):
    with pytest.raises(CheckpointError, match="keeps no token embedding"):
        TextEncoder(save_checkpoint())
    with pytest.raises(CheckpointError, match="is a model without a text tower"):
        TextEncoder(save_checkpoint(kind="baseline"))


def test_tokens_whose_meaning_nobody_tells_are_refused(save_checkpoint, pair):
    folder = save_checkpoint(weights=pair.state_dict(), kind="clip-pair", model=to_json(pair.config))
    with pytest.raises(CheckpointError, match=r"does not tell what its 10 tokens stand for, and CLIP's own are 49408"):
        TextEncoder(folder)


def test_words_are_whole_and_signs_but_the_full_stop_are_passed_over():
    tokenizer = WordTokenizer(WORDS, origin="here")
    assert tokenizer.encode("a RED, half-long jacket.") == [0, 3, 7, 9, 8, 2, 1]


MERGES = [("r", "e"), ("re", "d</w>"), ("a", "b"), ("ab", "ab</w>"), ("a", "b</w>")]


def test_byte_pairs_are_joined_in_the_order_in_which_they_were_learned():
    tokenizer = BytePairTokenizer(MERGES)
    start, end = 512 + len(MERGES), 513 + len(MERGES)
    byte = {letter: ord(letter) - 33 for letter in "abcder"}
    assert tokenizer.encode("Red") == [start, 513, end]
    assert tokenizer.encode("abab") == [start, 515, end]
    assert tokenizer.encode("dc") == [start, byte["d"], 256 + byte["c"], end]
    assert len(tokenizer.encode("ü")) == 4  # two bytes of UTF-8


def write_vocabulary(path, merges=MERGES):
    path.write_bytes(gzip.compress("\n".join(["#version: 0.2", *map(" ".join, merges), "x y"]).encode()))
    return path


def test_the_pairs_of_a_vocabulary_are_read_in_their_order_and_no_more_than_the_model_has(tmp_path):
    path = write_vocabulary(tmp_path / "v.gz")
    assert read_merges(path, tokens=514 + len(MERGES)) == MERGES


def test_a_file_that_is_no_vocabulary_is_refused(tmp_path):
    path = write_vocabulary(tmp_path / "v.gz")
    with pytest.raises(SettingError, match=r"must hold 48894 pairs, as CLIP's vocabulary does; got 6"):
        read_merges(path, tokens=CLIP_VOCABULARY)
    for content in (b"no gzip", path.read_bytes()[:-12]):
        path.write_bytes(content)
        with pytest.raises(SettingError, match=f"{re.escape(str(path))}: cannot be read as CLIP's vocabulary"):
            read_merges(path, tokens=514 + len(MERGES))
    with pytest.raises(SettingError, match=r"nowhere\.gz: cannot be read"):
        read_merges(tmp_path / "nowhere.gz", tokens=CLIP_VOCABULARY)


def test_clip_s_own_vocabulary_gives_the_numbers_that_its_towers_know():
    if (path := in_cache(VOCABULARY)) is None:
        pytest.skip("SKYREID_CACHE names no cache with clip-vocabulary (skyreid weights get clip-vocabulary)")
    tokenizer = BytePairTokenizer(read_merges(path, tokens=CLIP_VOCABULARY))
    words = (START, "a", "photo", "of", "a", "person", ".", END)
    assert tokenizer.encode("a photo of a person.") == [CLIP_TOKENS[word] for word in words]
