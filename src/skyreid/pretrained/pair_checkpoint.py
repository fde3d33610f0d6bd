"""A pretrained CLIP pair from its checkpoint folder, and its image tower into TF-CLIP.

`skyreid model import` writes such a folder from other people's weights.
"""

from pathlib import Path

from skyreid.baselines.tf_clip import TfClip
from skyreid.checkpoint import build_to_fit, load_strictly, read_checkpoint
from skyreid.errors import CheckpointError, SettingError
from skyreid.files.config_json import from_json
from skyreid.models.tower_pair import TowerPair
from skyreid.models.vsla_clip import VslaClipConfig
from skyreid.pretrained.assembling import resize_position_table

TINY_TOWERS = Path(__file__).with_name("tiny_towers_weights")
"""A checkpoint folder, made by `skyreid model pretrain`. It knows simulated people only."""


def read_pair(folder: Path) -> TowerPair:
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
        lambda: TowerPair(config, vocabulary=vocabulary, words=known_words), checkpoint.weights, origin=str(folder)
    )


def load_clip_tower(model: TfClip, pair: TowerPair) -> None:
    """Give TF-CLIP's image tower its pretrained weights, in place; the position table is resized to its frames.

    Raises:
        SettingError: the towers differ in more than the size of their frames.
    """
    sizes = {
        name: (getattr(model.config.image, name), getattr(pair.config.image, name))
        for name in ("width", "layers", "patch_size", "stride", "activation")
    }
    sizes["embed_dim"] = (model.config.joint_dim, pair.config.embed_dim)
    for name, (ours, theirs) in sizes.items():
        if ours != theirs:
            raise SettingError(f"image tower {name} differs from the pretrained one: {ours} and {theirs}")
    weights = pair.encoder.tower.state_dict()
    weights["position_table"] = resize_position_table(
        weights["position_table"], grid=pair.config.image.grid, target=model.config.image.grid
    )
    load_strictly(model.tower, weights, origin="the pretrained pair")
