"""Films that are damaged or cut: how that is noticed, and what is taken of them where that is asked for."""

import av
import numpy as np
import pytest
from PIL import Image

from skyreid.building.video.decode import DecodeLimits, frames
from skyreid.errors import VideoError
from tests.building.films import noise, write_film, write_streams
from tests.building.video.refused_films import refusal


@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
def test_a_cut_video_is_refused_after_the_frames_that_are_left(tmp_path, share):
    content = write_film(tmp_path / "a.mp4", noise(30, height=48, width=64), codec="libx264").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: int(len(content) * share)])
    got = []
    with pytest.raises(VideoError, match=r"cut\.mp4: is (damaged or )?cut "):
        for frame in frames(tmp_path / "cut.mp4"):
            got.append(frame)
    assert len(got) < 30


def taken(path):
    """What is taken of a damaged film: the frames, and what its end tells."""
    ends = []
    got = list(frames(path, limits=DecodeLimits(take_damaged=True), at_end=ends.append))
    return got, ends[0]


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "ffv1"), ("a.avi", "mjpeg"), ("a.gif", "gif")]
)
def test_what_is_left_of_a_cut_video_is_taken_when_asked_for_and_its_loss_is_told(tmp_path, name, codec):
    film = write_film(tmp_path / name, noise(40, height=48, width=64), codec=codec)
    whole, end = taken(film)
    assert (len(whole), end.damage) == (40, None)
    (tmp_path / f"cut{name}").write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    left, end = taken(tmp_path / f"cut{name}")
    assert 10 < len(left) < 40
    assert end.num_frames == len(left)
    assert "cut" in end.damage or "damaged" in end.damage
    for one, same in zip(left[:-1], whole, strict=False):
        np.testing.assert_array_equal(one.pixels, same.pixels)


def test_behind_a_damaged_picture_the_film_goes_on_with_the_next_that_needs_no_other(tmp_path):
    path = tmp_path / "a.ts"
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=10, options={"x264-params": "scenecut=0"})
        stream.height, stream.width, stream.pix_fmt, stream.codec_context.gop_size = 48, 64, "yuv420p", 10
        for picture in noise(60, height=48, width=64):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        film.mux(stream.encode())
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 188 * 188
    for packet in range(middle, middle + 188 * 20, 188):
        content[packet + 20 : packet + 188] = bytes(168)
    path.write_bytes(content)
    assert refusal(path)
    left, end = taken(path)
    assert 40 <= len(left) < 60
    assert "passed over" in end.damage
    assert left[-1].time_s > 5


def test_a_picture_of_a_folder_that_is_damaged_is_passed_over_when_damage_is_taken(tmp_path):
    for number, picture in enumerate(noise(4), start=1):
        Image.fromarray(picture).save(tmp_path / f"{number:06}.png")
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nframeRate=10\nseqLength=4\n")
    (tmp_path / "000003.png").write_bytes((tmp_path / "000003.png").read_bytes()[:200])
    left, end = taken(tmp_path)
    assert [frame.index for frame in left] == [0, 1, 3]
    assert "1 damaged picture passed over" in end.damage


def test_of_what_is_no_video_nothing_is_taken(tmp_path):
    (tmp_path / "text.mp4").write_text("video")
    with pytest.raises(VideoError, match="is not a video that can be decoded"):
        taken(tmp_path / "text.mp4")


def test_a_video_that_ends_before_its_header_says_is_refused(tmp_path):
    content = write_film(tmp_path / "a.mkv", noise(30), codec="ffv1").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(content[: len(content) // 2])
    assert refusal(tmp_path / "cut.mkv").startswith("is cut: its header promises 3.00 s, its 1")


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "mjpeg"), ("a.ogv", "libvpx"), ("a.gif", "gif")])
def test_a_cut_is_noticed_where_every_frame_that_is_left_decodes(tmp_path, name, codec):
    """Kind B4: by the header's number of frames, or by the mark that ends the format."""
    film = write_streams(tmp_path / name, (noise(40, height=48, width=64), codec, 0))
    assert len(list(frames(film))) == 40
    content = film.read_bytes()
    for share in (0.4, 0.6, 0.8):
        size = content.rindex(b"00dc", 0, int(len(content) * share)) if name == "a.avi" else int(len(content) * share)
        (tmp_path / f"cut{name}").write_bytes(content[:size])
        assert refusal(tmp_path / f"cut{name}").startswith(("is cut: it", "is damaged or cut after "))


def test_a_cut_is_noticed_by_the_length_of_the_whole_where_no_stream_tells_its_own(tmp_path):
    """Kind B4."""
    film = write_streams(tmp_path / "a.flv", (noise(40, height=48, width=64), "flv", 0), sound_s=3.0)
    assert len(list(frames(film))) == 40
    content = film.read_bytes()
    tag = 13
    while tag < len(content) * 0.6:
        tag += 11 + int.from_bytes(content[tag + 1 : tag + 4], "big") + 4
    (tmp_path / "cut.flv").write_bytes(content[:tag])
    assert refusal(tmp_path / "cut.flv").startswith("is cut: its header promises 4.")


def test_an_avi_with_empty_frames_is_whole(tmp_path):
    """A recorder that misses a moment writes frames of 0 bytes, which its header counts."""
    times = [100 * number for number in range(40) if number % 4 != 3]
    film = write_film(tmp_path / "a.avi", noise(30, height=48, width=64), codec="mjpeg", pts=times)
    assert [round(1000 * frame.time_s) for frame in frames(film)] == times


@pytest.mark.footage
def test_a_real_film_that_was_cut_is_refused(footage_dir, tmp_path):
    whole = (footage_dir / "ground_onebyone/one-by-one-person-detection.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    refusal(tmp_path / "cut.mp4")
