import json
from dataclasses import replace

import numpy as np
import pytest

from skyreid.datasets.protocol import CROSS_CAMERA, CROSS_PLATFORM
from skyreid.errors import ProtocolError
from skyreid.evaluation.calibration import ProbabilityMap, calibrate
from skyreid.evaluation.reliability import reliability
from tests.evaluation.pair_loops import crowd, loops


def drawn(seed, noise=1.5):
    """People of their own in every draw, so that nothing is measured on those it was fitted on."""
    looks = lambda: np.random.default_rng(100 + seed)  # noqa: E731
    generator = np.random.default_rng(seed)
    return (
        crowd(generator, 500, 150, people=looks(), noise=noise),
        crowd(generator, 1200, 150, people=looks(), noise=noise, first_id=500),
    )


@pytest.fixture(scope="module")
def calibration():
    return calibrate(*drawn(1), CROSS_CAMERA, false_positive_rate=0.01, prior=0.5)


@pytest.fixture(scope="module")
def measured(calibration):
    return reliability(calibration, *drawn(2), CROSS_CAMERA)


def test_on_other_people_a_calibration_keeps_its_word(measured):
    assert measured.expected_calibration_error < 0.02
    assert measured.false_positive_rate == pytest.approx(0.01, rel=0.25)
    assert measured.false_positive_identification_rate == pytest.approx(0.1, abs=0.05)


def test_a_calibration_of_a_sharper_model_is_found_out(calibration, measured):
    found = reliability(calibration, *drawn(3, noise=3.0), CROSS_CAMERA)
    assert found.expected_calibration_error > 5 * measured.expected_calibration_error
    assert found.widest_gap > 0.2


def test_a_map_that_boasts_is_found_out(calibration, measured):
    boasting = replace(
        calibration.probability,
        log_likelihood_ratios=tuple(3 * ratio for ratio in calibration.probability.log_likelihood_ratios),
    )
    found = reliability(replace(calibration, probability=boasting), *drawn(2), CROSS_CAMERA)
    assert found.expected_calibration_error > 3 * measured.expected_calibration_error
    assert found.bins[0].share > found.bins[0].probability
    assert found.bins[-1].share < found.bins[-1].probability


@pytest.mark.parametrize("prior", [0.5, 0.01])
@pytest.mark.parametrize("protocol", [CROSS_CAMERA, CROSS_PLATFORM], ids=lambda protocol: protocol.name)
def test_the_curve_equals_a_loop_over_all_pairs(calibration, protocol, prior):
    generator = np.random.default_rng(4)
    query, gallery = crowd(generator, 40, 8), crowd(generator, 120, 8, first_id=40)
    fitted = replace(calibration, probability=replace(calibration.probability, prior=prior))
    found = reliability(fitted, query, gallery, protocol, bins=5)
    same, different = ([value for values in side for value in values] for side in loops(query, gallery, protocol))
    weights = [prior / len(same)] * len(same) + [(1 - prior) / len(different)] * len(different)
    probabilities = fitted.probabilities(np.array(same + different))
    bins = {}
    for index, (weight, probability) in enumerate(zip(weights, probabilities, strict=True)):
        bins.setdefault(min(int(probability * 5), 4), []).append((weight, probability, index < len(same)))
    assert len(found.bins) == len(bins)
    error = 0.0
    for one, (_, members) in zip(found.bins, sorted(bins.items()), strict=True):
        total = sum(weight for weight, _, _ in members)
        mean = sum(weight * probability for weight, probability, _ in members) / total
        share = sum(weight for weight, _, is_same in members if is_same) / total
        error += total * abs(mean - share)
        assert one.same_pairs + one.different_pairs == len(members)
        assert (one.weight, one.share) == pytest.approx((total, share))
        assert one.probability == pytest.approx(mean, abs=2e-5)  # different-person pairs are known to a millionth
        assert one.low <= one.share <= one.high
    assert found.expected_calibration_error == pytest.approx(error, abs=2e-5)
    assert found.false_positive_rate == np.mean(np.array(different) >= fitted.pair.threshold)
    assert found.true_positive_rate == np.mean(np.array(same) >= fitted.pair.threshold)


def test_the_block_size_changes_no_number(calibration, measured):
    assert reliability(calibration, *drawn(2), CROSS_CAMERA, block_size=1) == measured


def test_most_intervals_hold_what_a_good_calibration_says(calibration):
    """Not 95 % of them: the pairs of a tracklet go together."""
    held = [
        one.low <= one.probability <= one.high
        for seed in range(10, 16)
        for one in reliability(calibration, *drawn(seed), CROSS_CAMERA).bins
    ]
    assert np.mean(held) > 0.5


def test_one_pair_in_a_bin_leaves_its_share_open(calibration):
    sure = replace(
        calibration,
        probability=ProbabilityMap(prior=0.5, similarities=(0.0, 1.0), log_likelihood_ratios=(-9.0, 9.0)),
    )
    for one in reliability(sure, *drawn(2), CROSS_CAMERA).bins:
        assert 0 <= one.low <= one.share <= one.high <= 1
        assert one.low < one.high


def test_another_direction_is_warned_of(calibration):
    found = reliability(calibration, *drawn(2), CROSS_PLATFORM)
    assert any("fitted on cross-camera and is used on cross-platform" in warning for warning in found.warnings)
    assert found.lines()[0].startswith("warning: ")


def test_a_reliability_is_written_for_programs_and_people(measured):
    content = json.loads(json.dumps(measured.to_json()))
    assert content["expected_calibration_error"] == measured.expected_calibration_error
    assert len(content["bins"]) == len(measured.bins) == 10
    assert sum("said" in line for line in measured.lines()) == 10


def test_no_bins_are_refused(calibration):
    with pytest.raises(ProtocolError, match=r"^bins must be at least 1; got 0$"):
        reliability(calibration, *drawn(2), CROSS_CAMERA, bins=0)
