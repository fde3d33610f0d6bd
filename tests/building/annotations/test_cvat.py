"""The format is that of CVAT's documentation, "XML annotation format", version 1.1; the files are written by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.building.annotations.cvat import read_cvat, write_cvat
from skyreid.building.tracked_boxes import TrackedBoxes, without_holes
from skyreid.errors import SourceError
from tests.building.annotations.drawn_boxes import NUM_FRAMES, tracked_boxes, video

VIDEO = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>5</id>
      <name>gate</name>
      <size>30</size>
      <mode>interpolation</mode>
      <overlap>5</overlap>
      <labels>
        <label>
          <name>Person</name>
          <attributes>
            <attribute>
              <name>person_id</name>
              <mutable>False</mutable>
              <input_type>number</input_type>
              <default_value>1</default_value>
              <values>1;999;1</values>
            </attribute>
          </attributes>
        </label>
      </labels>
      <original_size>
        <width>100</width>
        <height>80</height>
      </original_size>
    </task>
    <dumped>2026-05-04 11:57:54.807162+03:00</dumped>
  </meta>
  <track id="0" label="Person" source="manual">
    <box frame="0" outside="0" occluded="0" keyframe="1" xtl="0.00" ytl="0.00" xbr="10.00" ybr="20.00" z_order="0">
      <attribute name="person_id">41</attribute>
    </box>
    <box frame="1" outside="0" occluded="1" keyframe="0" xtl="1.00" ytl="0.00" xbr="11.00" ybr="20.00" z_order="0">
      <attribute name="person_id">41</attribute>
    </box>
    <box frame="2" outside="1" occluded="0" keyframe="1" xtl="2.00" ytl="0.00" xbr="12.00" ybr="20.00" z_order="0">
      <attribute name="person_id">41</attribute>
    </box>
  </track>
  <track id="1" label="car" source="manual">
    <box frame="0" outside="0" occluded="0" keyframe="1" xtl="0.00" ytl="0.00" xbr="10.00" ybr="20.00" z_order="0">
    </box>
    <box frame="1" outside="1" occluded="0" keyframe="1" xtl="0.00" ytl="0.00" xbr="10.00" ybr="20.00" z_order="0">
    </box>
  </track>
  <track id="2" label="Person" source="manual">
    <polygon frame="0" outside="0" occluded="0" keyframe="1" points="1.0,2.0;3.0,4.0;1.0,4.0" z_order="0">
    </polygon>
  </track>
  <track id="3" label="Person" source="manual">
    <box frame="4" outside="0" occluded="0" keyframe="1" xtl="95.00" ytl="0.00" xbr="105.00" ybr="20.00" z_order="0">
      <attribute name="person_id">41</attribute>
    </box>
    <box frame="5" outside="0" occluded="0" keyframe="1" xtl="96.00" ytl="0.00" xbr="106.00" ybr="20.00" z_order="0">
      <attribute name="person_id">41</attribute>
    </box>
  </track>
</annotations>
"""


def read(tmp_path, text, **of_the_video):
    (tmp_path / "a.xml").write_text(text)
    return read_cvat(tmp_path / "a.xml", video(100, 80, **of_the_video))


def refusal(tmp_path, text, **of_the_video):
    with pytest.raises(SourceError) as caught:
        read(tmp_path, text, **of_the_video)
    return str(caught.value).removeprefix(str(tmp_path / "a.xml"))


def box(frame, left=0, *, outside=0, top=0, right=None, more="", **attributes):
    inside = "".join(f'<attribute name="{name}">{value}</attribute>' for name, value in attributes.items())
    return (
        f'<box frame="{frame}" outside="{outside}" occluded="0" keyframe="1" xtl="{left}" ytl="{top}" '
        f'xbr="{left + 10 if right is None else right}" ybr="20" {more}>{inside}</box>'
    )


def track(number, *boxes, label="person", more=""):
    return f'<track id="{number}" label="{label}" {more}>{"".join(boxes)}</track>'


def file(*elements):
    return f"<annotations><version>1.1</version>{''.join(elements)}</annotations>"


def test_frames_and_pixels_count_from_0_and_the_person_is_the_attribute(tmp_path):
    people = read(tmp_path, VIDEO)
    assert people.frames == {
        0: {41: (0, 0, 10, 20)},
        1: {41: (1, 0, 11, 20)},
        4: {41: (95, 0, 100, 20)},  # a person may have several tracks
    }
    assert people.dropped == {"other-class": 1, "not-a-box": 1, "outside": 1}
    assert people.identified
    assert people.visible == {}  # occluded: nobody knows how much


def test_without_person_ids_a_track_is_only_a_track(tmp_path):
    people = read(tmp_path, file(track(0, box(3)), track(7, box(3))))
    assert people.frames == {3: {0: (0, 0, 10, 20), 7: (0, 0, 10, 20)}}
    assert not people.identified


def test_the_short_name_of_the_attribute_does_as_well(tmp_path):
    people = read(tmp_path, file(track(0, box(3, pid=9))))
    assert people.frames == {3: {9: (0, 0, 10, 20)}}
    assert people.identified


