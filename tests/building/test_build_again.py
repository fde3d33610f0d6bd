"""A build that is run again in its folder: after it was killed, with more sources, or with something changed."""

import subprocess
import sys

import pytest
from PIL import Image

from skyreid.building.build import build
from skyreid.building.build_report import Declaration
from skyreid.building.crops.face_mask import MaskingConfig
from skyreid.building.crops.quality import QualityConfig
from skyreid.building.linking.event_log import Decision
from skyreid.building.linking.link_folder import LinkFolder
from skyreid.datasets.manifest import read_manifest
from skyreid.errors import SourceError, VideoError
from tests.building.films import smooth, write_film
from tests.building.source_pairs import tree, write_source, written


def kill_at(out_dir, sources, calls):
    words = [
        f"{s.path},platform={s.platform},camera={s.camera},annotations={s.annotations},identities=shared"
        for s in sources
    ]
    command = [sys.executable, "-m", "tests.building.killed_build", str(out_dir), *words, *map(str, calls)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return [line.split(" ", 1)[1] for line in run.stdout.splitlines()]


@pytest.mark.parametrize(
    "calls",
    [
        pytest.param((25,), id="one"),
        pytest.param(tuple(range(1, 75)), id="every", marks=pytest.mark.slow),
    ],
)
def test_a_killed_build_ends_like_one_that_was_not(tmp_path, pair, whole, calls):
    endings = kill_at(tmp_path / "killed", pair, calls)
    for call, ending in zip(calls, endings, strict=True):
        assert ending in ("killed", "left with 0")
        assert tree(tmp_path / f"killed-{call}") == tree(whole.manifest_path.parent), call
    assert endings[0] == "killed"
    if len(calls) > 1:  # all calls of a whole build were among them
        assert "left with 0" in endings


def test_a_finished_build_is_told_again_and_not_touched(pair, finished, whole):
    before = written(finished)
    report = build(pair, finished)
    assert (report.sources, report.manifest_sha256) == (whole.sources, whole.manifest_sha256)
    assert written(finished) == before


def test_a_crop_that_is_not_as_it_was_cut_is_cut_again(pair, finished, whole):
    """Kind B3 of the hostile hands: emptied, swapped and repainted crops."""
    crops = sorted((finished / "crops/gate-gate-0001").iterdir())
    before = tree(finished)
    for spoil in (
        lambda: crops[0].write_bytes(b""),
        lambda: crops[1].rename(crops[2]) and crops[0].rename(crops[1]) and crops[2].rename(crops[0]),
        lambda: Image.new("RGB", (12, 30), "red").save(crops[3]),
    ):
        spoil()
        report = build(pair, finished)
        assert report.data_sha256 == whole.data_sha256
        assert tree(finished) == before


def test_a_source_may_be_added(tmp_path, pair, finished):
    before = written(finished)
    build([*pair, write_source(tmp_path / "in", "roof", people=(4,))], finished)
    assert [t.pid for t in read_manifest(finished / "manifest.jsonl").tracklets] == [4, 9, 9, 30, 4]
    assert written(finished).items() > before.items()


def test_a_source_whose_annotations_changed_is_cut_again_on_purpose_only(tmp_path, pair, finished):
    changed = write_source(tmp_path / "in", "drone", people=(9,), platform="aerial")
    before = tree(finished)
    with pytest.raises(
        SourceError,
        match=r"holds crops of 'drone-drone' that were cut in another way: the annotations' sha256 was .*, now .*\. "
        r"Build as then, or into another folder, or add --replace to throw them away and cut them again",
    ):
        build([pair[0], changed], finished)
    assert tree(finished) == before
    report = build([pair[0], changed], finished, replace=True)
    assert "cut again, instead of what was there: drone-drone" in report.lines()
    assert [t.pid for t in read_manifest(finished / "manifest.jsonl").tracklets] == [4, 9, 9]
    assert sorted(path.name for path in (finished / "crops").iterdir()) == [
        "drone-drone-0001",
        "gate-gate-0001",
        "gate-gate-0002",
    ]


def test_a_source_that_must_be_cut_again_takes_all_that_was_said_of_it_along(pair, finished, whole):
    content = pair[1].path.read_bytes()
    pair[1].path.write_bytes(content[: len(content) * 3 // 4])
    with pytest.raises(VideoError):
        build(pair, finished, replace=True)
    assert {path.name for path in finished.iterdir()} == {"crops", "sources", "build.lock"}
    pair[1].path.write_bytes(content)
    build(pair, finished)
    assert tree(finished) == tree(whole.manifest_path.parent)


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"interval_s": 0.2}, r"interval_s was 0\.5, now 0\.2"),
        ({"masking": None}, "masking was on, now none"),
        ({"masking": MaskingConfig(style="pixelate")}, "masking style was grey, now pixelate"),
        ({"quality": QualityConfig(min_crops=3)}, "quality min_crops was 2, now 3"),
    ],
)
def test_other_settings_in_an_old_folder_are_refused_by_name(pair, finished, changed, difference):
    """Kind C6: nothing that was cut is thrown away in silence."""
    before = tree(finished)
    with pytest.raises(
        SourceError, match=f"'gate-gate', and 1 more sources that were cut in another way: {difference}"
    ):
        build(pair, finished, **changed)
    assert tree(finished) == before


