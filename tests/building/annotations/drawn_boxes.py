"""Boxes that the property tests write and read again, and the video that they are of."""

from hypothesis import strategies as st

from skyreid.building.annotations.annotated_video import AnnotatedVideo
from skyreid.building.tracked_boxes import TrackedBoxes

WIDTH, HEIGHT, NUM_FRAMES = 1920, 1080, 40


def video(width=WIDTH, height=HEIGHT, *, name="gate.mp4", num_frames=None, frame_rate=None, **more):
    """A video of which, unless told otherwise, only the picture's size is known."""
    return AnnotatedVideo(name=name, width=width, height=height, num_frames=num_frames, frame_rate=frame_rate, **more)


@st.composite
def edges(draw, size):
    """Two sides of a box inside a picture of this size, anything a float can be."""
    one = draw(st.floats(0, size))
    other = draw(st.floats(0, size).filter(lambda side: side != one))
    return min(one, other), max(one, other)


@st.composite
def tracked_boxes(draw, *, identified, with_visible):
    """Some people in some frames, with gaps, in no order."""
    frames, visible = {}, {}
    for index in draw(st.lists(st.integers(0, NUM_FRAMES - 1), unique=True, min_size=1, max_size=8)):
        for track in draw(st.sets(st.integers(1 if identified else 0, 5), min_size=1, max_size=3)):
            (left, right), (top, bottom) = draw(edges(WIDTH)), draw(edges(HEIGHT))
            frames.setdefault(index, {})[track] = (left, top, right, bottom)
            if with_visible and draw(st.booleans()):
                visible.setdefault(index, {})[track] = draw(st.floats(0, 1))
    return TrackedBoxes(frames=frames, dropped={}, visible=visible, identified=identified)
