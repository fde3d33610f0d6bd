import html
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from skyreid.cli import main
from skyreid.cli.evaluate import calibrate
from skyreid.cli.search import search
from skyreid.datasets.manifest import read_manifest, write_manifest
from skyreid.pretrained.pair_checkpoint import TINY_TOWERS
from skyreid.retrieval.embedding_table import EmbeddingTable, save_table
from skyreid.tracklet import PLATFORMS, Frame, Platform, Tracklet
from tests.building.films import write_film


def run(capsys, *arguments):
    status = main([str(argument) for argument in arguments])
    return status, *capsys.readouterr()


@pytest.fixture
def crossing(tmp_path):
    """A gate and a drone, each with a clock and a position: table.npz, where `drone-film-0002` resembles most."""
    people = {  # position of the embedding, seconds, metres north of the gate, height of the box
        "gate-0001": (0.0, (10, 12), 0, 80),
        "gate-0002": (0.1, (10, 12), 0, 80),
        "gate-0003": (0.9, (50, 52), 0, 30),
        "drone-film-0001": (0.5, (10, 12), 5, 40),
        "drone-film-0002": (0.2, (10, 12), 900, 40),
        "drone-film-0003": (0.7, (30, 32), None, 20),
    }
    tracklets = []
    for number, (name, (_, times, north, height)) in enumerate(people.items()):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (12, 24), (40 * number, 90, 200)).save(path)
        box = (40.0 * number, 0.0, 40.0 * number + 20, float(height))
        frames = tuple(Frame(str(path), index=25 * s, time_s=float(s), box=box) for s in times)
        platform = Platform.AERIAL if name.startswith("drone") else Platform.GROUND
        place = {} if north is None else {"latitude": 48 + north / 111_195, "longitude": 11.0}
        camid = platform.number
        tracklets.append(
            Tracklet(tracklet_id=name, frames=frames, pid=number, camid=camid, platform=platform, attributes=place)
        )
    sources = [
        {"name": "gate", "file": "gate.mp4", "start_time": "2026-05-04T09:00:00+02:00"},
        {"name": "drone-film", "file": "film.mp4", "start_time": "2026-05-04T07:00:00+00:00"},
    ]
    manifest = tmp_path / "manifest.jsonl"
    write_manifest(manifest, tracklets, {"cameras": ["gate", "drone"], "sources": sources})
    angles = np.array([angle for angle, *_ in people.values()])
    table = EmbeddingTable.of(
        np.stack([np.cos(angles), np.sin(angles)], axis=1),
        tracklet_ids=list(people),
        pids=list(range(len(people))),
        camids=[one.camid for one in tracklets],
        platforms=[one.platform for one in tracklets],
    )
    save_table(tmp_path / "table.npz", replace(table, manifest=str(manifest)))
    return tmp_path


def found(capsys, folder, *options, query="gate-0001"):
    status, out, err = run(
        capsys, "search", folder / "table.npz", "--query", query, "--out", folder / "found.html", "--json", *options
    )
    assert status == 0, err
    content = json.loads(out)
    return [entry["tracklet_id"] for entry in content["entries"]], content


@pytest.mark.parametrize(
    ("options", "left", "told"),
    [
        (["--to", "aerial"], "d2 d1 d3", {"platform aerial": (2, 0)}),
        (["--camera", "drone"], "d2 d1 d3", {"camera drone": (2, 0)}),
        (["--camera", "drone", "--camera", "gate"], "g2 d2 d1 d3 g3", {"camera drone, gate": (0, 0)}),
        (["--after", "12.5"], "d3 g3", {"after 12.5 s within each video": (3, 0)}),
        (["--after", "0:30", "--before", "49"], "d3", {"after 30 s": (3, 0), "before 49 s": (1, 0)}),
        (["--after", "2026-05-04T07:00:20Z"], "d3 g3", {"after 2026-05-04 07:00:20+00:00": (3, 0)}),
        # The drone's clock runs in another zone.
        (["--before", "2026-05-04T07:00:40"], "d2 d1 d3", {"before 2026-05-04 07:00:40 on each": (2, 0)}),
        (["--min-height-px", "40"], "g2 d2 d1", {"height of at least 40 px": (2, 0)}),
        (["--near", "48,11,50"], "g2 d1 g3", {"near 48,11 within 50 m": (2, 1)}),
        (["--possible-only"], "d1 d3 g3", {"possible at 10 m/s": (2, 0)}),
        # Nobody is at two places at the same moment, whatever the speed.
        (["--possible-only", "--max-speed", "2000"], "d1 d3 g3", {"possible at 2000 m/s": (2, 0)}),
    ],
)
def test_filters_leave_out_before_the_ranking_and_say_how_many(crossing, capsys, options, left, told):
    names = {"g": "gate-000", "d": "drone-film-000"}
    ids, content = found(capsys, crossing, *options)
    assert ids == [names[one[0]] + one[1] for one in left.split()]
    assert content["num_searched"] == len(ids)
    for entry, (name, (count, unknown)) in zip(content["left_out"], told.items(), strict=True):
        assert entry["filter"].startswith(name)
        assert (entry["left_out"], entry["unknown"]) == (count, unknown)
    page = html.unescape((crossing / "found.html").read_text())
    assert all(f"{entry['filter']}: {entry['left_out']} left out" in page for entry in content["left_out"])


