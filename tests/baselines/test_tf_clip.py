"""TF-CLIP around a small image tower, and what its parts may mix; its numbers: tests/reference/baselines."""

import copy
import re

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from skyreid.baselines.tf_clip import MemoryDiffusion, SequencePrompt, TfClip, TfClipConfig, build_tf_clip
from skyreid.errors import SettingError
from skyreid.extraction.embed_tracklets import Encoder
from skyreid.losses import TripletConfig, batch_hard_triplet
from skyreid.models.platform_prompt import UNKNOWN_PLATFORM
from tests.tiny_model import IMAGE_SIZE, NO_ADAPTERS, drawn, randomized, tiny_image_config

WIDTH, JOINT, NUM_CLASSES, FRAMES = 128, 64, 3, 2
LABELS = torch.tensor([0, 0, 2, 2])
PLATFORMS = torch.tensor([0, 1, 0, 1])
FEATURES = ("final", "joint", "temporal")
UNUSED_PROMPT = [f"prompt.unused.{name}" for name in ("alpha", "norm.weight", "norm.bias")]
UNUSED = "unused.classifier.weight"
"""Parameters that the release builds and nothing reads."""
DIM = 64


@pytest.fixture
def model():
    config = TfClipConfig(num_classes=NUM_CLASSES, image=tiny_image_config(adapters=NO_ADAPTERS), joint_dim=JOINT)
    model = randomized(TfClip(config))
    model.memory.copy_(drawn(NUM_CLASSES, JOINT, seed=9))
    return model


@pytest.fixture(scope="module")
def clips():
    return drawn(4, FRAMES, 3, *IMAGE_SIZE)


@torch.no_grad()
def test_the_embedding_is_the_two_features_of_clip_and_the_temporal_one(model, clips):
    model, clips = copy.deepcopy(model).double(), clips.double()
    outputs = model(clips, PLATFORMS)
    final, joint, temporal = outputs["embedding"].split([WIDTH, JOINT, WIDTH], dim=1)
    tokens = model.tower.tokens(clips, model.platform.vectors[PLATFORMS])
    assert isinstance(model, Encoder)
    assert_close(final, tokens[:, :, 0].mean(dim=1))
    assert_close(joint, (tokens[:, :, 0] @ model.tower.projection).mean(dim=1))
    assert_close(temporal, model.diffusion(tokens).mean(dim=(1, 2)))


