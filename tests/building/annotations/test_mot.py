import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.building.annotations.mot import read_mot, write_identities, write_mot
from skyreid.building.annotations.visdrone import read_visdrone
from skyreid.building.tracked_boxes import TrackedBoxes
from skyreid.errors import SourceError
from tests.building.annotations.drawn_boxes import tracked_boxes, video


def read(tmp_path, *lines, width=100, height=80, format="mot", **of_the_video):
    (tmp_path / "gt.txt").write_text("\n".join(lines) + "\n")
    return read_mot(tmp_path / "gt.txt", video(width, height, **of_the_video), format=format)


def refusal(tmp_path, *lines, **how):
    with pytest.raises(SourceError) as caught:
        read(tmp_path, *lines, **how)
    return str(caught.value).removeprefix(str(tmp_path / "gt.txt"))


def all_bad(*complaints):
    return (
        f": {len(complaints)} of {len(complaints)} boxes cannot be, and one in 10 is too many; are these the "
        f"annotations of this video, in pixels of its full size? The first: {'; '.join(complaints)}"
    )


def unreadable(rows, complaint):
    return f": 1 of {rows} rows cannot be read, and one in 10 is too many. The first: {complaint}"


def test_frames_and_pixels_count_from_1_in_the_file_and_from_0_here(tmp_path):
    people = read(tmp_path, "1,7,1,1,1,1,1,1,1.0", "3,7,11,21,30,40,1,1,0.5", "3,2,51,21,30,40,1,1,1")
    assert people.frames == {
        0: {7: (0, 0, 1, 1)},
        2: {7: (10, 20, 40, 60), 2: (50, 20, 80, 60)},
    }
    assert not people.dropped


def test_visibility_is_known_where_ground_truth_tells_it(tmp_path):
    people = read(tmp_path, "1,7,1,1,9,9,1,1,0.25", "1,8,1,1,9,9,1,1,-1", "2,7,1,1,9,9,1,1,0", "3,7,1,1,9,9,0,1,1")
    assert people.visible == {0: {7: 0.25}, 1: {7: 0}}
    assert read(tmp_path, "1,7,1,1,9,9,0.3,-1,-1,-1").visible == {}


def test_frames_may_come_in_any_order(tmp_path):
    people = read(tmp_path, "9,7,1,1,9,9,1,1,1", "2,7,1,1,9,9,1,1,1")
    assert sorted(people.frames) == [1, 8]


@given(tracked=tracked_boxes(identified=True, with_visible=True))
def test_what_was_written_is_read_again_bit_for_bit(tmp_path_factory, tracked):
    path = tmp_path_factory.mktemp("mot") / "gt.txt"
    write_mot(path, tracked)
    assert read_mot(path, video(), format="mot-gt") == replace(tracked, identified=False)
    write_identities(path.parent, [path])
    assert read_mot(path, video(), format="mot-gt") == tracked


def test_the_written_text_is_what_other_programs_expect(tmp_path):
    frames = {2: {7: (0.1, 0.0, 30.5, 40.0), 3: (9.0, 19.0, 29.0, 59.0)}, 0: {7: (0.0, 0.0, 100.0, 80.0)}}
    tracked = TrackedBoxes(frames=frames, dropped={}, visible={2: {7: 0.5}})
    write_mot(tmp_path / "gt.txt", tracked)
    assert (tmp_path / "gt.txt").read_text() == (
        "1,7,1,1,100,80,1,1,-1\n3,3,10,20,20,40,1,1,-1\n3,7,1.1,1,30.4,40,1,1,0.5\n"
    )


