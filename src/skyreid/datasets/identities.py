"""Who counts as a person of a benchmark."""

from collections.abc import Iterable

from skyreid.tracklet import DISTRACTOR_PID, JUNK_PID, Tracklet


def identities_of_train(tracklets: Iterable[Tracklet]) -> set[int]:
    """Distinct people of a training set: all but junk (LS-VID numbers its people from 0)."""
    return {tracklet.pid for tracklet in tracklets} - {JUNK_PID}


def identities_of_test(tracklets: Iterable[Tracklet]) -> set[int]:
    """Distinct people of a test set: neither junk nor distractors."""
    return {tracklet.pid for tracklet in tracklets} - {JUNK_PID, DISTRACTOR_PID}
