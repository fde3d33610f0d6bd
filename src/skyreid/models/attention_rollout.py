"""Attention roll-out: which patches of each frame the class token rests on.

Every block mixes a token half with itself, by the residual, and half with what it looks at; the product of these
mixtures over all blocks says how much of each patch has reached the class token. What a token takes from the
platform prompt or, through the cross-frame adapter, from other frames is not followed.

Source: Abnar and Zuidema, Quantifying Attention Flow in Transformers, ACL 2020, section 3.
"""

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from skyreid.models.transformer import SelfAttention
from skyreid.models.vsla_clip import VideoEncoder


@torch.no_grad()
def attention_rollout(
    encoder: VideoEncoder,
    frames: Float[Tensor, "clip frame channel height width"],
    platforms: Int[Tensor, " clip"],
) -> Float[Tensor, "clip frame row column"]:
    """Give every patch its share in the class token; the shares of a frame's patches sum to 1.

    Args:
        encoder: in evaluation mode.
        frames: normalised, on the encoder's device.
        platforms: platform number of each clip.
    """
    looked: list[Float[Tensor, "flat token source"]] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, Tensor]) -> None:
        assert isinstance(module, SelfAttention)
        looked.append(module.weights(*inputs))

    hooks = [block.attention.register_forward_pre_hook(keep) for block in encoder.tower.blocks]  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
    try:
        encoder(frames, platforms)
    finally:
        for hook in hooks:
            hook.remove()
    rows, columns = encoder.tower.grid
    tokens = 1 + rows * columns
    reached = _mixture(looked.pop(), tokens)[:, :1]
    while looked:
        reached = reached @ _mixture(looked.pop(), tokens)
    patches = reached[:, 0, 1:]
    shares = patches / patches.sum(dim=1, keepdim=True)
    return rearrange(shares, "(clip frame) (row column) -> clip frame row column", clip=len(frames), row=rows)


def _mixture(weights: Float[Tensor, "flat token source"], tokens: int) -> Float[Tensor, "flat token whole"]:
    """Half what a token looks at among the frame's own tokens, half the token itself."""
    own = weights[:, :, :tokens]  # behind them stands the platform prompt
    own = own / own.sum(dim=-1, keepdim=True)
    itself = torch.eye(tokens, device=own.device, dtype=own.dtype)[: own.shape[1]]
    return 0.5 * own + 0.5 * itself
