"""The weights, the clips and the directions that the stored outputs were computed with.

Everything is a function of a name and a shape, so that nothing large is stored: numpy's legacy
generator (a frozen stream), seeded with the CRC-32 of the name, draws standard normal numbers in
float64 and C order; weights are rounded to float32 before they are used in float64.
"""

import math
import zlib

import numpy as np


def drawn_weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Draw a tensor by its stored name; float32, or int64 zeros for a counter."""
    last = name.rsplit(".", 1)[-1]
    if last == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    normal = _generator(name).standard_normal(shape)
    if last == "running_mean":
        values = 0.1 * normal
    elif last == "running_var":
        values = 1 + 0.2 * np.abs(normal)
    elif last == "weight" and len(shape) == 1:
        values = 1 + 0.1 * normal
    elif "bias" in last:
        values = 0.05 * normal
    elif "weight" in last and len(shape) >= 2:
        values = normal / math.sqrt(float(np.prod(shape[1:])))
    else:
        values = 0.1 * normal
    return np.asarray(values, np.float32)


def drawn_clips(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Noise on a pattern of 8 x 4 blocks; the last two axes are height and width."""
    generator = np.random.RandomState(seed)
    noise = generator.standard_normal(shape)
    blocks = generator.standard_normal((*shape[:-2], 8, 4))
    pattern = blocks.repeat(shape[-2] // 8, axis=-2).repeat(shape[-1] // 4, axis=-1)
    return (0.5 * noise + pattern).astype(np.float32)


def direction(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The direction that a tensor is projected on when it is too large to be stored."""
    return np.asarray(_generator(f"probe:{name}").standard_normal(shape))


def _generator(name: str) -> np.random.RandomState:
    return np.random.RandomState(zlib.crc32(name.encode()) & 0xFFFFFFFF)
