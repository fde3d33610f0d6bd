import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from skyreid.building.build import build
from skyreid.building.sources import parse_source
from skyreid.datasets.manifest import read_manifest
from skyreid.errors import SourceError, VideoError
from skyreid.tracklet import Platform
from tests.building.films import smooth, write_film, write_streams
from tests.building.motion.scenes import scene, walk
from tests.building.source_pairs import tree, write_source


def test_a_build_with_one_unannotated_source_can_be_searched_but_tells_no_identity(tmp_path):
    walker, _ = scene(tmp_path, 75, {1: (walk(-210, 9), 10)})
    annotated = write_source(tmp_path, "drone", people=(9, 30), platform="aerial")
    report = build([parse_source(f"{walker},platform=ground,camera=gate"), annotated], tmp_path / "out")
    manifest = read_manifest(report.manifest_path)
    assert manifest.info["identities"] == "per-tracklet"
    assert {tracklet.platform for tracklet in manifest.tracklets} == set(Platform)
    assert sorted(tracklet.pid for tracklet in manifest.tracklets) == list(range(1, len(manifest.tracklets) + 1))


def test_annotated_people_become_tracklets_of_both_cameras(whole):
    manifest = read_manifest(whole.manifest_path)
    assert manifest.sha256 == whole.manifest_sha256
    assert [(t.tracklet_id, t.pid, t.camid, t.platform) for t in manifest.tracklets] == [
        ("gate-gate-0001", 4, 0, Platform.GROUND),
        ("gate-gate-0002", 9, 0, Platform.GROUND),
        ("drone-drone-0001", 9, 1, Platform.AERIAL),
        ("drone-drone-0002", 30, 1, Platform.AERIAL),
    ]
    assert manifest.info["identities"] == whole.identities == "annotated"
    assert manifest.info["cameras"] == ["gate", "drone"]
    for tracklet in manifest.tracklets:
        assert [frame.index for frame in tracklet.frames] == [0, 5, 10, 15]
        assert [frame.time_s for frame in tracklet.frames] == [0.0, 0.5, 1.0, 1.5]
        for frame in tracklet.frames:
            with Image.open(frame.path) as image:
                assert image.size == (12, 30)
    out_dir = whole.manifest_path.parent
    together = {"manifest.jsonl", "dataset-card.md", "statistics.png", "masking.json"}
    assert {path.name for path in out_dir.iterdir()} == together | {"crops", "sources", "build.lock"}
    assert len(tree(out_dir)) == 4 + 2 + 16


def test_the_manifest_says_what_it_was_made_from_and_how(whole):
    info = read_manifest(whole.manifest_path).info
    gate, drone = info["sources"]
    assert gate == {
        "name": "gate-gate",
        "file": "gate.mov",
        "camera": "gate",
        "platform": "ground",
        "start_time": None,
        "video_sha256": drone["video_sha256"],  # the two films show the same
        "annotations": "MOTChallenge ground truth (flag, class 1, visibility)",
        "identities": "shared",
        "identities_because": "the source says so",
    }
    assert info["faces"] == {"style": "grey", "detector": "cascade", "faces": 0, "followed": 0, "fallback": 0}
    assert (info["simulated"], info["faces_masked"], info["terms"], info["consent"]) == (
        False,
        True,
        *2 * ["not stated"],
    )
    assert info["quality"]["min_crops"] == 2


def test_the_report_adds_up(whole):
    gate = whole.sources[0]
    assert (gate.name, gate.frames_read, gate.boxes, gate.tracklets, gate.crops) == ("gate-gate", 4, 32, 2, 8)
    assert not any(gate.crops_dropped.values())


def test_the_same_input_gives_the_same_files_wherever_it_lies(tmp_path, pair, whole):
    report = build(pair, tmp_path / "deeper/out")
    assert tree(tmp_path / "deeper/out") == tree(whole.manifest_path.parent)
    assert report.sources == whole.sources


def test_the_data_hash_covers_what_the_crops_show(tmp_path):
    """Kind A4: neither masking nor another film moves a box, but each changes every hash."""
    pictures = smooth(6, height=400, width=200)
    film = write_film(tmp_path / "gate.mov", pictures)
    (tmp_path / "gate.txt").write_text("\n".join(f"{index},7,41,21,110,340,1,1,1" for index in range(1, 7)))
    source = parse_source(f"{film},platform=ground,camera=gate,annotations={tmp_path / 'gate.txt'}")
    masked = build([source], tmp_path / "masked")
    plain = build([source], tmp_path / "plain", masking=None)
    write_film(film, [255 - picture for picture in pictures])
    inverted = build([source], tmp_path / "inverted", masking=None)
    for name in ("manifest_sha256", "data_sha256"):
        assert len({getattr(report, name) for report in (masked, plain, inverted)}) == 3
    assert read_manifest(plain.manifest_path).data_sha256 == plain.data_sha256


