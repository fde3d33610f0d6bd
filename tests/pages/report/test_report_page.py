import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skyreid.datasets.protocol import AERIAL_TO_GROUND, GROUND_TO_AERIAL, MARS, EvaluationProtocol
from skyreid.errors import MissingFrameError
from skyreid.evaluation.embedding_map import map_embeddings
from skyreid.evaluation.ranking_scores import evaluate
from skyreid.pages.frame_strip import as_jpeg
from skyreid.pages.report import (
    AttentionStrip,
    DistanceDistribution,
    ReportPicture,
    ScoredDirection,
    SliceBar,
    SliceBars,
    gather_examples,
    gather_failures,
    write_report,
)
from tests.pages.report.reading import words
from tests.pages.report.small_world import HOSTILE, make_world

SECTIONS = ["scores", "cmc", "slices", "distances", "ranked-lists", "map", "attention", "failures"]


def whole_report(path: Path, world, *, text: str) -> str:
    """A page with every section; `text` is what users may have typed."""
    up = evaluate(world.ground, world.aerial, GROUND_TO_AERIAL)
    down = evaluate(world.aerial, world.ground, AERIAL_TO_GROUND)
    slices = {text: [text] * 4}
    attended = next(iter(world.tracklets.values()))
    first_places = np.concatenate([up.first_places, down.first_places])
    write_report(
        path,
        title=text,
        summary=text,
        notice=text,
        directions=[
            ScoredDirection(name=text, before=up, after=up, mAP_interval=(0.5, 0.9), reranked=up, reranked_name=text),
            ScoredDirection(name="aerial → ground", after=down),
        ],
        provenance={text: text},
        examples=gather_examples(world.ground, world.aerial, up, world.tracklets, direction=text, each=1, top_k=4),
        slices=[
            SliceBars(column=text, bars=(SliceBar(label=text, queries=4, mAP=0.7, low=0.5, high=0.9, rank_1=0.5),))
        ],
        distances=[
            DistanceDistribution(
                name=text,
                edges=np.linspace(-1, 1, 21),
                same=np.arange(20),
                different=np.arange(20)[::-1].copy(),
                threshold=0.4,
                threshold_note=text,
            )
        ],
        embedding_map=map_embeddings(world.everybody, first_places),
        attention=[AttentionStrip(tracklet=attended, maps=np.arange(24.0).reshape(3, 4, 2))],
        failures=[
            gather_failures(*sides, scores, world.tracklets, direction=name, slices=slices)
            for sides, scores, name in (
                ((world.ground, world.aerial), up, text),
                ((world.aerial, world.ground), down, "aerial → ground"),
            )
        ],
        pictures=[ReportPicture(caption=text, jpeg=as_jpeg(Image.new("RGB", (640, 360), "slategrey")))],
        after_label=text,
    )
    return path.read_text(encoding="utf-8")


def plain_report(path: Path, world, **changes) -> str:
    scores = evaluate(world.ground, world.aerial, GROUND_TO_AERIAL)
    content = {
        "title": "What training did",
        "summary": "It helped.",
        "directions": [ScoredDirection(name="up", after=scores)],
        "provenance": {"dataset": "street", "seed": "7"},
    }
    write_report(path, **{**content, **changes})
    return path.read_text(encoding="utf-8")


def test_every_section_stands_on_the_page_and_can_be_jumped_to(tmp_path, world):
    page = whole_report(tmp_path / "report.html", world, text="street")
    assert re.findall(r'<section id="([\w-]+)">', page) == SECTIONS
    assert re.findall(r'<a href="#([\w-]+)">', page) == SECTIONS


def test_what_was_not_given_has_no_section_and_no_script(tmp_path, world):
    page = plain_report(tmp_path / "report.html", world)
    assert re.findall(r'<section id="([\w-]+)">', page) == ["scores", "cmc"]
    assert "<script" not in page


def test_a_report_says_what_it_is_and_where_it_comes_from(tmp_path, world):
    scores = evaluate(world.aerial, world.ground, replace(AERIAL_TO_GROUND, mAP_cut=20))
    text = words(
        plain_report(
            tmp_path / "report.html",
            world,
            directions=[ScoredDirection(name="down", after=scores)],
            notice="Synthetic data: nobody here exists.",
        )
    )
    for said in (
        "Synthetic data: nobody here exists.",
        "What training did",
        "It helped.",
        "down aerial-to-ground: aerial queries against the ground gallery; tracklets of the same person and the same "
        "camera are ignored; mAP@20 counts the first 20 places only; cosine similarity, no re-ranking but where a "
        "row says so.",
        "dataset street seed 7",
        "A ranking is not an identification.",
    ):
        assert said in text


def test_a_report_puts_the_whole_protocol_into_words(tmp_path, world):
    odd = EvaluationProtocol(name="odd", other_platform_only=True, junk_same_camera=False)
    directions = [
        ScoredDirection(name=protocol.name, after=evaluate(world.ground, world.aerial, protocol))
        for protocol in (MARS, odd)
    ]
    text = words(plain_report(tmp_path / "report.html", world, directions=directions))
    assert "mars: all queries against the whole gallery; the queries stand in the gallery too; tracklets of" in text
    assert "odd: all queries against the whole gallery; only tracklets of the other platform are ranked; cosine" in text


def test_a_report_is_one_file_that_fetches_nothing(tmp_path, world):
    page = whole_report(tmp_path / "report.html", world, text="street")
    assert re.findall(r'src="(?!data:image/jpeg;base64,)', page) == []
    for sign in ("<link", "http://", "https://", "url(", "@import"):
        assert sign not in page


def test_no_text_becomes_markup(tmp_path):
    world = make_world(tmp_path / "frames", prefix=HOSTILE)
    page = whole_report(tmp_path / "report.html", world, text=HOSTILE)
    assert page.count("<script") == 1
    assert "<script>window" not in page
    assert words(page).count(HOSTILE) > 50


def test_a_missing_frame_is_refused_and_nothing_is_written(tmp_path, world):
    Path(world.tracklets["aerial-1"].frames[0].path).unlink()
    with pytest.raises(MissingFrameError, match=r"^tracklet aerial-1: frame "):
        whole_report(tmp_path / "report.html", world, text="street")
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


def test_pictures_stand_inside_the_page_above_the_scores(tmp_path, world):
    page = plain_report(
        tmp_path / "report.html", world, pictures=[ReportPicture(caption="a square", jpeg=b"\xff\xd8pixels")]
    )
    assert 'src="data:image/jpeg;base64,/9hwaXhlbHM="' in page
    assert page.index("/9hwaXhlbHM=") < page.index("<h2>Scores</h2>")
