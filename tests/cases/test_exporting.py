"""What leaves a case: read back by the readers of its formats, with hashes that hold, and nothing that runs."""

import csv
import io
import json
import re
import zipfile

import pytest

from skyreid.building.annotations import read_annotations
from skyreid.building.annotations.annotated_video import AnnotatedVideo
from skyreid.building.build import build
from skyreid.building.sources import parse_source
from skyreid.building.video.decode import probe
from skyreid.cases.audit import read_audit
from skyreid.cases.deciding.decisions import decide
from skyreid.cases.deciding.standing import read_standing
from skyreid.cases.exports.exporting import FORMATS, export_case, package_case, past_exports
from skyreid.cases.tracklets import read_tracklets
from skyreid.cases.work.importing import import_build
from skyreid.datasets.benchmarks import g2a_vreid, mars
from skyreid.errors import CaseError, NothingFoundError, RefusedError
from skyreid.files.regular_file import bytes_sha256, file_sha256
from skyreid.tracklet import DISTRACTOR_PID
from tests.building.annotations.drawn_boxes import video
from tests.building.films import noise, write_film
from tests.cases.builds import built_info

HOSTILE = "=cmd|'/c calc'!A1 <b>&amp; 中 שלום"
COUPLES = (("gate-a-0001", "roof-a-0001"), ("gate-a-0002", "roof-a-0002"))


@pytest.fixture
def decided(case):
    """Two people confirmed on both platforms, one seen from the air alone."""
    for place, couple in enumerate(COUPLES, start=1):
        decide(case, *couple, "confirmed", annotator=HOSTILE, rank=place, similarity=0.5, model=1, seconds=2.0)
    return case


@pytest.mark.parametrize(("layout", "benchmark"), [("g2a", g2a_vreid), ("mars", mars)])
def test_those_of_both_platforms_are_a_benchmark_of_the_field(decided, tmp_path, layout, benchmark):
    report = export_case(decided, tmp_path / "out", layout, by="anna")
    read = benchmark.survey(tmp_path / "out").benchmark()
    asked = {one.pid for one in (*read.train, *read.query)}
    assert asked == {read_standing(decided).identities.pids[first] for first, _ in COUPLES}
    strangers = [one for one in read.gallery if one.pid == DISTRACTOR_PID]
    assert len(strangers) == (layout == "mars")
    assert report.count == len(read.train) + len(read.query) + len(read.gallery)
    for path in (tmp_path / "out").rglob("*.jpg"):
        assert b"Exif" not in path.read_bytes()


def test_a_benchmark_of_fewer_than_two_people_is_refused_and_leaves_nothing(case, tmp_path):
    decide(case, *COUPLES[0], "confirmed", annotator="anna")
    with pytest.raises(NothingFoundError, match="so far there are 1"):
        export_case(case, tmp_path / "out", "g2a", by="anna")
    assert not [path for path in tmp_path.iterdir() if path.name != "case"]


@pytest.mark.parametrize(("format", "suffix"), [("mot", ".txt"), ("cvat", ".xml")])
def test_boxes_come_back_with_the_numbers_of_the_identities(decided, tmp_path, format, suffix):
    export_case(decided, tmp_path / "out", format, by="anna")
    pids = read_standing(decided).identities.pids
    for source in built_info()["sources"][:2]:
        read = read_annotations(tmp_path / "out" / f"{source['name']}{suffix}", video())
        of_source = [one.tracklet for one in read_tracklets(decided) if one.source.name == source["name"]]
        expected = {(frame.index, pids[one.tracklet_id], frame.box) for one in of_source for frame in one.frames}
        assert expected == {(i, pid, box) for i, people in read.frames.items() for pid, box in people.items()}
        assert read.identified


