"""Every slot of a memory should be asked for by some features and left alone by others.

Source: C. Eom et al., Video-based Person Re-identification with Spatial and Temporal Memory Networks
(STMN), ICCV 2021.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def memory_spread(attention: Float[Tensor, "row slot"], *, margin: float = 0.3) -> Float[Tensor, ""]:
    """Mean over slots of how much the strongest and the weakest attention fall short of being `margin` apart."""
    return functional.relu(attention.amin(dim=0) - attention.amax(dim=0) + margin).mean()
