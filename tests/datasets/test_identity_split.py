import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.datasets.identity_split import (
    IdentitySplit,
    divide_identities,
    read_identity_split,
    write_identity_split,
)
from skyreid.errors import DatasetError


@given(pids=st.lists(st.integers(1, 10_000)), seed=st.integers(0, 9), rng=st.randoms())
def test_a_split_divides_everybody_1_to_2_whatever_the_order(pids, seed, rng):
    split = divide_identities(pids, seed=seed)
    assert sorted((*split.train, *split.test)) == sorted(set(pids))
    assert len(split.train) == (len(set(pids)) + 2) // 3
    shuffled = list(pids)
    rng.shuffle(shuffled)
    assert divide_identities(shuffled, seed=seed) == split


def test_the_number_of_people_of_the_paper_gives_the_sizes_of_the_paper():
    split = divide_identities(range(1, 2789), seed=0)
    assert (len(split.train), len(split.test)) == (930, 1858)


def test_the_split_is_what_its_description_says_on_every_machine():
    def rank(pid):
        return hashlib.sha256(b"3:%d" % pid).hexdigest()

    expected = sorted(sorted(range(1, 10), key=rank)[:3])
    assert divide_identities(range(1, 10), seed=3).train == tuple(expected) == (4, 5, 8)


def test_a_split_survives_its_file(tmp_path):
    split = divide_identities(range(50), seed=1)
    assert write_identity_split(tmp_path / "split.json", split) == split.sha256
    assert read_identity_split(tmp_path / "split.json") == split
    assert [path.name for path in tmp_path.iterdir()] == ["split.json"]


def test_an_edited_split_file_is_refused(tmp_path):
    path = tmp_path / "split.json"
    write_identity_split(path, divide_identities(range(9), seed=1))
    content = json.loads(path.read_text())
    content["train"], content["test"] = content["test"], content["train"]
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=r"split\.json was edited: its pids have the hash"):
        read_identity_split(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "must be a split file; it cannot be read"),
        ("[]", "must be a split file of format 'skyreid identity split', version 1"),
        (
            '{"format": "skyreid identity split", "version": 1, "seed": 0, "train": ["1"], "test": []}',
            "a split has an integer seed and two lists of pids, train and test",
        ),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    (tmp_path / "split.json").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_identity_split(tmp_path / "split.json")


def test_a_split_with_a_person_on_both_sides_is_refused():
    with pytest.raises(DatasetError, match=r"train and test must be disjoint; both have \[2\]"):
        IdentitySplit(seed=0, train=(1, 2), test=(2, 3))
    with pytest.raises(DatasetError, match="the test pids must be sorted and distinct"):
        IdentitySplit(seed=0, train=(1,), test=(3, 2))
