import pytest

from skyreid.cli import main
from skyreid.datasets import g2a_vreid_v2
from skyreid.datasets.identity_split import IdentitySplit, divide_identities, read_identity_split, write_identity_split
from skyreid.errors import DatasetError
from skyreid.tracklet import Platform


def test_the_declared_split_replaces_the_one_of_the_files(miniature):
    root = miniature("g2a-vreid-v2")
    for number in range(g2a_vreid_v2.NUM_SPLITS):
        benchmark = g2a_vreid_v2.read(root, number)
        split = divide_identities([1, 2, 5], seed=number)
        assert sorted({t.pid for t in benchmark.train}) == list(split.train)
        assert sorted(t.pid for t in benchmark.query) == list(split.test)
        assert sorted(t.pid for t in benchmark.gallery) == list(split.test)
        assert {t.platform for t in benchmark.query} == {Platform.GROUND}
        assert {t.platform for t in benchmark.gallery} == {Platform.AERIAL}
    assert len({g2a_vreid_v2.read(root, number).train[0].pid for number in range(10)}) > 1


def test_reading_writes_nothing_into_the_root(miniature):
    root = miniature("g2a-vreid-v2")
    before = sorted(root.rglob("*"))
    g2a_vreid_v2.read(root)
    assert sorted(root.rglob("*")) == before


def test_a_split_file_decides_when_given(miniature, tmp_path):
    root = miniature("g2a-vreid-v2")
    write_identity_split(tmp_path / "split.json", IdentitySplit(seed=7, train=(5,), test=(1, 2)))
    benchmark = g2a_vreid_v2.read_with_split_file(root, tmp_path / "split.json")
    assert {t.pid for t in benchmark.train} == {5}
    assert {t.pid for t in benchmark.query} == {1, 2}


@pytest.mark.parametrize(("test", "odd"), [((1, 2, 8), 8), ((1,), 2)])
def test_a_split_file_of_other_people_is_refused(miniature, tmp_path, test, odd):
    root = miniature("g2a-vreid-v2")
    write_identity_split(tmp_path / "split.json", IdentitySplit(seed=7, train=(5,), test=test))
    message = rf"split file: must divide exactly the 3 people of the data; only one of the two has \[{odd}\]"
    with pytest.raises(DatasetError, match=message):
        g2a_vreid_v2.read_with_split_file(root, tmp_path / "split.json")


def test_the_written_split_is_the_one_that_reading_uses(miniature, tmp_path, capsys):
    root = miniature("g2a-vreid-v2")
    file = tmp_path / "split.json"
    assert main(["data", "split", "--root", str(root), "--out", str(file), "--split", "3"]) == 0
    by_number, by_file = g2a_vreid_v2.read(root, 3), g2a_vreid_v2.read_with_split_file(root, file)
    assert (by_number.train, by_number.query, by_number.gallery) == (by_file.train, by_file.query, by_file.gallery)
    assert read_identity_split(file).sha256 in capsys.readouterr().out
