"""The README and the other pages: their commands parse, their links lead somewhere, their names exist."""

import re
import shlex
from functools import wraps
from pathlib import Path

import pytest
import tyro

import skyreid
from skyreid.cli import COMMANDS, main
from skyreid.datasets.manifest import write_manifest
from skyreid.recipes import RECIPES
from skyreid.tracklet import Frame, Platform, Tracklet
from tests.first_hour import lay_out

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks_of(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def blocks(page, language):
    return blocks_of(page.read_text(encoding="utf-8"), language)


def commands():
    """Every `skyreid …` of the console blocks, as one line each."""
    for page in PAGES:
        for block in blocks(page, "console"):
            for line in block.replace("\\\n", " ").splitlines():
                for command in line.split("&&"):
                    if re.match(r"skyreid\s", command.strip()):
                        yield pytest.param(command.strip(), id=f"{page.name}: {' '.join(command.split())[:60]}")


def links():
    for page in PAGES:
        for target in sorted(set(re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")))):
            if not re.match(r"[a-z]+:|#", target):
                yield pytest.param(page, target, id=f"{page.name}: {target}")


def parsed(arguments):
    """What the command line makes of arguments, without doing it."""
    name = next(name for name in COMMANDS if arguments[: name.count(" ") + 1] == name.split())
    rest = arguments[name.count(" ") + 1 :]
    if name == "train":
        settings = [argument for argument in rest[1:] if argument != "--resume"]
        recipe = RECIPES[rest[0]]()
        return tyro.cli(type(recipe), args=settings, default=recipe)
    given = {}

    @wraps(COMMANDS[name])
    def note(**arguments):
        given.update(arguments)

    tyro.cli(note, args=rest)
    return given


@pytest.mark.parametrize("command", [*commands()])
def test_every_command_parses(command):
    try:
        assert parsed(shlex.split(command, comments=True)[1:]) is not None
    except SystemExit as stop:
        pytest.fail(f"{command!r} is refused with status {stop.code}")


def test_a_command_with_an_option_that_does_not_exist_would_be_found(capsys):
    with pytest.raises(SystemExit):
        parsed(["evaluate", "tables", "a.npz", "b.npz", "--protocl", "mars"])


@pytest.mark.parametrize(("page", "target"), [*links()])
def test_every_relative_link_leads_to_a_file(page, target):
    assert (page.parent / target.partition("#")[0]).exists()


def test_every_page_stands_in_the_contents_of_the_site():
    """What is in no list of contents ends the build of the site, which only .ci/run tries."""
    listed = (ROOT / "docs/index.md").read_text(encoding="utf-8").splitlines()
    for page in {*(ROOT / "docs").glob("*.md"), *(ROOT / "docs/tutorials").glob("*.md")} - {ROOT / "docs/index.md"}:
        assert str(page.relative_to(ROOT / "docs").with_suffix("")) in listed, page


def test_the_sections_that_docstrings_name_are_there():
    """METHOD and BASELINES are docs/method.md and docs/baselines.md; their sections are numbered headings."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.py")))
    for name, page in (("METHOD", "method.md"), ("BASELINES", "baselines.md")):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        named = re.findall(rf"\b{name} (?:sections? )?(\d+(?:\.\d+)?)(?:,? rows? (\d+))?", sources)
        assert named
        for number, row in named:
            assert re.search(rf"^##+ {re.escape(number)}\.? ", text, flags=re.MULTILINE), f"{name} section {number}"
            assert not row or f"\n| {row} | " in text.partition(f"\n### {number}. ")[2], f"{name} {number} row {row}"


def test_the_readme_shows_the_commands_of_its_own_sections():
    shown = {param.values[0].split()[1] for param in commands()}
    assert shown >= {"demo", "build", "embed", "search", "train", "evaluate"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with everything that the pages name, after the weights were imported."""
    folder = tmp_path_factory.mktemp("desk")
    lay_out(folder)
    skyreid.import_weights("release", folder / "ViT-B-16_120.pth", folder / "weights/vsla-clip")
    return folder


def run_python(program):
    """Run blocks of Python as one program; gives its names."""
    names = {}
    exec(compile("\n".join(program), "page", "exec"), names)  # what we wrote ourselves
    return names


def section(page, heading):
    """The blocks below a heading, as those of a page are given."""
    _, _, text = page.read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    assert text, f"{page.name} has no section {heading!r}"
    return text.partition("\n## ")[0]


def test_a_first_hour_works_from_the_tutorial_alone(desk, monkeypatch, capsys):
    """Import weights, score them on a folder of G2A's layout, compare two results, embed a folder of crops."""
    folder = desk / "first hour"
    folder.mkdir()
    lay_out(folder)
    monkeypatch.chdir(folder)
    text = section(ROOT / "docs/tutorials/train-and-compare.md", "A researcher's first hour")
    commands = [line for line in "\n".join(blocks_of(text, "console")).replace("\\\n", " ").splitlines() if line]
    assert [command.split()[1] for command in commands] == [
        *("model", "model", "evaluate", "evaluate", "compare", "embed", "build", "evaluate")
    ]
    for command in commands:
        assert main(shlex.split(command)[1:]) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "mAP: " in said and "B - A" in said  # of compare
    assert "2 tracklets embedded into crops.npz" in said
    by_command = skyreid.load_table("crops.npz")
    (folder / "crops.npz").unlink()

    names = run_python(blocks_of(text, "python"))
    for protocol in ("ground-to-aerial", "aerial-to-ground"):
        file = f"results/mine/{protocol}.one-clip.cosine.json"
        assert skyreid.compare(file, names["mine"].result_of(protocol)).mAP.test.difference.value == 0
    assert names["crops"].embeddings.tolist() == by_command.embeddings.tolist()
    assert capsys.readouterr().out.splitlines()[-1].startswith("Ranking(1 of 1 tracklets, best 'ben' at ")


def test_the_python_page_runs_as_one_program(desk, monkeypatch, capsys):
    """Kind C2: every example takes strings, names, lists of crops."""
    monkeypatch.chdir(desk)
    names = run_python(blocks(ROOT / "docs/python.md", "python"))
    assert len(names["embeddings"]) == 2
    assert names["rows"][0]["camera"] == "drone"
    assert names["calibration"].protocol == "ground-to-aerial"
    assert "no protocol is called 'cross-plattform' (did you mean 'cross-platform'?)" in capsys.readouterr().out


def test_the_python_of_the_readme_runs(desk, monkeypatch, capsys):
    monkeypatch.chdir(desk)
    tracklets = [
        Tracklet(tracklet_id="a", frames=(Frame("crops/ada/0000.png"),), pid=1, camid=0, platform=Platform.GROUND)
    ]
    write_manifest(desk / "manifest.jsonl", tracklets)
    skyreid.embed(".", "weights/vsla-clip", "footage.npz")
    run_python(blocks_of(section(ROOT / "README.md", "From Python"), "python"))
    assert capsys.readouterr().out.startswith("1 a 0.")
