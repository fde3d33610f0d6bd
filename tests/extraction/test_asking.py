"""Pictures, moments of films and texts as what a search asks with, by the checkpoint that made the table."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skyreid.building.crops.face_mask import GREY, FaceMask, MaskingConfig
from skyreid.checkpoint import weights_sha256
from skyreid.errors import NothingFoundError, SettingError
from skyreid.extraction.asking import COVERED, TEXT_NOTICE, UNCOVERED, Asker, read_box
from skyreid.extraction.loading import load
from skyreid.pretrained.pair_checkpoint import TINY_TOWERS
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.retrieval.search import search
from skyreid.tracklet import Platform
from tests.building.detection import onnx_files
from tests.building.films import write_film

RED, BLUE = (200, 30, 40), (40, 60, 200)


def person(upper, lower=(60, 60, 66), *, height=64, width=32):
    """A figure before a wall."""
    picture = np.full((height, width, 3), 180, np.uint8)
    left, right = width // 4, width - width // 4
    picture[height // 5 : height // 2, left:right] = upper
    picture[height // 2 :, left:right] = lower
    picture[: height // 5, 3 * width // 8 : 5 * width // 8] = (200, 150, 120)
    return picture


@pytest.fixture(scope="module")
def table():
    """Two people, each as a crop that the small towers embedded."""
    embeddings = load(TINY_TOWERS).embed_tracklets([[person(RED)], [person(BLUE)]])
    return EmbeddingTable.of(
        embeddings,
        tracklet_ids=["red", "blue"],
        pids=[1, 2],
        camids=[0, 0],
        platforms="ground",
        model=weights_sha256(TINY_TOWERS),
    )


@pytest.fixture(scope="module")
def asker(table):
    return Asker(TINY_TOWERS, table, mask=None)


def saved(tmp_path, pixels, name="asked.png"):
    Image.fromarray(pixels).save(tmp_path / name)
    return tmp_path / name


def test_a_picture_finds_the_crop_that_it_shows(asker, table, tmp_path):
    asked = asker.picture(saved(tmp_path, person(BLUE)))
    ranking = search(table, asked)
    assert ranking.tracklet_ids.tolist() == ["blue", "red"]
    assert ranking.similarities[0] == pytest.approx(1, abs=1e-6)
    assert (asked.words, asked.notes) == ("asked.png", ())


def test_of_a_picture_only_the_box_is_looked_at(asker, table, tmp_path):
    street = np.concatenate([person(RED), person(BLUE)], axis=1)
    asked = asker.picture(saved(tmp_path, street), read_box("32,0,32,64"))
    assert search(table, asked).similarities[0] == pytest.approx(1, abs=1e-6)
    assert np.array_equal(np.asarray(asked.picture), person(BLUE))


def test_the_face_is_covered_in_what_may_be_shown_and_the_embedding_saw_it(table, tmp_path):
    path = saved(tmp_path, person(RED, height=480, width=240))
    open_faced = Asker(TINY_TOWERS, table, mask=None).picture(path)
    covered = Asker(TINY_TOWERS, table, mask=FaceMask(MaskingConfig())).picture(path)
    assert np.array_equal(open_faced.embedding, covered.embedding)
    assert covered.notes == (COVERED.format("asked.png"),)
    small = Asker(TINY_TOWERS, table, mask=FaceMask(MaskingConfig())).picture(saved(tmp_path, person(RED, width=24)))
    assert small.notes == (UNCOVERED.format("asked.png"),)
    head, legs = np.s_[20:80, 110:130], np.s_[300:400, 110:130]
    assert np.all(np.asarray(covered.picture)[head] == GREY)
    assert np.all(np.asarray(covered.picture)[legs] == np.asarray(open_faced.picture)[legs])
    assert not np.any(np.asarray(open_faced.picture)[head] == GREY)


def test_a_moment_of_a_film_asks_with_the_frame_of_that_time(asker, table, tmp_path):
    film = write_film(tmp_path / "a.mov", [person(RED)] * 5 + [person(BLUE)] * 5)  # 10 a second
    whole = read_box("0,0,32,64")
    for at_s, best in ((0.0, "red"), (0.45, "blue"), (0.9, "blue")):
        asked = asker.video(film, at_s, whole)
        assert search(table, asked).tracklet_ids[0] == best
    assert asked.words == "a.mov at 0.9 s"
    with pytest.raises(SettingError, match=r"a\.mov: has no frame at 5 s or later; it ends at 1\.00 s"):
        asker.video(film, 5.0, whole)
    with pytest.raises(SettingError, match="say who is meant by --box X,Y,WIDTH,HEIGHT, or by whom people are found"):
        asker.video(film, 0.1)


def test_the_only_person_whom_a_detector_finds_is_meant_and_of_several_one_is_named(asker, tmp_path):
    boxes = [(96, 32, 104, 40), (32, 32, 40, 40)]
    detector = f"{onnx_files.yolox(tmp_path / 'd.onnx', box_cells=(1, 1))},kind=yolox"
    films = {}
    for count in (0, 1, 2):
        picture = onnx_files.draw_targets(boxes[:count], height=96, width=160)
        films[count] = write_film(tmp_path / f"{count}.mov", [picture] * 3)
    asked = asker.video(films[1], 0.1, detector=detector)
    assert asked.picture is not None
    assert np.all(np.asarray(asked.picture) == onnx_files.TARGET)
    with pytest.raises(NothingFoundError, match="the detector finds nobody there"):
        asker.video(films[0], 0.1, detector=detector)
    with pytest.raises(SettingError, match="the detector finds 2 people there; say who is meant") as refusal:
        asker.video(films[2], 0.1, detector=detector)
    assert [note[:5] for note in refusal.value.__notes__] == ["1: 32", "2: 96"]
    assert np.all(np.asarray(asker.video(films[2], 0.1, 2, detector=detector).picture) == onnx_files.TARGET)
    with pytest.raises(SettingError, match="2 people"):
        asker.video(films[2], 0.1, 3, detector=detector)


def test_a_detector_finds_the_person_in_a_picture_too(asker, tmp_path):
    detector = f"{onnx_files.yolox(tmp_path / 'd.onnx', box_cells=(1, 1))},kind=yolox"
    scene = saved(tmp_path, onnx_files.draw_targets([(96, 32, 104, 40), (32, 32, 40, 40)], height=96, width=160))
    asked = asker.picture(scene, 2, detector=detector)
    assert np.all(np.asarray(asked.picture) == onnx_files.TARGET)
    with pytest.raises(SettingError, match="the detector finds 2 people there; say who is meant"):
        asker.picture(scene, detector=detector)
    with pytest.raises(SettingError, match="say who is meant by --box X,Y,WIDTH,HEIGHT, or by whom people are found"):
        asker.picture(scene, 2)


def test_a_scene_without_a_box_is_doubted_and_says_what_helps(asker, tmp_path, monkeypatch):
    monkeypatch.setenv("SKYREID_CACHE", str(tmp_path))
    scene = saved(tmp_path, np.concatenate([person(RED)] * 3, axis=1))
    (doubt,) = asker.picture(scene).notes
    assert doubt.startswith("warning: asked.png is wider than high (96 x 64)")
    assert doubt.endswith(": crop it to the person, or give --box X,Y,WIDTH,HEIGHT around them.")
    assert asker.picture(scene, read_box("0,0,32,64")).notes == ()


def test_a_box_around_nothing_is_refused(asker, tmp_path):
    with pytest.raises(SettingError, match=r"asked\.png, the box 0,0,8,11: has one colour all over and shows nobody"):
        asker.picture(saved(tmp_path, person(RED)), read_box("0,0,8,11"))


@pytest.mark.parametrize("at_s", [float("nan"), float("inf"), -1.0])
def test_a_moment_that_is_none_is_refused(asker, at_s):
    with pytest.raises(SettingError, match="a moment in a video is 0 or more seconds after its first frame; got"):
        asker.video(Path("a.mp4"), at_s)


def test_a_text_finds_who_wears_what_it_says_and_is_compared_with_the_joint_part_alone(asker, table):
    for colour in ("red", "blue"):
        asked = asker.text(f"{colour} jacket, grey trousers")
        ranking = search(table, asked)
        assert ranking.tracklet_ids[0] == colour
    joint = table.embeddings[ranking.rows[0], 128:]
    cosine = joint @ asked.embedding / np.linalg.norm(joint) / np.linalg.norm(asked.embedding)
    assert ranking.similarities[0] == pytest.approx(cosine, abs=1e-6)
    assert (asked.picture, asked.notes) == (None, (TEXT_NOTICE,))


def test_a_picture_and_a_text_ask_by_the_mean_of_their_cosines(asker, table, tmp_path):
    both = [asker.picture(saved(tmp_path, person(RED))), asker.text("a photo of a person in a blue shirt.")]
    alone = [dict(zip(r.tracklet_ids, r.similarities, strict=True)) for r in (search(table, one) for one in both)]
    fused = search(table, both)
    for name, similarity in zip(fused.tracklet_ids, fused.similarities, strict=True):
        assert similarity == pytest.approx((alone[0][name] + alone[1][name]) / 2, abs=1e-6)


def test_a_query_is_fed_as_the_table_was(table, tmp_path):
    embedder = load(TINY_TOWERS)
    longer = replace(table, feeding=embedder.feeding.taking(clip_length=2))
    asked = Asker(TINY_TOWERS, longer, mask=None, platform=Platform.AERIAL).picture(saved(tmp_path, person(RED)))
    assert search(longer, asked).similarities[0] == pytest.approx(1, abs=1e-6)


def test_another_model_than_the_table_s_is_refused(table):
    with pytest.raises(SettingError, match="the table was made by 00; only embeddings of one model"):
        Asker(TINY_TOWERS, replace(table, model="00"), mask=None)
    with pytest.raises(SettingError, match="the table does not say which model made it"):
        Asker(TINY_TOWERS, replace(table, model=None), mask=None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3", "a box is X,Y,WIDTH,HEIGHT in pixels, such as 410,220,60,140; got '1,2,3'"),
        ("1,2,0,4", "a box has a positive width and height; got '1,2,0,4'"),
        ("1,2,inf,4", "a box has a positive width and height; got '1,2,inf,4'"),
    ],
)
def test_a_box_that_is_none_is_refused(text, message):
    with pytest.raises(SettingError, match=f"^{re.escape(message)}$"):
        read_box(text)


def test_a_box_outside_the_picture_is_refused(asker, tmp_path):
    path = saved(tmp_path, person(RED))
    with pytest.raises(SettingError, match="at least 8 x 8 pixels of the picture, which has 32 x 64; got 28,0,40,10"):
        asker.picture(Path(path), read_box("28,0,40,10"))
