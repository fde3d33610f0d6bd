import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av.stream import Disposition
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from skyreid.building.video import decode
from skyreid.building.video.decode import DecodeLimits, VideoFacts, frames, probe
from skyreid.errors import VideoError
from tests.building.films import (
    ask_to_be_shown,
    hide_the_start,
    noise,
    write_film,
    write_plain_gif,
    write_sound,
    write_streams,
)
from tests.building.video.refused_films import refusal

IRREGULAR = [5000, 5040, 5100, 5499, 5500, 5510, 5900, 6000, 6001, 7480, 7990, 8000]
"""Presentation times in ms: a variable rate, a hole, and a start that is not 0."""


def _children():
    """Processes whose parent is this one."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if lines["PPid"] == str(os.getpid()):
            found.add(int(lines["Pid"]))
    return found


@pytest.fixture
def children():
    """Give those that began since, and are still there."""
    others = _children()  # such as the one that multiprocessing leaves to the end
    return lambda: _children() - others


def message(content):
    return len(content).to_bytes(4, "big") + content


@pytest.fixture(scope="module")
def irregular(tmp_path_factory):
    return write_film(
        tmp_path_factory.mktemp("film") / "irregular.mkv", noise(len(IRREGULAR)), codec="ffv1", pts=IRREGULAR
    )


def test_every_pixel_of_every_frame_arrives_in_order(tmp_path):
    pictures = noise(7, width=37, height=24)
    decoded = list(frames(write_film(tmp_path / "a.mov", pictures)))
    assert [frame.index for frame in decoded] == list(range(7))
    for frame, picture in zip(decoded, pictures, strict=True):
        np.testing.assert_array_equal(frame.pixels, picture)
        frame.pixels[0, 0] = 0  # the caller may paint into it


def test_times_count_from_the_first_frame(irregular):
    assert [frame.time_s for frame in frames(irregular)] == [(ms - 5000) / 1000 for ms in IRREGULAR]


@settings(max_examples=8, deadline=None)
@given(interval=st.fractions(Fraction(1, 60), 5, max_denominator=60))
def test_the_first_frame_at_or_after_each_multiple_is_sampled(irregular, interval):
    times = [Fraction(ms - 5000, 1000) for ms in IRREGULAR]
    expected = set()
    multiple = Fraction(0)
    while multiple <= times[-1]:
        expected.add(next(index for index, time in enumerate(times) if time >= multiple))
        multiple += interval
    assert [frame.index for frame in frames(irregular, interval_s=interval)] == sorted(expected)


def test_sampled_frames_are_among_those_of_a_divided_interval(irregular):
    coarse, fine = ({frame.index for frame in frames(irregular, interval_s=s)} for s in (0.7, Fraction("0.7") / 7))
    assert coarse < fine


def test_frames_are_scaled_to_the_longer_side(tmp_path):
    picture = np.repeat(noise(1, height=6, width=10), 8, axis=1).repeat(8, axis=2)
    (frame,) = frames(write_film(tmp_path / "a.mov", picture), max_side=40)
    np.testing.assert_allclose(frame.pixels.astype(int), picture[0, ::2, ::2], atol=2)
    (same,) = frames(write_film(tmp_path / "a.mov", picture), max_side=80)
    np.testing.assert_array_equal(same.pixels, picture[0])


@pytest.mark.parametrize(("turn", "quarters"), [(90, 1), (-90, 3), (180, 2)])
def test_a_film_of_a_turned_phone_is_shown_upright(tmp_path, turn, quarters):
    path = write_film(tmp_path / "a.mov", noise(2), turn=turn)
    facts, (first, _) = probe(path), frames(path)
    np.testing.assert_array_equal(first.pixels, np.rot90(noise(2)[0], quarters))
    assert (facts.height, facts.width) == first.pixels.shape[:2]


@pytest.mark.parametrize(
    ("matrix", "as_ffmpeg_shows_it"),
    [
        ((1, 0, 0, 1), lambda stored: stored),
        ((-1, 0, 0, 1), lambda stored: stored[:, ::-1]),
        ((1, 0, 0, -1), lambda stored: stored[::-1]),
        ((-1, 0, 0, -1), lambda stored: stored[::-1, ::-1]),
        ((0, 1, 1, 0), lambda stored: stored.swapaxes(0, 1)),
        ((0, 1, -1, 0), lambda stored: np.rot90(stored, -1)),
        ((0, -1, 1, 0), lambda stored: np.rot90(stored)),
        ((0, -1, -1, 0), lambda stored: np.rot90(stored, 2).swapaxes(0, 1)),
        ((0, 0, 0, 0), lambda stored: stored),
        ((2, 0, 0, -2), lambda stored: stored[::-1]),
        ((1, 0.008, -0.008, 1), lambda stored: stored),
    ],
)
def test_a_display_matrix_is_a_matrix(tmp_path, matrix, as_ffmpeg_shows_it):
    """Kind B4: mirrors and transposes, not only turns; what ffmpeg 5.1 shows was looked up for each."""
    path = ask_to_be_shown(write_film(tmp_path / "a.mov", noise(2)), *matrix)
    facts, (first, _) = probe(path), frames(path)
    np.testing.assert_array_equal(first.pixels, as_ffmpeg_shows_it(noise(2)[0]))
    assert (facts.height, facts.width) == first.pixels.shape[:2]


@pytest.mark.parametrize("matrix", [(0.7, 0.7, -0.7, 0.7), (1, 0.5, 0, 1)])
def test_an_odd_angle_is_refused(tmp_path, matrix):
    """Kind B4."""
    path = ask_to_be_shown(write_film(tmp_path / "a.mov", noise(2)), *matrix)
    assert refusal(path).startswith("asks to be shown turned by ")


SMALL, LARGE = (np.repeat(noise(1, height=h, width=w), 12, axis=0) for h, w in ((48, 64), (96, 128)))


@pytest.mark.parametrize(
    ("name", "streams", "taken"),
    [
        ("default.mp4", [(LARGE, "mpeg4", 0), (SMALL, "mpeg4", Disposition.default)], 1),
        ("preview.mp4", [(SMALL, "mpeg4", 0), (LARGE, "mpeg4", Disposition.default)], 1),
        ("size.avi", [(SMALL, "mpeg4", 0), (LARGE, "mpeg4", 0)], 1),
        ("equal.avi", [(SMALL, "mpeg4", 0), (SMALL, "mpeg4", 0)], 0),
        ("cover.mov", [(LARGE[:1], "mjpeg", Disposition.default), (SMALL, "mpeg4", 0)], 1),
        ("cover.mkv", [(LARGE[:1], "mjpeg", Disposition.default), (SMALL, "mpeg4", Disposition.default)], 1),
        ("thumbs.mp4", [(SMALL, "mpeg4", 0), (LARGE[:1], "mjpeg", Disposition.attached_pic)], 0),
    ],
)
def test_the_film_is_the_stream_that_players_show(tmp_path, name, streams, taken):
    """Kind B4: the default flag, then the size, never a cover or a preview; and it is said."""
    path = write_streams(tmp_path / name, *streams)
    facts = probe(path)
    assert (facts.height, facts.width) == streams[taken][0][0].shape[:2]
    assert facts.stream_taken.startswith(f"stream {taken} (mpeg4 {facts.width}x{facts.height})")
    assert f"; not stream {1 - taken} (" in facts.stream_taken
    assert len(list(frames(path))) == 12


def test_frames_that_an_edit_list_hides_are_not_counted(tmp_path):
    """Kind B1: a film cut without a new encoding keeps frames from the last keyframe on, which players skip."""
    path = write_film(tmp_path / "a.mov", noise(20), rate=10)
    assert probe(path).num_frames == 20
    hide_the_start(path, by_s=0.5, film_s=2.0)
    facts = probe(path)
    assert (facts.num_frames, facts.duration_s, len(list(frames(path)))) == (None, 1.5, 15)


def test_facts_are_those_of_the_file(tmp_path, irregular):
    path = write_film(tmp_path / "a.mp4", noise(20, width=64, height=48), codec="libx264", rate=10)
    assert probe(path) == VideoFacts(codec="h264", width=64, height=48, duration_s=2.0, frame_rate=10.0, num_frames=20)
    assert probe(irregular).num_frames is None


@pytest.mark.parametrize(
    ("name", "codec"), [("a.avi", "libx264"), ("a.ts", "libx264"), ("a.gif", "gif"), ("a.mkv", "libx265")]
)
def test_other_formats_give_rising_times(tmp_path, name, codec):
    film = write_film(tmp_path / name, np.repeat(noise(1, height=64, width=64), 12, axis=0), codec=codec)
    times = [frame.time_s for frame in frames(film)]
    np.testing.assert_allclose(times, np.arange(12) / 10, atol=1e-9)


def test_the_last_frame_may_stay_for_long(tmp_path):
    path = write_plain_gif(tmp_path / "a.gif", width=8, height=8, frames=2)
    content = path.read_bytes()
    delay = content.rindex(b"\x21\xf9\x04\x00") + 4
    path.write_bytes(content[:delay] + b"\x2c\x01" + content[delay + 2 :])  # 3 s
    assert [frame.time_s for frame in frames(path)] == [0.0, 0.1]


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("frame,id\n" * 100)
    assert refusal(tmp_path / "missing.mp4") == "there is no such file"
    assert refusal(tmp_path).startswith("is a folder without pictures")
    assert refusal(tmp_path / "empty.mp4") == "is empty (0 bytes)"
    assert refusal(tmp_path / "text.mp4").startswith("is not a video that can be decoded (")
    assert refusal(write_sound(tmp_path / "sound.mp4")).startswith("holds no video stream")


def test_what_lies_there_instead_of_a_video_is_named_with_what_to_do(tmp_path):
    Image.new("RGB", (64, 48)).save(tmp_path / "picture.jpg")
    (tmp_path / "picture.jpg").rename(tmp_path / "picture.mp4")
    (tmp_path / "zeros.mp4").write_bytes(bytes(10_000))
    film = write_film(tmp_path / "film.mp4", noise(5, height=48, width=64), codec="libx264").read_bytes()
    (tmp_path / "film.mp4").write_bytes(film[: film.index(b"moov") - 4])
    assert refusal(tmp_path / "picture.mp4").endswith("; it is a JPEG picture")
    assert "; it holds nothing but zeros where it begins: copy it again" in refusal(tmp_path / "zeros.mp4")
    assert "; it is cut off: its index (moov)" in refusal(tmp_path / "film.mp4")
    (tmp_path / "odd.mp4").write_bytes(b"\0\0\0\x08ftyp" + b"\0\0\0\1free" + b"\xff" * 8)
    assert "; it is cut off" in refusal(tmp_path / "odd.mp4")


def test_a_playlist_is_not_followed(tmp_path):
    film = write_film(tmp_path / "a.ts", noise(5, height=48, width=64), codec="libx264")
    (tmp_path / "list.mp4").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n{film}\n#EXT-X-ENDLIST\n")
    (tmp_path / "concat.mp4").write_text(f"ffconcat version 1.0\nfile {film}\n")
    assert refusal(tmp_path / "list.mp4").startswith("is not a video that can be decoded (")
    assert refusal(tmp_path / "concat.mp4").startswith("is not a video that can be decoded (")


def test_an_address_is_to_be_recorded_first():
    assert refusal(Path("rtsp://gate.local/stream")).startswith("is an address; record it first")


def test_a_time_stamp_that_jumps_is_said(tmp_path):
    """Kind B4: where, and by how much."""
    times = [*range(0, 2000, 100), *range(14_500, 15_500, 100), *range(75_000, 75_500, 100)]
    ends = []
    film = write_film(tmp_path / "a.mkv", noise(len(times)), codec="ffv1", pts=times)
    list(frames(film, interval_s=5.0, at_end=ends.append))
    (end,) = ends
    assert (end.num_frames, end.end_s, end.num_holes) == (35, 75.5, 2)
    assert end.holes_in_words() == (
        "time stamps jump ahead by 12.60 s to frame 20 at 14.50 s, by 59.60 s to frame 30 at 75.00 s"
    )


def test_frames_that_are_far_apart_throughout_jump_nowhere(tmp_path):
    ends = []
    film = write_film(tmp_path / "a.mkv", noise(8), codec="ffv1", pts=range(0, 40_000, 5000))
    list(frames(film, at_end=ends.append))
    assert (ends[0].num_frames, ends[0].holes_in_words()) == (8, None)
    assert next(frames(film, at_end=ends.append)).index == 0
    assert len(ends) == 1


def test_a_frame_of_another_size_is_refused(tmp_path):
    halves = [write_film(tmp_path / f"{n}.ts", noise(3, height=n, width=64), codec="libx264") for n in (48, 64)]
    (tmp_path / "both.ts").write_bytes(b"".join(half.read_bytes() for half in halves))
    assert "changes its frame size from (64, 48) to (64, 64) at frame 3" in refusal(tmp_path / "both.ts")


def test_a_video_that_goes_back_in_time_is_refused(tmp_path):
    parts = [
        write_film(
            tmp_path / f"{start}.ts",
            noise(3, height=48, width=64),
            codec="libx264",
            pts=[start, start + 40, start + 80],
        )
        for start in (9000, 2000)
    ]
    (tmp_path / "both.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    assert refusal(tmp_path / "both.ts").startswith("goes back in time by 7.0")


def test_huge_frames_are_refused_before_they_are_decoded(tmp_path):
    film = write_film(tmp_path / "a.mov", noise(1, height=100, width=200))
    assert refusal(film, max_pixels=19_999) == (
        "has frames of 200x100 = 20000 pixels; at most 19999 are decoded (DecodeLimits.max_pixels)"
    )
    bomb = write_plain_gif(tmp_path / "bomb.gif", width=8, height=8, says=(16384, 16384))
    assert refusal(bomb).startswith("is damaged, or has frames of more than 35389440 pixels")


def test_a_file_that_needs_too_much_memory_is_refused(tmp_path):
    bomb = write_plain_gif(tmp_path / "bomb.gif", width=4000, height=4000)
    assert refusal(bomb, memory_bytes=200 * 2**20) == ("decoding needs more than 200 MiB (DecodeLimits.memory_bytes)")


def test_a_file_that_needs_too_much_time_is_refused(tmp_path):
    bomb = write_plain_gif(tmp_path / "bomb.gif", width=3000, height=3000, frames=200)
    with pytest.raises(VideoError, match=r"took more than 1 processor seconds \(DecodeLimits.cpu_s\)"):
        list(frames(bomb, max_side=8, limits=DecodeLimits(cpu_s=1)))


def test_a_silent_child_is_ended(tmp_path, children):
    film = write_film(tmp_path / "a.mov", noise(2))
    assert refusal(film, idle_s=1e-4) == "gave no frame for 0.0001 s (DecodeLimits.idle_s)"
    assert not children()


def test_a_crashed_decoder_is_an_error_here(tmp_path, children):
    film = write_film(tmp_path / "a.mov", noise(40, height=200, width=200))
    running = frames(film)
    next(running)
    (child,) = children()
    os.kill(child, 11)
    with pytest.raises(VideoError, match=r"a\.mov: crashed the decoder \(SIGSEGV\)"):
        list(running)


def test_leaving_early_leaves_no_process(tmp_path, children):
    film = write_film(tmp_path / "a.mov", noise(40, height=200, width=200))
    for frame in frames(film):
        assert len(children()) == 1
        if frame.index == 2:
            break
    del frame
    probe(film)
    assert not children()


def test_damaged_bytes_end_in_frames_or_an_error(tmp_path, children):
    content = write_film(tmp_path / "a.mp4", noise(10, height=48, width=64), codec="libx264").read_bytes()
    random = np.random.default_rng(0)
    endings = set()
    for _ in range(8):
        damaged = np.frombuffer(content, np.uint8).copy()
        damaged[random.integers(0, len(damaged), 5)] = random.integers(0, 256, 5)
        (tmp_path / "damaged.mp4").write_bytes(damaged.tobytes())
        try:
            endings.add(len(list(frames(tmp_path / "damaged.mp4"))))
        except VideoError:
            endings.add("refused")
    assert "refused" in endings
    assert not children()


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        (b"", "left with status 0"),
        (b"\xff\xff\xff\xff", "a message of 4294967295 bytes"),
        (message(b"{"), "talks nonsense"),
        (message(b"[]"), "talks nonsense"),
        (message(b'{"kind": "cake"}'), "a message of kind 'cake'"),
        (message(b'{"kind": "frame", "width": 99999999, "height": 9999}'), "a frame of 99999999x9999"),
    ],
)
def test_a_child_that_was_taken_over_is_not_believed(tmp_path, monkeypatch, told, complaint):
    film = write_film(tmp_path / "a.mov", noise(1))
    (tmp_path / "told").write_bytes(told)
    impostor = tmp_path / "python"
    impostor.write_text(f"#!/bin/sh\ncat {tmp_path / 'told'}\n")
    impostor.chmod(0o755)
    monkeypatch.setattr(decode.sys, "executable", str(impostor))
    with pytest.raises(VideoError, match=complaint):
        list(frames(film))


def test_the_caller_never_loads_the_decoder(tmp_path):
    film = write_film(tmp_path / "a.mov", noise(1))
    (tmp_path / "av.py").write_text("raise SystemExit('a module from the working folder was taken')")
    program = (
        "import sys; from pathlib import Path; from skyreid.building.video.decode import frames;"
        f"assert len(list(frames(Path({str(film)!r})))) == 1; assert 'av' not in sys.modules"
    )
    subprocess.run([sys.executable, "-P", "-c", program], check=True, cwd=tmp_path)


def test_limits_and_intervals_are_positive(tmp_path):
    with pytest.raises(ValueError, match=r"DecodeLimits\.cpu_s must be positive; got 0"):
        DecodeLimits(cpu_s=0)
    with pytest.raises(ValueError, match=r"interval_s must be positive; got -1\.0"):
        list(frames(tmp_path, interval_s=-1.0))


@pytest.mark.footage
@pytest.mark.parametrize(
    ("file", "codec", "size", "number", "seconds"),
    [
        ("cross_view_soccer/cam_right.mp4", "hevc", (3072, 1728), 250, 10.0),
        ("gif_intel/worker-zone-detection.gif", "gif", (480, 270), 71, 4.74),
        ("ground_onebyone/one-by-one-person-detection.mp4", "h264", (768, 432), 1394, 139.4),
    ],
)
def test_real_films_have_the_frames_that_are_known(footage_dir, file, codec, size, number, seconds):
    facts = probe(footage_dir / file)
    assert (facts.codec, (facts.width, facts.height), facts.duration_s) == (codec, size, seconds)
    decoded = list(frames(footage_dir / file, max_side=64))
    assert [frame.index for frame in decoded] == list(range(number))