def test_decisions_survive_a_rebuild_where_the_same_people_are_found(pair, finished):
    """Kind C6: another interval, in a build that broke off and went on, then another film under the old name."""
    links = LinkFolder(finished)
    links.decide("ann", ("drone-drone-0002", "gate-gate-0001"), Decision.SAME)
    links.update_manifest()
    content = pair[1].path.read_bytes()
    pair[1].path.write_bytes(content[: len(content) * 3 // 4])
    with pytest.raises(VideoError):
        build(pair, finished, interval_s=0.3, replace=True)
    pair[1].path.write_bytes(content)
    report = build(pair, finished, interval_s=0.3)
    assert report.outdated == ()
    assert {path.name for path in finished.iterdir()}.isdisjoint({"replaced", "partial"})
    assert LinkFolder(finished).state().links() == [("drone-drone-0002", "gate-gate-0001")]
    linked = {t.tracklet_id: t.pid for t in read_manifest(finished / "manifest.jsonl").tracklets}
    assert linked["drone-drone-0002"] == linked["gate-gate-0001"]
    write_film(pair[0].path, [255 - picture for picture in smooth(16)])
    report = build(pair, finished, interval_s=0.3, replace=True)
    assert [one.tracklets for one in report.outdated] == [("drone-drone-0002", "gate-gate-0001")]
    assert "  ann: drone-drone-0002 and gate-gate-0001 were same" in report.lines()
    assert LinkFolder(finished).state().links() == []


def test_terms_may_be_stated_later(pair, finished):
    before = written(finished)
    build(pair, finished, declaration=Declaration(terms="research only", contact="me@example.org"))
    assert written(finished) == before
    info = read_manifest(finished / "manifest.jsonl").info
    assert (info["terms"], info["consent"], info["contact"]) == ("research only", "not stated", "me@example.org")
    assert "- terms: research only" in (finished / "dataset-card.md").read_text()


def test_a_lost_crop_is_cut_again(pair, finished, whole):
    (finished / "crops/gate-gate-0002/000005.jpg").unlink()
    build(pair, finished)
    assert tree(finished) == tree(whole.manifest_path.parent)


def test_a_video_that_breaks_off_leaves_the_finished_sources(tmp_path, pair, whole):
    content = pair[1].path.read_bytes()
    pair[1].path.write_bytes(content[: len(content) * 3 // 4])
    with pytest.raises(VideoError, match=r"drone\.mov: is "):
        build(pair, tmp_path / "out")
    assert [p.name for p in (tmp_path / "out/sources").iterdir()] == ["gate-gate.json"]
    assert not (tmp_path / "out/manifest.jsonl").exists()
    assert not (tmp_path / "out/dataset-card.md").exists()
    pair[1].path.write_bytes(content)
    build(pair, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(whole.manifest_path.parent)


def test_what_the_system_leaves_in_a_build_folder_is_passed_over(finished, whole, pair):
    """Kind B8: a Mac has looked at the crops; nothing is cut again, and nothing of it counts as a crop."""
    before = written(finished)
    for folder in (finished, finished / "crops", finished / "crops/gate-gate-0001", finished / "sources"):
        (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
        (folder / "._000000.jpg").write_bytes(b"\0\5\x16\7")
    (finished / "sources/._gate-gate.json").write_bytes(b"\0\5\x16\7")
    assert build(pair, finished).manifest_sha256 == whole.manifest_sha256
    assert {path: when for path, when in written(finished).items() if not path.name.startswith("._")} == before