def test_a_broken_video_stops_the_build_before_anything_is_cut(tmp_path, pair):
    content = pair[1].path.read_bytes()
    pair[1].path.write_bytes(content[:40])
    with pytest.raises(VideoError, match=r"drone\.mov: "):
        build(pair, tmp_path / "out")
    assert not tree(tmp_path / "out")


def test_annotations_that_miss_every_sampled_frame_are_refused(tmp_path, pair):
    pair[0].annotations.write_text("\n".join(f"{index},1,1,1,9,20,1,1,1" for index in (2, 3, 4, 5, 6)))
    with pytest.raises(
        SourceError,
        match=r"gate\.txt: nobody is annotated, and to be seen, in 2 of the 4 sampled frames \(one every 0\.5 s; boxes "
        r"dropped in them: \{'too-short': 1\}\); annotate those frames, or sample more often",
    ):
        build(pair, tmp_path / "out")


def test_an_interval_is_positive(tmp_path, pair):
    with pytest.raises(ValueError, match=r"interval_s must be a positive number of seconds; got 0\.0"):
        build(pair, tmp_path / "out", interval_s=0.0)


def test_people_found_by_motion_have_a_pid_for_each_tracklet(tmp_path):
    film, _ = scene(tmp_path, 75, {1: (walk(-210, 9), 10)})
    sources = [parse_source(f"{film},platform=ground,camera={name}") for name in ("a", "b")]
    report = build(sources, tmp_path / "out")
    manifest = read_manifest(tmp_path / "out/manifest.jsonl")
    assert manifest.info["identities"] == report.identities == "per-tracklet"
    assert [(t.tracklet_id, t.pid, t.camid) for t in manifest.tracklets] == [
        ("a-scene-0001", 1, 0),
        ("b-scene-0001", 2, 1),
    ]
    first, second = manifest.tracklets
    assert [(f.index, f.box) for f in first.frames] == [(f.index, f.box) for f in second.frames]
    assert len(first.frames) >= 5


@pytest.mark.footage
@pytest.mark.slow  # 500 frames of 3072x1728
def test_real_annotated_people_are_found_again_in_both_cameras(footage_dir, tmp_path):
    folder = footage_dir / "cross_view_soccer"
    sources = [
        parse_source(
            f"{folder}/cam_{side}.mp4,platform={platform},camera={side},annotations={folder}/gt_{side}.txt,identities=shared"
        )
        for side, platform in (("left", "ground"), ("right", "aerial"))
    ]
    build(sources, tmp_path / "out")
    tracklets = read_manifest(tmp_path / "out/manifest.jsonl").tracklets
    for camid, side in enumerate(("left", "right")):
        annotated = np.loadtxt(folder / f"gt_{side}.txt", delimiter=",")
        assert {t.pid for t in tracklets if t.camid == camid} == set(annotated[:, 1].astype(int)) == set(range(1, 12))
        boxes = {(int(row[1]), int(row[0]) - 1): row[2:6] for row in annotated}
        frames = [(t.pid, frame) for t in tracklets if t.camid == camid for frame in t.frames]
        marked = [(pid, frame) for pid, frame in frames if (pid, frame.index) in boxes]
        assert len(marked) > 0.7 * len(frames)  # the others are interpolated
        for pid, frame in marked:
            left, top, width, height = boxes[pid, frame.index]
            wanted = (left - 1, top - 1, left - 1 + width, top - 1 + height)
            np.testing.assert_array_equal(frame.box, np.clip(wanted, 0, (3072, 1728, 3072, 1728)))


def test_tracks_that_no_annotator_identified_are_no_people(tmp_path):
    """Track 0 of one CVAT file is not track 0 of another, and no distractor."""
    film = write_film(tmp_path / "gate.mp4", smooth(16))
    boxes = "\n".join(
        f'<box frame="{frame}" xtl="{2 + frame}" ytl="5" xbr="{14 + frame}" ybr="35" outside="0" occluded="0" '
        'keyframe="1" z_order="0"></box>'
        for frame in range(16)
    )
    (tmp_path / "gate.xml").write_text(
        f'<annotations><version>1.1</version><track id="0" label="person" source="manual">{boxes}</track></annotations>'
    )
    report = build(
        [parse_source(f"{film},platform=ground,camera=gate,annotations={tmp_path / 'gate.xml'}")], tmp_path / "out"
    )
    assert report.identities == "per-tracklet"
    (tracklet,) = read_manifest(report.manifest_path).tracklets
    assert tracklet.pid == 1


