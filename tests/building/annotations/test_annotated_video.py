"""Kind B1: whatever a file states of its video is compared with it."""

import pytest

from skyreid.errors import SourceError
from tests.building.annotations.drawn_boxes import video


@pytest.mark.parametrize(
    "name",
    [
        "gate 1.mp4",
        "GATE 1.MP4",
        "gate_1.mp4",
        "gate 1",
        "/data/upload/1/5d1f2c3a-gate_1.mp4",
        "C:\\videos\\gate 1.mp4",
        "https://example.org/videos/gate%201.mp4?token=x.y",
        "train/YFCC100M/gate 1/",
        "e8ba7a0c-9f3e-4b2f-a3a5-0d9bb1dbb3ff-gate_1.mp4",
    ],
)
def test_a_name_is_the_same_whatever_servers_make_of_it(name):
    assert video(name="gate 1.mp4").check_name([name], "here") is None


def test_a_copy_in_another_container_is_told():
    assert video(name="gate.mkv").check_name(["gate.mp4"], "here") == (
        "here: is about 'gate.mp4', and the video is 'gate.mkv', taken for a copy of it"
    )
    assert video(name="gate.mkv", annotated_as="gate.mp4").check_name(["gate.mp4"], "here") is None


@pytest.mark.parametrize("name", ["gate.mp4", "gate 12.mp4", "my-gate 1.mp4", "gate 1 left.mp4", "drone.mp4"])
def test_another_name_is_named_with_the_remedy(name):
    with pytest.raises(SourceError) as caught:
        video(name="gate 1.mp4").check_name([f"a/{name}"], "here")
    assert str(caught.value) == (
        f"here: is about 'a/{name}', but the video is 'gate 1.mp4'; are these the annotations of this video? If they "
        f"are, say so in the source: annotations_of={name}"
    )
    video(name="gate 1.mp4", annotated_as=name).check_name([f"a/{name}"], "here")


def test_the_users_word_is_held_against_the_file_too():
    with pytest.raises(SourceError, match=r"here: is about 'a\.mp4', not 'b\.mp4' as annotations_of says"):
        video(annotated_as="b.mp4").check_name(["a.mp4"], "here")


def test_a_file_that_names_no_video_is_not_asked():
    video().check_name(["", " "], "here")


def test_a_length_that_is_only_estimated_may_err_by_a_hundredth():
    exact, estimated = video(num_frames=1000), video(duration_s=40.0, frame_rate=25.0)
    assert exact.has_length(1002)
    assert not exact.has_length(1003)
    assert estimated.has_length(1012)
    assert not estimated.has_length(1013)
    assert video().has_length(5)


@pytest.mark.parametrize(("frames", "rate"), [(100, 25), (None, 25.2), (101, None), (None, None)])
def test_clocks_that_agree_are_no_news(frames, rate):
    assert video(num_frames=100, frame_rate=25.0).check_clock(frames, rate, "here") is None


@pytest.mark.parametrize(
    ("frames", "rate", "complaint"),
    [
        (250, None, "here: counts 250 frames, but the video gate.mp4 has 100"),
        (50, 12.5, "here: counts 50 frames, but the video gate.mp4 has 100"),
        (None, 30, "here: tells 30 frames a second, but the video gate.mp4 has 25"),
        ("many", None, "here: the number of frames must be a finite number; got 'many'"),
    ],
)
def test_clocks_that_differ_are_refused_with_both_values(frames, rate, complaint):
    with pytest.raises(SourceError) as caught:
        video(num_frames=100, frame_rate=25.0).check_clock(frames, rate, "here")
    assert str(caught.value).startswith(complaint)


def test_a_video_that_tells_no_length_still_ends_somewhere():
    video().check_frame(9_999_999, "here")
    with pytest.raises(
        SourceError, match=r"here: stands in frame 10000001 from 0, .* cannot have more than 10,000,000"
    ):
        video().check_frame(10_000_001, "here")


def test_a_picture_with_its_sides_exchanged_was_not_turned():
    """Kind B4: phones ask for a turn, and some programs for annotation do not do it."""
    with pytest.raises(SourceError) as caught:
        video(1080, 1920).check_size("1920", "1080", "here")
    assert str(caught.value) == (
        "here: annotated in a picture of 1920x1080, but the video has 1080x1920; are these the annotations of this "
        "video? Or in a program that does not turn it as the file asks; turn its pixels (ffmpeg -i IN OUT) and "
        "annotate that"
    )
