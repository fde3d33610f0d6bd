"""The tutorials, command by command: shortened in every run of the tests, word for word with `-m slow`."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import skyreid
from skyreid.cli import main
from skyreid.datasets.benchmarks.mars_layout import write_mars_layout
from skyreid.tracklet import Frame, Platform, Tracklet
from tests.building.films import smooth, write_film

TUTORIALS = Path(__file__).parents[1] / "docs" / "tutorials"
STANDS_ALONE = "A researcher's first hour"
"""This section of the third tutorial names files of the reader's; tests/test_readme.py runs it."""
ONE_EPOCH = ["--stage1.epochs", "1", "--stage2.epochs", "1"]


def steps(name):
    """What a reader of a tutorial does, in order: a list of words is a command, a text is saved as decided.csv."""
    text = (TUTORIALS / f"{name}.md").read_text(encoding="utf-8").partition(f"\n## {STANDS_ALONE}\n")[0]
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        if language == "text":
            yield block
        elif language != "python":  # tests/test_finding.py runs that
            assert language == "console"
            yield from map(shlex.split, block.replace("\\\n", " ").splitlines())


def follow(name, leave_out=frozenset(), shorter=lambda words: words):
    """Do the steps of a tutorial in this folder, but for the commands to be left out."""
    for step in steps(name):
        if isinstance(step, str):
            Path("decided.csv").write_text(step)
        elif step[1] not in leave_out:
            assert main(shorter(step)[1:]) == 0, step


def tracklets_of(pids, folder):
    """Tracklets of both platforms in one colour a person."""
    drawn = np.random.default_rng(0)
    for pid in pids:
        colour = drawn.integers(0, 256, 3)
        for platform in Platform:
            frames = []
            for number in range(4):
                path = folder / f"{pid}-{platform}-{number}.jpg"
                pixels = np.clip(colour + drawn.normal(0, 20, (32, 16, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(path)
                frames.append(Frame(str(path)))
            yield Tracklet(
                tracklet_id=f"{pid}-{platform}",
                frames=tuple(frames),
                pid=pid,
                camid=platform.number,
                platform=platform,
            )


def small_demo():
    """What `demo` leaves, of coloured rectangles and one epoch: a benchmark, and a run with tables and a checkpoint."""
    Path("pictures").mkdir()
    trained = [*tracklets_of(range(1, 17), Path("pictures"))]
    tested = [*tracklets_of(range(17, 29), Path("pictures"))]
    write_mars_layout(
        Path("demo/people-300-seed-0"),
        train=trained,
        query=[one for one in tested if one.platform is Platform.GROUND],
        gallery=[one for one in tested if one.platform is Platform.AERIAL],
    )
    run = ["--data-root", "demo/people-300-seed-0", "--run-dir", "demo/run"]
    assert main(["train", "vsla-clip-small", *run, *ONE_EPOCH]) == 0


def small_world():
    """What `simulate` leaves, of plain pictures in which five boxes go to the right."""
    for folder in ("videos", "truth"):
        Path("world", folder).mkdir(parents=True)
    sources = []
    for platform in ("ground", "aerial"):
        name = f"campus-01-{platform}"
        pictures = smooth(24, height=90, width=160)
        for index, picture in enumerate(pictures):
            for person in range(5):
                picture[20 + index % 3 : 60, 25 * person + index : 25 * person + index + 20] = 40 * person + 30
        write_film(Path(f"world/videos/{name}.mp4"), pictures, codec="libx264", rate=6)
        rows = [
            f"{index + 1},{person + 1},{25 * person + index + 1},21,20,40,1,1,1"
            for index in range(24)
            for person in range(5)
        ]
        Path(f"world/truth/{name}.txt").write_text("\n".join(rows))
        sources.append(
            f'{{"file": "videos/{name}.mp4", "platform": "{platform}", "camera": "campus-{platform}", '
            f'"annotations": "truth/{name}.txt", "format": "mot-gt"}}'
        )
    Path("world/sources.json").write_text(f'{{"sources": [{", ".join(sources)}], "simulated": true}}')


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder in which the demo and the simulated world are done, small."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        small_demo()
        small_world()
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def small(made, here):
    shutil.copytree(made, here, dirs_exist_ok=True)
    return here


DONE = {"demo", "simulate"}


def test_somebody_is_found_as_the_tutorial_says(small, capsys):
    def with_annotations(words):
        """Plain rectangles do not walk: in place of their motion the boxes tell where people are."""
        if "own" not in words:
            return words
        return [
            f"{word},annotations=world/truth/{Path(word.split(',')[0]).stem}.txt" if "platform=" in word else word
            for word in words
        ]

    # Nor are they found in one step: tests/test_finding.py does that with people who walk.
    follow("find-somebody", DONE | {"find"}, with_annotations)
    assert len(skyreid.load_table("footage.npz")) == 10
    assert "campus-aerial-campus-01-aerial-0002" in (small / "found.html").read_text()


def test_a_dataset_is_built_as_the_tutorial_says(small, capsys):
    def without_truth(words):
        return ["skyreid", "data", "list"] if "construction" in words else words

    follow("build-a-dataset", DONE, without_truth)
    said = capsys.readouterr().out
    assert "10 tracklets, 5 identities, 5 of them on both platforms" in said
    assert "g2a: 2 people train (4 tracklets), 3 are tested" in said
    assert (small / "scores/report.html").exists()


def test_methods_are_compared_as_the_tutorial_says(small, capsys):
    def one_epoch(words):
        return [*words, *ONE_EPOCH] if words[1] == "train" else words

    # The table of methods takes its time even here; tests/cli/test_reproduce.py makes one of the smallest method.
    follow("train-and-compare", DONE | {"reproduce"}, one_epoch)
    assert "B - A" in capsys.readouterr().out


@pytest.mark.slow
def test_the_tutorials_work_word_for_word(here, capsys):
    """The demo, a simulated world, two trainings and a table of two methods."""
    follow("find-somebody")
    found = (here / "found.html").read_text()
    assert found.index("campus-aerial-campus-01-aerial-0002") < found.index("campus-aerial-campus-01-aerial-0003")
    follow("build-a-dataset", DONE)
    assert "association of ground and aerial tracklets: precision 100.0%, recall 100.0%" in capsys.readouterr().out
    follow("train-and-compare", DONE)
    assert "B - A" in capsys.readouterr().out
