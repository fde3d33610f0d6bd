import json

from skyreid.cli import main
from skyreid.datasets.benchmarks import g2a_vreid_v2
from skyreid.datasets.identity_split import divide_identities
from skyreid.tracklet import Platform


def test_the_declared_split_replaces_the_one_of_the_files(miniature):
    root = miniature("g2a-vreid-v2")
    for number in range(g2a_vreid_v2.NUM_SPLITS):
        benchmark = g2a_vreid_v2.survey(root, number).benchmark()
        split = divide_identities([1, 2, 5], seed=number)
        assert sorted({t.pid for t in benchmark.train}) == list(split.train)
        assert sorted(t.pid for t in benchmark.query) == list(split.test)
        assert sorted(t.pid for t in benchmark.gallery) == list(split.test)
        assert {t.platform for t in benchmark.query} == {Platform.GROUND}
        assert {t.platform for t in benchmark.gallery} == {Platform.AERIAL}
    assert len({g2a_vreid_v2.survey(root, number).benchmark().train[0].pid for number in range(10)}) > 1


def test_reading_writes_nothing_into_the_root(miniature):
    root = miniature("g2a-vreid-v2")
    before = sorted(root.rglob("*"))
    g2a_vreid_v2.survey(root).benchmark()
    assert sorted(root.rglob("*")) == before


def test_the_written_split_is_the_one_that_reading_uses(miniature, tmp_path, capsys):
    root = miniature("g2a-vreid-v2")
    file = tmp_path / "split.json"
    assert main(["data", "split", "--root", str(root), "--out", str(file), "--split", "3"]) == 0
    benchmark, written = g2a_vreid_v2.survey(root, 3).benchmark(), json.loads(file.read_text())
    assert sorted({t.pid for t in benchmark.train}) == written["train"]
    assert sorted({t.pid for t in benchmark.query}) == written["test"]
    assert written["sha256"] in capsys.readouterr().out
