"""What a file of CVAT says of the task that it was made in: which video, which frames, and which jobs overlap."""

import pytest

from skyreid.building.annotations.cvat import read_cvat
from skyreid.building.tracked_boxes import without_holes
from tests.building.annotations.cvat_files import IMAGES, box, file, read, refusal, track
from tests.building.annotations.drawn_boxes import video


def with_meta(*elements, about="", more=""):
    meta = f"<meta><task>{about}</task>{more}</meta>"
    return f"<annotations><version>1.1</version>{meta}{''.join(elements)}</annotations>"


CVATS_OWN = "<dumped>2026-05-04 11:57:54.807162+03:00</dumped>"
FILM = {"num_frames": 100, "frame_rate": 25.0}


@pytest.mark.parametrize(
    ("about", "complaint"),
    [
        ("<source>drone.mp4</source>", ", meta, source: is about 'drone.mp4', but the video is 'gate.mp4'"),
        (
            "<size>250</size><start_frame>0</start_frame><stop_frame>249</stop_frame>",
            ", meta: size is 250 frames, the last of them number 249 from 0, but the video gate.mp4 has 100",
        ),
        (
            "<size>30</size><start_frame>0</start_frame><frame_filter>step=5</frame_filter>",
            ", meta: size is 30 frames, the last of them number 145 from 0, but the video gate.mp4 has 100",
        ),
    ],
)
def test_what_the_meta_states_is_compared(tmp_path, about, complaint):
    """Kind B1: annotations of another video, of another length."""
    message = refusal(tmp_path, with_meta(track(0, box(1)), about=about), **FILM)
    assert message.startswith(complaint)
    assert "are these the annotations of this video?" in message


def project(*tracks, tasks=(("1", "", "gate.mp4", 100), ("2", "", "drone.mp4", 300))):
    about = "".join(
        f"<task><id>{number}</id><name>{name}</name><source>{source}</source><labels><label><name>gate</name></label>"
        f"</labels><original_size><width>{width}</width><height>80</height></original_size></task>"
        for number, name, source, width in tasks
    )
    return f"<annotations><meta><project><tasks>{about}</tasks></project></meta>{''.join(tracks)}</annotations>"


GATE = track(0, box(1), more='task_id="1"')
DRONE = track(1, box(2, 30), more='task_id="2"')
WHICH = "If one of them is, say so in the source: annotations_of=NAME; or export each task by itself"


def test_of_a_projects_tasks_that_of_the_tracks_is_compared(tmp_path):
    """Kind B1: annotations of another video."""
    assert read(tmp_path, project(GATE), **FILM).frames
    assert refusal(tmp_path, project(DRONE), **FILM) == (
        ": task 1 ('gate.mp4') is of the video by its name, but the tracks are of 2 ('drone.mp4'); are these the "
        "annotations of this video?"
    )
    assert refusal(tmp_path, project(track(0, box(1))), **FILM) == (
        f": is of tasks 1 ('gate.mp4'), 2 ('drone.mp4'), and its tracks tell none. {WHICH}"
    )


@pytest.mark.parametrize(
    "tasks",
    [
        (("1", "entrance", "gate.mp4", 100), ("2", "flight", "drone.mp4", 300)),
        (("1", "gate", "clip.mp4", 100), ("2", "drone", "clip.mp4", 300)),
    ],
)
def test_a_projects_task_is_chosen_by_the_name_of_its_video_or_its_own(tmp_path, tasks):
    """Kind B1: the export of a project with a task for each video."""
    people = read(tmp_path, project(GATE, DRONE, tasks=tasks), **FILM)
    assert people.frames == {1: {0: (0, 0, 10, 20)}}
    assert people.warnings[0] == (f"a.xml: holds 2 tasks; 1 ({tasks[0][1]!r}, {tasks[0][2]!r}) was taken, by its name")
    drone = read_cvat(tmp_path / "a.xml", video(300, 80, annotated_as="drone", **FILM))
    assert drone.frames == {2: {1: (30, 0, 40, 20)}}


def test_tasks_of_which_none_or_two_are_of_the_video_are_listed(tmp_path):
    """Kind B1."""
    tasks = ("1", "a", "gate.mp4", 100), ("2", "b", "gate.mp4", 100)
    assert refusal(tmp_path, project(GATE, DRONE, tasks=tasks), **FILM) == (
        ": holds the tracks of tasks 1 ('a', 'gate.mp4'), 2 ('b', 'gate.mp4'); which is of the video 'gate.mp4', their "
        f"names do not tell. {WHICH}"
    )
    assert read(tmp_path, project(GATE, DRONE, tasks=tasks), annotated_as="b", **FILM).frames == {
        2: {1: (30, 0, 40, 20)}
    }