def test_one_number_of_two_trackers_is_nobody_in_particular(tmp_path):
    """Kind B2: person 1 of one video is person 2 of the other."""
    film = write_film(tmp_path / "gate.mov", smooth(16))
    shutil.copy(film, tmp_path / "drone.mov")
    for name, numbers in (("gate", (1, 2)), ("drone", (2, 1))):
        rows = [
            f"{frame},{number},{20 * order + 1},11,12,30,0.9,-1,-1,-1"
            for frame in range(1, 17)
            for order, number in enumerate(numbers)
        ]
        (tmp_path / f"{name}.txt").write_text("\n".join(rows))
    told = {
        name: f"{tmp_path}/{name}.mov,platform={platform},camera={name},annotations={tmp_path}/{name}.txt"
        for name, platform in (("gate", "ground"), ("drone", "aerial"))
    }
    report = build([parse_source(text) for text in told.values()], tmp_path / "out")
    assert report.identities == "per-tracklet"
    assert [t.pid for t in read_manifest(report.manifest_path).tracklets] == [1, 2, 3, 4]
    line = (
        "gate-gate: annotations read as tracker results (only frame, id and box are believed); numbers are tracks of "
    )
    assert f"{line}this video only (trackers number the tracks of one video)" in report.lines()
    card = (tmp_path / "out/dataset-card.md").read_text()
    assert "numbers are tracks of this video only (trackers number the tracks of one video)" in card
    # Said otherwise, they are cut anew and taken for people.
    again = [parse_source(f"{text},identities=shared") for text in told.values()]
    shared = build(again, tmp_path / "out", replace=True)
    assert shared.identities == "annotated"
    assert [t.pid for t in read_manifest(shared.manifest_path).tracklets] == [1, 2, 1, 2]


@pytest.mark.parametrize(
    ("frames", "rate", "interval_s", "remedy"),
    [
        (12, 25, 0.5, "lasts 0.48 s, too short for two crops, one every 0.5 s; sample more often: --interval-s 0.1"),
        (100, 240, 0.5, "lasts 0.42 s, too short for two crops, one every 0.5 s; sample more often: --interval-s 0.1"),
        (16, 10, 5.0, "lasts 1.60 s, too short for two crops, one every 5 s; sample more often: --interval-s 0.4"),
        (1, 10, 0.5, "holds 1 frames; a tracklet has at least 2 crops (QualityConfig.min_crops)"),
    ],
)
def test_a_video_that_is_shorter_than_the_interval_says_so(tmp_path, frames, rate, interval_s, remedy):
    """Kind B6: nobody is told that these are the annotations of another video."""
    source = write_source(tmp_path, "gate", people=(4,), frames=frames, rate=rate)
    with pytest.raises(SourceError) as caught:
        build([source], tmp_path / "out", interval_s=interval_s)
    assert str(caught.value) == f"{source.path}: {remedy}"
    if "--interval-s" in remedy:
        report = build([source], tmp_path / "out", interval_s=float(remedy.split()[-1]))
        assert report.sources[0].tracklets == 1


def test_an_unannotated_video_that_is_too_short_is_noted(tmp_path):
    """Kind B6."""
    film = write_film(tmp_path / "a.mov", smooth(4))
    report = build([parse_source(f"{film},platform=ground,camera=C1")], tmp_path / "out")
    assert report.sources[0].notes == [
        "lasts 0.40 s, too short for two crops, one every 0.5 s; sample more often: --interval-s 0.1"
    ]
    assert f"C1-a: {report.sources[0].notes[0]}" in report.lines()


def test_a_timelapse_gives_a_tracklet_where_somebody_annotated_it(tmp_path):
    """Kind B6: a frame in five seconds; people cannot be followed from one to the next without annotations."""
    source = write_source(tmp_path, "gate", people=(4,), rate=0.2)
    report = build([source], tmp_path / "out")
    assert (report.sources[0].tracklets, report.sources[0].crops) == (1, 16)
    with pytest.raises(SourceError, match=r"gate\.mov: has a frame every 5 s; without annotations people are followed"):
        build([replace(source, annotations=None)], tmp_path / "out2")


def test_which_stream_was_taken_and_where_time_jumps_is_in_the_report(tmp_path):
    """Kind B4."""
    two = write_streams(tmp_path / "two.avi", (smooth(12), "mpeg4", 0), (smooth(12, height=30, width=40), "mpeg4", 0))
    times = [*range(0, 1000, 100), *range(9000, 10_000, 100)]
    jumps = write_film(tmp_path / "jumps.mkv", smooth(20), codec="ffv1", pts=times)
    (tmp_path / "gt.txt").write_text("".join(f"{index},1,1,1,12,30,1,1,1\n" for index in range(1, 13)))
    told = f"platform=ground,camera=C1,annotations={tmp_path / 'gt.txt'}"
    report = build([parse_source(f"{film},{told}") for film in (two, jumps)], tmp_path / "out")
    assert [source.notes[0] for source in report.sources] == [
        "the film is stream 0 (mpeg4 80x60); not stream 1 (mpeg4 40x30)",
        "time stamps jump ahead by 8.10 s to frame 10 at 9.00 s",
    ]
