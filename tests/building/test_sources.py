import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from skyreid.building.sources import Source, check_together, parse_source, read_sources, sources_of
from skyreid.errors import SourceError
from skyreid.tracklet import Platform

KEYS = (
    "file, platform, camera, annotations, format, identities, annotations_of, boxes, every, start_time, telemetry, "
    "time_zone, gps_order, altitude_from, latitude, longitude, height_m, heading, pitch, hfov"
)
GROUND, AERIAL = Platform.GROUND, Platform.AERIAL


def source(path="a.mp4", *, platform=GROUND, camera="C1", annotations=None, **more):
    return Source(path=Path(path), platform=platform, camera=camera, annotations=annotations, **more)


def test_a_source_is_read_from_one_word():
    assert parse_source("in/a.mp4,platform=aerial,camera=drone 1,annotations=gt.txt") == source(
        "in/a.mp4", platform=AERIAL, camera="drone 1", annotations=Path("gt.txt")
    )
    assert parse_source("a,b.mp4,camera=C1,platform=ground") == source("a,b.mp4")
    started = parse_source("a.mp4,platform=ground,camera=C1,start_time=2026-05-04T09:00:00+02:00")
    assert started == source(start_time=datetime(2026, 5, 4, 9, tzinfo=timezone(timedelta(hours=2))))


def test_sources_are_taken_as_texts_or_as_objects_one_or_several():
    """Kind C2."""
    text, expected = (
        "in/a.mp4,platform=ground,camera=C1,annotations=gt.txt",
        source("in/a.mp4", annotations=Path("gt.txt")),
    )
    for given in (text, [text], expected, (expected,)):
        assert sources_of(given) == [expected]
    assert sources_of([text, source("b.mp4")]) == [expected, source("b.mp4")]


def test_sources_are_taken_from_the_file_that_lists_them(tmp_path):
    record = {"file": "a.mp4", "platform": "ground", "camera": "C1"}
    (tmp_path / "sources.json").write_text(json.dumps({"sources": [record]}))
    for given in (tmp_path / "sources.json", str(tmp_path / "sources.json")):
        assert sources_of(given) == [source(tmp_path / "a.mp4")]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "a.mp4,platform=ground,camera=C1,fps=3",
            f"a source has the keys {KEYS.removeprefix('file, ')}; got 'fps'; "
            "where it belongs to a name, write \\,fps=",
        ),
        ("a.mp4,camera=C1", "platform is missing, as in a.mp4,platform=ground,camera=C1"),
        ("a.mp4,platform=ground", "camera is missing, as in a.mp4,platform=ground,camera=C1"),
        ("a.mp4,platform=sea,camera=C1", "platform is ground or aerial; got 'sea'"),
        ("a.mp4,platform=ground,camera=", "camera is empty"),
        (
            "a.mp4,camera=a,camera=b,platform=ground",
            "camera stands twice; where it belongs to a name, write \\,camera=",
        ),
        (
            "a.mp4,platform=ground,camera=C1,start_time=2026-05-04T09:00:00",
            "start_time is a time of ISO 8601 with its zone, such as 2026-05-04T09:00:00+02:00; "
            "got '2026-05-04T09:00:00'",
        ),
        (
            ",platform=ground,camera=C1",
            "a source begins with its file, as in video.mp4,platform=ground,camera=C1",
        ),
    ],
)
def test_what_cannot_be_a_source_is_refused(text, complaint):
    with pytest.raises(SourceError) as caught:
        parse_source(text)
    assert str(caught.value) == f"{text!r}: {complaint}"


@pytest.mark.parametrize(
    ("camera", "file", "name"),
    [
        ("C1", "in/entrance.mp4", "C1-entrance"),
        ("gate 2/left", "a b;c.mp4", "gate_2_left-a_b_c"),
        ("入口", "…mp4", "入口-_mp4"),
        ("..", ".mp4", "_-mp4"),
        ("x" * 300, "y" * 300 + ".mp4", f"{'x' * 31}-0d4e2ca9-{'y' * 31}-9637cfea"),
    ],
)
def test_a_name_fits_every_file_system(camera, file, name):
    assert source(file, camera=camera).name == name


def test_names_that_agree_in_their_first_forty_characters_stay_apart():
    """Kind B8: recorders write the place first and the time last."""
    names = [f"2026-05-04_north-entrance_of_the_main_hall_channel-03_{time}.mp4" for time in ("0900", "1000")]
    first, second = (source(name) for name in names)
    check_together([first, second])
    assert first.name != second.name
    assert first.name.startswith("C1-2026-05-04_north-entrance_of_th-")
    assert max(len(first.name), len(second.name)) == len("C1-") + 40


