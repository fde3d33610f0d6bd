"""Sharded evaluation is the evaluation of one machine, to the bit, however the tables are cut and whoever counts."""

import pickle
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skyreid.datasets.protocol import CROSS_CAMERA, CROSS_PLATFORM, PROTOCOLS, EvaluationProtocol
from skyreid.errors import TableError
from skyreid.evaluation import ranking_scores
from skyreid.evaluation.comparisons import Comparison, comparisons
from skyreid.evaluation.rank_counting import MatchRanks, match_ranks
from skyreid.evaluation.shard_counting import (
    QueryBlock,
    by_shard,
    count_shard,
    join_matches,
    match_similarities,
    merge,
    query_blocks,
)
from skyreid.evaluation.table_evaluation import evaluate
from skyreid.retrieval.embedding_table import EmbeddingTable, save_table
from skyreid.retrieval.sharded_table import open_table
from tests.evaluation.crowds import crowd, table

CPU = torch.device("cpu")
INCLUDES_QUERIES = EvaluationProtocol(name="all", gallery_includes_queries=True)


def people(seed: int, size: int, num_distinct: int, num_people: int) -> EmbeddingTable:
    """A crowd of which many embed alike, so that they tie."""
    generator = np.random.default_rng(seed)
    made = crowd(generator, size, people=num_people, embed=24)
    alike = np.random.default_rng(num_distinct).standard_normal((num_distinct, 24)).astype(np.float32)
    return replace(made, embeddings=alike[generator.integers(0, num_distinct, size)])


def in_files(folder: Path, whole: EmbeddingTable, shard_rows: int):
    save_table(folder, whole, shard_rows=shard_rows)
    return open_table(folder)


def assert_same(one: MatchRanks, other: MatchRanks) -> None:
    assert np.array_equal(one.ranks, other.ranks)
    assert np.array_equal(one.offsets, other.offsets)


@settings(max_examples=12)
@given(
    seed=st.integers(0, 9999),
    sizes=st.tuples(st.integers(20, 90), st.integers(40, 200)),
    shard_rows=st.tuples(st.integers(7, 99), st.integers(9, 250)),
    num_distinct=st.sampled_from([4, 40, 400]),
    num_people=st.sampled_from([2, 12]),
    protocol=st.sampled_from([*PROTOCOLS.values(), INCLUDES_QUERIES]),
    sharded=st.sampled_from(["both", "query", "gallery"]),
)
def test_every_score_is_that_of_one_table(seed, sizes, shard_rows, num_distinct, num_people, protocol, sharded):
    """Junk, distractors, both platforms, ties within and between files."""
    query, gallery = (people(seed + at, size, num_distinct, num_people) for at, size in enumerate(sizes))
    alone = ranking_scores.evaluate(query, gallery, protocol)
    with TemporaryDirectory() as folder:
        asking = query if sharded == "gallery" else in_files(Path(folder) / "q", query, shard_rows[0])
        searched = gallery if sharded == "query" else in_files(Path(folder) / "g", gallery, shard_rows[1])
        scores = ranking_scores.evaluate(asking, searched, protocol)
    assert_same(scores.match_ranks, alone.match_ranks)
    assert scores.mAP == alone.mAP
    assert np.array_equal(scores.cmc, alone.cmc)
    assert scores.to_json() == alone.to_json()


@pytest.fixture(scope="module")
def compared(tmp_path_factory) -> Comparison:
    folder = tmp_path_factory.mktemp("tables")
    query, gallery = people(1, 60, 50, 6), people(2, 300, 50, 6)
    asking, searched = in_files(folder / "q", query, 25), in_files(folder / "g", gallery, 80)
    (comparison,) = comparisons(asking, searched, CROSS_CAMERA)
    return comparison


@pytest.mark.parametrize(("most_queries", "most_matches"), [(1000, 10**6), (7, 10**6), (1000, 100), (1000, 1500)])
def test_units_in_any_order_and_from_other_processes_give_what_one_process_gives(compared, most_queries, most_matches):
    generator = np.random.default_rng(most_matches)
    parts = pickle.loads(pickle.dumps(by_shard(compared)))  # as they reach another machine
    found = []
    for block in query_blocks(compared, most_queries=most_queries, most_matches=most_matches):
        shuffled = [parts[place] for place in generator.permutation(len(parts))]
        matches = join_matches([match_similarities(part, block) for part in shuffled])
        found.append(merge([count_shard(part, block, matches) for part in shuffled], matches))
    ranks = np.concatenate([one.ranks for one in found])
    assert np.array_equal(ranks, match_ranks(compared, block_size=2**20, device=CPU).ranks)


def test_blocks_hold_every_query_once_and_no_more_than_allowed(compared):
    blocks = query_blocks(compared, most_queries=25, most_matches=700)
    assert [row for block in blocks for row in range(block.start, block.stop)] == list(range(60))
    num_of_same_person = compared.num_of_same_person
    assert all(
        block.stop == block.start + 1 or num_of_same_person[block.start : block.stop].sum() <= 700 for block in blocks
    )
    assert max(block.stop - block.start for block in blocks) <= 25


