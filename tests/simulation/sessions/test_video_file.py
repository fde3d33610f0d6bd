"""Pictures in, MP4 out."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from skyreid.simulation.sessions.video_file import HEIGHT, WIDTH, encode_video


def ramps(number):
    """Smooth pictures, each a little brighter."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    ramp = np.stack([columns / 8, rows / 5, np.full_like(rows, 90)], axis=2)
    return [(ramp + 4 * index).astype(np.uint8) for index in range(number)]


@pytest.fixture(scope="module")
def content():
    return encode_video(ramps(8), 6)


def test_frames_have_exact_times_and_the_colours_that_went_in(content):
    with av.open(io.BytesIO(content)) as file:
        frames = list(file.decode(video=0))
    assert [frame.pts * frame.time_base for frame in frames] == [Fraction(index, 6) for index in range(8)]
    for frame, picture in zip(frames, ramps(8), strict=True):
        off = frame.to_ndarray(format="rgb24").astype(int) - picture
        assert np.abs(off).mean() < 3


def test_it_is_one_h264_stream_without_a_date(content):
    with av.open(io.BytesIO(content)) as file:
        (stream,) = file.streams
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate, stream.frames) == (WIDTH, HEIGHT, 6, 8)
        assert "creation_time" not in {**file.metadata, **stream.metadata}


def test_the_same_pictures_give_the_same_bytes(content):
    assert encode_video(iter(ramps(8)), 6) == content