def test_who_cannot_be_the_person_is_marked_on_the_page_in_the_terminal_and_in_json(crossing, capsys):
    _, content = found(capsys, crossing)
    assert content["num_impossible"] == 2
    reasons = {entry["tracklet_id"]: entry["impossible"] for entry in content["entries"]}
    assert reasons["gate-0002"] == "two people in one picture (at 10.0 s)"
    assert reasons["drone-film-0002"] == "at the same moment 900 m away"
    assert [reasons[f"drone-film-000{n}"] for n in (1, 3)] == [None, None]
    page = (crossing / "found.html").read_text()
    assert "Cannot be: at the same moment 900 m away" in page
    table, out = crossing / "table.npz", crossing / "found.html"
    _, printed, _ = run(capsys, "search", table, "--query", "gate-0001", "--out", out)
    assert "drone-film-0002  cannot be: at the same moment 900 m away" in printed
    assert "2 of 5 candidates cannot be the person by time and place" in printed


def test_several_queries_ask_as_one(crossing, capsys):
    ids, content = found(capsys, crossing, "--query", "gate-0003", "--to", "aerial")
    assert ids[0] == "drone-film-0001"  # in the middle between both; the first alone finds drone-film-0002
    assert content["asked"] == ["gate-0001", "gate-0003"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--camera", "dorne"], "no camera is called 'dorne'; the cameras: drone, gate"),
        (["--after", "noon"], "a moment is a time of day such as"),
        (["--near", "48,11"], "near is LATITUDE,LONGITUDE,METRES, such as 48.137,11.575,50; got '48,11'"),
        (["--near", "98,11,5"], "near is a latitude up to 90, a longitude up to 180 degrees"),
        (["--min-height-px", "-1"], "min_height_px must be a positive number of pixels; got -1.0"),
        (["--max-speed", "0"], "max_speed must be a positive number of metres a second; got 0.0"),
        (["--after", "3", "--before", "2026-05-04"], "after and before are both times of day, or both seconds"),
    ],
)
def test_a_filter_that_cannot_be_is_refused(crossing, capsys, options, message):
    table, out = crossing / "table.npz", crossing / "found.html"
    status, _, err = run(capsys, "search", table, "--query", "gate-0001", "--out", out, *options)
    assert status == 1
    assert message in err.replace("\n", " ")
    assert not out.exists()


def test_filters_that_leave_nobody_say_which_did(crossing, capsys):
    table, out = crossing / "table.npz", crossing / "found.html"
    status, _, err = run(
        capsys, "search", table, "--query", "gate-0001", "--out", out, "--near", "50,11,5", "--after", "11"
    )
    assert status == 3
    assert "near 50,11 within 5 m: 5 left out, 1 of them because it is not known" in err


def test_a_search_without_anything_to_ask_with_is_refused(crossing, capsys):
    status, _, err = run(capsys, "search", crossing / "table.npz", "--out", crossing / "found.html")
    assert (status, "a search asks with something: --query TRACKLET, --image, --video or --text" in err) == (1, True)


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    """A film with two people in plain colours, built and embedded by the small towers: built/, table.npz, film.mov."""
    folder = tmp_path_factory.mktemp("street")
    frames = []
    for number in range(12):
        frame = np.full((120, 200, 3), 150, np.uint8)
        for left, colour in ((20 + 2 * number, (200, 30, 40)), (120 + 2 * number, (40, 60, 200))):
            frame[20:40, left + 10 : left + 20] = (200, 150, 120)
            frame[40:70, left : left + 30] = colour
            frame[70:110, left + 4 : left + 26] = (60, 60, 66)
        frames.append(frame)
    film = write_film(folder / "film.mov", frames)
    boxes = [f"{n + 1},{p + 1},{20 + 100 * p + 2 * n},20,30,90,1,1,1" for n in range(12) for p in (0, 1)]
    (folder / "gt.txt").write_text("\n".join(boxes))
    source = f"{film},platform=ground,camera=gate,annotations={folder}/gt.txt,format=mot-gt"
    assert main(["build", "--source", source, "--out", f"{folder}/built", "--interval-s", "0.2"]) == 0
    table = str(folder / "table.npz")
    assert main(["embed", f"{folder}/built", "--model", str(TINY_TOWERS), "--out", table]) == 0
    return folder


def asked(capsys, folder, *options, tmp_path):
    status, out, err = run(
        capsys, "search", folder / "table.npz", "--out", tmp_path / "found.html", "--model", TINY_TOWERS, "--json",
        *options,
    )  # fmt: skip
    assert status == 0, err
    content = json.loads(out)
    return content, html.unescape((tmp_path / "found.html").read_text())


