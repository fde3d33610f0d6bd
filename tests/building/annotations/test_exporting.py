import pytest

from skyreid.building.annotations import read_annotations
from skyreid.building.annotations.exporting import export_annotations
from skyreid.cli.data import data_export
from skyreid.datasets.manifest import write_manifest
from skyreid.errors import ManifestError, SettingError, SourceError
from skyreid.tracklet import Frame, Platform, Tracklet
from tests.building.annotations.drawn_boxes import video

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
