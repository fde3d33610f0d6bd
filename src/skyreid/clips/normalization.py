"""uint8 frames to what the towers eat, on the device that holds them.

Shipping uint8 to the device and normalising there moves a quarter of the bytes.
"""

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from skyreid.feeding import IMAGENET, Normalization


def normalize(
    frames: UInt8[Tensor, "clip frame channel height width"], by: Normalization = IMAGENET
) -> Float[Tensor, "clip frame channel height width"]:
    """Scale RGB to 0–1, subtract the mean, divide by the standard deviation; training always takes ImageNet's."""
    mean, std = (torch.tensor(values, device=frames.device).view(3, 1, 1) for values in (by.mean, by.std))
    return (frames.float() / 255 - mean) / std


def erase(
    frames: Float[Tensor, "clip frame channel height width"],
    erasures: Int[Tensor, "clip frame side"],
    fill: tuple[float, float, float],
) -> Float[Tensor, "clip frame channel height width"]:
    """Fill one rectangle (top, left, height, width) of each normalised frame; height 0 erases nothing."""
    top, left, tall, wide = (side[..., None] for side in erasures.unbind(dim=-1))
    rows = torch.arange(frames.shape[-2], device=frames.device)
    columns = torch.arange(frames.shape[-1], device=frames.device)
    in_rows = (rows >= top) & (rows < top + tall)  # [clip, frame, height]
    in_columns = (columns >= left) & (columns < left + wide)  # [clip, frame, width]
    inside = (in_rows[..., :, None] & in_columns[..., None, :]).unsqueeze(2)
    return torch.where(inside, torch.tensor(fill, device=frames.device).view(3, 1, 1), frames)