@given(
    marks=st.dictionaries(st.integers(0, 30), st.tuples(st.integers(0, 80), st.booleans()), min_size=1),
    order=st.randoms(use_true_random=False),
)
def test_missing_frames_lie_on_a_line_between_boxes_that_are_not_outside(tmp_path_factory, marks, order):
    shuffled = list(marks.items())
    order.shuffle(shuffled)
    text = file(track(1, *(box(frame, left, outside=int(gone)) for frame, (left, gone) in shuffled)), track(2, box(99)))
    people = read(tmp_path_factory.mktemp("cvat"), text)
    for frame in range(99):
        before = max((other for other in marks if other <= frame), default=None)
        after = min((other for other in marks if other >= frame), default=None)
        if before is None or after is None or marks[before][1] or marks[after][1]:
            assert frame not in people.frames
            continue
        (start, _), (end, _) = marks[before], marks[after]
        left = start if before == after else start + (end - start) * (frame - before) / (after - before)
        assert people.frames[frame][1] == pytest.approx((left, 0, left + 10, 20))


def test_filled_in_boxes_do_not_tell_what_is_seen(tmp_path):
    people = read(tmp_path, file(track(1, box(0, visible=0.5), box(2, 20, visible=0.25))))
    assert people.visible == {0: {1: 0.5}, 2: {1: 0.25}}
    assert people.frames[1] == {1: (10, 0, 20, 20)}


IMAGES = """<annotations><version>1.1</version>
  <image id="4" name="frame_000004" width="100" height="80">
    <box label="person" occluded="0" xtl="1" ytl="2" xbr="11" ybr="22" z_order="0">
      <attribute name="track_id">6</attribute>
    </box>
    <box label="car" occluded="0" xtl="1" ytl="2" xbr="11" ybr="22" z_order="0"></box>
    <polygon label="person" occluded="0" points="1,2;3,4;1,4" z_order="0"></polygon>
    <tag label="person" source="manual"></tag>
  </image>
  <image id="6" name="frame_000006" width="100" height="80">
    <box label="person" occluded="0" xtl="1" ytl="2" xbr="11" ybr="22" z_order="0">
      <attribute name="track_id">6</attribute>
    </box>
  </image>
</annotations>"""


def test_images_whose_boxes_name_a_track_are_read_without_filling_in(tmp_path):
    people = read(tmp_path, IMAGES)
    assert people.frames == {4: {6: (1, 2, 11, 22)}, 6: {6: (1, 2, 11, 22)}}
    assert people.dropped == {"other-class": 1, "not-a-box": 1}


BOMB = """<?xml version="1.0"?><!DOCTYPE annotations [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<annotations><track id="0" label="&b;"></track></annotations>"""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            BOMB,
            ": XML that defines entities is not read, since it can do harm; EntitiesForbidden(name='a', "
            "system_id=None, public_id=None)",
        ),
        ("<annotations>", ": must be XML; no element found: line 1, column 13"),
        (
            '<?xml version="1.0" encoding="utf-32"?><annotations/>',
            ": must be XML; multi-byte encodings are not supported",
        ),
        ('<?xml version="1.0" encoding="cp0"?><annotations/>', ": must be XML; unknown encoding: cp0"),
        ("<mot/>", ": must be CVAT's XML, which begins with <annotations>; got <mot>"),
        (file(), ": must hold boxes of people (labels person, people, pedestrian, human); none is left of 0 boxes {}"),
        (
            VIDEO.replace("<width>100<", "<width>1920<"),
            ", original_size: annotated in a picture of 1920x80, but the video has 100x80; are these the annotations "
            "of this video?",
        ),
        (
            IMAGES.replace('height="80"', 'height="90"'),
            ", image 4: annotated in a picture of 100x90, but the video has 100x80; are these the annotations of this "
            "video?",
        ),
        (
            IMAGES.replace("track_id", "colour"),
            ", image 4: CVAT for images does not tell which boxes are of one person, unless they have the attribute "
            "track_id; export the task as 'CVAT for video 1.1'",
        ),
        (
            file(track(0, box(1), more='task_id="1"'), track(1, box(1), more='task_id="2"')),
            ": holds the tracks of tasks 1 (no name), 2 (no name); which is of the video 'gate.mp4', their names do",
        ),
        (file(track(0, box(1)), track(0, box(2))), ", track 0: there are two tracks of this id"),
        (
            file(track(0, box(1), box(1))),
            ": 1 of 2 boxes cannot be, and one in 10 is too many; are these the annotations of this video, in pixels "
            "of its full size? The first: track 0, frame 1: the track has two boxes in this frame; the first is taken",
        ),
        (file(track("x", box(1))), ", track x: track id must be a finite number; got 'x'"),
        (file(track(0, box(-1))), ", track 0: frame must be a whole number from 0; got -1"),
        (file(track(0, box(1).replace("xtl", "x"))), ", track 0, frame 1: xtl must be a finite number; got None"),
        (
            file(track(0, box(1, more='rotation="30.00"'))),
            ", track 0, frame 1: boxes must stand upright; got rotation 30.00",
        ),
        (
            file(track(0, box(1, right=0), box(2, 200))),
            ": 2 of 2 boxes cannot be, and one in 10 is too many; are these the annotations of this video, in pixels "
            "of its full size? The first: track 0, frame 1: a box must have a width and a height; got 0x20; track 0, "
            "frame 2: the box lies outside the picture of 100x80",
        ),
        (
            file(track(0, box(1, person_id=3), box(2, person_id=5))),
            ", track 0: a track is one person; its boxes have the person ids [3, 5]",
        ),
        (
            file(track(4, box(1, person_id=3)), track(9, box(2))),
            ": all people must have a person_id or none; track 9 has none, track 4 has. Fill it",
        ),
        (
            file(track(0, box(1, person_id=0))),
            ", track 0, frame 1: person_id must be a whole number from 1; got 0",
        ),
        (
            file(track(0, box(1, person_id=3)), track(1, box(1, 20, person_id=3))),
            ", track 1, frame 1: id 3 stands twice in frame 1, at (0, 0, 10, 20) and (20, 0, 30, 20): a person is in "
            "one place. Give one of them another number, or end one of them where the other begins",
        ),
        (file(track(0, box(1, visible=2))), ", track 0, frame 1: visible must be from 0 to 1; got 2"),
    ],
)
def test_what_cannot_be_is_named(tmp_path, text, complaint):
    assert refusal(tmp_path, text).startswith(complaint)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"none\.xml: annotations cannot be read: No such file"):
        read_cvat(tmp_path / "none.xml", video())


