import pytest

from skyreid.datasets.split_leakage import check_no_leak
from skyreid.errors import DatasetError
from skyreid.tracklet import Frame, Platform, Tracklet


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
