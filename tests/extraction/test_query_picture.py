"""Pictures that somebody asks with and that show nobody are refused; scenes are doubted."""

import numpy as np
import pytest
from PIL import Image

from skyreid.errors import MissingFrameError, SettingError
from skyreid.extraction.query_picture import doubt_scene, read_query_picture


def noisy(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def saved(folder, pixels):
    path = folder / "asked.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize(("height", "width"), [(1, 1), (64, 3), (7, 64), (3, 3)])
def test_too_few_pixels_are_refused(tmp_path, height, width):
    path = saved(tmp_path, noisy(height, width))
    with pytest.raises(SettingError, match=rf"asked\.png: has {width} x {height} pixels, too few to show a person"):
        read_query_picture(path)


@pytest.mark.parametrize("tone", [0, 127, 255])
def test_one_colour_is_refused_also_with_the_noise_of_a_camera(tmp_path, tone):
    blank = np.full((64, 32, 3), tone, np.uint8)
    for pixels in (blank, np.clip(blank + np.random.default_rng(0).integers(-1, 2, blank.shape), 0, 255)):
        with pytest.raises(SettingError, match="has one colour all over and shows nobody; give a picture of a person"):
            read_query_picture(saved(tmp_path, pixels.astype(np.uint8)))


def test_a_dark_person_is_no_blank_picture(tmp_path):
    pixels = np.full((64, 32, 3), 12, np.uint8)
    pixels[20:40, 10:20] = 20
    assert np.array_equal(read_query_picture(saved(tmp_path, pixels)), pixels)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such picture$"),
        (b"", "cannot be read as JPEG, .*: it is none of these, or cut off$"),
        (b"no picture", "it is none of these, or cut off$"),
    ],
)
def test_what_is_no_picture_is_refused_without_the_words_of_python(tmp_path, content, said):
    path = tmp_path / "asked.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MissingFrameError, match=said) as refusal:
        read_query_picture(path)
    assert "_io" not in str(refusal.value)


def test_a_folder_is_no_picture(tmp_path):
    with pytest.raises(MissingFrameError, match="is a folder; a search asks with a picture file of one person"):
        read_query_picture(tmp_path)


@pytest.mark.parametrize(
    ("height", "width", "shape"),
    [
        (72, 128, "wider than high (128 x 72)"),
        (8, 300, "wider than high (300 x 8)"),
        (300, 8, "more than 8 times as high as wide (8 x 300)"),
        (64, 64, None),
        (128, 64, None),
        (64, 8, None),
    ],
)
def test_the_shape_of_a_scene_is_doubted(height, width, shape):
    doubt = doubt_scene(noisy(height, width), "asked.png")
    assert doubt is None if shape is None else doubt.startswith(f"warning: asked.png is {shape}, like no picture")
