"""The whole frame around everybody: covered like the crops, coarse where strangers could be recognised."""

import json

import cv2
import numpy as np
import pytest

from skyreid.building.build import build
from skyreid.building.crops.face_mask import GREY, MaskingConfig
from skyreid.building.scenes import SCENES, WIDTH, draw_scenes
from skyreid.building.sources import parse_source
from skyreid.datasets.manifest import read_manifest, write_manifest
from skyreid.errors import ManifestError
from tests.building.films import noise, write_film

LARGE = MaskingConfig(observe_px_per_m=0.0, recognise_px_per_m=0.0)
"""Covers every head, however small it is."""


def build_film(folder, *, height, frames=4, masking=LARGE, name="gate"):
    """A film of noise in which somebody of this height stands; larger at the third frame."""
    film = write_film(folder / f"{name}.mov", noise(frames, height=480, width=800), rate=2)
    lines = [f"{n + 1},7,{301 - 8 * (n == 2)},41,{height / 2.5 + 16 * (n == 2)},{height},1,1,1" for n in range(frames)]
    (folder / f"{name}.txt").write_text("\n".join(lines))
    source = f"{film},platform=ground,camera={name},annotations={folder / name}.txt"
    build([parse_source(source)], folder / "built", masking=masking)
    return film, read_manifest(folder / "built/manifest.jsonl")


def draw(folder, film, manifest):
    scenes = draw_scenes(folder / "built", manifest, {"gate-gate": film})
    ((tracklet_id, scene),) = scenes.items()
    assert tracklet_id == manifest.tracklets[0].tracklet_id
    return scene, cv2.imread(str(folder / "built" / SCENES / scene.picture))


def contrast(picture):
    """Of neighbouring pixels: noise has much, what was drawn coarse has little."""
    return float(np.abs(np.diff(picture.astype(float), axis=1)).mean())


def test_the_frame_that_shows_somebody_largest_is_drawn_with_their_box(tmp_path):
    film, manifest = build_film(tmp_path, height=100)
    scene, picture = draw(tmp_path, film, manifest)
    assert scene.time_s == 1.0
    assert picture.shape == (384, WIDTH, 3)
    assert scene.box == pytest.approx((292 * 0.8, 40 * 0.8, (292 + 56) * 0.8, 140 * 0.8), abs=0.2)


def test_what_is_covered_in_a_crop_is_covered_in_the_frame(tmp_path):
    film, manifest = build_film(tmp_path, height=100)
    _, picture = draw(tmp_path, film, manifest)
    regions = json.loads((tmp_path / "built/masking.json").read_text())["regions"]
    (left, top, right, bottom), *_ = regions[manifest.tracklets[0].tracklet_id]["2"]
    covered = picture[round(top * 0.8) + 3 : round(bottom * 0.8) - 3, round(left * 0.8) + 3 : round(right * 0.8) - 3]
    assert covered.size
    assert np.abs(covered.astype(int) - GREY).mean() < 6


def test_around_people_who_could_be_recognised_the_frame_is_coarse(tmp_path):
    """A stranger beside them has no cover."""
    pictures = {}
    for height in (100, 300):
        folder = tmp_path / str(height)
        folder.mkdir()
        film, manifest = build_film(folder, height=height)
        _, pictures[height] = draw(folder, film, manifest)
    beside = np.s_[:, 420:]
    assert contrast(pictures[300][beside]) < 0.25 * contrast(pictures[100][beside])
    within = np.s_[120:260, 250:330]
    assert contrast(pictures[300][within]) > 0.8 * contrast(pictures[100][within])


def test_without_masks_the_frame_is_as_it_was_filmed(tmp_path):
    film, manifest = build_film(tmp_path, height=300, masking=None)
    _, picture = draw(tmp_path, film, manifest)
    assert contrast(picture[:, 420:]) > 0.8 * contrast(picture[120:260, 250:330])


def test_a_frame_that_was_drawn_needs_its_video_no_more_and_one_of_another_cut_is_drawn_anew(tmp_path):
    film, manifest = build_film(tmp_path, height=100)
    first, picture = draw(tmp_path, film, manifest)
    film.write_bytes(b"")
    second, again = draw(tmp_path, film, manifest)
    assert (first, picture.tobytes()) == (second, again.tobytes())
    masking = json.loads((tmp_path / "built/masking.json").read_text())
    masking["regions"] = {}
    (tmp_path / "built/masking.json").write_text(json.dumps(masking))
    assert draw_scenes(tmp_path / "built", manifest, {"gate-gate": film}) == {}


def test_another_film_of_the_same_name_is_left_alone(tmp_path):
    _, manifest = build_film(tmp_path, height=100)
    (tmp_path / "elsewhere").mkdir()
    other = write_film(tmp_path / "elsewhere/gate.mov", noise(3), rate=2)
    assert draw_scenes(tmp_path / "built", manifest, {"gate-gate": other}) == {}
    assert draw_scenes(tmp_path / "built", manifest, {}) == {}


def test_no_picture_is_written_outside_the_folder(tmp_path):
    film, manifest = build_film(tmp_path, height=100)
    info = json.loads(json.dumps(dict(manifest.info)).replace('"gate-gate"', '"../../gate"'))
    (tracklet,) = manifest.tracklets
    object.__setattr__(tracklet, "tracklet_id", "../../gate-0001")
    write_manifest(tmp_path / "built/manifest.jsonl", [tracklet], info)
    with pytest.raises(ManifestError, match=r"must be a plain file name; got '\.\./\.\./gate-0001'"):
        draw_scenes(tmp_path / "built", read_manifest(tmp_path / "built/manifest.jsonl"), {"../../gate": film})
