import re
from itertools import product

import numpy as np
import pytest

from skyreid.errors import SettingError
from skyreid.evaluation.results.uncertainty import (
    NUM_PERMUTATIONS,
    Estimate,
    IntervalConfig,
    PairedTest,
    estimate_means,
    mean_interval,
    paired_test,
    spread,
)

QUERIES = IntervalConfig(resampled="queries")
FEW = IntervalConfig(resamples=300)


def rng(seed=0):
    return np.random.default_rng(seed)


def crowd(generator, people, own_share):
    """Values in 0-1 with the mean 0.5; `own_share` of what moves them is the person, the rest the query."""
    pids = np.repeat(np.arange(people), generator.integers(1, 7, people))
    person = generator.random(people)[pids]
    return own_share * person + (1 - own_share) * generator.random(len(pids)), pids


def test_an_interval_is_the_quantiles_of_a_slow_bootstrap():
    values, pids = rng().random(3000), np.arange(3000)
    generator = rng(1)
    means = [values[generator.integers(0, 3000, 3000)].mean() for _ in range(2000)]
    assert mean_interval(values, rng=rng(1), pids=pids) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=1e-12)


def test_people_are_drawn_with_all_their_queries():
    values, pids = crowd(rng(), 40, 0.5)
    generator = rng(1)
    means = []
    for _ in range(2000):
        drawn = generator.integers(0, 40, 40)
        means.append(np.concatenate([values[pids == pid] for pid in drawn]).mean())
    assert mean_interval(values, rng=rng(1), pids=pids) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=1e-12)


def test_the_width_is_that_of_the_normal_approximation():
    values = rng().random(4000)
    low, high = mean_interval(values, rng=rng(1), config=IntervalConfig(resamples=4000))
    half = 1.959964 * values.std() / np.sqrt(len(values))
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.06 * half)


def test_the_interval_holds_the_truth_as_often_as_it_says_and_queries_one_by_one_would_not():
    generator = rng(3)
    hits = {"identities": 0, "queries": 0}
    for _ in range(400):
        values, pids = crowd(generator, 40, 0.8)
        for resampled in hits:
            config = IntervalConfig(resamples=300, resampled=resampled)
            low, high = mean_interval(values, rng=generator, pids=pids, config=config)
            hits[resampled] += low <= 0.5 <= high
    assert 0.92 <= hits["identities"] / 400 <= 0.97
    assert hits["queries"] / 400 < 0.8


def test_repeating_a_query_of_everybody_adds_no_evidence_but_where_queries_are_drawn():
    values, pids = rng().random(200), np.arange(200)
    once = mean_interval(values, rng=rng(1), pids=pids)
    assert mean_interval(np.tile(values, 4), rng=rng(1), pids=np.tile(pids, 4)) == pytest.approx(once, abs=1e-12)
    low, high = mean_interval(np.tile(values, 4), rng=rng(1), pids=np.tile(pids, 4), config=QUERIES)
    assert (high - low) / (once[1] - once[0]) == pytest.approx(0.5, rel=0.1)


def test_one_person_tells_nothing_about_others():
    assert estimate_means(np.full((3, 1), 0.5), np.full(3, 4), rng=rng()) == [Estimate(value=0.5, low=0.0, high=1.0)]
    test = paired_test(np.zeros(3), np.full(3, 0.5), np.full(3, 4), rng=rng())
    assert test == PairedTest(difference=Estimate(value=0.5, low=-1.0, high=1.0), p_value=1.0)


def test_all_columns_share_the_resamples():
    values = rng().random(60)
    first, second = estimate_means(np.stack([values, 1 - values], axis=1), np.arange(60), rng=rng())
    assert (second.low, second.high) == pytest.approx((1 - first.high, 1 - first.low))


def test_the_p_value_is_the_share_of_all_signs_that_reach_the_difference():
    change = np.array([0.4, -0.1, 0.3, 0.2, -0.2, 0.5, 0.1])
    sums = [abs(np.dot(signs, change)) for signs in product((-1, 1), repeat=len(change))]
    exact = np.mean(np.array(sums) >= abs(change.sum()) - 1e-12)
    test = paired_test(np.zeros(7), change, np.arange(7), rng=rng())
    assert test.p_value == pytest.approx(exact, abs=0.01)
    assert test.difference.value == pytest.approx(change.mean())


@pytest.mark.parametrize("people", [3, 6])
def test_people_who_all_gain_alike_leave_two_of_all_signs(people):
    """Three queries a person are one sign; 0.1 + 0.2 is not 0.3 in floating point, and still as large."""
    pids = np.repeat(np.arange(people), 3)
    test = paired_test(np.tile([0.0, 0.1, 0.3], people), np.tile([0.1, 0.3, 0.4], people), pids, rng=rng())
    assert test.p_value == pytest.approx(2 / 2**people, abs=0.01)


def test_p_values_are_uniform_where_no_model_is_better():
    generator = rng(2)
    p_values = []
    for _ in range(300):
        first, pids = crowd(generator, 20, 0.5)
        second = first + generator.normal(0, 0.1, 20)[pids] + generator.normal(0, 0.1, len(pids))
        p_values.append(paired_test(first, second, pids, rng=generator, config=FEW).p_value)
    for level in (0.05, 0.1, 0.25, 0.5, 0.75, 0.9):
        assert np.mean(np.array(p_values) <= level) == pytest.approx(level, abs=0.06)


def test_a_difference_that_is_there_is_found():
    first, pids = crowd(rng(), 100, 0.5)
    test = paired_test(first, first + 0.1 + rng(1).normal(0, 0.1, 100)[pids], pids, rng=rng())
    assert test.difference.low > 0.05
    assert test.p_value == 1 / (NUM_PERMUTATIONS + 1)


def test_exchanging_the_models_exchanges_the_signs():
    first, pids = crowd(rng(), 30, 0.5)
    second, _ = crowd(rng(), 30, 0.2)
    there = paired_test(first, second, pids, rng=rng())
    back = paired_test(second, first, pids, rng=rng())
    assert (back.difference.low, back.difference.high) == pytest.approx((-there.difference.high, -there.difference.low))
    assert back.p_value == there.p_value < 1


def test_a_model_is_not_better_than_itself():
    values, pids = crowd(rng(), 30, 0.5)
    test = paired_test(values, values, pids, rng=rng())
    assert (test.difference, test.p_value) == (Estimate(value=0.0, low=0.0, high=0.0), 1.0)


def test_runs_are_summed_up_by_mean_and_sample_deviation():
    found = spread([0.1, 0.2, 0.6])
    assert (found.mean, found.sd, found.runs) == (pytest.approx(0.3), pytest.approx(np.sqrt(0.07)), 3)
    assert str(found) == "30.0% ± 26.5"


def test_one_run_has_no_deviation():
    found = spread([0.5])
    assert (found.mean, found.sd, found.runs, str(found)) == (0.5, None, 1, "50.0%")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"level": 1.0}, "level must lie between 0 and 1; got 1.0"),
        ({"resamples": 39}, "resamples must leave one in each tail of 95%; got 39"),
    ],
)
def test_impossible_intervals_are_refused(setting, message):
    with pytest.raises(SettingError, match=f"^{re.escape(message)}$"):
        IntervalConfig(**setting)
