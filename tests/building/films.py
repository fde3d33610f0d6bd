"""Small videos that the tests write themselves; what is in every pixel is known."""

import io
import struct
from fractions import Fraction

import av
import cv2
import numpy as np
from PIL import Image


def write_film(path, pictures, *, codec="png", rate=10, pts=None, turn=None):
    """Write RGB pictures; `pts` in milliseconds. PNG (for .mov) and FFV1 (for .mkv) keep every pixel."""
    pictures = list(pictures)
    pts = [round(1000 * number / rate) for number in range(len(pictures))] if pts is None else pts
    with av.open(str(path), "w", options={"movflags": "faststart"} if path.suffix in (".mp4", ".mov") else {}) as film:
        stream = film.add_stream(codec, rate=Fraction(str(rate)))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = {"png": "rgb24", "ffv1": "bgr0", "gif": "rgb8", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.thread_count = 1
        if turn is not None:
            stream.set_display_rotation(turn)
        for picture, time in zip(pictures, pts, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    return path


def write_streams(path, *streams, sound_s=0.0):
    """Write several films into one file, each as (pictures, codec, its disposition); times as at 10 a second."""
    with av.open(str(path), "w") as film:
        opened = []
        for pictures, codec, disposition in streams:
            stream = film.add_stream(codec, rate=10)
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
            stream.codec_context.thread_count = 1
            stream.disposition = disposition
            opened.append(stream)
        sound = film.add_stream("aac", rate=8000) if sound_s else None
        for number in range(round(sound_s * 8000) // 1024):
            tone = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            tone.sample_rate, tone.pts = 8000, number * 1024
            film.mux(sound.encode(tone))
        for stream, (pictures, _, _) in zip(opened, streams, strict=True):
            for number, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 10)
                film.mux(stream.encode(frame))
            film.mux(stream.encode())
    return path


def ask_to_be_shown(path, a, b, c, d):
    """Write a display matrix into the only track of an MP4 or MOV file, in 16.16 fixed point."""
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40
    content[matrix : matrix + 36] = struct.pack(">9i", *(round(65536 * e) for e in (a, b, 0, c, d, 0, 0, 0)), 1 << 30)
    path.write_bytes(content)
    return path


def hide_the_start(path, *, by_s, film_s):
    """Make the edit list of the only track of an MP4 or MOV file begin later, as a cut without a new encoding does."""
    content = bytearray(path.read_bytes())
    edit, header = content.index(b"elst") + 4, content.index(b"mdhd") + 4
    (ticks,) = struct.unpack_from(">I", content, header + 12)
    assert struct.unpack_from(">II", content, edit) == (0, 1)
    struct.pack_into(">Ii", content, edit + 8, round(1000 * (film_s - by_s)), round(by_s * ticks))
    path.write_bytes(content)
    return path


def noise(number, *, height=24, width=37, seed=0):
    """Pictures of random pixels; the width is no multiple of anything, so that rows are padded somewhere."""
    return np.random.default_rng(seed).integers(0, 256, (number, height, width, 3), np.uint8)


def smooth(number, *, height=60, width=80):
    """Pictures that survive JPEG: each of its own colour ramp."""
    ramp = np.stack(np.broadcast_arrays(*np.mgrid[0:height, 0:width], 0), axis=2)
    return [(ramp + 5 * index).astype(np.uint8) for index in range(number)]


def drawn_face(size):
    """A picture of 4 x 2 sizes with a drawn face in its upper half, and where its eyes are."""
    picture = np.full((size * 4, size * 2, 3), 120, np.uint8)

    def oval(x, y, width, height, colour):
        centre, axes = (round(x * size), round(y * size)), (round(width * size), round(height * size))
        cv2.ellipse(picture, centre, axes, 0, 0, 360, colour, -1)

    oval(1, 1, 0.42, 0.55, (205, 175, 150))
    oval(1, 0.55, 0.45, 0.22, (50, 40, 35))
    for side in (-0.18, 0.18):
        oval(1 + side, 0.88, 0.11, 0.03, (70, 50, 40))
        oval(1 + side, 0.97, 0.09, 0.045, (60, 45, 40))
    oval(1, 1.13, 0.06, 0.1, (225, 195, 170))
    oval(1, 1.34, 0.17, 0.04, (130, 70, 70))
    eyes = np.s_[round(0.9 * size) : round(1.02 * size), round(0.75 * size) : round(1.25 * size)]
    return cv2.GaussianBlur(picture, (0, 0), size / 40), eyes


def write_sound(path):
    """A file with sound and no picture."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("aac", rate=8000)
        for number in range(10):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, number * 1024
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    return path


def write_plain_gif(path, *, width, height, says=None, frames=1):
    """A GIF of one colour: some kilobytes, however large. `says` puts another size into its header."""
    still = io.BytesIO()
    Image.new("P", (width, height)).save(still, "GIF", optimize=False)
    header, frame = still.getvalue()[:13], still.getvalue()[13:-1]
    palette = 3 << ((header[10] & 7) + 1) if header[10] & 128 else 0
    header, frame = header + frame[:palette], frame[palette:]
    if says is not None:
        said, meant = (struct.pack("<HH", *size) for size in (says, (width, height)))
        header, frame = header.replace(meant, said), frame.replace(meant, said)
    shown_for_100_ms = b"\x21\xf9\x04\x00\x0a\x00\x00\x00"
    path.write_bytes(header + (shown_for_100_ms + frame) * frames + b";")
    return path


SUBTITLE_HEADER = (
    b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize, PrimaryColour, "
    b"SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, "
    b"BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\n"
    b"Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0\n\n"
    b"[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
)


def write_film_beside(path, pictures, packets, *, codec):
    """Write a film of 10 frames a second and, once a second, a packet of a `mov_text`, `subrip` or `klv` stream."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mpeg4", rate=10)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.codec_context.thread_count = 1
        beside = film.add_data_stream(codec) if codec == "klv" else film.add_stream(codec)
        if codec != "klv":
            beside.codec_context.subtitle_header = SUBTITLE_HEADER
            beside.codec_context.time_base = Fraction(1, 1000)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            film.mux(stream.encode(frame))
            if number % 10 == 0 and number // 10 < len(packets):
                packet = av.Packet(packets[number // 10])
                packet.stream, packet.time_base = beside, Fraction(1, 1000)
                packet.pts = packet.dts = number * 100
                packet.duration = 1000
                film.mux(packet)
        film.mux(stream.encode())
    return path


def write_film_with_dji_binary(path, pictures, *, handler=b"SubtitleHandler"):
    """Write a film with a stream `djmd` as DJI's newer drones do: a film with subtitles, whose labels are changed."""
    protocol = b"\n\x15\n\x13dvtm_Mavic3.proto\x12\x04\x08\x01\x10\x02"
    packet = len(protocol).to_bytes(2, "big") + protocol
    write_film_beside(path, pictures, [packet, packet], codec="mov_text")
    content = path.read_bytes().replace(b"tx3g", b"djmd").replace(b"sbtl", b"meta")
    path.write_bytes(content.replace(b"SubtitleHandler", handler.ljust(15, b"\0")))
    return path
