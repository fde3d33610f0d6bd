"""The model that a run starts from, and what training may change in it."""

from pathlib import Path

import torch

from skyreid.checkpoint import build_to_fit, read_checkpoint
from skyreid.config_json import from_json
from skyreid.errors import CheckpointError
from skyreid.models.clip_pair import ClipPair, start_from_pair
from skyreid.models.vsla_clip import VslaClip, VslaClipConfig
from skyreid.training.stage2 import Stage2Config
from skyreid.training.two_stage_config import TwoStageConfig


def build_model(config: TwoStageConfig, *, num_identities: int) -> VslaClip:
    """Make the model that a run starts from: same seed and pretrained weights, same model."""
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        model = VslaClip(config.model, num_identities=num_identities)
    if config.pretrained is not None:
        start_from_pair(model, read_pair(config.pretrained))
    return model


def train_in_stage2(model: VslaClip, config: Stage2Config) -> None:
    """Let gradients flow into what stage 2 trains under `config`, and into nothing else."""
    heads = {"final": model.head_final, "joint": model.head_joint}
    model.train_in_stage2(config.tuned, [heads[name] for name in config.loss.identity_on])


def names_that_change(model: VslaClip, config: TwoStageConfig) -> set[str]:
    """Name the tensors that some stage trains, and the running statistics of the heads."""
    names = {name for name, _ in model.named_buffers()}
    if config.stage2.loss.needs_text:
        model.train_in_stage1()
        names |= {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    train_in_stage2(model, config.stage2)
    return names | {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def read_pair(folder: Path) -> ClipPair:
    """Read a pretrained CLIP pair.

    Raises:
        CheckpointError: no checkpoint, or one of something else.
    """
    checkpoint = read_checkpoint(folder)
    vocabulary = checkpoint.config.get("vocabulary")
    if checkpoint.config.get("kind") != "clip-pair" or not isinstance(vocabulary, int):
        raise CheckpointError(
            f"{folder}: training starts from a pretrained CLIP pair; got {checkpoint.config.get('kind')!r} "
            "(make one by 'skyreid model import openai FILE --out DIR')"
        )
    words = checkpoint.config.get("words")
    known_words = [str(word) for word in words] if isinstance(words, list) else None
    config = from_json(VslaClipConfig, checkpoint.config.get("model"), where=f"{folder}: model")
    return build_to_fit(
        lambda: ClipPair(config, vocabulary=vocabulary, words=known_words), checkpoint.weights, origin=str(folder)
    )
