import json
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skyreid.datasets.manifest import write_manifest
from skyreid.errors import NothingFoundError, SettingError, TableError
from skyreid.retrieval.embedding_table import EmbeddingTable, save_table
from skyreid.retrieval.filters import Filters
from skyreid.retrieval.search import search
from skyreid.tracklet import Frame, Platform, Tracklet

REFERENCE = Path(__file__).parents[1] / "reference" / "metrics"


def table(embeddings: np.ndarray, ids: np.ndarray | None = None, platforms: np.ndarray | None = None) -> EmbeddingTable:
    rows = np.arange(len(embeddings))
    return EmbeddingTable(
        embeddings=embeddings.astype(np.float32),
        pids=rows + 100,
        camids=np.zeros_like(rows),
        platforms=rows % 2 if platforms is None else platforms,
        tracklet_ids=rows if ids is None else ids,
    )


@pytest.mark.parametrize("name", ["multicam", "nogt", "mars", "twocam"])
def test_the_order_is_that_of_the_released_program(name):
    stored = np.load(REFERENCE / f"small_{name}.npz")
    assert stored["n_exact_ties"] == 0
    gallery = np.concatenate([stored["qf"], stored["gf"]]) if stored["mars"] else stored["gf"]
    searched = table(gallery)
    for embedding, order in zip(stored["qf"], stored["order"], strict=True):
        assert search(searched, embedding, top_k=len(gallery)).rows.tolist() == order.tolist()


@st.composite
def cases(draw):
    """Rows of ±1 in 16 dimensions: their cosines are exact in any arithmetic, and often equal."""
    rows = draw(st.integers(2, 40))
    signs = draw(st.lists(st.lists(st.sampled_from([-1, 1]), min_size=16, max_size=16), min_size=rows, max_size=rows))
    names = draw(st.lists(st.text("abc", min_size=1, max_size=4), min_size=rows, max_size=rows, unique=True))
    return np.array(signs), np.array(names)


@given(
    case=cases(),
    row=st.integers(0, 39),
    top_k=st.integers(1, 45),
    platform=st.sampled_from([None, Platform.GROUND, Platform.AERIAL]),
    excluded=st.sets(st.integers(0, 39), max_size=3),
)
def test_a_search_equals_the_sorted_list_of_all_candidates(case, row, top_k, platform, excluded):
    signs, names = case
    row %= len(signs)
    excluded = {other for other in excluded if other < len(signs)}
    expected = sorted(
        (-int(signs[row] @ signs[other]), str(names[other]), other)
        for other in range(len(signs))
        if other != row and other not in excluded and (platform is None or other % 2 == platform.number)
    )
    searched = table(signs, names)
    exclude = [str(names[other]) for other in excluded]
    if not expected:
        with pytest.raises(NothingFoundError, match="is left to search"):
            search(searched, row, platform=platform, top_k=top_k, exclude=exclude)
        return
    ranking = search(searched, row, platform=platform, top_k=top_k, exclude=exclude)
    assert ranking.num_searched == len(expected)
    assert ranking.rows.tolist() == [other for _, _, other in expected[:top_k]]
    assert ranking.tracklet_ids.tolist() == [name for _, name, _ in expected[:top_k]]
    assert ranking.pids.tolist() == [other + 100 for _, _, other in expected[:top_k]]
    assert ranking.similarities.tolist() == [-dot / 16 for dot, _, _ in expected[:top_k]]


def test_a_large_table_is_searched_as_one_piece():
    generator = np.random.default_rng(0)
    searched = table(generator.standard_normal((20_000, 24)))
    query = generator.standard_normal(24).astype(np.float32)
    ranking = search(searched, query, top_k=300)
    cosines = (searched.embeddings.astype(float) @ query) / np.linalg.norm(searched.embeddings.astype(float), axis=1)
    assert set(ranking.rows.tolist()) == set(np.argsort(-cosines)[:300].tolist())
    assert np.all(np.diff(ranking.similarities) <= 0)
    assert ranking.num_searched == 20_000


def test_an_embedding_finds_the_tracklet_it_was_taken_from():
    searched = table(np.random.default_rng(0).standard_normal((9, 5)))
    ranking = search(searched, searched.embeddings[4], top_k=1)
    assert ranking.tracklet_ids.tolist() == [4]
    assert ranking.similarities[0] == pytest.approx(1, abs=5e-6)  # float32


