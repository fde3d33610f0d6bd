"""A pretrained CLIP pair's image tower into TF-CLIP, which has no use for the rest of the pair."""

from skyreid.baselines.tf_clip import TfClip
from skyreid.checkpoint import load_strictly
from skyreid.errors import SettingError
from skyreid.models.clip_pair import ClipPair
from skyreid.pretrained.position_table import resize_position_table


def load_clip_tower(model: TfClip, pair: ClipPair) -> None:
    """Give the image tower its pretrained weights, in place; the position table is resized to the model's frames.

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
