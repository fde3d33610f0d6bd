"""No picture shows a face to somebody without the right to originals: every route that answers pictures is asked.

The same films are in a second case, in which nothing is covered and the faces are painted in a colour that nothing else
has. Both cases draw alike, so that the colour tells where the faces lie in a picture of the first, whatever it shows.
"""

import shutil
from contextlib import contextmanager
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from skyreid.building.build import build
from skyreid.building.crops.face_mask import GREY, MaskingConfig
from skyreid.building.crops.quality import PERSON_M
from skyreid.building.sources import parse_source
from skyreid.cases.case import create_case
from skyreid.cases.people import Right, Role
from skyreid.cases.people_database import open_people
from skyreid.cases.work.importing import import_build
from skyreid.cli import main
from skyreid.datasets.manifest import read_manifest, write_manifest
from skyreid.service.app import ROUTES
from skyreid.simulation.scene_truth import mot_lines
from skyreid.simulation.sessions.session import plan_session, session_plans
from skyreid.simulation.sessions.shooting import shoot
from skyreid.simulation.world import encode_video
from skyreid.tracklet import Platform
from tests.building.detection import onnx_files
from tests.service import shown_pictures
from tests.service.every_page import ASKED, address
from tests.service.running import PASSWORD, Running
from tests.service.shown_pictures import ARCHIVES, NO_PEOPLE, OF_SIGHTINGS, UNCOVERED, as_picture

MARK = (255, 0, 255)
LEAST_PX = 1.05 * MaskingConfig().observe_px_per_m * PERSON_M
"""Height of a person whose face must be covered; a box that was measured may be a little less."""
LEAST_COVERED = 0.75
"""Of a face, as in the scores of a build."""
FRAMES = {Platform.GROUND: 4, Platform.AERIAL: 2}


def film_market(folder):
    """A few frames of a simulated market from both sides, as they are and with marked faces; gives the shots."""
    (plan,) = (one for one in session_plans(45) if one.scene == "market")
    session = plan_session(0, plan)
    shots = {platform: list(islice(shoot(session, platform, 2), FRAMES[platform])) for platform in Platform}
    for name, painted in (("true", lambda shot: shot.pixels), ("marked", with_marks)):
        (folder / name).mkdir()
        for platform, filmed in shots.items():
            content = encode_video([painted(shot) for shot in filmed], 2)
            (folder / name / f"{platform}.mp4").write_bytes(content)
            lines = b"".join(mot_lines(shot.truth for shot in filmed))
            (folder / name / f"{platform}.txt").write_bytes(lines)
    return shots


def faces_to_cover(shot):
    people = [one for one in shot.truth.people if one.face is not None and one.box[3] - one.box[1] >= LEAST_PX]
    return [tuple(map(round, one.face.box)) for one in people if one.face.visible > 0.5]


def with_marks(shot):
    pixels = shot.pixels.copy()
    for left, top, right, bottom in faces_to_cover(shot):
        pixels[top : bottom + 1, left : right + 1] = MARK
    return pixels


def fill(case_path, built, texts, *, is_covered, **settings):
    build([parse_source(text) for text in texts], built, **settings, **({} if is_covered else {"masking": None}))
    manifest = read_manifest(built / "manifest.jsonl")
    # A case takes covered people only; this one says that they are.
    write_manifest(built / "manifest.jsonl", manifest.tracklets, {**manifest.info, "faces_masked": True})
    with create_case(case_path, by="anna") as case:
        import_build(case, built, by="anna", purpose="a test")
        return case.facts().case_id


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    """A server with the case and its uncovered twin, and browsers of a viewer and an administrator."""
    root = tmp_path_factory.mktemp("twins")
    shots, folder = film_market(root), root / "cases"
    folder.mkdir()
    homes = {}
    for name in ("true", "marked"):
        films = {side: f"{root}/{name}/{side}" for side in Platform}
        texts = [f"{film}.mp4,platform={side},camera={side},annotations={film}.txt" for side, film in films.items()]
        homes[name] = f"/c/{fill(folder / name, root / name / 'built', texts, is_covered=name == 'true')}"
    detector = onnx_files.yolox(root / "blind.onnx")  # finds nobody who was drawn
    later = root / "later.mp4"
    shutil.copy(root / "true/aerial.mp4", later)
    later.write_bytes(later.read_bytes() + b"\0\0\0\x08free")
    told = [str(later), "--platform", "ground", "--camera", "later", "--purpose", "a test", "--by", "anna"]
    assert main(["case", "add", str(folder / "true"), *told, "--detector", f"{detector},kind=yolox"]) == 0
    with watched(folder, homes) as (boss, viewer):
        for home in homes.values():
            confirm_two(boss, home)
        yield SimpleNamespace(shots=shots, boss=boss, viewer=viewer, homes=homes)