def named(count=9):
    drawn = np.random.default_rng(0).standard_normal((count, 5))
    return table(drawn, np.array([f"gate-{row:02d}" for row in range(count)]))


def test_a_tracklet_is_asked_for_by_its_id_and_never_finds_itself():
    """Kind C2: what people have is the id."""
    searched = named()
    by_id, by_row = search(searched, "gate-04", top_k=20), search(searched, 4, top_k=20)
    assert by_id.rows.tolist() == by_row.rows.tolist()
    assert 4 not in by_id.rows


def test_a_tracklet_with_a_number_is_asked_for_by_its_digits():
    searched = table(np.random.default_rng(0).standard_normal((9, 5)), np.arange(9)[::-1].copy())
    assert search(searched, "7").rows.tolist() == search(searched, 1).rows.tolist()


def test_a_platform_goes_by_its_name_and_a_table_by_its_path(tmp_path):
    searched = named()
    save_table(str(tmp_path / "table.npz"), searched)
    expected = search(searched, 4, platform=Platform.AERIAL).rows.tolist()
    for path in (tmp_path / "table.npz", str(tmp_path / "table.npz")):
        assert search(path, "gate-04", platform="aerial").rows.tolist() == expected


def test_an_embedding_is_taken_from_numpy_or_torch_alone_or_as_the_only_row():
    searched = named()
    embedding = searched.embeddings[3] * 2
    expected = search(searched, embedding).similarities.tolist()
    for query in (
        embedding[None],
        embedding.astype(np.float64),
        torch.from_numpy(embedding),
        torch.from_numpy(embedding)[None].requires_grad_(),
    ):
        assert search(searched, query).similarities.tolist() == expected


def test_a_ranking_is_a_sequence_of_entries_and_a_list_of_dictionaries():
    searched = named()
    ranking = search(searched, "gate-04", top_k=3)
    assert len(ranking) == 3
    assert [entry.rank for entry in ranking] == [1, 2, 3]
    assert [entry.tracklet_id for entry in ranking] == ranking.tracklet_ids.tolist()
    assert ranking[-1] == list(ranking)[2]
    first = ranking[0]
    row = int(ranking.rows[0])
    assert ranking.to_dicts()[0] == {
        "rank": 1,
        "tracklet_id": f"gate-{row:02d}",
        "similarity": pytest.approx(first.similarity),
        "platform": ["ground", "aerial"][row % 2],
        "camid": 0,
        "pid": row + 100,
        "row": row,
        "camera": None,
        "file": None,
        "start_s": None,
        "end_s": None,
        "time": None,
        "impossible": None,
    }
    json.dumps(ranking.to_dicts())
    with pytest.raises(IndexError):
        ranking[3]


def test_an_entry_says_by_which_camera_and_when_it_was_seen(tmp_path, caplog):
    """Kind C5, in Python: by name, by file and by the clock, as the manifest of a build knows them."""
    source = {"name": "north-gate", "file": "gate.mp4", "start_time": "2026-05-04T09:00:00+02:00"}
    frames = [tuple(Frame(str(tmp_path / f"{row}-{at}.jpg"), time_s=row + at) for at in (0.5, 2.0)) for row in range(4)]
    tracklets = [
        Tracklet(tracklet_id=f"north-gate-{row:04d}", frames=frames[row], pid=row, camid=1, platform=Platform.GROUND)
        for row in range(3)
    ]
    write_manifest(tmp_path / "manifest.jsonl", tracklets, {"cameras": ["roof", "north"], "sources": [source]})
    ids = np.array([*(tracklet.tracklet_id for tracklet in tracklets), "unlisted"])
    searched = replace(table(np.eye(4) + 0.5, ids), manifest=str(tmp_path / "manifest.jsonl"))
    of = {entry.tracklet_id: entry for entry in search(searched, "north-gate-0000")}
    seen = of["north-gate-0002"]
    assert (seen.camera, seen.file, seen.start_s, seen.end_s) == ("north", "gate.mp4", 2.5, 4.0)
    assert seen.time == datetime.fromisoformat("2026-05-04T09:00:02.500000+02:00")
    assert (of["unlisted"].camera, of["unlisted"].time) == (None, None)
    entries = search(searched, "north-gate-0000").to_dicts()
    assert "2026-05-04T09:00:02.500000+02:00" in {entry["time"] for entry in entries}
    assert caplog.messages == []
    (tmp_path / "manifest.jsonl").unlink()
    gone = search(searched, "north-gate-0000")
    assert [entry.camera for entry in gone] == [None] * 3
    (message,) = caplog.messages
    assert message.startswith(f"cameras and times of what was found are not known: {tmp_path}")