def test_a_file_that_is_missing_or_counted_twice_is_refused(compared):
    block, parts = QueryBlock(0, 60), by_shard(compared)
    found = [match_similarities(part, block) for part in parts]
    with pytest.raises(TableError, match=r"counted once; of 4 those of the places \[0, 1, 2\] are there"):
        join_matches(found[:3])
    with pytest.raises(TableError, match=r"of 4 those of the places \[0, 1, 1, 2, 3\] are there"):
        join_matches([*found, found[1]])
    matches = join_matches(found)
    counted = [count_shard(part, block, matches) for part in parts]
    with pytest.raises(TableError, match=r"of 4 those of the places \[1, 2, 3\] are there"):
        merge(counted[1:], matches)
    with pytest.raises(TableError, match=r"those of the places \[2\] are twice"):
        merge([*counted, counted[2]], matches)


def test_a_machine_that_rounds_in_another_way_is_refused(compared):
    block, parts = QueryBlock(0, 60), by_shard(compared)
    found = [match_similarities(part, block) for part in parts]
    with pytest.raises(TableError, match="must round alike"):
        join_matches([replace(found[0], rounding="of another processor"), *found[1:]])
    matches = join_matches(found)
    with pytest.raises(TableError, match="must round alike"):
        count_shard(parts[0], block, replace(matches, rounding="of another processor"))
    counted = [count_shard(part, block, matches) for part in parts]
    with pytest.raises(TableError, match="must round alike"):
        merge([*counted[1:], replace(counted[0], rounding="of another processor")], matches)


def test_several_threads_count_what_one_counts(compared):
    def ranks() -> MatchRanks:
        block, parts = QueryBlock(0, 60), by_shard(compared)
        matches = join_matches([match_similarities(part, block) for part in parts])
        return merge([count_shard(part, block, matches) for part in parts], matches)

    alone, num_threads = ranks(), torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert_same(ranks(), alone)
    finally:
        torch.set_num_threads(num_threads)


def test_in_files_of_nobody_nobody_has_a_match(tmp_path):
    query = table([[1, 0], [1, 0]], [7, 7], platforms=[0, 1])
    gallery = in_files(tmp_path / "g", table([[1, 0]], [7]), 1)
    scores = ranking_scores.evaluate(query, gallery, CROSS_PLATFORM)
    assert (scores.mAP, scores.queries_without_match) == (1.0, 1)


def test_an_evaluation_by_paths_says_of_many_files_what_it_says_of_one(tmp_path):
    query, gallery = people(3, 50, 400, 8), people(4, 150, 400, 8)
    for name, whole in (("q", query), ("g", gallery)):
        save_table(tmp_path / f"{name}.npz", whole)
        save_table(tmp_path / name, whole, shard_rows=40)
    one = evaluate(tmp_path / "q.npz", tmp_path / "g.npz", "cross-platform", pairs=True, out=tmp_path / "one.json")
    many = evaluate(tmp_path / "q", tmp_path / "g", "cross-platform", pairs=True, out=tmp_path / "many.json")
    assert many.to_json() == one.to_json()
    assert (tmp_path / "many.json").read_bytes() == (tmp_path / "one.json").read_bytes()
    reranked = [
        evaluate(tmp_path / f"q{end}", tmp_path / f"g{end}", "mars", ranker="k-reciprocal") for end in ("", ".npz")
    ]
    assert reranked[0].to_json() == reranked[1].to_json()


def test_progress_comes_to_its_end(tmp_path):
    query, gallery = people(5, 30, 400, 8), in_files(tmp_path / "g", people(6, 100, 400, 8), 40)
    told = []
    ranking_scores.evaluate(query, gallery, CROSS_CAMERA, progress=lambda *report, **_: told.append(report))
    assert told == [("evaluate", 10, 30), ("evaluate", 20, 30), ("evaluate", 30, 30)]


def test_a_damaged_file_is_refused_by_name_when_it_is_counted(tmp_path):
    query, gallery = people(5, 30, 400, 8), in_files(tmp_path / "g", people(6, 100, 400, 8), 40)
    last = max((tmp_path / "g").glob("*.safetensors"))
    content = bytearray(last.read_bytes())
    content[-1] ^= 1
    last.write_bytes(content)
    with pytest.raises(TableError, match=f"{last.name} is not the file that the index names"):
        ranking_scores.evaluate(query, gallery, CROSS_CAMERA)


@pytest.mark.slow
def test_20_000_queries_in_200_000_entries_have_the_scores_of_one_machine(tmp_path):
    generator = np.random.default_rng(7)
    query, gallery = (crowd(generator, size, people=20_000, embed=512) for size in (20_000, 200_000))
    alone = ranking_scores.evaluate(query, gallery, CROSS_CAMERA)
    asking, searched = in_files(tmp_path / "q", query, 9_000), in_files(tmp_path / "g", gallery, 65_536)
    scores = ranking_scores.evaluate(asking, searched, CROSS_CAMERA)
    assert_same(scores.match_ranks, alone.match_ranks)
    assert scores.to_json() == alone.to_json()