def test_a_picture_a_moment_of_a_film_and_a_text_ask_for_a_person(street, capsys, tmp_path):
    at = ["--video", street / "film.mov", "--at", "0.5", "--box"]
    red, page = asked(capsys, street, *at, "30,20,30,90", tmp_path=tmp_path)
    blue, _ = asked(capsys, street, *at, "130,20,30,90", tmp_path=tmp_path)
    assert [entry["tracklet_id"][-4:] for entry in (red["entries"][0], blue["entries"][0])] == ["0001", "0002"]
    assert red["asked"] == ["film.mov at 0.5 s"]
    assert "film.mov at 0.5 s: embedded as it is, in memory; no face is large enough" in page
    text, page = asked(capsys, street, "--text", "blue jumper, grey trousers", tmp_path=tmp_path)
    assert text["entries"][0]["tracklet_id"].endswith("0002")
    assert "<blockquote>blue jumper, grey trousers</blockquote>" in page
    assert "It does not understand 'without'" in page
    crop = read_manifest(street / "built/manifest.jsonl").tracklets[0].frames[0].path
    both, page = asked(
        capsys, street, "--image", crop, "--text", "red jumper", "--camera", "gate", "--no-mask-faces",
        tmp_path=tmp_path,
    )  # fmt: skip
    assert both["entries"][0]["tracklet_id"].endswith("0001")
    assert "in memory" not in page
    assert "by the mean of their cosines" in page
    assert both["notes"] == [note for note in both["notes"] if note in page]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--text", "red"], "--image, --video and --text are embedded by the model that made the table: --model"),
        (["--video", "film.mov"], "--video FILE and --at SECONDS go together"),
        (["--text", "red", "--detector", "yolox-s"], "a --detector finds somebody in one picture or one video"),
        (["--image", "a.png", "--image", "b.png", "--box", "1,2,3,4"], "a --box belongs to one picture or one video"),
        (["--image", "nowhere.png", "--model", TINY_TOWERS], "nowhere.png: there is no such picture"),
        (["--text", "red violin", "--model", TINY_TOWERS], "does not know 'violin'; its words: a,"),
        (["--text", "red", "--model", "nowhere"], "nowhere"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(street, capsys, tmp_path, options, message):
    out = tmp_path / "found.html"
    status, _, err = run(capsys, "search", street / "table.npz", "--out", out, *options)
    assert (status, message in err.replace("\n", " ")) == (1, True), err
    assert "Traceback" not in err
    assert not out.exists()


def test_a_search_with_a_calibration_says_how_likely_and_where_the_calibration_does_not_fit(tmp_path, capsys):
    people = {f"{platform}-{pid}": paint_person(tmp_path, pid, platform) for pid in range(40) for platform in PLATFORMS}
    manifest = tmp_path / "manifest.jsonl"
    write_manifest(manifest, [*people.values()])
    table = crowd_of(list(people.values()), manifest=str(manifest))
    for platform in PLATFORMS:
        save_table(tmp_path / f"{platform}.npz", table.select(table.platforms == platform.number))
    save_table(tmp_path / "all.npz", table)
    tables = tmp_path / "ground.npz", tmp_path / "aerial.npz"
    calibrate(*tables, protocol="ground-to-aerial", out=tmp_path / "cal.json", false_positive_rate=0.05)
    capsys.readouterr()
    search(
        tmp_path / "all.npz",
        tmp_path / "found.html",
        query=("ground-3",),
        to="aerial",
        k=2,
        calibration=tmp_path / "cal.json",
    )
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r" ?-?\d\.\d{4}  +\d+\.\d%  aerial-3", lines[0])
    assert not any(line.startswith("warning") for line in lines)
    out, cal = tmp_path / "found.html", tmp_path / "cal.json"
    search(tmp_path / "all.npz", out, query=("aerial-3",), to="ground", calibration=cal)
    warned = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")]
    assert any("ground-to-aerial" in line and "aerial-to-ground" in line for line in warned)


def paint_person(folder, pid, platform):
    path = folder / f"{platform}-{pid}.png"
    Image.new("RGB", (12, 24), (6 * pid, 90, 200)).save(path)
    return Tracklet(
        tracklet_id=f"{platform}-{pid}", frames=(Frame(str(path)),), pid=pid, camid=platform.number, platform=platform
    )


def crowd_of(tracklets, *, manifest):
    """Embeddings around one centre a person."""
    rng = np.random.default_rng(4)
    centres = rng.standard_normal((40, 16))
    pids = np.array([tracklet.pid for tracklet in tracklets])
    return EmbeddingTable(
        embeddings=(centres[pids] + 0.3 * rng.standard_normal((len(pids), 16))).astype(np.float32),
        pids=pids,
        camids=np.array([tracklet.camid for tracklet in tracklets]),
        platforms=np.array([tracklet.platform.number for tracklet in tracklets]),
        tracklet_ids=np.array([tracklet.tracklet_id for tracklet in tracklets]),
        manifest=manifest,
        model="0123abcd",
    )