def test_a_ranking_shows_itself_in_one_line():
    ranking = search(named(), "gate-04", top_k=3)
    best = ranking[0]
    assert repr(ranking) == f"Ranking(3 of 8 tracklets, best {best.tracklet_id!r} at {best.similarity:.4f})"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("gate-4", "the table has no tracklet 'gate-4' (did you mean 'gate-04'?); it has 9: gate-00, gate-01, gate-02, "
         "gate-03, gate-04, …"),
        ("", "the table has no tracklet ''; it has 9: gate-00, gate-01, gate-02, gate-03, gate-04, …"),
        (np.ones((2, 5), np.float32),
         "a query embedding must have the table's size 5; got float32 of the shape (2, 5)"),
        (np.array([1e39, 0, 0, 0, 0]),
         "a query embedding must be finite and not zero, else its cosine is undefined"),
    ],
)  # fmt: skip
def test_a_query_that_is_none_is_refused_with_what_there_is(query, message):
    with pytest.raises(TableError, match=f"^{re.escape(message)}$"):
        search(named(), query)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"platform": Platform.AERIAL},
            "no aerial tracklet is left to search: the table has 4 ground, 0 aerial, 0 excluded; ",
        ),
        ({"exclude": [1, 2, 3]}, "no other tracklet is left to search: the table has 4 ground, 0 aerial, 3 excluded; "),
    ],
)
def test_a_search_among_nobody_finds_nothing(options, said):
    """Kind C7."""
    searched = table(np.eye(4), platforms=np.zeros(4, dtype=np.int64))
    with pytest.raises(NothingFoundError, match=f"^{said}search the other platform, or a table of more footage$"):
        search(searched, 0, **options)


@pytest.mark.parametrize(
    ("query", "options", "message"),
    [
        (4, {}, "query row must be between 0 and 3; got 4"),
        (-1, {}, "query row must be between 0 and 3; got -1"),
        (0, {"top_k": 0}, "top_k must be a whole number of at least 1; got 0"),
        (0, {"exclude": ["nobody"]}, "cannot exclude tracklet 'nobody': the table has no such id"),
        (np.ones(3, np.float32), {}, "a query embedding must have the table's size 4; got float32 of the shape (3,)"),
        (np.zeros(4, np.float32), {}, "a query embedding must be finite and not zero, else its cosine is undefined"),
        (np.full(4, np.nan, np.float32), {},
         "a query embedding must be finite and not zero, else its cosine is undefined"),
    ],
)  # fmt: skip
def test_a_search_that_cannot_be_made_is_refused(query, options, message):
    searched = table(np.eye(4), platforms=np.zeros(4, dtype=np.int64))
    with pytest.raises(TableError, match=f"^{re.escape(message)}$"):
        search(searched, query, **options)


def test_a_name_in_place_of_a_list_of_cameras_is_refused():
    with pytest.raises(SettingError, match=r"cameras is a list of names; got 'gate' \(did you mean \['gate'\]\?\)"):
        Filters(cameras="gate")


def test_filters_of_a_table_without_a_manifest_are_refused():
    with pytest.raises(TableError, match="stands in the manifest that a table names; this one names none"):
        search(named(), "gate-04", filters=Filters(min_height_px=20))


def test_a_list_of_queries_asks_by_the_mean_of_their_cosines():
    searched = named()
    alone = [{e.row: e.similarity for e in search(searched, row, top_k=len(searched))} for row in (0, 4)]
    fused = search(searched, [0, "gate-04"], top_k=len(searched))
    assert len(fused) == len(searched) - 2
    for entry in fused:
        assert entry.similarity == pytest.approx((alone[0][entry.row] + alone[1][entry.row]) / 2, abs=1e-6)
    with pytest.raises(TableError, match="a search needs at least one query; got an empty list"):
        search(searched, [])
