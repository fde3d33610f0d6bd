import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.datasets.identity_split import (
    check_no_leak,
    divide_identities,
    write_identity_split,
)
from skyreid.errors import DatasetError
from skyreid.tracklet import Frame, Platform, Tracklet


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


def test_a_split_stands_in_its_file_with_its_hash(tmp_path):
    split = divide_identities(range(50), seed=1)
    assert write_identity_split(tmp_path / "split.json", split) == split.sha256
    written = json.loads((tmp_path / "split.json").read_text())
    assert (tuple(written["train"]), tuple(written["test"]), written["seed"]) == (split.train, split.test, 1)
    assert written["sha256"] == split.sha256 != divide_identities(range(50), seed=2).sha256
    assert [path.name for path in tmp_path.iterdir()] == ["split.json"]


def tracklet(name, pid, *, indices=(0, 5), left=0.0, folder=None):
    frames = tuple(
        Frame(f"{folder or name}/{index}.jpg", index=index, box=(left, 0.0, left + 9.0, 20.0)) for index in indices
    )
    return Tracklet(tracklet_id=name, frames=frames, pid=pid, camid=0, platform=Platform.GROUND)


def check(train, test):
    return check_no_leak(train, test, video_of=lambda one: one.tracklet_id.partition("-")[0])


def test_other_people_of_the_same_video_may_be_tested_and_the_video_is_told():
    train = [tracklet("square-1", 1), tracklet("gate-1", 1)]
    test = [tracklet("square-2", 2, left=30.0), tracklet("roof-1", 2), tracklet("roof-2", 0)]
    assert check(train, test) == ("square",)
    assert check(train, test[1:]) == ()


@pytest.mark.parametrize(
    ("train", "test", "complaint"),
    [
        ([tracklet("a-1", 1), tracklet("a-2", 2)], [tracklet("b-1", 2)], r"share people; both have the pids \[2\]"),
        (
            [tracklet("a-1", 1)],
            [tracklet("b-1", 2, left=50.0, folder="a-1", indices=(5, 9))],
            r"share crops; both have \['a-1/5\.jpg'\]",
        ),
        (
            [tracklet("a-1", 1)],
            [tracklet("a-2", 2, indices=(5, 9))],
            r"share what a video shows; 'a-1' trains and 'a-2' is tested, both with the box "
            r"\(0\.0, 0\.0, 9\.0, 20\.0\) in frame 5 of a",
        ),
    ],
)
def test_what_both_sides_have_is_refused_by_name(train, test, complaint):
    with pytest.raises(DatasetError, match=f"^train and test must not {complaint}$"):
        check(train, test)
