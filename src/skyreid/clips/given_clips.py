"""Clips as callers have them, turned into frames of one layout and size.

    a crop       a Pillow image, the path of a picture, or uint8 RGB in NumPy or torch: [3, height, width] or
                 [height, width, 3]. Crops need not have one size.
    a clip       a list of crops of one person in time order, or an array of four axes, a frame on the first
    clips        a list of clips, or an array of five axes, a clip on the first

A single clip stands for a list of one. The axis of the colours is the one that has the length 3; where an image has
two such axes next to its sides, nobody can tell, and it is refused. Colours are red, green, blue: what OpenCV read has
to be turned around (`image[:, :, ::-1]`), which no shape tells.
"""

from collections.abc import Sequence
from os import PathLike
from typing import TypeAlias

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor

from skyreid.arguments import kind_of
from skyreid.clips.frame_reading import read_frame, resize
from skyreid.errors import SettingError
from skyreid.tracklet import Frame

Crop: TypeAlias = Image.Image | str | PathLike[str] | UInt8[np.ndarray, "..."] | UInt8[Tensor, "..."]
Clips: TypeAlias = Crop | Sequence[Crop] | Sequence[Sequence[Crop]]

TAKEN = (
    "clips are uint8 RGB of the shape [clip, frame, 3, height, width] or [clip, frame, height, width, 3], or lists of "
    "crops: Pillow images, paths of pictures, uint8 RGB arrays"
)
_CLIP_AXES, _CROP_AXES = 4, 3


def clips_of(given: Clips, image_size: tuple[int, int]) -> list[UInt8[np.ndarray, "frame height width 3"]]:
    """Turn what a caller has into clips of frames, resized (bicubic) where they have another size.

    Args:
        given: as above.
        image_size: (height, width) of the frames that the model eats.

    Raises:
        SettingError: it is something else, or there is nothing in it; the message says what is taken.
        MissingFrameError: a path is no picture.
    """
    if isinstance(given, Image.Image | str | PathLike):
        raise SettingError(f"{TAKEN}; got a single one: put it into a list")
    if isinstance(given, np.ndarray | Tensor):
        array = _pixels(given)
        if array.ndim not in (_CLIP_AXES, _CLIP_AXES + 1):
            raise SettingError(f"{TAKEN}; got the shape {list(array.shape)}")
        if not len(array):
            raise SettingError(f"{TAKEN}; got no clip, the shape {list(array.shape)}")
        return [_frames(clip, image_size) for clip in (array if array.ndim > _CLIP_AXES else array[None])]
    if not isinstance(given, Sequence):
        raise SettingError(f"{TAKEN}; got {kind_of(given)}")
    if not given:
        raise SettingError(f"{TAKEN}; got an empty list")
    are_crops = {_is_crop(item) for item in given}
    if are_crops == {True}:
        return [_frames(given, image_size)]
    if are_crops == {False}:
        return [_frames(clip, image_size) for clip in given]
    raise SettingError(f"{TAKEN}; got a list that mixes crops and clips")


def _is_crop(item: object) -> bool:
    if isinstance(item, np.ndarray | Tensor):
        return item.ndim <= _CROP_AXES
    return isinstance(item, Image.Image | str | PathLike)


def _frames(clip: object, image_size: tuple[int, int]) -> UInt8[np.ndarray, "frame height width 3"]:
    """Turn one clip into its frames."""
    if isinstance(clip, np.ndarray | Tensor):
        clip = _pixels(clip)
    elif not isinstance(clip, Sequence):
        raise SettingError(f"{TAKEN}; got {kind_of(clip)} in a list")
    if not len(clip):
        raise SettingError(f"{TAKEN}; got a clip without a frame")
    return np.stack([resize(_image(crop), image_size) for crop in clip])


def _image(crop: object) -> UInt8[np.ndarray, "height width 3"]:
    if isinstance(crop, str | PathLike):
        return read_frame(Frame(path=str(crop)))
    if isinstance(crop, Image.Image):
        return _pillow_image(crop)
    if not isinstance(crop, np.ndarray | Tensor):
        raise SettingError(f"{TAKEN}; got {kind_of(crop)} for a crop")
    pixels = _pixels(crop)
    if pixels.ndim != _CROP_AXES or 0 in pixels.shape:
        raise SettingError(f"a crop is [3, height, width] or [height, width, 3], no side 0; got {list(pixels.shape)}")
    is_first, is_last = pixels.shape[0] == 3, pixels.shape[2] == 3
    if is_first == is_last:
        which = "two axes of a crop have" if is_first else "no axis of a crop has"
        raise SettingError(
            f"a crop is [3, height, width] or [height, width, 3]; {which} the length 3: {list(pixels.shape)} "
            "(Pillow turns grey and transparent pictures into such: image.convert('RGB'))"
        )
    return np.ascontiguousarray(pixels.transpose(1, 2, 0) if is_first else pixels)


def _pillow_image(image: Image.Image) -> UInt8[np.ndarray, "height width 3"]:
    """As the same picture would be read from its file: upright, and without transparency."""
    if image.mode.startswith(("I", "F")):
        raise SettingError(
            f"a Pillow image has 8 bits a colour; got one of the mode {image.mode} (give the path of its file, or "
            "scale its numbers to 0 to 255)"
        )
    return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def _pixels(given: np.ndarray | Tensor) -> UInt8[np.ndarray, "..."]:
    array = given.detach().cpu().numpy() if isinstance(given, Tensor) else given
    if array.dtype == np.uint8:
        return array
    found = f"{array.dtype}"
    if array.dtype.kind not in "iuf" or array.size == 0:
        raise SettingError(f"pixels are uint8, 0 to 255; got {found}")
    low, high = float(array.min()), float(array.max())
    remedy = "give the pictures as they were read, before any normalisation"
    if low >= 0 and high <= 255:
        is_share = array.dtype.kind == "f" and high <= 1
        remedy = "(frames * 255).round().astype('uint8')" if is_share else "frames.round().astype('uint8')"
    raise SettingError(f"pixels are uint8, 0 to 255; got {found} from {low:g} to {high:g} ({remedy})")