def test_label_studio_is_given_boxes_while_the_videos_are_there_and_they_come_back(empty, tmp_path):
    film = write_film(tmp_path / "gate.mov", noise(30, height=100, width=200))
    lines = [f"{n + 1},{who},{11 + 3 * n},{21 + who},20.5,60,1,1,1" for n in range(0, 30, 5) for who in (1, 2)]
    (tmp_path / "gate.txt").write_text("\n".join(lines))
    text = f"{film},platform=ground,camera=gate,annotations={tmp_path}/gate.txt"
    build([parse_source(text)], tmp_path / "built")
    import_build(empty, tmp_path / "built", by="anna", purpose="a test")
    pids = read_standing(empty).identities.pids
    expected = {
        (frame.index, pids[one.tracklet.tracklet_id]): frame.box
        for one in read_tracklets(empty)
        for frame in one.tracklet.frames
    }
    export_case(empty, tmp_path / "out", "label-studio", by="anna")
    (written,) = (tmp_path / "out").glob("gate-*.json")
    told = probe(film)
    facts = AnnotatedVideo(
        name="gate.mov", width=200, height=100, frame_rate=told.frame_rate, num_frames=30, duration_s=3.0
    )
    read = read_annotations(written, facts)
    back = {(index, pid): box for index, people in read.frames.items() for pid, box in people.items()}
    assert len(back) == 12
    assert back.keys() == expected.keys()
    for place, box in expected.items():
        assert back[place] == pytest.approx(box, abs=1e-6)
    film.unlink()
    with pytest.raises(RefusedError, match=r"gate\.mov: the video is not where it was .* mot and cvat do not"):
        export_case(empty, tmp_path / "again", "label-studio", by="anna")
    assert not (tmp_path / "again").exists()


def test_a_cell_never_becomes_a_formula_and_a_source_does_not_say_where_it_lies(decided, tmp_path):
    export_case(decided, tmp_path / "d.csv", "csv", by="anna")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "d.csv").read_text(), newline="")))
    assert [row["annotator"] for row in rows] == [f"'{HOSTILE}"] * 2
    export_case(decided, tmp_path / "d.json", "json", by="anna")
    told = json.loads((tmp_path / "d.json").read_text())
    assert (
        not {"path", "crops"} & told["sources"][0].keys()
        and str(decided.folder) not in (tmp_path / "d.json").read_text()
    )


def test_the_report_says_nothing_of_its_own_but_the_title_and_escapes_the_rest(decided, tmp_path):
    for out, tracklet, count in (("all.pdf", None, 2), ("one.pdf", "roof-a-0001", 1)):
        assert export_case(decided, tmp_path / out, "pdf", by="anna", tracklet=tracklet).count == count
    content = (tmp_path / "all.pdf").read_bytes()
    (info,) = re.findall(rb"<<\s*/Title[^>]*>>", content)
    assert not re.search(rb"/(Author|Creator|Producer|CreationDate|ModDate|Subject|Keywords)", content), info
    assert str(decided.folder).encode() not in content
    with pytest.raises(CaseError, match="no tracklet 'nobody'"):
        export_case(decided, tmp_path / "none.pdf", "pdf", by="anna", tracklet="nobody")


def test_nobody_who_was_confirmed_is_nothing_to_report(case, tmp_path):
    with pytest.raises(NothingFoundError, match="nobody was confirmed yet"):
        export_case(case, tmp_path / "all.pdf", "pdf", by="anna")


@pytest.mark.parametrize("format", [one for one in FORMATS if one != "label-studio"])  # which wants the videos
def test_a_package_holds_the_hash_of_every_file_and_stands_in_the_log(decided, format):
    package = package_case(decided, format, by="anna")
    with package.file, zipfile.ZipFile(package.file) as archive:
        names = archive.namelist()
        (told,) = (name for name in names if name.endswith("export.json"))
        manifest = json.loads(archive.read(told))
        root = told.partition("/")[0]
        assert {f"{root}/{name}" for name in manifest["files"]} == set(names) - {told}
        for name, sha256 in manifest["files"].items():
            assert bytes_sha256(archive.read(f"{root}/{name}")) == sha256
        assert (manifest["what"], manifest["by"]) == (format, "anna")
        assert all(not info.date_time > (1980, 1, 1, 0, 0, 0) for info in archive.infolist())
    assert list((decided.folder / "work").iterdir()) == []
    with decided.database.reading() as connection:
        last = read_audit(connection)[-1]
    assert (last.who, last.action, last.details["format"]) == ("anna", "export", format)
    assert past_exports(decided)[0]["sha256"] == last.details["sha256"]


def test_a_file_has_its_hash_beside_it(decided, tmp_path):
    report = export_case(decided, tmp_path / "d.csv", "csv", by="anna")
    told = json.loads((tmp_path / "d.csv.export.json").read_text())
    assert told["files"] == {"d.csv": file_sha256(tmp_path / "d.csv")} == {"d.csv": report.sha256}
