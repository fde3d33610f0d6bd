"""Sources that cannot be used, or only in part: a build refuses them, or goes on without them where asked to."""

import json

import pytest

from skyreid.building.build import build
from skyreid.building.sources import Source
from skyreid.building.video.decode import DecodeLimits
from skyreid.cli import main
from skyreid.errors import SourceError, VideoError
from skyreid.tracklet import Platform
from tests.building.films import write_film
from tests.building.motion.scenes import backdrop, scene, walk

TAKEN = DecodeLimits(take_damaged=True)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Somebody walks across the picture for 7.5 seconds."""
    return scene(tmp_path_factory.mktemp("film"), 75, {1: (walk(-210, 9), 10)})[0].read_bytes()


def gate(folder, content, name="gate"):
    (folder / f"{name}.mp4").write_bytes(content)
    return Source(path=folder / f"{name}.mp4", platform=Platform.GROUND, camera=name)


def test_a_source_that_is_no_video_is_left_out_by_name_and_ends_a_build_that_was_not_asked_to(tmp_path, film):
    whole, text = gate(tmp_path, film), gate(tmp_path, b"text", "text")
    with pytest.raises(VideoError, match=r"text\.mp4: is not a video"):
        build([text, whole], tmp_path / "strict")
    report = build([text, whole], tmp_path / "out", leave_out=True)
    assert [source.name for source in report.sources] == ["gate-gate"]
    (left_out,) = report.unusable
    assert left_out.name == "text-text"
    assert "text.mp4: is not a video" in left_out.reason
    assert any("text-text: left out: " in line for line in report.lines())
    assert report.to_json()["unusable"][0]["name"] == "text-text"


def test_a_source_in_which_nobody_can_be_found_is_left_out_too(tmp_path, film):
    slow = write_film(tmp_path / "slow.mp4", [backdrop()] * 4, codec="libx264", rate=0.5)
    source = Source(path=slow, platform=Platform.GROUND, camera="slow")
    report = build([source, gate(tmp_path, film)], tmp_path / "out", leave_out=True)
    assert "slow.mp4: has a frame every 2 s" in report.unusable[0].reason


def test_where_no_source_can_be_used_all_are_named_and_no_folder_is_left(tmp_path):
    with pytest.raises(VideoError, match="none of the 2 videos can be used") as refusal:
        build([gate(tmp_path, b"a", "a"), gate(tmp_path, b"b", "b")], tmp_path / "out", leave_out=True)
    assert [note.split("/")[-1].split(":")[0] for note in refusal.value.__notes__] == ["a.mp4", "b.mp4"]
    assert not (tmp_path / "out").exists()


def test_of_a_cut_source_what_decodes_is_used_and_the_mended_one_is_cut_again_without_being_asked(tmp_path, film):
    source = gate(tmp_path, film[: len(film) * 9 // 10])
    with pytest.raises(VideoError, match="cut"):
        build(source, tmp_path / "out")
    (cut,) = build(source, tmp_path / "out", limits=TAKEN).sources
    assert cut.tracklets
    assert " of 7.5 s were used" in cut.damage
    assert cut.damage.removeprefix("warning: ") in (tmp_path / "out/dataset-card.md").read_text()
    gate(tmp_path, film)
    mended = build(source, tmp_path / "out")
    assert mended.cut_again == ("gate-gate",)
    assert not mended.sources[0].damage
    assert mended.sources[0].frames_read > cut.frames_read
    gate(tmp_path, film + b"more")
    with pytest.raises(SourceError, match="the video's sha256 was"):
        build(source, tmp_path / "out")


def test_what_was_finished_is_kept_when_its_video_is_lost_later(tmp_path, film):
    sources = [gate(tmp_path, film), gate(tmp_path, film, "roof")]
    build(sources, tmp_path / "out")
    gate(tmp_path, b"lost")
    with pytest.raises(VideoError, match=r"is not a video.*what was cut then is kept: bring the file back"):
        build(sources, tmp_path / "out", leave_out=True)
    assert list((tmp_path / "out/crops").glob("gate-gate-*/*.jpg"))
    assert (tmp_path / "out/manifest.jsonl").exists()


def test_the_source_that_was_at_work_when_a_build_was_killed_is_named(tmp_path, film, caplog):
    sources = [gate(tmp_path, film), gate(tmp_path, film, "roof")]
    build(sources[:1], tmp_path / "out")

    class Killed(BaseException):
        pass

    def kill(task, done, total, note=""):
        if task == "cut crops" and done > 2:
            raise Killed

    with pytest.raises(Killed):
        build(sources, tmp_path / "out", progress=kill)
    report = build([gate(tmp_path, b"text", "broken"), *sources], tmp_path / "out", leave_out=True)
    assert report.begun_anew == ("roof-roof",)
    assert "roof-roof begins anew" in caplog.text
    assert any("roof-roof: began anew" in line for line in report.lines())
    assert build(sources, tmp_path / "out").begun_anew == ()


def test_motion_is_a_word_and_a_word_that_is_none_is_answered_with_those_that_are(tmp_path, film, capsys):
    source = gate(tmp_path, film)
    words = [
        "build",
        "--source",
        f"{source.path},platform=ground,camera=gate",
        "--out",
        str(tmp_path / "out"),
        "--json",
    ]
    assert main([*words, "--detector", "motion"]) == 0
    assert json.loads(capsys.readouterr().out)["sources"][0]["tracklets"]
    assert main([*words, "--detector", "nosuch"]) == 1
    told = capsys.readouterr().err
    for word in ("no detector is called 'nosuch'", "yolox-nano", "yolox-s", "kind=yolox", "motion"):
        assert word in told
