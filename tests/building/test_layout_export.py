import json

import pytest

from skyreid.building.layout_export import LayoutReport, export_layout
from skyreid.datasets.benchmarks import g2a_vreid, mars
from skyreid.datasets.identity_split import divide_identities
from skyreid.datasets.manifest import write_manifest
from skyreid.datasets.verification import verify
from skyreid.errors import DatasetError
from skyreid.tracklet import Frame, Platform, Tracklet
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
