"""Pictures to the bytes of an H.264 video in an MP4 file. The only file of the simulation that touches PyAV."""

import io
from collections.abc import Iterable
from fractions import Fraction

import av
import numpy as np
from jaxtyping import UInt8

WIDTH, HEIGHT = 1280, 720
_OPTIONS = {"preset": "veryfast", "crf": "20"}


def encode_video(pictures: Iterable[UInt8[np.ndarray, "720 1280 3"]], frame_rate: int) -> bytes:
    """The MP4 file of RGB pictures; picture k is shown at exactly k / `frame_rate` seconds.

    The same pictures give the same bytes with the same version of PyAV: one thread, no creation time.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=frame_rate, options=_OPTIONS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = Fraction(1, frame_rate)
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, frame_rate)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return buffer.getvalue()
