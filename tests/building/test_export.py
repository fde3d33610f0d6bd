import json

import pytest

from skyreid.building.annotations import read_annotations
from skyreid.building.export import LayoutReport, export_annotations, export_layout
from skyreid.cli.data import data_export
from skyreid.datasets.benchmarks import g2a_vreid, mars
from skyreid.datasets.identity_split import divide_identities
from skyreid.datasets.manifest import write_manifest
from skyreid.datasets.verification import verify
from skyreid.errors import DatasetError, ManifestError, SettingError, SourceError
from skyreid.tracklet import Frame, Platform, Tracklet
from tests.building.annotations.drawn_boxes import video
from tests.datasets.miniature_trees import write_image

BOTH = (3, 7, 8, 20, 21, 500)
ONLY_GROUND, ONLY_AERIAL = 30, 40


def write_build(root, people, *, identities="annotated"):
    """A build in which each (pid, camera, platform) is a tracklet of two frames; a camera has one video."""
    tracklets = []
    for number, (pid, camid, platform) in enumerate(people, start=1):
        tracklet_id = f"cam{camid}-video-{number:04d}"
        frames = []
        for index in (0, 5):
            path = root / f"crops/{tracklet_id}/{index:06d}.jpg"
            write_image(path, width=8 + number)
            frames.append(
                Frame(str(path), index=index, time_s=index / 10, box=(float(number), 0.0, number + 9.0, 20.0))
            )
        tracklets.append(
            Tracklet(tracklet_id=tracklet_id, frames=tuple(frames), pid=pid, camid=camid, platform=platform)
        )
    write_manifest(root / "manifest.jsonl", tracklets, {"identities": identities})
    return root


@pytest.fixture
def built(tmp_path):
    """Six people seen from the ground (one of them twice) and from the air, two from one platform only."""
    people = [(pid, pid % 2, Platform.GROUND) for pid in (*BOTH, ONLY_GROUND)]
    people += [(pid, 2 + pid % 2, Platform.AERIAL) for pid in (*BOTH, ONLY_AERIAL)]
    return write_build(tmp_path / "built", [*people, (BOTH[0], 0, Platform.GROUND)])


def test_g2a_reads_back_who_asks_and_who_is_searched(built, tmp_path):
    report = export_layout(built, tmp_path / "out", layout="g2a", seed=1)
    split = divide_identities(BOTH, seed=1)
    assert (len(split.train), len(split.test)) == (2, 4)
    read = g2a_vreid.survey(tmp_path / "out").benchmark()
    assert {t.pid for t in read.train} == set(split.train)
    for part, platform in ((read.query, Platform.GROUND), (read.gallery, Platform.AERIAL)):
        assert {t.pid for t in part} == set(split.test)
        assert {t.platform for t in part} == {platform}
    assert (len(read.train), len(read.query), len(read.gallery)) == (
        report.train_tracklets,
        report.query_tracklets,
        report.gallery_tracklets,
    )
    assert len(read.train) + len(read.query) + len(read.gallery) == 13
    assert report.left_out == (ONLY_GROUND, ONLY_AERIAL)
    assert (report.distractors, report.split_sha256) == (0, split.sha256)
    assert report.shared_videos == ("cam0-video", "cam1-video", "cam2-video", "cam3-video")


def test_mars_keeps_who_is_seen_from_the_air_only_as_a_distractor(built, tmp_path):
    report = export_layout(built, tmp_path / "out", layout="mars")
    read = mars.survey(tmp_path / "out").benchmark()
    assert [t.pid for t in read.gallery].count(0) == report.distractors == 1
    assert (
        {t.pid for t in read.gallery} - {0} == {t.pid for t in read.query} == set(divide_identities(BOTH, seed=0).test)
    )
    assert {t.camid for t in (*read.train, *read.gallery)} == {0, 1}
    assert report.left_out == (ONLY_GROUND,)


@pytest.mark.parametrize(("layout", "name"), [("g2a", "g2a-vreid"), ("mars", "mars")])
def test_what_is_exported_is_whole_and_as_its_layout_says(built, tmp_path, layout, name):
    export_layout(built, tmp_path / "out", layout=layout)
    verification = verify(name, tmp_path / "out")
    assert verification.findings == ()
    assert verification.is_ok


