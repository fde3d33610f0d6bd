"""The folder of a world."""

import fcntl
import hashlib
import io
import json
import os
import subprocess
import sys
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from skyreid.building.sources import read_sources
from skyreid.errors import DatasetError, SettingError
from skyreid.simulation.captions import caption
from skyreid.simulation.filming import identity
from skyreid.simulation.scene_truth import HEIGHT, WIDTH, read_scene_truth
from skyreid.simulation.scenes import SCENES
from skyreid.simulation.sessions.walk_planning import LEAST_FRAMES, LEAST_SHOWN
from skyreid.simulation.world import WorldArguments, encode_video, write_world

TINY = WorldArguments(identities=1, seed=8, frame_rate=2)
EVERYWHERE = WorldArguments(identities=45, seed=8, frame_rate=2)


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def fill(out_dir, arguments):
    """Files by the names of finished videos, as if an earlier run had come that far."""
    (out_dir / "videos").mkdir(parents=True)
    (out_dir / "truth").mkdir()
    (out_dir / "world.json").write_text(
        json.dumps(
            {
                "version": 2,
                "identities": arguments.identities,
                "seed": arguments.seed,
                "frame_rate": arguments.frame_rate,
            }
        )
    )
    for scene in list(SCENES)[: arguments.identities]:
        for name in (f"{scene}-01-ground", f"{scene}-01-aerial"):
            for path in (f"videos/{name}.mp4", f"truth/{name}.txt", f"truth/{name}.jsonl"):
                (out_dir / path).write_text(path)
    return out_dir


def test_finished_videos_are_kept_and_the_rest_is_written(tmp_path):
    out_dir = fill(tmp_path / "world", EVERYWHERE)
    before = digests(out_dir)
    calls = []
    facts = write_world(
        out_dir, EVERYWHERE, progress=lambda task, done, total, note="": calls.append((task, done, total))
    )
    after = digests(out_dir)
    assert {name: after[name] for name in before if name != "world.json"} == {
        name: digest for name, digest in before.items() if name != "world.json"
    }
    assert set(after) - set(before) == {"sources.json", "truth/people.json"}
    assert calls == [("film videos", 18, 18)]
    assert (facts.num_videos, facts.num_people) == (18, 45)
    assert facts.duration_s == 18 * 14.5


def test_the_sources_are_not_there_while_a_video_is_missing(tmp_path):
    out_dir = fill(tmp_path, TINY)
    write_world(out_dir, TINY)
    (out_dir / "videos/campus-01-ground.mp4").unlink()

    def interrupt(task, done, total, note=""):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_world(out_dir, TINY, progress=interrupt)
    assert not (out_dir / "sources.json").exists()
    assert (out_dir / "videos/campus-01-aerial.mp4").exists()


def test_the_sources_name_files_platform_camera_and_hour(tmp_path):
    out_dir = fill(tmp_path, EVERYWHERE)
    write_world(out_dir, EVERYWHERE)
    sources = json.loads((out_dir / "sources.json").read_text())["sources"]
    assert len(sources) == 18
    assert [source.name for source in read_sources(out_dir / "sources.json")] == [
        f"{scene}-{platform}-{scene}-01-{platform}" for scene in SCENES for platform in ("ground", "aerial")
    ]
    assert sources[0] == {
        "file": "videos/campus-01-ground.mp4",
        "platform": "ground",
        "camera": "campus-ground",
        "start_time": "2026-05-04T08:00:00+00:00",
        "annotations": "truth/campus-01-ground.txt",
        "format": "mot-gt",
    }
    assert all((out_dir / source[key]).is_file() for source in sources for key in ("file", "annotations"))
    hours = [datetime.fromisoformat(source["start_time"]) for source in sources]
    assert hours[::2] == hours[1::2]
    assert len(set(hours)) == 9 and len({hour.date() for hour in hours}) == 1


def test_people_are_told_in_words(tmp_path):
    out_dir = fill(tmp_path, EVERYWHERE)
    write_world(out_dir, EVERYWHERE)
    content = json.loads((out_dir / "truth" / "people.json").read_text())
    assert content["seed"] == 8
    assert [person["pid"] for person in content["people"]] == list(range(1, 46))
    assert [person["scene"] for person in content["people"]] == 5 * [*SCENES]
    assert content["people"][4]["caption"] == caption(identity(8, 5))


def test_half_written_files_of_a_killed_run_are_swept(tmp_path):
    out_dir = fill(tmp_path, EVERYWHERE)
    partial = out_dir / "videos" / ".campus-01-ground.mp4.0123456789abcdef.partial"
    partial.write_text("half")
    write_world(out_dir, EVERYWHERE)
    assert not partial.exists()


def test_another_world_in_the_folder_is_refused_by_name(tmp_path):
    out_dir = fill(tmp_path / "world", EVERYWHERE)
    with pytest.raises(DatasetError) as refusal:
        write_world(out_dir, WorldArguments(identities=20, seed=9, frame_rate=2))
    assert str(refusal.value) == (
        f"{out_dir}: holds the world --identities 45 --seed 8 --frame-rate 2; got --identities 20 --seed 9 "
        "--frame-rate 2; give another folder or remove this one"
    )


