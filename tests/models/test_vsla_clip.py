"""The whole model: what each stage trains, what an embedding is made of, what it never touches."""

import re

import pytest
import torch
from torch.testing import assert_close

from skyreid.extraction.embed_tracklets import Encoder
from skyreid.models.identity_prompt import IdentityPromptConfig
from skyreid.models.image_tower import ImageTowerConfig
from skyreid.models.platform_prompt import PlatformPromptConfig
from skyreid.models.text_tower import TextTowerConfig
from skyreid.models.vsla_clip import IdentityHead, VslaClipConfig
from tests.tiny_model import IMAGE_SIZE, NO_ADAPTERS, drawn, randomized, tiny_config, tiny_model

SENTENCE = {"identity_prompt.identity", "identity_prompt.shared_before", "identity_prompt.shared_after"}
PROMPT = {"encoder.platform_prompt.prompts"}
FINAL = {"head_final.norm.weight", "head_final.classifier.weight"}
JOINT = {"head_joint.norm.weight", "head_joint.classifier.weight"}
PLATFORMS = torch.tensor([0, 1, 0])


def frames(seed=1):
    return drawn(3, 4, 3, *IMAGE_SIZE, seed=seed)


def names(model, pattern):
    found = {name for name, _ in model.named_parameters() if re.match(pattern, name)}
    assert found
    return found


def trainable(model):
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def with_gradient(model):
    return {name for name, parameter in model.named_parameters() if parameter.grad is not None}


def learn_from_images(model, heads):
    """Something that depends on all that the loss of stage 2 can depend on."""
    features = model.encoder(frames(), PLATFORMS)
    logits = [model.heads[name](getattr(features, name)) for name in heads]
    text = features.joint @ model.text_features(torch.arange(model.num_identities)).T
    torch.stack([part.square().sum() for part in (*features, *logits, text)]).sum().backward()


def test_stage_1_trains_the_sentences_and_nothing_else():
    model = tiny_model()
    model.train_in_stage1()
    assert trainable(model) == SENTENCE
    (frames().mean() * model.text_features(torch.arange(5)).square().sum()).backward()
    assert with_gradient(model) == SENTENCE


def test_stage_2_trains_adapters_platform_prompt_and_the_heads_it_is_given():
    model = tiny_model()
    adapters = names(model, r"encoder\.tower\.blocks\.\d+\.(intra|cross)_frame\.")
    assert len(adapters) == 3 * (4 + 10)
    for heads, theirs in (
        (("final", "joint"), FINAL | JOINT),
        (("final",), FINAL),
        (("joint",), JOINT),
        ((), set()),
    ):
        model.train_in_stage2("adapters", heads)
        assert trainable(model) == adapters | PROMPT | theirs
        model.zero_grad()
        learn_from_images(model, heads)
        assert with_gradient(model) == adapters | PROMPT | theirs


def test_ft_clip_trains_the_whole_image_tower():
    model = tiny_model(tiny_config(adapters=NO_ADAPTERS, prompt_depth=0))
    tower = names(model, r"encoder\.tower\.")
    model.train_in_stage2("image-tower", ("final", "joint"))
    assert trainable(model) == tower | FINAL | JOINT
    learn_from_images(model, ("final", "joint"))
    assert with_gradient(model) == tower | FINAL | JOINT


def test_each_stage_takes_back_what_the_other_trained():
    model = tiny_model()
    model.train_in_stage2("image-tower", ("final",))
    model.train_in_stage1()
    assert trainable(model) == SENTENCE


@torch.no_grad()
def test_an_embedding_is_the_final_feature_beside_the_joint_one():
    encoder = tiny_model().encoder
    features = encoder(frames(), PLATFORMS)
    embeddings = encoder.embed(frames(), PLATFORMS)
    assert embeddings.shape == (3, encoder.embed_dim) == (3, 128 + 32)
    assert torch.equal(embeddings[:, :128], features.final)
    assert torch.equal(embeddings[:, 128:], features.joint)


