from skyreid.datasets.benchmark import identities_of_test, identities_of_train
from skyreid.tracklet import Frame, Platform, Tracklet


def tracklets(*pids):
    return [
        Tracklet(tracklet_id=str(n), frames=(Frame("x"),), pid=pid, camid=0, platform=Platform.GROUND)
        for n, pid in enumerate(pids)
    ]


def test_junk_is_nobody_and_pid_0_is_somebody_only_in_training():
    assert identities_of_train(tracklets(-1, 0, 3, 3)) == {0, 3}
    assert identities_of_test(tracklets(-1, 0, 3, 3)) == {3}