def test_a_folder_that_another_version_began_is_refused(tmp_path):
    out_dir = fill(tmp_path / "world", EVERYWHERE)
    older = json.loads((out_dir / "world.json").read_text()) | {"version": 1}
    (out_dir / "world.json").write_text(json.dumps(older))
    with pytest.raises(DatasetError, match=r"makes other worlds \(version 1, this one makes 2\); give another folder"):
        write_world(out_dir, EVERYWHERE)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(DatasetError) as refusal:
        write_world(tmp_path, TINY)
    assert str(refusal.value) == (
        f"{tmp_path}: must be new, empty, or the folder of an earlier simulation; it holds other files"
    )
    with pytest.raises(DatasetError, match="must be a folder; it is a file"):
        write_world(tmp_path / "letter.txt", TINY)


def test_a_damaged_record_is_refused(tmp_path):
    (tmp_path / "world.json").write_text('{"identities": 1, "seed": 8}')
    with pytest.raises(DatasetError, match=r"world\.json: must name the arguments of the world in this folder; "):
        write_world(tmp_path, TINY)


def test_two_simulations_do_not_work_in_one_folder(tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        with pytest.raises(DatasetError, match="another simulation is at work in this folder"):
            write_world(tmp_path, TINY)
    finally:
        os.close(folder)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"identities": 0}, "a world's identities must be from 1 to 9999; got 0"),
        ({"seed": -1}, "a world's seed must be from 0 to 4294967294; got -1"),
        ({"frame_rate": 32}, "a world's frame_rate must be from 2 to 30; got 32"),
        ({"frame_rate": 5}, "a world's frame_rate must be even, so that every half second is a frame; got 5"),
    ],
)
def test_numbers_out_of_range_are_refused(changed, message):
    with pytest.raises(SettingError) as refusal:
        WorldArguments(**({"identities": 1, "seed": 0, "frame_rate": 6} | changed))
    assert str(refusal.value) == message


def test_nobody_to_film_is_refused(tmp_path):
    with pytest.raises(SettingError, match="a world is filmed by 1 to 256 workers; got 0"):
        write_world(tmp_path / "world", TINY, num_workers=0)
    assert not (tmp_path / "world").exists()


SIMULATE = """
import sys
from pathlib import Path
from skyreid.simulation.world import WorldArguments, write_world

if __name__ == "__main__":
    write_world(Path(sys.argv[1]), WorldArguments(identities=1, seed=8, frame_rate=2), num_workers=int(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A whole world, small: filmed in this process."""
    root = tmp_path_factory.mktemp("tiny") / "world"
    write_world(root, TINY)
    return root


@pytest.mark.slow(reason="whole frames of two videos")
def test_the_person_is_seen_long_enough_on_both_platforms(tiny):
    assert set(digests(tiny)) == {
        "world.json",
        "sources.json",
        "truth/people.json",
        *(f"videos/campus-01-{platform}.mp4" for platform in ("ground", "aerial")),
        *(f"truth/campus-01-{platform}.{e}" for platform in ("ground", "aerial") for e in ("txt", "jsonl")),
    }
    for platform in ("ground", "aerial"):
        frames = read_scene_truth(tiny / "truth" / f"campus-01-{platform}.jsonl")
        assert [frame.time_s for frame in frames] == [index / 2 for index in range(24)]
        seen = [frame for frame in frames if any(person.visible >= LEAST_SHOWN for person in frame.people)]
        assert len(seen) >= LEAST_FRAMES


@pytest.mark.slow(reason="whole frames of two videos, twice, on two processes")
@pytest.mark.parametrize("wait_for", ["world.json", "videos/campus-01-ground.mp4", "truth/campus-01-aerial.jsonl"])
def test_a_killed_simulation_goes_on_to_the_same_files(tiny, tmp_path, wait_for):
    program, out_dir = tmp_path / "simulate.py", tmp_path / "world"
    program.write_text(SIMULATE)
    with subprocess.Popen([sys.executable, program, out_dir, "2"]) as run:
        while not (out_dir / wait_for).exists():
            assert run.poll() is None
        run.kill()
    assert not (out_dir / "sources.json").exists()
    subprocess.run([sys.executable, program, out_dir, "2"], check=True)
    assert digests(out_dir) == digests(tiny)


def ramps(number):
    """Smooth pictures, each a little brighter."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    ramp = np.stack([columns / 8, rows / 5, np.full_like(rows, 90)], axis=2)
    return [(ramp + 4 * index).astype(np.uint8) for index in range(number)]


@pytest.fixture(scope="module")
def content():
    return encode_video(ramps(8), 6)


def test_frames_have_exact_times_and_the_colours_that_went_in(content):
    with av.open(io.BytesIO(content)) as file:
        frames = list(file.decode(video=0))
    assert [frame.pts * frame.time_base for frame in frames] == [Fraction(index, 6) for index in range(8)]
    for frame, picture in zip(frames, ramps(8), strict=True):
        off = frame.to_ndarray(format="rgb24").astype(int) - picture
        assert np.abs(off).mean() < 3


def test_it_is_one_h264_stream_without_a_date(content):
    with av.open(io.BytesIO(content)) as file:
        (stream,) = file.streams
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate, stream.frames) == (WIDTH, HEIGHT, 6, 8)
        assert "creation_time" not in {**file.metadata, **stream.metadata}


def test_the_same_pictures_give_the_same_bytes(content):
    assert encode_video(iter(ramps(8)), 6) == content
