"""The format is that of CVAT's documentation, "XML annotation format", version 1.1; the files are written by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.building.annotations.cvat import read_cvat, write_cvat
from skyreid.building.tracked_boxes import TrackedBoxes
from skyreid.errors import SourceError
from tests.building.annotations.cvat_files import IMAGES, box, file, read, refusal, track
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
