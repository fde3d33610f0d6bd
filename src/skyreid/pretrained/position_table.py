"""Position tables for another grid of patches than the one they were trained on."""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, cat
from torch.nn import functional


def resize_position_table(
    table: Float[Tensor, "position dim"], *, grid: tuple[int, int], target: tuple[int, int]
) -> Float[Tensor, "resized dim"]:
    """Resize the grid of a table bilinearly; row 0, the class token's, stays.

    Args:
        table: row 0, then the grid row by row.
        grid: (rows, columns) of `table`.
        target: (rows, columns) wanted.

    Source: METHOD section 10 (align_corners False, no antialias).
    """
    patches = rearrange(table[1:], "(row column) dim -> 1 dim row column", row=grid[0], column=grid[1])
    resized = functional.interpolate(patches, size=target, mode="bilinear", align_corners=False)
    return cat([table[:1], rearrange(resized, "1 dim row column -> (row column) dim")])