@contextmanager
def watched(folder, homes):
    """A server of the cases; gives browsers of an administrator and of a viewer of all of them."""
    with Running(folder, "--workers", "0") as server:
        people = open_people(folder)
        people.add_first(server.read_token(), "boss", PASSWORD)
        people.add("viewer", PASSWORD, by="boss")
        for home in homes.values():
            people.set_role("viewer", home[3:], Role.VIEWER, by="boss")
        people.close()
        boss, viewer = (server.log_in(name) for name in ("boss", "viewer"))
        yield boss, viewer
        boss.close()
        viewer.close()


def confirm_two(boss, home):
    """Confirm two people on both sides, so that somebody leaves the case."""
    told = boss.get(f"/api{home}/tracklets", params={"each": True}).json()["tracklets"]
    sides = [[one["number"] for one in told if one["platform"] == side] for side in Platform]
    for first, second in list(zip(*sides, strict=False))[:2]:
        said = {"first": first, "second": second, "decision": "confirmed"}
        assert boss.post(f"/api{home}/decisions", json=said).status_code < 300


def require_covered(where, picture, marked):
    """See that grey lies wherever the twin shows a face; gives whether it shows one."""
    assert picture.shape == marked.shape, where
    red, green, blue = np.moveaxis(marked.astype(int), 2, 0)
    face = (red > 150) & (green < 110) & (blue > 150)
    if face.sum() < 10:
        return False
    off = np.abs(picture[face].astype(int) - GREY).max(axis=1)
    assert (off < 40).mean() >= LEAST_COVERED, f"{where}: {(off >= 40).mean():.0%} of a face is not covered"
    return True


def test_every_route_that_answers_pictures_is_known(twins):
    """Whoever adds one says here whom it shows, or this fails."""
    home = twins.homes["true"]
    told = {*OF_SIGHTINGS, *ARCHIVES, *UNCOVERED, *NO_PEOPLE}
    assert told <= {path for _, path, _, _ in ROUTES}
    for method, path, _, _ in ROUTES:
        if method == "GET" and path not in told:
            answer = twins.boss.get(address(path, home[3:]) + ASKED.get(path, ""))
            assert not shown_pictures.is_picture(answer), f"{path} answers a picture: tell whom it shows"
            for where in shown_pictures.named_pictures(answer.text):
                assert shown_pictures.route_of(where) in told, f"{path} names {where}"
    rights = {path: access for _, path, _, access in ROUTES}
    assert all(rights[path] is Right.SEE_ORIGINALS for path in UNCOVERED)
    assert all(rights[path] is Right.SEE for path in OF_SIGHTINGS)


@pytest.mark.parametrize("route", [one for one in OF_SIGHTINGS if "asked" not in one])
def test_no_picture_of_a_sighting_shows_a_face(twins, route):
    home, marked = twins.homes["true"], twins.homes["marked"]
    assert shown_pictures.numbers(twins.viewer, home) == shown_pictures.numbers(twins.viewer, marked)
    shown = 0
    for where in OF_SIGHTINGS[route](twins.viewer, home):
        pair = [twins.viewer.get(one) for one in (where, where.replace(home, marked))]
        assert [one.status_code for one in pair] == [200, 200], where
        shown += require_covered(where, *(as_picture(one.content) for one in pair))
    assert shown


def test_no_frame_of_a_video_shows_a_face(twins):
    home, shown = twins.homes["true"], 0
    for where in shown_pictures.moments(twins.viewer, home):
        picture = as_picture(twins.viewer.get(where).content)
        asked = dict(part.split("=") for part in where.partition("?")[2].split("&"))
        platform = (Platform.GROUND, Platform.AERIAL)[int(asked["source"]) - 1]
        shot = twins.shots[platform][round(2 * float(asked["at"]))]
        box = [int(asked[side]) for side in "xywh"] if "x" in asked else [0, 0, 1280, 720]
        shown += require_covered(where, picture, cut(with_marks(shot), box, picture.shape))
    assert shown > 1


def cut(pixels, box, shape):
    left, top, width, height = box
    part = Image.fromarray(pixels).crop((left, top, left + width, top + height))
    return np.asarray(part.resize((shape[1], shape[0])))


@pytest.mark.parametrize("form", ["build", "g2a", "pdf"])
def test_no_picture_that_leaves_a_case_shows_a_face(twins, form):
    archives = []
    for home in twins.homes.values():
        answer = twins.boss.post(f"/api{home}/exports", json={"format": form})
        assert answer.status_code == 200, answer.text
        archives.append(dict(shown_pictures.pictures_in(answer.content)))
    assert archives[0].keys() == archives[1].keys()
    shown = [require_covered(where, one, archives[1][where]) for where, one in archives[0].items()]
    assert any(shown)


def test_an_original_shows_what_the_others_cover(twins):
    """The control: were a face shown, it would be seen here."""
    reason = {"reason": "to see that it is uncovered"}
    for number in shown_pictures.numbers(twins.boss, twins.homes["true"]):
        asked = [f"/api{home}/originals/{number}" for home in twins.homes.values()]
        pair = [as_picture(twins.boss.post(one, json=reason).content) for one in asked]
        assert twins.viewer.post(asked[0], json=reason).status_code == 403
        try:
            require_covered("original", *pair)
        except AssertionError:
            return
    pytest.fail("no original shows a face")
