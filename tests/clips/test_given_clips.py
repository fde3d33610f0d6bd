"""What callers hold as clips: Pillow images, paths, arrays of either layout, lists of crops of any size (kind C2)."""

import re

import numpy as np
import pytest
import torch
from PIL import Image

from skyreid.clips.frame_reading import resize
from skyreid.clips.given_clips import TAKEN, clips_of
from skyreid.errors import MissingFrameError, SettingError

SIZE = (24, 16)


def crop(seed=0, size=SIZE):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def crops(count=4, size=SIZE):
    return [crop(seed, size) for seed in range(count)]


def first(pixels):
    """With the colours on the first axis of an image."""
    return np.moveaxis(pixels, -1, -3)


def as_pillow(pixels):
    return Image.fromarray(pixels)


LAYOUTS = {
    "colours last": lambda clips: np.stack([np.stack(clip) for clip in clips]),
    "colours first": lambda clips: first(np.stack([np.stack(clip) for clip in clips])),
    "torch, colours last": lambda clips: torch.from_numpy(np.stack([np.stack(clip) for clip in clips])),
    "torch, colours first": lambda clips: torch.from_numpy(first(np.stack([np.stack(clip) for clip in clips])).copy()),
    "a mirrored view of a mirrored copy": lambda clips: np.stack([np.stack(clip) for clip in clips])[
        :, :, :, ::-1
    ].copy()[:, :, :, ::-1],
    "lists of Pillow images": lambda clips: [[as_pillow(one) for one in clip] for clip in clips],
    "lists of arrays": lambda clips: [list(clip) for clip in clips],
    "lists of arrays, colours first": lambda clips: [[first(one) for one in clip] for clip in clips],
    "lists of tensors": lambda clips: [[torch.from_numpy(one) for one in clip] for clip in clips],
    "a list of arrays of four axes": lambda clips: [np.stack(clip) for clip in clips],
    "tuples, kinds mixed": lambda clips: tuple((as_pillow(clip[0]), *map(first, clip[1:])) for clip in clips),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_clips_of_every_layout_are_the_same_frames(layout):
    clips = [crops(), crops()[::-1]]
    found = clips_of(LAYOUTS[layout](clips), SIZE)
    assert [clip.tolist() for clip in found] == [np.stack(clip).tolist() for clip in clips]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_clip_stands_for_a_list_of_one(layout):
    given = LAYOUTS[layout]([crops()])[0]
    found = clips_of(given, SIZE)
    assert [clip.tolist() for clip in found] == [np.stack(crops()).tolist()]


def test_pictures_are_given_by_their_paths(tmp_path):
    paths = []
    for number, pixels in enumerate(crops()):
        paths.append(tmp_path / f"{number}.png")
        as_pillow(pixels).save(paths[-1])
    for given in (paths, [str(path) for path in paths]):
        assert clips_of(given, SIZE)[0].tolist() == np.stack(crops()).tolist()


def test_crops_of_different_sizes_are_each_resized():
    sizes = [(40, 20), (24, 16), (9, 7), (4, 5)]
    given = [crop(number, size) for number, size in enumerate(sizes)]
    expected = np.stack([resize(one, SIZE) for one in given])
    assert clips_of(given, SIZE)[0].tolist() == expected.tolist()


def test_clips_keep_their_own_lengths():
    assert [len(clip) for clip in clips_of([crops(3), crops(5)], SIZE)] == [3, 5]


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "CMYK"])
def test_a_pillow_image_of_any_colours_becomes_rgb(mode):
    image = as_pillow(crop()).convert(mode)
    assert clips_of([image], SIZE)[0][0].tolist() == np.asarray(image.convert("RGB")).tolist()


def test_a_turned_photo_is_put_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned to the right
    as_pillow(crop()).save(tmp_path / "turned.png", exif=exif)
    upright = clips_of([Image.open(tmp_path / "turned.png")], (16, 24))[0][0]
    assert upright.tolist() == np.rot90(crop(), -1).tolist()


def test_what_was_given_is_left_as_it_was():
    given = np.stack(crops())
    found = clips_of(given, SIZE)[0]
    found[:] = 0
    assert given.tolist() == np.stack(crops()).tolist()


NEITHER = "a crop is [3, height, width] or [height, width, 3]; "


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], f"{TAKEN}; got an empty list"),
        ([[]], f"{TAKEN}; got a clip without a frame"),
        ([crops(), crop()], f"{TAKEN}; got a list that mixes crops and clips"),
        ("crop.png", f"{TAKEN}; got a single one: put it into a list"),
        (as_pillow(crop()), f"{TAKEN}; got a single one: put it into a list"),
        (crop(), f"{TAKEN}; got the shape [24, 16, 3]"),
        (np.zeros((2, 0, 3, 24, 16), np.uint8), f"{TAKEN}; got a clip without a frame"),
        (np.zeros((0, 4, 3, 24, 16), np.uint8), f"{TAKEN}; got no clip, the shape [0, 4, 3, 24, 16]"),
        (np.zeros((2, 4, 24, 16), np.uint8), f"{NEITHER}no axis of a crop has the length 3: [4, 24, 16] "),
        ([np.zeros((24, 16), np.uint8)], "a crop is [3, height, width] or [height, width, 3], no side 0; got [24, 16]"),
        (
            [np.zeros((24, 0, 3), np.uint8)],
            "a crop is [3, height, width] or [height, width, 3], no side 0; got [24, 0, ",
        ),
        ([np.zeros((24, 16, 4), np.uint8)], f"{NEITHER}no axis of a crop has the length 3: [24, 16, 4] "),
        ([np.zeros((3, 16, 3), np.uint8)], f"{NEITHER}two axes of a crop have the length 3: [3, 16, 3] "),
        ([Image.new("I;16", (16, 24))], "a Pillow image has 8 bits a colour; got one of the mode I;16 "),
        ([Image.new("F", (16, 24))], "a Pillow image has 8 bits a colour; got one of the mode F "),
    ],
)
def test_what_is_no_clip_is_refused_with_what_is_taken(given, message):
    with pytest.raises(SettingError, match=f"^{re.escape(message)}"):
        clips_of(given, SIZE)


def test_a_path_that_is_no_picture_is_named(tmp_path):
    with pytest.raises(MissingFrameError, match=r"nowhere\.png"):
        clips_of([str(tmp_path / "nowhere.png")], SIZE)
