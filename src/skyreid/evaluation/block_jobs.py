"""An evaluation as jobs for other processes: one block of queries each, told by paths and numbers alone.

Whoever does a job opens the two tables in the same folders, once for all its jobs, and refuses tables that are others
than those that were asked about. A job that is done again gives the same ranks, so that one may be begun anywhere
when its worker was lost; what counts is the answer that is put together, once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from skyreid.datasets.protocol import EvaluationProtocol
from skyreid.errors import SettingError, SkyreidError, TableError
from skyreid.evaluation.comparisons import Comparison, comparisons
from skyreid.evaluation.rank_counting import MatchRanks, one_behind_the_other
from skyreid.evaluation.shard_counting import QueryBlock, ShardPart, by_shard, query_blocks, rank_block
from skyreid.processes.progress import Progress, silent
from skyreid.processes.workers import Needs, workers_at
from skyreid.retrieval.rounding import require_one_rounding, rounding_of_this_machine
from skyreid.retrieval.sharded_table import ShardedTable, Table, open_table


@dataclass(frozen=True)
class TablePlace:
    """Where a table in many files lies, and which it is."""

    folder: Path
    index_sha256: str


@dataclass(frozen=True)
class BlockJob:
    """The ranks of the good entries of some queries, to be found by whichever process."""

    query: TablePlace
    gallery: TablePlace
    protocol: EvaluationProtocol
    group: int
    """Of the queries that see one gallery, as `comparisons` splits them."""
    block: QueryBlock

    @property
    def name(self) -> str:
        """What people call it."""
        return f"queries {self.block.start + 1} to {self.block.stop} of group {self.group + 1}"


@dataclass(frozen=True, eq=False)
class BlockRanks:
    """What came of a job."""

    ranks: MatchRanks
    rounding: str
    """Of the machine that did it."""


_MOST_MATCHES = 2**21
"""Good entries of a job: an answer of 17 MB at most, which Ray's shared memory takes."""
DoElsewhere: TypeAlias = Callable[[Sequence[BlockJob]], Iterable[tuple[BlockJob, BlockRanks]]]
"""Has every job done by `do_job` in whatever processes, and gives each with its answer, in any order."""


def jobs_of(
    query: Table, gallery: Table, protocol: EvaluationProtocol, groups: Sequence[Comparison] | None = None
) -> list[BlockJob]:
    """Cut an evaluation into jobs; those of one group follow each other in the order of their queries.

    Args:
        query: the tracklets that ask.
        gallery: the tracklets that are searched.
        protocol: the rules.
        groups: what `comparisons` made of them, where it was asked already.

    Raises:
        SettingError: a table that does not lie in many files.
        TableError: the tables cannot be compared.
        ProtocolError: the protocol leaves nobody to ask or nobody to search.
    """
    places = _place_of(query), _place_of(gallery)
    return [
        BlockJob(*places, protocol, number, block)
        for number, group in enumerate(comparisons(query, gallery, protocol) if groups is None else groups)
        for block in query_blocks(group, most_matches=_MOST_MATCHES)
    ]


def do_job(job: BlockJob, progress: Progress = silent) -> BlockRanks:
    """Find the ranks of the good entries of the queries of a job; a function of the job and of what it names.

    Raises:
        TableError: a table is gone, another one or damaged.
    """
    parts = _opened(job.query, job.gallery, job.protocol)[job.group]
    if parts:
        ranks = rank_block(parts, job.block, progress=progress)
    else:
        ranks = MatchRanks.of_nobody(job.block.stop - job.block.start)
    return BlockRanks(ranks, rounding_of_this_machine())


def put_together(jobs: Sequence[BlockJob], done: Iterable[tuple[BlockJob, BlockRanks]]) -> list[MatchRanks]:
    """Give the ranks of every group of `comparisons` from the answers, in any order; one that came twice counts once.

    Raises:
        TableError: a job has no answer, or machines round in different ways.
    """
    answers = dict(done)
    if missing := [job for job in jobs if job not in answers]:
        raise TableError(f"{len(missing)} of {len(jobs)} parts of the evaluation were not done: {missing[0].name}")
    require_one_rounding([answer.rounding for answer in answers.values()])
    groups = range(max(job.group for job in jobs) + 1)
    return [one_behind_the_other([answers[job].ranks for job in jobs if job.group == group]) for group in groups]


@contextmanager
def on_cluster(ray: str, *, progress: Progress = silent) -> Iterator[DoElsewhere]:
    """Let the machines of a Ray cluster do the jobs.

    Args:
        ray: HOST:PORT of it.
        progress: told after every job.

    Raises:
        SettingError: an address that is none, one that everybody could reach, or skyreid[cluster] is not installed.
        ClusterError: nobody answers there, or the cluster is of another Python or skyreid.
    """
    with workers_at(ray) as workers:

        def elsewhere(jobs: Sequence[BlockJob]) -> Iterator[tuple[BlockJob, BlockRanks]]:
            for job, answer in workers.finish(do_job, jobs, task="evaluate", needs=Needs(), progress=progress):
                if isinstance(answer, SkyreidError):
                    raise answer
                yield job, answer

        yield elsewhere


def _place_of(table: Table) -> TablePlace:
    if not isinstance(table, ShardedTable):
        raise SettingError(
            "an evaluation is shared by processes where both tables lie in many files, which 'skyreid embed "
            f"--shard-rows 65536' and save_table(…, shard_rows=…) write; got {table!r}"
        )
    return TablePlace(table.folder, table.index_sha256)


@lru_cache(maxsize=2)
def _opened(query: TablePlace, gallery: TablePlace, protocol: EvaluationProtocol) -> tuple[list[ShardPart], ...]:
    tables = []
    for place in (query, gallery):
        table = open_table(place.folder)
        if not isinstance(table, ShardedTable) or table.index_sha256 != place.index_sha256:
            raise TableError(f"{place.folder} is another table than when the evaluation began; evaluate again")
        tables.append(table)
    groups: list[Comparison] = comparisons(tables[0], tables[1], protocol)
    return tuple(by_shard(group) for group in groups)