@given(data=st.data(), identified=st.booleans(), with_visible=st.booleans())
def test_what_was_written_is_read_again_bit_for_bit(tmp_path_factory, data, identified, with_visible):
    tracked = data.draw(tracked_boxes(identified=identified, with_visible=with_visible))
    path = tmp_path_factory.mktemp("cvat") / "a.xml"
    write_cvat(path, tracked, num_frames=NUM_FRAMES)
    assert read_cvat(path, video()) == tracked


def test_a_written_track_is_outside_after_each_run_of_frames(tmp_path):
    sides = (0.0, 0.5, 10.0, 20.0)
    tracked = TrackedBoxes(frames={n: {7: sides} for n in (0, 1, 5, 9)}, dropped={}, identified=True)
    write_cvat(tmp_path / "a.xml", tracked, num_frames=10)
    written = (tmp_path / "a.xml").read_text()
    marks = [line.split('"')[1:4:2] for line in written.splitlines() if "<box" in line]
    assert marks == [["0", "0"], ["1", "0"], ["2", "1"], ["5", "0"], ["6", "1"], ["9", "0"]]
    assert '<track id="0" label="person" source="manual">' in written
    assert written.count('<attribute name="person_id">7</attribute>') == 6
    assert 'xtl="0.0" ytl="0.5" xbr="10.0" ybr="20.0"' in written


@pytest.mark.parametrize(
    ("frames", "complaint"),
    [
        ({10: {1: (0.0, 0.0, 5.0, 5.0)}}, ": there are boxes in frame 10 from 0 of 10 frames"),
        ({3: {1: (0.0, 5.0, 5.0, 5.0)}}, ", track 1, frame 3: a box must have a width and a height; got 5x0"),
        ({3: {0: (0.0, 0.0, 5.0, 5.0)}}, ": track must be a whole number from 1; got 0"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(tmp_path, frames, complaint):
    with pytest.raises(SourceError) as caught:
        write_cvat(tmp_path / "a.xml", TrackedBoxes(frames=frames, dropped={}, identified=True), num_frames=10)
    assert str(caught.value) == f"{tmp_path / 'a.xml'}{complaint}"
    assert not list(tmp_path.iterdir())


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


def test_a_person_id_that_is_empty_is_none_and_a_name_is_named(tmp_path):
    """Kind B2: CVAT writes what nobody filled in as an empty text."""
    assert not read(tmp_path, file(track(4, box(1, person_id="")), track(9, box(1, 50, person_id="")))).identified
    assert refusal(tmp_path, file(track(4, box(1, person_id="Anna")))) == (
        ", track 4, frame 1: person_id must be a finite number; got 'Anna'. Who it is stands there as a number, the "
        "same in every video: names are not read"
    )
    assert refusal(tmp_path, file(track(4, box(1, person_id="3")), track(9, box(1, 50, person_id="")))) == (
        ": all people must have a person_id or none; track 9 has none, track 4 has. Fill it in for all of them, or "
        "leave it empty"
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_xml_is_read_as_powershell_writes_it(tmp_path, encoding):
    """Kind B3: its first line still says UTF-8."""
    (tmp_path / "a.xml").write_bytes(f'<?xml version="1.0" encoding="utf-8"?>{file(track(0, box(3)))}'.encode(encoding))
    assert list(read_cvat(tmp_path / "a.xml", video(100, 80)).frames) == [3]


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
