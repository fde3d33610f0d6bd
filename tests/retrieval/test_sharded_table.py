"""A table in many files is searched as one, and only what is needed of it is read."""

import pickle
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyreid.errors import TableError
from skyreid.retrieval.embedding_table import EmbeddingTable, load_table, save_table
from skyreid.retrieval.search import search
from skyreid.retrieval.sharded_table import ShardedTable, open_table, table_of


def crowd(seed: int, size: int, num_distinct: int) -> EmbeddingTable:
    """Rows of which many are alike, so that their order is that of their ids."""
    generator = np.random.default_rng(seed)
    alike = generator.standard_normal((num_distinct, 24)).astype(np.float32)
    return EmbeddingTable(
        embeddings=alike[generator.integers(0, num_distinct, size)],
        pids=generator.integers(0, 9, size),
        camids=generator.integers(0, 3, size),
        platforms=generator.integers(0, 2, size),
        tracklet_ids=np.array([f"t{number:03}" for number in generator.permutation(size)]),
    )


@settings(max_examples=12)
@given(
    seed=st.integers(0, 9999),
    size=st.integers(2, 150),
    shard_rows=st.integers(5, 160),
    num_distinct=st.sampled_from([2, 20, 200]),
    top_k=st.sampled_from([1, 3, 20, 500]),
    platform=st.sampled_from([None, "ground", "aerial"]),
    is_half=st.booleans(),
    data=st.data(),
)
def test_a_search_finds_what_it_finds_in_one_file(seed, size, shard_rows, num_distinct, top_k, platform, is_half, data):
    whole = crowd(seed, size, num_distinct)
    whole = whole.in_float16() if is_half else whole
    rows = data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=3, unique=True))
    others = [
        row for row in range(size) if row not in rows and platform in (None, ("ground", "aerial")[whole.platforms[row]])
    ]
    if not others:
        return
    query = [str(whole.tracklet_ids[rows[0]]), *rows[1:]]
    exclude = [whole.tracklet_ids[others[0]]] if len(others) > 1 else []
    options = {"platform": platform, "top_k": top_k, "exclude": exclude}
    alone = search(whole, query, **options)
    with TemporaryDirectory() as folder:
        save_table(Path(folder) / "table", whole, shard_rows=shard_rows)
        found = search(Path(folder) / "table", query, **options)
    assert found.rows.tolist() == alone.rows.tolist()
    assert np.array_equal(found.similarities, alone.similarities)
    assert found.to_dicts() == alone.to_dicts()
    assert repr(found) == repr(alone)


@pytest.fixture
def folder(tmp_path):
    save_table(tmp_path / "table", crowd(1, 50, 200), shard_rows=20)
    return tmp_path / "table"


def test_a_file_is_read_when_its_embeddings_are_needed_and_not_before(folder):
    opened = open_table(folder)
    assert isinstance(opened, ShardedTable)
    last = max(folder.glob("*.safetensors"))
    last.unlink()
    on_the_first = opened.tracklet_ids[:20].tolist()
    assert len(search(opened, 3, top_k=5, exclude=opened.tracklet_ids[20:].tolist())) == 5
    assert isinstance(opened.shard(0).embeddings, np.memmap)
    assert opened.shard(0).tracklet_ids.tolist() == on_the_first
    with pytest.raises(TableError, match=f"{last.name}: this file .* cannot be read: No such file.* Copy it anew"):
        search(opened, 3)


def test_nothing_that_is_made_of_the_embeddings_of_a_file_is_kept(folder):
    opened = open_table(folder)
    search(opened, 3, top_k=50)
    assert all("unit_embeddings" not in vars(opened.shard(place)) for place in range(3))


def test_it_is_sent_to_another_process_without_its_embeddings(tmp_path):
    whole = replace(crowd(1, 200, 200), embeddings=np.ones((200, 2000), dtype=np.float32))
    save_table(tmp_path / "table", whole, shard_rows=50)
    opened = open_table(tmp_path / "table")
    opened.shard(1)
    sent = pickle.dumps(opened)
    assert len(sent) < whole.embeddings.nbytes / 50
    assert np.array_equal(pickle.loads(sent).shard(3).embeddings, whole.embeddings[150:])


def test_a_value_that_no_table_can_hold_is_refused_with_its_file(tmp_path):
    whole = crowd(1, 50, 200)
    whole.embeddings[33, 5] = np.nan
    save_table(tmp_path / "table", whole, shard_rows=20)
    with pytest.raises(TableError, match=r"00001-[0-9a-f]{12}\.safetensors: embeddings, row 13 .* must be finite"):
        search(tmp_path / "table", 3)


def test_it_shows_itself_in_one_line(folder):
    one, many = load_table(folder), open_table(folder)
    assert repr(many) == repr(one).replace("EmbeddingTable", "ShardedTable")[:-1] + ", in 3 files)"


def test_a_single_file_and_a_table_in_memory_are_opened_as_they_are(tmp_path):
    whole = crowd(1, 50, 200)
    save_table(tmp_path / "table.npz", whole)
    assert isinstance(open_table(tmp_path / "table.npz"), EmbeddingTable)
    assert table_of(whole) is whole
