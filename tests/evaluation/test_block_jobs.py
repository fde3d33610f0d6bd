"""An evaluation that other processes do, job by job."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from multiprocessing import get_context

import numpy as np
import pytest

from skyreid.datasets.protocol import CROSS_PLATFORM
from skyreid.errors import SettingError, TableError
from skyreid.evaluation import ranking_scores
from skyreid.evaluation.block_jobs import BlockJob, BlockRanks, do_job, jobs_of, put_together
from skyreid.evaluation.shard_counting import QueryBlock
from skyreid.evaluation.table_evaluation import evaluate
from skyreid.retrieval.embedding_table import load_table, save_table
from skyreid.retrieval.sharded_table import open_table
from tests.evaluation.crowds import crowd
from tests.processes.ray_nodes import ray_nodes

Done = Iterator[tuple[BlockJob, BlockRanks]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A query and a gallery, each in many files."""
    made, generator = tmp_path_factory.mktemp("tables"), np.random.default_rng(1)
    save_table(made / "query", crowd(generator, 60), shard_rows=25)
    save_table(made / "gallery", crowd(generator, 300), shard_rows=80)
    return made


def in_small_pieces(jobs: Sequence[BlockJob]) -> list[BlockJob]:
    """The jobs again, each cut into several."""
    return [
        replace(job, block=QueryBlock(start, min(start + 9, job.block.stop)))
        for job in jobs
        for start in range(job.block.start, job.block.stop, 9)
    ]


def in_two_processes(jobs: Sequence[BlockJob]) -> Done:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        yield from zip(jobs, processes.map(do_job, jobs), strict=True)


def backwards_and_twice(jobs: Sequence[BlockJob]) -> Done:
    for job in [*jobs[::-1], jobs[0]]:
        yield job, do_job(job)


@pytest.mark.parametrize("elsewhere", [pytest.param(in_two_processes, marks=pytest.mark.slow), backwards_and_twice])
def test_the_result_is_that_of_one_process(folder, tmp_path, elsewhere):
    one, many = tmp_path / "one.json", tmp_path / "many.json"
    evaluate(folder / "query", folder / "gallery", "cross-platform", out=one)
    evaluate(folder / "query", folder / "gallery", "cross-platform", out=many, elsewhere=elsewhere)
    assert many.read_bytes() == one.read_bytes()


def test_jobs_of_any_size_give_the_same(folder):
    query, gallery = open_table(folder / "query"), open_table(folder / "gallery")
    jobs = in_small_pieces(jobs_of(query, gallery, CROSS_PLATFORM))
    assert len(jobs) > 6
    groups = put_together(jobs, backwards_and_twice(jobs))
    whole = ranking_scores.evaluate(load_table(folder / "query"), load_table(folder / "gallery"), CROSS_PLATFORM)
    assert sum(group.ranks.size for group in groups) == whole.match_ranks.ranks.size
    is_ground = query.platforms == 0
    for group, rows in zip(groups, (is_ground, ~is_ground), strict=True):
        owners = np.repeat(rows, whole.match_ranks.num_matches)
        assert np.array_equal(group.ranks, whole.match_ranks.ranks[owners])


def test_a_job_without_an_answer_is_named(folder):
    jobs = jobs_of(open_table(folder / "query"), open_table(folder / "gallery"), CROSS_PLATFORM)
    with pytest.raises(TableError, match=r"1 of 2 parts of the evaluation were not done: queries 1 to \d+ of group 2"):
        put_together(jobs, [(jobs[0], do_job(jobs[0]))])


def test_an_answer_of_a_machine_that_rounds_otherwise_is_refused(folder):
    jobs = jobs_of(open_table(folder / "query"), open_table(folder / "gallery"), CROSS_PLATFORM)
    answers = [do_job(job) for job in jobs]
    with pytest.raises(TableError, match="must round alike"):
        put_together(jobs, zip(jobs, [answers[0], replace(answers[1], rounding="otherwise")], strict=True))


def test_a_table_that_was_replaced_meanwhile_is_refused(folder, tmp_path):
    save_table(tmp_path / "query", load_table(folder / "query"), shard_rows=25)
    jobs = jobs_of(open_table(tmp_path / "query"), open_table(folder / "gallery"), CROSS_PLATFORM)
    save_table(tmp_path / "query", load_table(folder / "query"), shard_rows=26)
    with pytest.raises(TableError, match="query is another table than when the evaluation began"):
        do_job(jobs[0])


def test_what_other_processes_cannot_do_is_refused(folder):
    whole = load_table(folder / "query")
    with pytest.raises(SettingError, match=r"both tables lie in many files, .* got EmbeddingTable\(60 tracklets"):
        evaluate(whole, folder / "gallery", "mars", elsewhere=in_two_processes)
    with pytest.raises(SettingError, match="other processes rank by cosine; got the ranker k-reciprocal"):
        evaluate(folder / "query", folder / "gallery", "mars", ranker="k-reciprocal", elsewhere=in_two_processes)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="skyreid[cluster] is not installed")
def test_two_nodes_of_a_ray_cluster_give_the_result_of_one_process(folder, tmp_path):
    one, many = tmp_path / "one.json", tmp_path / "many.json"
    evaluate(folder / "query", folder / "gallery", "cross-platform", out=one)
    with ray_nodes(tmp_path, 1, 1) as nodes:
        command = ["evaluate", "tables", folder / "query", folder / "gallery", "--protocol", "cross-platform"]
        done = subprocess.run(
            [sys.executable, "-m", "skyreid", *map(str, command), "--out", str(many), "--ray", nodes.address],
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert done.returncode == 0, done.stderr
    assert many.read_bytes() == one.read_bytes()