@torch.no_grad()
def test_a_clip_has_the_same_embedding_in_any_batch(model, clips):
    together = model.embed(clips, PLATFORMS)
    assert together.shape == (4, model.embed_dim)
    assert_close(together[1:2], model.embed(clips[1:2], PLATFORMS[1:2]), rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("batch", [1, 3, 4])
def test_it_remembers_the_mean_of_each_person_s_clips_without_their_platforms(model, clips, batch):
    labels = torch.tensor([2, 0, 2, 1])
    seen = [(clips[i : i + batch], PLATFORMS[i : i + batch], labels[i : i + batch]) for i in range(0, 4, batch)]
    model.look_at(iter(seen))
    joint = model.tower(clips).joint
    assert_close(model.memory, torch.stack([joint[1], joint[3], (joint[0] + joint[2]) / 2]), rtol=1e-4, atol=1e-5)


def test_a_person_without_a_clip_cannot_be_remembered(model, clips):
    before = model.memory.clone()
    message = "tf-clip: every training identity needs a clip to be remembered by; none of [1]"
    with pytest.raises(SettingError, match=f"^{re.escape(message)}$"):
        model.look_at([(clips, PLATFORMS, LABELS)])
    assert torch.equal(model.memory, before)


def in_training(model):
    """Without dropout, so that it can be repeated."""
    model.train()
    model.prompt.eval()
    return model


def test_clips_are_matched_with_the_memories_made_to_fit_them(model, clips):
    outputs = in_training(model)(clips, PLATFORMS)
    tokens = model.tower.tokens(clips, model.platform.vectors[PLATFORMS])
    projected = (tokens @ model.tower.projection).mean(dim=1)
    for clip in range(4):
        fitting = model.memory + model.prompt(model.memory[None], projected[clip][None])[0]
        for identity in range(NUM_CLASSES):
            expected = outputs["joint"][clip] @ fitting[identity]
            assert_close(outputs["memory_logits"][clip, identity], expected, rtol=1e-4, atol=1e-4)


def test_frames_and_clips_share_the_temporal_classifier(model, clips):
    outputs = in_training(model)(clips, PLATFORMS)
    of_frames = model.diffusion(model.tower.tokens(clips, model.platform(PLATFORMS, clips=len(clips)))).mean(dim=2)
    weight = model.classifiers["temporal"].weight
    for name, neck, features in (
        ("temporal_logits", model.necks["temporal"], of_frames.mean(dim=1)),
        ("frame_logits", model.frame_neck, of_frames.flatten(0, 1)),
    ):
        normed = functional.batch_norm(features, None, None, neck.weight, neck.bias, training=True)
        assert_close(outputs[name].flatten(0, -2), normed @ weight.T, rtol=1e-3, atol=1e-3)


def test_all_terms_are_what_they_are_called(model):
    outputs = {name: drawn(4, 5, seed=seed) for seed, name in enumerate(FEATURES, start=1)}
    outputs |= {
        f"{name}_logits": drawn(4, NUM_CLASSES, seed=seed) for seed, name in enumerate((*FEATURES, "memory"), 4)
    }
    outputs["frame_logits"] = drawn(4, FRAMES, NUM_CLASSES, seed=8)
    losses = model.losses(outputs, LABELS)

    def smoothed(logits, label):
        target = torch.full((NUM_CLASSES,), 0.1 / NUM_CLASSES)
        target[label] += 0.9
        return -(target * logits.log_softmax(dim=0)).sum()

    def mean(logits):
        return sum(smoothed(row, label) for row, label in zip(logits, LABELS, strict=True)) / 4

    triplet = TripletConfig(margin=0.3, form="hinge", distance="euclidean")
    expected = {
        "identity": 0.25 * sum(mean(outputs[f"{name}_logits"]) for name in FEATURES),
        "triplet": sum(batch_hard_triplet(outputs[name], LABELS, triplet) for name in FEATURES),
        "memory": mean(outputs["memory_logits"]),
        "frame_identity": sum(mean(frame) for frame in outputs["frame_logits"].unbind(1)) / FRAMES / FRAMES,
    }
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        assert_close(losses[name], value, msg=lambda text, name=name: f"{name}: {text}")


def test_training_teaches_every_parameter_but_the_biases_of_the_necks_and_the_unused_ones(model, clips):
    losses = model.losses(in_training(model)(clips, PLATFORMS), LABELS)
    torch.stack([*losses.values()]).sum().backward()
    untaught = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert all(loss.isfinite() for loss in losses.values())
    assert untaught == [*UNUSED_PROMPT, "frame_neck.bias", *(f"necks.{name}.bias" for name in FEATURES), UNUSED]


def test_the_temporal_feature_teaches_the_image_tower_nothing(model, clips):
    outputs = in_training(model)(clips, PLATFORMS)
    (outputs["temporal"].sum() + outputs["frame_logits"].sum()).backward()
    taught = {name.split(".")[0] for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert taught == {"diffusion", "frame_neck", "classifiers"}


@pytest.mark.parametrize("num_classes", [625, 842, 930])
def test_the_parameters_are_those_of_clip_of_the_modules_and_of_the_heads(num_classes):
    with torch.device("meta"):
        model = build_tf_clip(num_classes=num_classes, frames=8)
    heads = 2816 * num_classes
    necks, platforms = 2 * (768 + 512 + 768 + 768), 2 * 768
    clip, modules = 86_140_416, 10_042_368 + 9_195_520
    assert sum(p.numel() for p in model.parameters()) == clip + modules + heads + necks + platforms
    without = sum(p.numel() for name, p in model.named_parameters() if not name.startswith(model.training_only))
    assert without == clip + 10_042_368 + platforms


def test_the_clean_preset_lacks_what_nothing_reads_and_nothing_else():
    with torch.device("meta"):
        release, clean = (build_tf_clip(num_classes=2, frames=8, preset=preset) for preset in ("release", "clean"))
    assert clean.state_dict().keys() < release.state_dict().keys()
    assert release.state_dict().keys() - clean.state_dict().keys() == {*UNUSED_PROMPT, UNUSED}


def test_imagenet_weights_are_refused(model):
    message = (
        "tf-clip starts from a pretrained CLIP pair, not from ImageNet weights "
        "(make one by 'skyreid model import openai FILE --out DIR')"
    )
    with pytest.raises(SettingError, match=f"^{re.escape(message)}$"):
        model.published_names()


def test_clips_of_another_size_are_refused(model, clips):
    with pytest.raises(SettingError, match=r"^tf-clip: this model was built for clips of 2 frames of 24 x 16"):
        model(clips[..., :8], PLATFORMS)


@torch.no_grad()
def test_clips_alone_are_those_of_a_platform_that_nobody_knows(model, clips):
    unknown = torch.full((clips.shape[0],), UNKNOWN_PLATFORM)
    assert_close(model.eval()(clips)["embedding"], model.embed(clips, unknown))


@pytest.fixture(scope="module")
def diffusion():
    return randomized(MemoryDiffusion(DIM, heads=2)).double()


@pytest.fixture(scope="module")
def prompt():
    return randomized(SequencePrompt(DIM)).double()


@torch.no_grad()
def test_frames_hear_their_own_clip_only(diffusion):
    tokens = drawn(3, 2, 5, DIM).double()
    out = diffusion(tokens)
    assert out.shape == (3, 2, 6, DIM)
    assert_close(out[1:2], diffusion(tokens[1:2]))
    changed = tokens.clone()
    changed[1, 0] += 1
    heard = (diffusion(changed) - out).abs().amax(dim=(2, 3)) > 1e-6
    assert heard.tolist() == [[False, False], [True, True], [False, False]]


@torch.no_grad()
def test_the_order_of_frames_moves_with_them(diffusion):
    tokens = drawn(2, 4, 5, DIM).double()
    order = [2, 0, 3, 1]
    assert_close(diffusion(tokens[:, order]), diffusion(tokens)[:, order])


@torch.no_grad()
def test_a_prompt_is_made_for_one_clip_and_moves_with_its_identity(prompt):
    memories, tokens = drawn(2, 4, DIM).double(), drawn(2, 5, DIM, seed=2).double()
    made = prompt(memories, tokens)
    order = [3, 1, 0, 2]
    assert_close(made[1:], prompt(memories[1:], tokens[1:]))
    assert_close(prompt(memories[:, order], tokens), made[:, order])
    assert_close(prompt(memories, tokens.flip(1)), made)


def test_the_prompt_drops_out_in_training_only(prompt):
    memories, tokens = drawn(1, 4, DIM).double(), drawn(1, 5, DIM, seed=2).double()
    assert torch.equal(prompt(memories, tokens), prompt(memories, tokens))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        prompt.train()
        assert not torch.allclose(prompt(memories, tokens), prompt(memories, tokens))
    prompt.eval()
