"""From a table on disk to a page of ranked pictures."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skyreid.datasets.manifest import write_manifest
from skyreid.errors import ManifestError, MissingFrameError, TableError
from skyreid.pages.search_page import write_search_page
from skyreid.retrieval.candidates import Scope, Seen
from skyreid.retrieval.embedding_table import EmbeddingTable, load_table, save_table
from skyreid.retrieval.search import Asked
from skyreid.retrieval.table_search import search_table
from skyreid.tracklet import Platform

HOSTILE = """"><script>window.pwn=1</script>'"""
ANGLES = {"asked": 0.0, "near": 0.1, "far": 2.0, "drone": 0.5, "drone-far": 1.5}


@pytest.fixture
def tracklets(paint_tracklet):
    return [
        paint_tracklet(name, platform=Platform.AERIAL if name.startswith("drone") else Platform.GROUND)
        for name in ANGLES
    ]


@pytest.fixture
def make_table(tmp_path, tracklets):
    """A maker of tables of these tracklets, each a direction in the plane."""
    write_manifest(tmp_path / "manifest.jsonl", tracklets)

    def make(*, names=tuple(ANGLES), manifest=str(tmp_path / "manifest.jsonl")):
        angles = np.array([ANGLES.get(name, 3.0) for name in names])
        table = EmbeddingTable(
            embeddings=np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32),
            pids=np.arange(len(names)),
            camids=np.zeros(len(names), dtype=np.int64),
            platforms=np.array([int(name.startswith("drone")) for name in names]),
            tracklet_ids=np.array(names),
            manifest=manifest,
        )
        path = tmp_path / "table.npz"
        save_table(path, table)
        return path

    return make


def search_tracklet(path, query, *, platform=None, top_k=20, asked=()):
    queries = [query] if isinstance(query, str) else query
    scope = Scope(platform=platform)
    return search_table(load_table(path), queries, table_path=path, asked=asked, scope=scope, top_k=top_k)


def shown(page):
    return re.findall(r'<span class="tracklet">([^<]*)</span>', page.read_text(encoding="utf-8"))


def test_the_page_shows_the_query_and_then_the_ranking(make_table, tmp_path):
    out = tmp_path / "results.html"
    found = search_tracklet(make_table(), "asked", platform=None, top_k=3)
    write_search_page(out, found)
    assert (found.queries[0].tracklet.platform, found.model) == (Platform.GROUND, None)
    assert found.ranking.tracklet_ids.tolist() == ["near", "drone", "drone-far"]
    assert shown(out) == ["asked", "near", "drone", "drone-far"]
    assert "asked → any platform" in out.read_text(encoding="utf-8")


def test_only_the_platform_asked_for_is_searched(make_table, tmp_path):
    out = tmp_path / "results.html"
    write_search_page(out, search_tracklet(make_table(), "asked", platform=Platform.AERIAL, top_k=20))
    assert shown(out) == ["asked", "drone", "drone-far"]
    assert "asked → aerial" in out.read_text(encoding="utf-8")


def test_an_unknown_query_is_refused_with_some_that_exist(make_table, tmp_path):
    table = make_table()
    message = "the table has no tracklet 'nobody'; it has 5: asked, near, far, drone, drone-far"
    with pytest.raises(TableError, match=f"^{re.escape(message)}$"):
        search_tracklet(table, "nobody", platform=None, top_k=3)


def test_a_table_without_pictures_is_refused_with_the_remedy(make_table, tmp_path):
    table = make_table(manifest=None)
    message = f"{table} does not say where its pictures are, as tables of what 'skyreid build' made do (skyreid embed)"
    with pytest.raises(TableError, match=f"^{re.escape(message)}"):
        search_tracklet(table, "asked", platform=None, top_k=3)


def test_a_manifest_that_is_gone_is_named(make_table, tmp_path):
    table = make_table()
    (tmp_path / "manifest.jsonl").unlink()
    with pytest.raises(ManifestError, match=r"manifest\.jsonl must be a manifest .*; nothing lies there"):
        search_tracklet(table, "asked", platform=None, top_k=3)


