import os

import numpy as np
import pytest
from PIL import Image

from skyreid.errors import MissingFrameError
from skyreid.files.picture_file import FORMATS, MAX_PIXELS, picture_size, read_picture, sweep_pictures
from skyreid.processes.progress import silent

CORNERS = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[255, 255, 0], [0, 255, 255], [255, 0, 255]]], np.uint8)
"""Two rows of three colours: no turn and no mirror leaves them where they are."""


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("name", ["a.{}", "really-a-{}.jpg"])
def test_sixteen_bits_are_scaled(tmp_path, suffix, name):
    """Kind B5: a conversion would make everything above 255 white."""
    grey = np.array([[0, 128, 257, 32_768, 65_535]], np.uint16)
    path = tmp_path / name.format(suffix)
    Image.fromarray(grey).save(path, format={"png": "PNG", "tif": "TIFF"}[suffix])
    read = np.asarray(read_picture(path))
    assert read.tolist() == [[[value] * 3 for value in (0, 0, 1, 128, 255)]]


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK", "RGB"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.new("RGB", (8, 8), (200, 200, 200)).convert(mode).save(path)
    picture = read_picture(path)
    assert (picture.mode, picture.size) == ("RGB", (8, 8))
    if mode != "1":
        assert abs(picture.getpixel((4, 4))[0] - 200) <= 4  # the palette holds 204


def test_numbers_whose_white_nobody_knows_are_refused(tmp_path):
    """Kind B5."""
    for number, dtype in enumerate((np.int32, np.float32)):
        path = tmp_path / f"{number}.tif"
        Image.fromarray(np.ones((4, 4), dtype)).save(path)
        with pytest.raises(MissingFrameError, match=r"\d\.tif: holds numbers of 32 bits, whose white nobody knows"):
            read_picture(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_orientation_asks(tmp_path, orientation, suffix):
    """Kind B5: the first stored row is the top, the bottom, the left or the right (EXIF 2.32, 4.6.4)."""
    stored = {
        1: lambda shown: shown,
        2: lambda shown: shown[:, ::-1],
        3: lambda shown: shown[::-1, ::-1],
        4: lambda shown: shown[::-1],
        5: lambda shown: shown.swapaxes(0, 1),
        6: lambda shown: np.rot90(shown),
        7: lambda shown: np.rot90(shown, 2).swapaxes(0, 1),
        8: lambda shown: np.rot90(shown, -1),
    }[orientation](CORNERS)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    large = Image.fromarray(np.ascontiguousarray(stored.repeat(16, 0).repeat(16, 1)))
    large.save(path, exif=exif, quality=95)
    assert picture_size(path) == (48, 32)
    read = np.asarray(read_picture(path))[8::16, 8::16]
    np.testing.assert_allclose(read.astype(int), CORNERS, atol=30)


def test_damaged_exif_data_are_no_reason_to_refuse_a_picture(tmp_path):
    Image.new("RGB", (6, 4)).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert picture_size(tmp_path / "a.jpg") == read_picture(tmp_path / "a.jpg").size == (6, 4)


def test_only_pictures_are_opened(tmp_path):
    """Kind B5: Pillow would start Ghostscript for PostScript, whatever the file is called."""
    (tmp_path / "a.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    Image.new("RGB", (4, 4)).save(tmp_path / "b.jpg", format="PPM")
    for name in ("a.jpg", "b.jpg"):
        for read in (read_picture, picture_size):
            with pytest.raises(MissingFrameError, match=f"{name}: cannot be read as {', '.join(FORMATS)}: "):
                read(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_only_regular_files_are_opened(tmp_path):
    """Kind B5: a pipe would be waited for, a device never ends."""
    os.mkfifo(tmp_path / "a.jpg")
    for path in (tmp_path / "a.jpg", "/dev/zero", tmp_path):
        with pytest.raises(MissingFrameError, match="not a regular file"):
            read_picture(path)
    with pytest.raises(MissingFrameError, match=r"b\.jpg: is missing"):
        read_picture(tmp_path / "b.jpg")


@pytest.mark.parametrize("side", [9000, 12_000, 20_000])
def test_a_bomb_is_refused_in_one_line(tmp_path, side):
    """Kind B5: a small file of one colour; beyond what we read, what Pillow warns of, and what it refuses."""
    assert side**2 > MAX_PIXELS
    Image.new("1", (side, side)).save(tmp_path / "a.png")
    for read in (read_picture, picture_size):
        with pytest.raises(MissingFrameError, match=rf"^{tmp_path}/a\.png: has .* pixels; .* are read$"):
            read(tmp_path / "a.png")


def test_a_picture_cut_short_is_refused(tmp_path):
    Image.effect_noise((200, 200), 50).save(tmp_path / "a.jpg")
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[: len(content) // 2])
    with pytest.raises(MissingFrameError, match=r"a\.jpg: cannot be read as"):
        read_picture(tmp_path / "a.jpg")


@pytest.mark.parametrize("num", [0, 1, 256, 257, 1000])
def test_every_path_is_looked_at_once_and_in_order(num):
    paths = [str(number) for number in range(num)]
    seen = []
    found = sweep_pictures(paths, int, task="look", progress=lambda *report: seen.append(report[:3]))
    assert found == list(range(num))
    assert seen == [("look", min(done, num), num) for done in range(256, num + 256, 256)]


def test_the_first_error_ends_the_sweep():
    looked = []

    def look(path):
        looked.append(path)
        if path == "7":
            raise ValueError("seven")

    with pytest.raises(ValueError, match=r"^seven$"):
        sweep_pictures([str(number) for number in range(10**6)], look, task="look", progress=silent)
    assert len(looked) < 10**6