def test_names_of_letters_that_take_three_bytes_or_four_fit_every_file_system_and_stay_apart():
    """Kind B8: a name of 255 bytes has to hold both, and what is written beside it."""
    for letter in "\u51fa\U00020000":
        names = [source(f"{letter * 39}{number}.mp4", camera=letter * 40).name for number in (1, 2)]
        assert names[0] != names[1]
        assert max(len(name.encode()) for name in names) <= 201
    short = "\u51fa" * 30
    assert source(f"{short}.mp4").name == f"C1-{short}"


def test_commas_and_equals_signs_may_stand_in_names():
    """Kind B8: a backslash tells a name from a key; `take=2.mp4` alone needs none."""
    told = "platform=ground,camera=C1"
    assert parse_source(rf"walk\,take=2.mp4,{told}").path == Path("walk,take=2.mp4")
    assert parse_source(f"walk, take=2.mp4,{told}").path == Path("walk, take=2.mp4")
    assert parse_source(f"take=2.mp4,{told}").path == Path("take=2.mp4")
    read = parse_source(r"a.mp4,platform=ground,camera=gate\,side=left,annotations=b\,c=d=e.txt")
    assert (read.camera, read.annotations) == ("gate,side=left", Path("b,c=d=e.txt"))


def test_the_home_folder_is_found(monkeypatch, tmp_path):
    """Kind B8: a shell leaves `annotations=~/gt.txt` as it is."""
    monkeypatch.setenv("HOME", str(tmp_path))
    read = parse_source("~/a.mp4,platform=ground,camera=C1,annotations=~/gt.txt")
    assert (read.path, read.annotations) == (tmp_path / "a.mp4", tmp_path / "gt.txt")
    with pytest.raises(SourceError, match=r"no file '~nobody-at-all/a\.mp4', and nobody knows the home folder that it"):
        parse_source("~nobody-at-all/a.mp4,platform=ground,camera=C1")