def test_the_same_seed_gives_the_same_files_and_another_gives_another_split(built, tmp_path):
    def export(name, seed):
        report = export_layout(built, tmp_path / name, layout="g2a", seed=seed)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        return report.split_sha256, [(path.relative_to(tmp_path / name), path.read_bytes()) for path in files]

    assert export("a", 0) == export("b", 0)
    assert export("c", 1)[0] != export("d", 0)[0]


def test_a_crop_that_two_people_share_stops_the_export(tmp_path):
    frame = tmp_path / "built/crops/a.jpg"
    write_image(frame)
    tracklets = [
        Tracklet(
            tracklet_id=f"{platform}-v-{pid:04d}", frames=(Frame(str(frame)),), pid=pid, camid=0, platform=platform
        )
        for platform in Platform
        for pid in range(1, 31)
    ]
    write_manifest(tmp_path / "built/manifest.jsonl", tracklets, {"identities": "linked"})
    with pytest.raises(DatasetError, match="train and test must not share crops"):
        export_layout(tmp_path / "built", tmp_path / "out", layout="g2a")
    assert not (tmp_path / "out").exists()


def test_a_build_in_which_nobody_knows_who_is_who_is_refused(tmp_path):
    built = write_build(tmp_path / "built", [(1, 0, Platform.GROUND)], identities="per-tracklet")
    with pytest.raises(DatasetError, match=r"built: nobody has said who is who; link first: skyreid link .*built$"):
        export_layout(built, tmp_path / "out", layout="g2a")


def test_people_seen_from_one_platform_make_no_benchmark(tmp_path):
    people = [(1, 0, Platform.GROUND), (1, 1, Platform.AERIAL), (2, 0, Platform.GROUND)]
    with pytest.raises(DatasetError, match="needs two people seen from both platforms; got 1 of 2"):
        export_layout(write_build(tmp_path / "built", people), tmp_path / "out", layout="mars")


def test_the_report_is_told_to_people_and_programs(built, tmp_path):
    report = export_layout(built, tmp_path / "out", layout="g2a")
    assert isinstance(report, LayoutReport)
    lines = report.lines()
    assert lines[0].startswith(f"{tmp_path / 'out'}: 2 people train (")
    assert "seen from one platform only and left out: 2 people (pid 30, 40)" in lines
    assert json.loads(json.dumps(report.to_json()))["left_out"] == [30, 40]


# A source whose name looks like a tracklet of the other.
SOURCES = {"sources": [{"name": "C1-gate"}, {"name": "C1-gate-0001"}, {"name": "D-empty"}]}
BOX = (10.0, 20.0, 30.0, 60.0)


def tracklet(tracklet_id, pid, *indices, box=BOX):
    frames = tuple(Frame(f"crops/{tracklet_id}/{i}.jpg", index=i, time_s=i / 25, box=box) for i in indices)
    return Tracklet(tracklet_id=tracklet_id, frames=frames, pid=pid, camid=0, platform=Platform.GROUND)


TRACKLETS = [
    tracklet("C1-gate-0001", 7, 0, 12),
    tracklet("C1-gate-0002", 9, 12, 25),
    tracklet("C1-gate-0003", 7, 50),
    tracklet("C1-gate-0001-0001", 7, 3),  # the same person in another video
]


@pytest.fixture
def build_dir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_manifest(tmp_path / "manifest.jsonl", TRACKLETS, SOURCES)
    return tmp_path


def read(path):
    return read_annotations(path, video(100, 100, name=path.stem))