@pytest.mark.parametrize(
    ("track", "box", "complaint"),
    [
        (0, (0.0, 0.0, 5.0, 5.0), ", frame 4, id 0: id must be a whole number from 1; got 0"),
        (1, (5.0, 0.0, 5.0, 5.0), ", frame 4, id 1: a box must have a width and a height; got 0x5"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(tmp_path, track, box, complaint):
    with pytest.raises(SourceError) as caught:
        write_mot(tmp_path / "gt.txt", TrackedBoxes(frames={3: {track: box}}, dropped={}))
    assert str(caught.value) == f"{tmp_path / 'gt.txt'}{complaint}"
    assert not list(tmp_path.iterdir())


def test_results_have_ten_columns_and_any_confidence(tmp_path):
    people = read(tmp_path, "1,7,11,21,30,40,0.3,-1,-1,-1", "2,7,11,21,30,40,-1,-1,-1,-1")
    assert people.frames == {0: {7: (10, 20, 40, 60)}, 1: {7: (10, 20, 40, 60)}}


def test_what_is_no_usable_person_is_left_out_and_counted(tmp_path):
    people = read(
        tmp_path,
        "1,1,11,21,30,40,1,1,1",
        "1,2,11,21,30,40,0,1,1",  # flag 0: ignore
        "1,3,11,21,30,40,1,3,1",  # a car
        "1,3,11,21,30,40,1,7,1",  # somebody else's static person may have the same number
        "1,5,-40,21,60,40,1,1,1",  # two thirds outside
    )
    assert people.frames == {0: {1: (10, 20, 40, 60)}}
    assert people.dropped == {"ignored": 1, "other-class": 2, "outside": 1}


quarters = st.integers(-200, 396).map(lambda number: number / 4)
sizes = st.integers(1, 600).map(lambda number: number / 4)


@given(left=quarters, top=quarters, width=sizes, height=sizes)
def test_a_box_is_clipped_to_the_picture(tmp_path_factory, left, top, width, height):
    x, y = np.meshgrid(np.arange(100 * 4) / 4 + 0.125, np.arange(80 * 4) / 4 + 0.125)
    inside = (x > left) & (x < left + width) & (y > top) & (y < top + height)
    visible = inside.sum() / 16 / (width * height)
    lines = f"1,1,{left + 1},{top + 1},{width},{height},1,1,1", "2,1,1,1,1,1,1,1,1"
    folder = tmp_path_factory.mktemp("mot")
    if not visible:
        assert "line 1: the box lies outside the picture of 100x80" in refusal(folder, *lines, format="mot-gt")
        return
    people = read(folder, *lines, format="mot-gt")
    assert (0 in people.frames) == (visible >= 0.5)
    assert people.dropped.get("outside", 0) == (visible < 0.5)
    if visible >= 0.5:
        x0, y0, x1, y1 = people.frames[0][1]
        np.testing.assert_array_equal(inside, (x > x0) & (x < x1) & (y > y0) & (y < y1))


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (
            ["1,1,1,1,5,5,1,1"],
            ", line 1: must have 9 columns (ground truth) or 10 (results), or from 6 of which only frame, id, left, "
            "top, width and height are believed (format=mot-results); got 8",
        ),
        (
            ["1,1,1,1,5,5,1,1,1", "", "2,1,1,1,5,5,1,-1,-1,-1"],
            unreadable(2, "line 3: must have 9 columns like most lines; got 10"),
        ),
        (
            ["frame,id,x,y,w,h,f,c,v"],
            ", line 1: must hold numbers only; got 'frame,id,x,y,w,h,f,c,v'. A line "
            "that names the columns is not read, nor are quotes: remove them",
        ),
        (
            ["1,1,nan,1,5,5,1,1,1"],
            unreadable(1, "line 1: must hold finite numbers only; got '1,1,nan,1,5,5,1,1,1'"),
        ),
        (["0,1,1,1,5,5,1,1,1"], ", line 1: frames count from 1; got 0. If yours begin with 0, add 1 to all"),
        *(
            (
                [f"1,{track},1,1,5,5,1,1,1"],
                all_bad(
                    "line 1: id (-1 in detections, which have no identities) must be a whole number from 0; got "
                    f"{track}"
                ),
            )
            for track in (1.5, -1)
        ),
        (["1,1,1,1,0,5,1,1,1"], all_bad("line 1: a box must have a width and a height; got 0x5")),
        (
            ["1,4,1,1,5,5,1,1,1", "1,4,9,9,5,5,1,1,1"],
            all_bad(
                "line 2: id 4 stands twice in frame 1",
                "line 2: id 4 stands twice in frame 1, first at (0, 0, 5, 5)",
            ),
        ),
        (
            ["1,4,300,1,5,5,1,1,1"],
            all_bad("line 1: the box lies outside the picture of 100x80"),
        ),
        (
            ["1,1,1,1,5,5,1,3,1"],
            ": must hold boxes of people (class 1); none is left of 1 boxes {'other-class': 1}",
        ),
        *(
            (
                [f"1,4,1,1,5,5,1,1,{seen}"],
                all_bad(f"line 1: visibility (-1 = unknown) must be from 0 to 1; got {seen}"),
            )
            for seen in (1.5, -0.5)
        ),
    ],
)
def test_a_line_that_cannot_be_is_named(tmp_path, lines, complaint):
    format = "mot" if lines[0].count(",") == 9 else "mot-gt"
    assert refusal(tmp_path, *lines, format=format) == complaint


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"none\.txt: annotations cannot be read: No such file"):
        read_mot(tmp_path / "none.txt", video())
    (tmp_path / "gt.txt").write_bytes(b"\xff\xfe1,1")
    with pytest.raises(SourceError, match=r"gt\.txt: annotations must be text"):
        read_mot(tmp_path / "gt.txt", video())


