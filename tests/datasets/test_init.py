import re

import pytest

from skyreid.datasets import Benchmark, read_benchmark
from skyreid.datasets.benchmarks import BENCHMARKS, find_format
from skyreid.errors import DatasetError
from tests.datasets.miniature_trees import MINIATURES

every_benchmark = pytest.mark.parametrize("name", BENCHMARKS)


def test_every_benchmark_has_a_miniature():
    assert set(MINIATURES) == set(BENCHMARKS)


@every_benchmark
def test_every_benchmark_is_read_by_name_and_answers_to_it(name, miniature):
    benchmark = read_benchmark(name, miniature(name))
    assert isinstance(benchmark, Benchmark)
    assert benchmark.name == name
    assert benchmark.gallery


def test_a_benchmark_and_its_tracklets_show_themselves_in_one_line(miniature):
    benchmark = read_benchmark("g2a-vreid", str(miniature("g2a-vreid")))
    assert repr(benchmark) == (
        "Benchmark(g2a-vreid: 2 tracklets to train, 2 queries, 2 in the gallery, protocol ground-to-aerial)"
    )
    assert repr(benchmark.query[0]).endswith("pid=2, camid=0, ground, 3 frames)")


@every_benchmark
def test_a_query_has_a_match_that_the_protocol_does_not_call_junk(name, miniature):
    benchmark = read_benchmark(name, miniature(name))
    searched = {(t.pid, t.camid) for t in benchmark.gallery}
    for query in benchmark.query:
        assert any(pid == query.pid and camid != query.camid for pid, camid in searched)


@every_benchmark
def test_every_split_that_a_format_claims_can_be_read(name, miniature):
    root = miniature(name)
    for split in range(find_format(name).num_splits):
        read_benchmark(name, root, split)
    message = rf"{name}: split must be from 0 to {find_format(name).num_splits - 1}; got -1"
    with pytest.raises(DatasetError, match=message):
        read_benchmark(name, root, -1)


@every_benchmark
def test_reading_twice_gives_the_same_and_writes_nothing(name, miniature):
    root = miniature(name)
    before = sorted(root.rglob("*"))
    assert read_benchmark(name, root) == read_benchmark(name, root)
    assert sorted(root.rglob("*")) == before


@every_benchmark
def test_a_folder_that_is_not_there_is_refused_by_name(name, tmp_path):
    message = rf"{name}: (\d) of \1 expected files missing under {re.escape(str(tmp_path))}/nowhere: "
    with pytest.raises(DatasetError, match=message):
        read_benchmark(name, tmp_path / "nowhere")


@every_benchmark
def test_every_format_says_where_it_comes_from_and_on_which_terms(name):
    form = BENCHMARKS[name]
    assert form.layout.endswith(".") and form.terms.endswith(".") and form.source
    row, published = form.paper_row, form.published
    if row is not None and row.camera_views != form.cameras:
        pytest.fail("the paper and the format disagree about the cameras")
    for whole, parts in (
        (published.identities, (published.train_identities, published.test_identities)),
        (published.tracklets, (published.train_tracklets, published.query_tracklets, published.gallery_tracklets)),
    ):
        known = [part for part in parts if part is not None]
        assert whole is None or sum(known) <= whole


def test_a_typo_gets_a_suggestion(tmp_path):
    with pytest.raises(DatasetError) as refusal:
        read_benchmark("g2a_vreid", tmp_path)
    assert str(refusal.value) == (
        "no benchmark is called 'g2a_vreid' (did you mean 'g2a-vreid'?); known: g2a-vreid, g2a-vreid-v2, mars, "
        "ls-vid, ls-vid-48, ilids-vid, prid-2011, mevid, manifest"
    )


def test_a_name_like_no_other_gets_the_list():
    with pytest.raises(DatasetError, match=r"^no benchmark is called 'xyz'; known: g2a-vreid, "):
        find_format("xyz")