def test_a_task_of_a_part_is_told_and_one_of_the_whole_video_is_not(tmp_path):
    """Kind B1: annotations of another length."""
    boxes = track(0, box(1), box(99))
    for about in ("<size>100</size>", "<size>20</size><frame_filter>step=5</frame_filter>"):
        assert not read(tmp_path, with_meta(boxes, about=about), **FILM).warnings
    (warning,) = read(tmp_path, with_meta(boxes, about="<size>40</size><start_frame>10</start_frame>"), **FILM).warnings
    assert warning.endswith("meta: is of 40 frames, up to number 49, and the video has 100")


def test_a_frame_that_was_deleted_is_never_filled_in(tmp_path):
    """Kind B3: CVAT's own files list every frame, so one that is missing was deleted."""
    boxes = track(1, box(0), box(2, 20), box(3, 30, outside=1))
    for text in (
        with_meta(boxes, more=CVATS_OWN),
        file(track(1, box(0).replace('keyframe="1"', 'keyframe="0"'), box(2, 20))),
        with_meta(boxes, about="<deleted_frames>1, 7</deleted_frames>"),
        with_meta(boxes, about="<deleted_frames><frame>1</frame></deleted_frames>"),
    ):
        people = read(tmp_path, text, **FILM)
        assert sorted(people.frames) == [0, 2]
        assert sorted(without_holes(people, frame_rate=25.0)[0].frames) == [0, 2]
    assert sorted(read(tmp_path, file(boxes), **FILM).frames) == [0, 1, 2]


def test_frames_taken_for_deleted_are_told_with_the_remedy_and_those_that_the_file_names_are_not(tmp_path):
    """Kind B3: a file of keyframes that looks like CVAT's own would lose most of its boxes without a word."""
    boxes = track(1, box(0), box(9, 20), box(10, 30, outside=1))
    (warning,) = [t for t in read(tmp_path, with_meta(boxes, more=CVATS_OWN), **FILM).warnings if "in no track" in t]
    assert "8 frames between the boxes of somebody, 1 the first, are in no track" in warning
    assert "If the file holds keyframes only, export it again with every frame" in warning
    named = with_meta(boxes, about="<deleted_frames>1,2,3,4,5,6,7,8</deleted_frames>", more=CVATS_OWN)
    assert not [told for told in read(tmp_path, named, **FILM).warnings if "in no track" in told]


def test_a_box_in_a_deleted_frame_is_left_out(tmp_path):
    text = with_meta(track(1, box(0), box(1), box(2)), about="<deleted_frames>1</deleted_frames>")
    people = read(tmp_path, text, **FILM)
    assert sorted(people.frames) == [0, 2]
    assert people.dropped == {"deleted-frame": 1}


def test_frames_that_a_task_passes_over_are_filled_in_and_those_deleted_from_it_are_not(tmp_path):
    step = "<frame_filter>step=5</frame_filter>"
    boxes = track(1, *(box(frame, frame) for frame in (0, 5, 15, 20)))
    people = read(tmp_path, with_meta(boxes, about=step, more=CVATS_OWN), **FILM)
    assert sorted(people.frames) == [frame for frame in range(21) if frame != 10]


def test_images_that_are_missing_among_images_were_deleted(tmp_path):
    images = IMAGES.replace("<annotations><version>1.1</version>", f"<annotations><meta>{CVATS_OWN}</meta>")
    people = read(tmp_path, images, **FILM)
    assert people.never_filled == {5}
    assert sorted(without_holes(people, frame_rate=25.0)[0].frames) == [4, 6]


def test_a_person_of_two_jobs_is_one_where_their_boxes_are_equal(tmp_path):
    """Kind B3: one person twice in overlapping jobs."""
    first, second = (
        [box(frame, frame, pid=3) for frame in range(6)],
        [box(frame, frame, pid=3) for frame in range(4, 9)],
    )
    people = read(tmp_path, file(track(0, *first), track(1, *second)))
    assert sorted(people.frames) == list(range(9))
    assert people.dropped == {"twice": 2}


def test_tracks_of_two_jobs_with_equal_boxes_are_one_track(tmp_path):
    """Kind B3: one person twice in overlapping jobs, whom nobody numbered."""
    first, second = [box(frame, frame) for frame in range(6)], [box(frame, frame) for frame in range(4, 9)]
    other = [box(frame, 40) for frame in range(9)]
    made = with_meta(track(0, *first), track(1, *second), track(2, *other), more=CVATS_OWN)
    people = read(tmp_path, made)
    assert [sorted(people.frames[frame]) for frame in range(9)] == [[0, 2]] * 9
    assert people.dropped == {"twice": 2}


def test_a_billion_frames_are_refused_before_one_is_filled_in(tmp_path):
    """Kind B4 of hostile files."""
    bomb = file(track(0, box(0), box(1_000_000_000)))
    assert refusal(tmp_path, bomb, **FILM) == (
        ", track 0, frame 1000000000: stands in frame 1000000000 from 0, but the video gate.mp4 has 100 frames; are "
        "these the annotations of this video?"
    )
    many = file(*(track(number, box(0), box(9_000_000)) for number in range(2)))
    assert "its keyframes stand for more than 10,000,000 boxes" in refusal(tmp_path, many)