ROW = "1,7,11,21,30,40,1,1,0.5"


def sequence(tmp_path, **told):
    entries = "\n".join(f"{key}={value}" for key, value in told.items())
    (tmp_path / "seqinfo.ini").write_text(f"[Sequence]\n{entries}\nimExt=.jpg\n")


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ({"seqLength": 600}, "counts 600 frames, but the video gate.mp4 has 100"),
        ({"frameRate": 14}, "tells 14 frames a second, but the video gate.mp4 has 25"),
        ({"imWidth": 1920, "imHeight": 1080}, "annotated in a picture of 1920x1080, but the video has 100x80"),
    ],
)
@pytest.mark.parametrize("folder", ["", "gt"])
def test_what_seqinfo_states_is_compared(tmp_path, told, complaint, folder):
    """Kind B1: annotations of another length, rate or size."""
    sequence(tmp_path, **told)
    (tmp_path / folder).mkdir(exist_ok=True)
    with pytest.raises(SourceError) as caught:
        read(tmp_path / folder, ROW, num_frames=100, frame_rate=25.0)
    assert str(caught.value).startswith(f"{tmp_path / 'seqinfo.ini'}: {complaint}; are these the annotations of this")


def test_seqinfo_that_fits_is_no_news_and_another_name_is(tmp_path):
    sequence(tmp_path, name="MOT17-02-FRCNN", imWidth=100, imHeight=80, seqLength=1, frameRate=25)
    (warning,) = read(tmp_path, ROW, num_frames=1, frame_rate=25.0).warnings
    assert warning.endswith("is about the sequence 'MOT17-02-FRCNN', and the video is 'gate.mp4'")
    assert not read(tmp_path, ROW, num_frames=1, frame_rate=25.0, name="mot17-02-frcnn.mkv").warnings


def test_a_video_made_of_a_sequences_pictures_at_another_rate_is_told(tmp_path):
    sequence(tmp_path, seqLength=1, frameRate=30)
    (warning,) = read(tmp_path, ROW, num_frames=1, frame_rate=25.0).warnings
    assert "tells 30 frames a second, but the video gate.mp4 has 25; the frames are as many" in warning


def test_numbers_are_tracks_of_one_video_unless_the_file_beside_says_otherwise(tmp_path):
    """Kind B2: numbers have a scope."""
    truth, results = read(tmp_path, ROW), read(tmp_path, "1,7,11,21,30,40,0.9,-1,-1,-1")
    assert (truth.identified, truth.identities_because) == (False, "MOT files number the people of one video")
    assert (results.identified, results.identities_because) == (False, "trackers number the tracks of one video")
    write_identities(tmp_path, [tmp_path / "other.txt"])
    assert not read(tmp_path, ROW).identified
    write_identities(tmp_path, [tmp_path / "other.txt", tmp_path / "gt.txt"])
    assert (read(tmp_path, ROW).identified, read(tmp_path, ROW).identities_because) == (
        True,
        "identities.json beside it says so",
    )
    (tmp_path / "identities.json").write_text("[]")
    with pytest.raises(SourceError, match=r"identities\.json: must be .*, as skyreid data export writes it"):
        read(tmp_path, ROW)


def test_one_stray_box_is_counted(tmp_path):
    """Kind B7."""
    rows = [f"{frame},7,11,21,30,40,0.9,-1,-1,-1" for frame in range(1, 21)]
    people = read(tmp_path, *rows, "5,8,300,21,30,40,0.9,-1,-1,-1", "6,8,11,21,0,40,0.9,-1,-1,-1")
    assert people.dropped == {"outside": 1, "no-size": 1}
    assert len(people.frames) == 20


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        ("21,7,11,21,3", "must have 10 columns like most lines; got 5"),  # cut
        ("21,7,11,21,30,nan,0.9,-1,-1,-1", "must hold finite numbers only; got '21,7,11,21,30,nan,0.9,-1,-1,-1'"),
        ("21,7,left,21,30,40,0.9,-1,-1,-1", "must hold finite numbers only; got '21,7,left,21,30,40,0.9,-1,-1,-1'"),
        ("21,7,,21,30,40,0.9,-1,-1,-1", "must hold finite numbers only; got '21,7,,21,30,40,0.9,-1,-1,-1'"),
    ],
)
@pytest.mark.parametrize("place", [0, 10, 20])
def test_one_row_that_cannot_be_read_is_counted_and_named(tmp_path, bad, complaint, place):
    """Kind B7: a writer that was killed, or wrote what it did not know."""
    rows = [f"{frame},7,11,21,30,40,0.9,-1,-1,-1" for frame in range(1, 21)]
    people = read(tmp_path, *rows[:place], bad, *rows[place:])
    assert (people.dropped, len(people.frames)) == ({"unreadable": 1}, 20)
    assert people.warnings == (f"gt.txt, line {place + 1}: {complaint}; left out",)