def test_a_table_of_tracklets_that_its_manifest_no_longer_lists_is_refused(make_table, tmp_path):
    table = make_table(names=("asked", "built-anew"))
    message = (
        f"{table}, beside {tmp_path / 'manifest.jsonl'}: every tracklet of a table must stand in its manifest; "
        "'built-anew' does not; embed the folder again by 'skyreid embed'"
    )
    with pytest.raises(TableError, match=f"^{re.escape(message)}$"):
        search_tracklet(table, "asked", platform=None, top_k=3)


def test_a_calibration_speaks_on_the_page_too(make_table, tmp_path):
    out = tmp_path / "results.html"
    found = search_tracklet(make_table(), "asked", platform=None, top_k=2)
    write_search_page(
        out,
        found,
        probabilities=[0.625, 0.25],
        answer="Probably not in this gallery.",
        condition="Probabilities: if 0.01 of all entries were the same person.",
        warnings=["another model"],
    )
    page = out.read_text(encoding="utf-8")
    assert re.findall(r'class="probability"[^>]*>([^<]*)<', page) == ["62% likely", "25% likely"]
    assert '<p class="answer">Probably not in this gallery.</p>' in page
    assert "Probabilities: if 0.01 of all entries were the same person." in page
    assert "Warning: another model" in page


def test_the_page_is_one_file_with_every_picture_inside(make_table, tmp_path):
    out = tmp_path / "results.html"
    write_search_page(out, search_tracklet(make_table(), "asked", platform=None, top_k=2))
    page = out.read_text(encoding="utf-8")
    sources = re.findall(r'src="([^"]*)"', page)
    assert len(sources) == 3
    for source in sources:
        picture = Image.open(io.BytesIO(base64.b64decode(source.removeprefix("data:image/jpeg;base64,"))))
        assert picture.format == "JPEG"
    assert "The 2 most similar of 4 tracklets, every one compared." in page
    assert "A ranking is not an identification." in page
    assert "http://" not in page
    assert "https://" not in page


def test_a_tracklet_id_never_becomes_markup(make_table, tmp_path):
    out = tmp_path / "results.html"
    found = search_tracklet(make_table(), "asked", platform=None, top_k=2)
    asked, *hostile = (replace(one, tracklet_id=HOSTILE) for one in (found.queries[0].tracklet, *found.tracklets))
    queries = (Seen(tracklet=asked, sighting=found.queries[0].sighting),)
    words = Asked(words=HOSTILE, embedding=np.ones(2, np.float32), notes=(HOSTILE,))
    page = replace(found, queries=queries, asked=(words,), tracklets=tuple(hostile))
    write_search_page(out, page, answer=HOSTILE, warnings=[HOSTILE])
    assert "<script" not in out.read_text(encoding="utf-8")


def test_a_missing_frame_leaves_the_older_page_as_it_was(make_table, tmp_path):
    out = tmp_path / "results.html"
    out.write_text("older")
    found = search_tracklet(make_table(), "asked", platform=None, top_k=2)
    Path(found.tracklets[0].frames[0].path).unlink()
    with pytest.raises(MissingFrameError, match=f"tracklet {found.tracklets[0].tracklet_id}: frame"):
        write_search_page(out, found)
    assert out.read_text() == "older"


def test_a_picture_and_a_text_are_shown_beside_the_tracklet_that_asked_with_them(make_table, tmp_path):
    out = tmp_path / "results.html"
    east, north = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    asked = [
        Asked(
            words="jacket.png",
            embedding=east,
            picture=Image.new("RGB", (12, 30), "red"),
            notes=("Covered.",),
        ),
        Asked(words="a red jacket", embedding=north),
    ]
    write_search_page(out, search_tracklet(make_table(), ["asked"], asked=asked, top_k=2))
    page = out.read_text(encoding="utf-8")
    assert "<h1>3 queries → any platform</h1>" in page
    assert "<blockquote>a red jacket</blockquote>" in page
    assert 'alt="picture that was asked with: jacket.png"' in page
    assert "<li>Covered.</li>" in page
    assert "by the mean of their cosines" in page
