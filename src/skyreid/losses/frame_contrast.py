"""InfoNCE between the frames of one identity: frames that stand at the same place in their clips should agree.

Source: S. Bai et al., Salient-to-Broad Transition for Video Person Re-identification (SINet), CVPR 2022;
each frame of a clip is to show something else of the person.
"""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from skyreid.errors import SettingError
from skyreid.losses.negatives_contrast import negatives_contrast


def frame_contrast(
    projections: Float[Tensor, "clip frame dim"], *, clips_per_identity: int, temperature: float = 0.07
) -> Float[Tensor, ""]:
    """Sum over identities of their mean contrast; negatives are the identity's own frames at other places.

    Args:
        projections: clips in blocks of `clips_per_identity` that show one identity each; not normalised.
        clips_per_identity: two or more.
        temperature: the cosine is divided by it.

    Raises:
        SettingError: the clips are no whole number of blocks.
    """
    clips, frames = projections.shape[:2]
    if clips_per_identity < 2 or clips % clips_per_identity:
        raise SettingError(
            "frames are contrasted between the clips of an identity, so a batch holds 2 or more of each; "
            f"got {clips} clips in blocks of {clips_per_identity}"
        )
    grouped = rearrange(projections, "(identity clip) frame dim -> identity (clip frame) dim", clip=clips_per_identity)
    normed = functional.normalize(grouped, dim=-1)
    number = torch.arange(clips_per_identity * frames, device=projections.device)
    clip, place = number // frames, number % frames
    same_place, same_clip = place[:, None] == place[None, :], clip[:, None] == clip[None, :]
    return negatives_contrast(normed @ normed.mT / temperature, same_place & ~same_clip, ~same_place).sum()