@torch.no_grad()
def test_the_platform_changes_the_embedding_where_there_is_a_prompt():
    with_prompt, without = tiny_model().encoder, tiny_model(tiny_config(prompt_depth=0)).encoder
    assert without.platform_prompt is None
    assert torch.equal(without.embed(frames(), PLATFORMS), without.embed(frames(), 1 - PLATFORMS))
    assert not torch.allclose(
        with_prompt.embed(frames(), PLATFORMS), with_prompt.embed(frames(), 1 - PLATFORMS), atol=1e-3
    )


@torch.no_grad()
def test_stage_1_reads_the_bare_tower():
    adapted = tiny_model()
    bare = tiny_model(tiny_config(adapters=NO_ADAPTERS, prompt_depth=0))
    tower = adapted.encoder.tower.state_dict()
    bare.encoder.tower.load_state_dict({name: tensor for name, tensor in tower.items() if "_frame" not in name})
    expected = bare.encoder(frames(), PLATFORMS).joint
    assert_close(adapted.encoder.bare_features(frames()), expected, rtol=0, atol=0)


@torch.no_grad()
def test_training_mode_changes_no_embedding():
    model = tiny_model()
    before = model.encoder.embed(frames(), PLATFORMS)
    assert torch.equal(model.train().encoder.embed(frames(), PLATFORMS), before)


def test_the_encoder_offers_what_extraction_asks_for():
    encoder = tiny_model().encoder
    assert isinstance(encoder, Encoder)
    assert (encoder.image_size, encoder.embed_dim) == (IMAGE_SIZE, 160)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"image": ImageTowerConfig(layers=4), "platform_prompt": PlatformPromptConfig(depth=5)},
            "a platform prompt must not be deeper than the image tower; got depth=5, layers=4",
        ),
        (
            {"identity_prompt": IdentityPromptConfig(identity_length=60)},
            "the sentence of an identity must fit the text tower's context; got 79 tokens, context_length=77",
        ),
        (
            {
                "identity_prompt": IdentityPromptConfig(sentence="clip-reid", identity_length=4),
                "text": TextTowerConfig(context_length=11),
            },
            "the sentence of an identity must fit the text tower's context; got 12 tokens, context_length=11",
        ),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(parts, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        VslaClipConfig(**parts)


def normalise(norm, features, mean, variance):
    return (features - mean) / (variance + 1e-5).sqrt() * norm.weight + norm.bias


@torch.no_grad()
def test_in_training_it_normalises_by_the_batch_and_remembers_it():
    head, features = randomized(IdentityHead(6, num_identities=5)).train(), drawn(8, 6)
    mean = features.mean(0)
    squares = (features - mean).square().sum(0)
    expected = normalise(head.norm, features, mean, squares / 8) @ head.classifier.weight.T
    assert_close(head(features), expected)
    assert_close(head.norm.running_mean, 0.1 * mean)
    assert_close(head.norm.running_var, 0.9 + 0.1 * squares / 7)


@torch.no_grad()
def test_outside_of_training_a_clip_s_logits_do_not_depend_on_its_batch():
    head, features = randomized(IdentityHead(6, num_identities=5)), drawn(8, 6)
    head.norm.running_mean.copy_(drawn(6, seed=2))
    head.norm.running_var.copy_(drawn(6, seed=3).exp())
    expected = normalise(head.norm, features, head.norm.running_mean, head.norm.running_var) @ head.classifier.weight.T
    assert_close(head(features), expected)
    assert_close(torch.cat([head(one[None]) for one in features]), expected)


def test_it_starts_as_in_the_release():
    head = IdentityHead(200, num_identities=300)
    assert (head.norm.weight == 1).all()
    assert not head.norm.bias.any()
    assert head.classifier.bias is None
    assert 0.0009 < head.classifier.weight.std() < 0.0011
