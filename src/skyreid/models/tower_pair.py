"""A pretrained CLIP pair: image tower, text tower and token embedding, before any adaptation."""

from collections.abc import Sequence

import torch
from torch import nn

from skyreid.errors import CheckpointError
from skyreid.models.identity_prompt import CLIP_TOKENS, SENTENCES
from skyreid.models.image_tower import AdapterConfig
from skyreid.models.text_tower import TextTower
from skyreid.models.vsla_clip import VideoEncoder, VslaClip, VslaClipConfig

CLIP_VOCABULARY = 49408
"""Tokens of CLIP's byte-pair encoding; the sentences of stage 1 are written in its numbers."""

BARE = AdapterConfig(intra_frame=None, cross_frame=None)


class TowerPair(nn.Module):
    """What stage 1 and stage 2 start from.

    Args:
        config: of the towers.
        vocabulary: rows of the token embedding.
        words: what the rows stand for, when they are whole words; None = CLIP's byte-pair encoding.

    Raises:
        ValueError: `config` has adapters or a platform prompt; a pretrained pair has none.
    """

    def __init__(self, config: VslaClipConfig, *, vocabulary: int, words: Sequence[str] | None = None) -> None:
        super().__init__()
        adapters = config.image.adapters
        if adapters.intra_frame or adapters.cross_frame or config.platform_prompt.depth:
            raise ValueError("a pretrained pair has no adapters and no platform prompt")
        self.config = config
        self.encoder = VideoEncoder(config)
        self.text_tower = TextTower(config.text, embed_dim=config.embed_dim)
        self.token_embedding = nn.Embedding(vocabulary, config.text.width)
        self.token_numbers = CLIP_TOKENS if words is None else {word: row for row, word in enumerate(words)}


def start_from_pair(model: VslaClip, pair: TowerPair) -> None:
    """Copy the pretrained towers and the words of the sentence into a fresh model.

    What the pair does not have (adapters, prompts, heads) keeps its initialisation.

    Raises:
        CheckpointError: the towers differ in size, or the pair has another tokenizer.
    """
    for name in ("width", "layers", "patch_size", "stride", "image_size", "activation"):
        ours, theirs = getattr(model.config.image, name), getattr(pair.config.image, name)
        if ours != theirs:
            raise CheckpointError(f"image tower {name} differs from the pretrained one: {ours} and {theirs}")
    for name in ("text", "embed_dim"):
        ours, theirs = getattr(model.config, name), getattr(pair.config, name)
        if ours != theirs:
            raise CheckpointError(f"{name} differs from the pretrained one: {ours} and {theirs}")
    before, after = SENTENCES[model.config.identity_prompt.sentence]
    vocabulary, numbers = pair.token_embedding.num_embeddings, pair.token_numbers
    if absent := sorted(word for word in {*before, *after} if numbers.get(word, vocabulary) >= vocabulary):
        raise CheckpointError(
            f"the sentence of an identity needs the words {', '.join(absent)}; the pretrained pair's {vocabulary} "
            f"tokens lack them (CLIP's own tokenizer has {CLIP_VOCABULARY})"
        )
    tower = model.encoder.tower
    tower.load_state_dict({**tower.state_dict(), **pair.encoder.tower.state_dict()})
    model.text_tower.load_state_dict(pair.text_tower.state_dict())
    with torch.no_grad():
        for name, sentence_part in (("fixed_before", before), ("fixed_after", after)):
            rows = [numbers[word] for word in sentence_part]
            model.identity_prompt.get_buffer(name).copy_(pair.token_embedding.weight[rows])