@pytest.mark.parametrize("format", ["mot", "cvat"])
def test_every_source_becomes_a_file_whose_numbers_are_pids(build_dir, format):
    suffix = {"mot": "txt", "cvat": "xml"}[format]
    told = []
    written = export_annotations(build_dir, build_dir / "out", format, progress=lambda *report: told.append(report))
    assert written == tuple(build_dir / "out" / f"{source['name']}.{suffix}" for source in SOURCES["sources"])
    assert [(done, total) for _, done, total, _ in told] == [(1, 3), (2, 3), (3, 3)]
    gate = read(written[0])
    assert gate.frames == {0: {7: BOX}, 12: {7: BOX, 9: BOX}, 25: {9: BOX}, 50: {7: BOX}}
    assert gate.identified
    assert read(written[1]).frames == {3: {7: BOX}}
    assert read(written[1]).identified
    with pytest.raises(SourceError, match="none is left of 0 boxes" if format == "cvat" else "it is empty"):
        read(written[2])


@pytest.mark.parametrize("format", ["mot", "cvat"])
def test_nothing_says_that_tracklets_are_people_where_nobody_knows(build_dir, format):
    """Kind B2."""
    write_manifest(build_dir / "manifest.jsonl", TRACKLETS, SOURCES | {"identities": "per-tracklet"})
    gate = read(export_annotations(build_dir, build_dir / "out", format)[0])
    assert set(gate.frames[12]) == {7, 9}
    assert not gate.identified


def test_writing_again_gives_the_same_bytes(build_dir):
    first = [path.read_bytes() for path in export_annotations(build_dir, build_dir / "out", "cvat")]
    assert [path.read_bytes() for path in export_annotations(build_dir, build_dir / "out", "cvat")] == first


def test_a_person_in_two_places_is_refused(build_dir):
    write_manifest(build_dir / "manifest.jsonl", [*TRACKLETS, tracklet("C1-gate-0004", 9, 25)], SOURCES)
    with pytest.raises(SourceError) as caught:
        export_annotations(build_dir, build_dir / "out", "mot")
    assert str(caught.value) == (
        f"{build_dir / 'manifest.jsonl'}: person 9 is in two places of frame 25: tracklets 'C1-gate-0002' and "
        "'C1-gate-0004'; one of them is somebody else"
    )


@pytest.mark.parametrize(
    ("tracklets", "info", "complaint"),
    [
        (TRACKLETS, {}, "must list the sources of a build, as `skyreid build` writes them"),
        (
            [tracklet("other-0001", 1, 0)],
            SOURCES,
            "the tracklet 'other-0001' is of none of its sources ['C1-gate', 'C1-gate-0001', 'D-empty']",
        ),
        ([tracklet("C1-gate-0001", 1, 0, box=None)], SOURCES, "a frame of 'C1-gate-0001' has no index or no box"),
    ],
)
def test_what_is_no_build_is_refused(build_dir, tracklets, info, complaint):
    write_manifest(build_dir / "manifest.jsonl", tracklets, info)
    with pytest.raises(ManifestError) as caught:
        export_annotations(build_dir, build_dir / "out", "mot")
    assert str(caught.value) == f"{build_dir / 'manifest.jsonl'}: {complaint}"


def test_the_command_names_what_it_wrote(build_dir, capsys):
    data_export(build_dir, build_dir / "out", format="mot")
    names = ["C1-gate.txt", "C1-gate-0001.txt", "D-empty.txt"]
    assert capsys.readouterr().out.splitlines() == [f"written: {build_dir / 'out' / name}" for name in names]


def test_the_command_refuses_a_seed_where_nobody_is_divided(build_dir):
    with pytest.raises(SettingError) as caught:
        data_export(build_dir, build_dir / "out", format="cvat", seed=1)
    assert str(caught.value) == "--seed means nothing to --format cvat, which splits nobody"


@pytest.mark.parametrize("name", ["../outside/victim", "/tmp/victim", "..", "a/b", "a\\b", "C:victim", ".hidden", ""])
def test_a_source_whose_name_leads_elsewhere_is_refused(tmp_path, monkeypatch, name):
    """Kind 11-B1: paths that come from a file."""
    monkeypatch.chdir(tmp_path)
    write_manifest(tmp_path / "manifest.jsonl", [], {"sources": [{"name": name}]})
    with pytest.raises(ManifestError, match="the name of a source must be a plain file name; got"):
        export_annotations(tmp_path, tmp_path / "out", "mot")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.jsonl"]