@pytest.mark.parametrize("bad", ["-3,7,11,21,30,40,1,1,1", "2.5,7,11,21,30,40,1,1,1", "3,-1,11,21,30,40,1,1,1"])
def test_one_row_that_cannot_be_is_counted(tmp_path, bad):
    """Kind B7; a row of zeros is none of frame 0."""
    rows = [f"{frame},7,11,21,30,40,1,1,1" for frame in range(1, 31)]
    people = read(tmp_path, *rows, bad, "0,0,0,0,0,0,0,0,0", "0,0,0,0,0,0,1,1,0", format="mot-gt")
    assert (people.dropped, len(people.frames)) == ({"unreadable": 1, "ignored": 1, "no-size": 1}, 30)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig"])
@pytest.mark.parametrize(
    "row", ["1,7,11.5,21,30,40,1,1,1", "1;7;11,5;21;30;40;1;1;1;", "1\t7\t11,5\t21\t30\t40\t1\t1\t1"]
)
def test_rows_are_read_as_excel_and_powershell_write_them(tmp_path, encoding, row):
    """Kind B3; where commas stand in decimals, something else divides the fields."""
    (tmp_path / "gt.txt").write_bytes(f"{row}\r\n".encode(encoding))
    assert read_mot(tmp_path / "gt.txt", video(100, 80)).frames == {0: {7: (10.5, 20, 40.5, 60)}}


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ("", "is empty; write [Sequence] and lines such as frameRate=25 into it, as MOTChallenge does, or remove it"),
        ("[sequence]\nname=a", "must have a section [Sequence]; got ['sequence']; write [Sequence] and lines such"),
        ("frameRate=25", "must be lines of NAME=VALUE; File contains no section headers. file: '<string>', line: 1"),
        ("[Sequence]\nframeRate=fast", "the frame rate must be a finite number; got 'fast'"),
    ],
)
def test_a_sequence_file_that_says_nothing_is_named_with_the_remedy(tmp_path, told, complaint):
    """Kind B1."""
    (tmp_path / "seqinfo.ini").write_text(told)
    assert refusal(tmp_path, ROW).startswith(f"{tmp_path / 'seqinfo.ini'}: {complaint}")


def test_a_pipe_is_no_annotations(tmp_path):
    """Kind B4 of hostile files: regular files only."""
    os.mkfifo(tmp_path / "gt.txt")
    with pytest.raises(SourceError, match=r"gt\.txt: annotations cannot be read: not a regular file"):
        read_mot(tmp_path / "gt.txt", video())


@pytest.mark.parametrize("behind", ["", ",0.9", ",0.9,0"])
def test_rows_of_frame_id_and_box_alone_are_read_when_they_are_named(tmp_path, behind):
    """Kind B3: the columns that all programs agree on are enough, by the user's word."""
    people = read(tmp_path, f"3,7,11,21,80,40{behind}", format="mot-results")
    assert people.frames == {2: {7: (10, 20, 90, 60)}}
    assert "nothing in it says which rows are people" in people.warnings[0]
    assert "format=mot-results" in refusal(tmp_path, f"3,7,11,21,80,40{behind}")


def test_boxes_that_may_be_of_a_smaller_copy_are_said_unless_the_size_is_told(tmp_path):
    """Kind B1: nothing in MOT rows tells the picture's size; those of 720 lines lie in one corner of 1080."""
    rows = "1,7,1,1,20,40,1,1,1", "2,7,31,1,20,40,1,1,1"
    (warning,) = read(tmp_path, *rows).warnings
    assert "none of its boxes reaches beyond 50,40, and the picture has 100x80" in warning
    assert not read(tmp_path, *rows, "3,7,61,1,20,40,1,1,1").warnings
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nimWidth=100\nimHeight=80\n")
    assert not read(tmp_path, *rows).warnings


def walk(*, sides, end="0.9,-1,-1,-1", left=range(20, 60, 2), size=(12, 30)):
    """Somebody who walks from left to right, with corners or with sizes."""
    boxes = [(x, 20, x + size[0], 20 + size[1]) if sides == "xyxy" else (x, 20, *size) for x in left]
    return [f"{frame},7,{','.join(map(str, box))},{end}" for frame, box in enumerate(boxes, start=1)]


