"""The refusal of methods whose parts are built for clips of one size."""

from jaxtyping import Float
from torch import Tensor

from skyreid.errors import SettingError


def refuse_other_clips(
    method: str,
    clips: Float[Tensor, "clip frame channel height width"],
    *,
    frames: int,
    image_size: tuple[int, int],
) -> None:
    """Refuse clips that a method was not built for, before they fail deep inside it or, worse, do not.

    Raises:
        SettingError: other than `frames` frames of `image_size`.
    """
    _, num_frames, _, height, width = clips.shape
    if (num_frames, (height, width)) != (frames, image_size):
        raise SettingError(
            f"{method}: this model was built for clips of {frames} frames of {image_size[0]} x {image_size[1]}; "
            f"got {num_frames} of {height} x {width}"
        )
