"""The sentence of every identity, position by position."""

import pytest
import torch

from skyreid.models.identity_prompt import CLIP_TOKENS, SENTENCES, IdentityPrompt, IdentityPromptConfig
from tests.tiny_model import randomized

LAYOUTS = {
    "shared-prompt": "fixed_before[0] P0 P1 P2 S0 S1 R0 R1 R2 fixed_after[0] fixed_after[1]",
    "clip-reid": (
        "fixed_before[0] fixed_before[1] fixed_before[2] fixed_before[3] fixed_before[4] S0 S1 "
        "fixed_after[0] fixed_after[1] fixed_after[2]"
    ),
}
"""P and R are shared, S belongs to the identity."""


def make_prompt(sentence):
    config = IdentityPromptConfig(sentence=sentence, identity_length=2, shared_length=3)
    return randomized(IdentityPrompt(config, num_identities=4, dim=6))


@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_position_of_the_sentence_is_the_one_it_should_be(sentence):
    prompt = make_prompt(sentence)
    labels = [2, 0, 2]
    sentences = prompt(torch.tensor(labels))
    words = LAYOUTS[sentence].split()
    assert sentences.shape == (3, len(words), 6)
    for row, label in enumerate(labels):
        for position, word in enumerate(words):
            if word.startswith("fixed"):
                name, number = word.rstrip("]").split("[")
                expected = prompt.get_buffer(name)[int(number)]
            else:
                part = {"P": prompt.shared_before, "S": prompt.identity[label], "R": prompt.shared_after}[word[0]]
                expected = part[int(word[1])]
            assert torch.equal(sentences[row, position], expected), (row, position)


def test_the_sentences_start_with_the_start_mark_and_end_with_the_end_of_text():
    for before, after in SENTENCES.values():
        assert CLIP_TOKENS[before[0]] == 49406
        assert [CLIP_TOKENS[word] for word in after[-2:]] == [269, 49407]


def test_an_identity_s_tokens_stand_in_its_own_sentence_only():
    prompt = make_prompt("shared-prompt")
    everyone = torch.arange(4)
    before = prompt(everyone).detach()
    with torch.no_grad():
        prompt.identity[1] += 1
    is_different = (prompt(everyone) != before).any(dim=2)
    assert is_different.nonzero().tolist() == [[1, 4], [1, 5]]


def test_the_shared_tokens_stand_in_every_sentence():
    prompt = make_prompt("shared-prompt")
    everyone = torch.arange(4)
    before = prompt(everyone).detach()
    with torch.no_grad():
        prompt.shared_before[0] += 1
        prompt.shared_after[2] += 1
    is_different = (prompt(everyone) != before).any(dim=2)
    assert is_different.nonzero().tolist() == [[label, position] for label in range(4) for position in (1, 8)]


def test_the_fixed_words_are_not_trained():
    names = {name for name, _ in make_prompt("shared-prompt").named_parameters()}
    assert names == {"shared_before", "identity", "shared_after"}


def test_an_unknown_label_is_refused():
    with pytest.raises(IndexError):
        make_prompt("shared-prompt")(torch.tensor([4]))