def test_a_file_may_begin_with_the_sign_of_the_home_folder(monkeypatch, tmp_path):
    """Kind B8."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~a.mp4").touch()
    read = parse_source("~a.mp4,platform=ground,camera=C1,annotations=./~gt.txt")
    assert (read.path, read.annotations) == (Path("~a.mp4"), Path("~gt.txt"))


@pytest.mark.parametrize(
    ("sources", "complaint"),
    [
        ([], "a build needs at least one source"),
        (
            [source("1/A.mp4"), source("2/a.mp4")],
            "2/a.mp4 and 1/A.mp4: videos of one camera must differ in their file names, by more than signs and the "
            "ending, since these name their tracklets; both give 'C1-a'",
        ),
        (
            [source("a.mp4", annotations=Path("x")), source("b.mp4", platform=AERIAL, annotations=Path("y"))],
            "b.mp4: camera 'C1' cannot be on the ground and in the air",
        ),
        (
            [source("a.mp4", is_simulated=True), source("b.mp4")],
            "b.mp4 and a.mp4: one is simulated and one is not; build them into two folders, so that nobody takes drawn "
            "people for real ones",
        ),
    ],
)
def test_sources_that_do_not_go_together_are_refused(sources, complaint):
    with pytest.raises(SourceError) as caught:
        check_together(sources)
    assert str(caught.value) == complaint


def test_a_camera_may_have_several_videos_and_a_video_may_be_of_several_cameras():
    check_together([source("a.mp4"), source("b.mp4"), source("a.mp4", camera="C2")])
    check_together([source(platform=AERIAL)])  # who is in it, a finder for moving cameras tells


GATE = {"file": "videos/gate.mp4", "platform": "ground", "camera": "gate"}
WALL = GATE | {"file": "wall.mp4", "start_time": "2026-05-04T09:00:00+00:00", "annotations": "truth/wall.txt"}


def written(folder, content):
    path = folder / "sources.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_sources_are_read_from_a_file(tmp_path):
    path = written(tmp_path, {"sources": [GATE, WALL], "simulated": True})
    gate = source(tmp_path / "videos/gate.mp4", camera="gate", is_simulated=True)
    wall = source(
        tmp_path / "wall.mp4",
        camera="gate",
        annotations=tmp_path / "truth/wall.txt",
        start_time=datetime(2026, 5, 4, 9, tzinfo=UTC),
        is_simulated=True,
    )
    assert read_sources(path) == [gate, wall]
    assert read_sources(path, with_annotations=False)[1].annotations is None
    assert not read_sources(written(tmp_path, {"sources": [GATE]}))[0].is_simulated


@pytest.mark.parametrize(
    ("record", "complaint"),
    [
        (GATE | {"fps": "3"}, f"a source has the keys {KEYS}; got 'fps'"),
        ({"platform": "ground", "camera": "C1"}, "file is missing, as in {\"file\": \"video.mp4\", \"platform\": "
         "\"ground\", \"camera\": \"C1\"}"),
        (GATE | {"camera": ""}, "camera is empty"),
        (GATE | {"camera": 3}, "camera must be a text; got 3"),
        (GATE | {"platform": "sea"}, "platform is ground or aerial; got 'sea'"),
        (GATE | {"start_time": "noon"}, "start_time is a time of ISO 8601 with its zone, such as "
         "2026-05-04T09:00:00+02:00; got 'noon'"),
        (GATE | {"file": "../gate.mp4"}, "'../gate.mp4' must lie in the folder of the file that names it"),
        (GATE | {"file": "/gate.mp4"}, "'/gate.mp4' must lie in the folder of the file that names it"),
        (GATE | {"annotations": "way/out.txt"}, "'way/out.txt' must lie in the folder of the file that names it"),
        ("gate.mp4", f"must be an object with the keys {KEYS}; got 'gate.mp4'"),
        (WALL, "'wall.mp4' stands twice"),
    ],
)  # fmt: skip
def test_a_file_with_a_wrong_source_is_refused_by_name(tmp_path, record, complaint):
    (tmp_path / "way").symlink_to(tmp_path.parent)
    path = written(tmp_path, {"sources": [WALL, record]})
    with pytest.raises(SourceError) as caught:
        read_sources(path)
    assert str(caught.value) == f"{path}: source 2: {complaint}"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", " must be a JSON file of sources; it cannot be read: "),
        ([GATE], ' must be a JSON object such as {"sources": [...]}'),
        ({"sources": [GATE], "scene": 1}, ": has the keys sources and simulated; got 'scene'"),
        ({"sources": [GATE], "simulated": "no"}, ": simulated is true or false; got 'no'"),
    ],
)
def test_a_file_that_is_none_of_sources_is_refused(tmp_path, content, complaint):
    path = written(tmp_path, content)
    with pytest.raises(SourceError) as caught:
        read_sources(path)
    assert str(caught.value).startswith(f"{path}{complaint}")


def test_what_the_numbers_of_annotations_are_can_be_said():
    """Kind B2: numbers have a scope."""
    source = parse_source("a.mp4,platform=ground,camera=C1,annotations=gt.txt,identities=shared,annotations_of=b.mp4")
    assert (source.identities, source.annotations_of) == ("shared", "b.mp4")
    with pytest.raises(SourceError, match=r"identities is shared \(.*\) or per-video \(.*\); got 'mine'$"):
        parse_source("a.mp4,platform=ground,camera=C1,annotations=gt.txt,identities=mine")
    with pytest.raises(SourceError, match=r"identities is that of the annotations, and there are none$"):
        parse_source("a.mp4,platform=ground,camera=C1,identities=shared")


def test_the_format_of_annotations_can_be_named():
    source = parse_source("a.mp4,platform=ground,camera=C1,annotations=gt.txt,format=visdrone")
    assert source.format == "visdrone"
    with pytest.raises(SourceError, match=r"format is that of the annotations, and there are none$"):
        parse_source("a.mp4,platform=ground,camera=C1,format=mot")


def test_what_boxes_and_frames_of_annotations_are_can_be_said():
    """Kinds B1 and B3: what a file does not tell, the user does."""
    text = "a.mp4,platform=ground,camera=C1,annotations=gt.txt"
    source = parse_source(f"{text},boxes=xyxy,every=5")
    assert (source.boxes, source.every) == ("xyxy", 5)
    with pytest.raises(SourceError, match=r"boxes is xywh \(.*\) or xyxy \(.*\); got 'corners'$"):
        parse_source(f"{text},boxes=corners")
    for wrong in ("0", "-5", "2.5", "fifth"):
        with pytest.raises(SourceError, match=rf"every is a whole number from 1: .*; got '{wrong}'$"):
            parse_source(f"{text},every={wrong}")