CORNERS = "Say in the source which they are: boxes=xyxy (corners) or boxes=xywh (left, top, width, height)"


@pytest.mark.parametrize("end", ["0.9,-1,-1,-1", "1,1,0.9", "1,1,0,0"])
def test_corners_are_not_read_as_sizes(tmp_path, end):
    """Kind B3: many trackers give x1,y1,x2,y2; as sizes they reach out of the picture, or grow on the way."""
    rows, read_it = walk(sides="xyxy", end=end), read_visdrone if end == "1,1,0,0" else read_mot
    (tmp_path / "gt.txt").write_text("\n".join(rows))
    with pytest.raises(SourceError) as caught:
        read_it(tmp_path / "gt.txt", video(100, 80))
    message = f"{tmp_path / 'gt.txt'}: read as left, top, width, height, {{}}; read as left, top, right, bottom, the "
    reason = "6 of 20 boxes reach beyond the picture of 100x80"
    assert str(caught.value) == f"{message.format(reason)}boxes fit. {CORNERS}"
    with pytest.raises(SourceError) as caught:
        read_it(tmp_path / "gt.txt", video(400, 400))
    reason = "people are the larger the further they are to the right or down"
    assert str(caught.value) == f"{message.format(reason)}boxes fit. {CORNERS}"
    from_0 = 0 if end == "1,1,0,0" else 1
    with pytest.raises(SourceError, match="6 of 20 boxes reach beyond the picture"):  # one bad row hides nothing
        (tmp_path / "bad.txt").write_text("\n".join([*rows[:-1], f"20,7,60,20,50,10,{end}"]))
        read_it(tmp_path / "bad.txt", video(100, 80))
    with pytest.raises(SourceError, match="people are about as wide as tall; read as left, top, right, bottom, the"):
        (tmp_path / "still.txt").write_text("\n".join(f"{frame},7,40,10,60,50,{end}" for frame in range(1, 21)))
        read_it(tmp_path / "still.txt", video(400, 400))
    right = read_it(tmp_path / "gt.txt", video(100, 80, sides="xyxy")).frames[0][7]
    assert right == (20 - from_0, 20 - from_0, 32 - from_0, 50 - from_0)
    wrong = read_it(tmp_path / "gt.txt", video(400, 400, sides="xywh")).frames[0][7]
    assert wrong == (20 - from_0, 20 - from_0, 52 - from_0, 70 - from_0)


def test_corners_of_people_are_no_cars(tmp_path):
    """Kind B3: x2 is larger than y2, and nobody is wider than tall."""
    rows = walk(sides="xyxy", left=range(60, 80), size=(12, 30), end="1,1,1")
    assert "boxes=xyxy (corners)" in refusal(tmp_path, *rows)
    assert "ground truth" in read(tmp_path, *rows, sides="xyxy").read_as


@pytest.mark.parametrize(
    "rows",
    [
        walk(sides="xywh"),
        walk(sides="xywh", left=range(1, 21), size=(35, 60)),  # somebody near the camera, at its left edge
        walk(sides="xywh", left=[5] * 20, size=(35, 60)),
        [
            f"{frame},7,{5 + frame % 3},{4 + frame % 2},{35 - frame % 4},{60 + frame % 3},1,-1,-1"
            for frame in range(1, 21)
        ],
    ],
)
def test_sizes_are_not_taken_for_corners(tmp_path, rows):
    assert len(read(tmp_path, *rows).frames) == 20


def test_rows_that_end_where_a_selection_of_frames_would_are_refused(tmp_path):
    """Kind B1: a tracker that looked at every fifth frame, and numbered them anew."""
    rows = [f"{frame},7,11,21,30,40,1,1,1" for frame in range(1, 201)]
    with pytest.raises(SourceError) as caught:
        read(tmp_path, *rows, num_frames=1000)
    assert str(caught.value) == (
        f"{tmp_path / 'gt.txt'}: its last box stands in frame 199 from 0, and the video has 1000: just where it ends "
        "if one of 5 frames is counted. If so, say it in the source: every=5; or every=1, if everybody has left by then"
    )
    assert not read(tmp_path, *rows, num_frames=1000, every=1).warnings
    assert "is this a part of it" in read(tmp_path, *rows, num_frames=900).warnings[0]
    sequence(tmp_path, seqLength=1000)
    assert len(read(tmp_path, *rows, num_frames=1000).frames) == 200
