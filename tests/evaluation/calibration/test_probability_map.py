import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logit

from skyreid.errors import ProtocolError
from skyreid.evaluation.calibration.probability_map import ProbabilityMap, fit_probability_map
from skyreid.evaluation.pairs.pair_counts import PairCounts


def counted(same, different) -> PairCounts:
    values, counts = np.unique(np.array(different, dtype=np.float32).astype(np.float64), return_counts=True)
    nobody = np.zeros(0, dtype=np.float32)
    return PairCounts(
        same=np.array(same, dtype=np.float32),
        values=values,
        counts=counts,
        closest_same=nobody,
        closest_different=nobody,
    )


def test_a_known_logistic_curve_is_recovered():
    """Normal similarities of equal spread: the log-likelihood ratio is 20 × (similarity - 0.3)."""
    generator = np.random.default_rng(0)
    fitted = fit_probability_map(
        counted(generator.normal(0.4, 0.1, 20_000), generator.normal(0.2, 0.1, 400_000)), prior=0.25
    )
    asked = np.linspace(0.05, 0.55, 26)
    expected = logit(0.25) + 20 * (asked - 0.3)
    assert np.abs(logit(fitted.probabilities(asked)) - expected).max() < 0.5
    assert np.abs(fitted.probabilities(asked) - 1 / (1 + np.exp(-expected))).max() < 0.03


@given(
    st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=60),
    st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=60),
    st.floats(0.001, 0.999),
)
def test_the_map_rises_and_never_is_sure(same, different, prior):
    fitted = fit_probability_map(counted(same, different), prior)
    probabilities = fitted.probabilities(np.linspace(-1.5, 1.5, 301))
    assert (np.diff(probabilities) >= 0).all()
    assert 0 < probabilities[0] <= probabilities[-1] < 1


def test_no_pair_is_told_surer_than_the_numbers_allow():
    fitted = fit_probability_map(counted([0.9] * 100, [0.1] * 1000), prior=0.5)
    odds = np.exp(logit(fitted.probabilities(np.array([0.0, 1.0]))))
    assert 1 / 300 < odds[0] < 1 / 100
    assert 500 < odds[1] < 2500


def test_the_prior_shifts_the_odds_only():
    generator = np.random.default_rng(1)
    pairs = counted(generator.normal(0.4, 0.1, 500), generator.normal(0.2, 0.1, 500))
    rare, even = fit_probability_map(pairs, 0.01), fit_probability_map(pairs, 0.5)
    asked = np.linspace(0, 0.6, 20)
    np.testing.assert_allclose(
        logit(rare.probabilities(asked)), logit(even.probabilities(asked)) + logit(0.01), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prior": 1.0}, "the prior must lie between 0 and 1; got 1.0"),
        ({"similarities": (0.1,)},
         "a probability map needs as many likelihood ratios as similarities, at least one; got 2 and 1"),
        ({"similarities": (0.2, 0.1)},
         "the similarities and likelihood ratios of a probability map must be finite and rise"),
        ({"log_likelihood_ratios": (1.0, float("inf"))},
         "the similarities and likelihood ratios of a probability map must be finite and rise"),
    ],
)  # fmt: skip
def test_a_map_that_is_none_is_refused(fields, message):
    sound = {"prior": 0.5, "similarities": (0.1, 0.2), "log_likelihood_ratios": (-1.0, 1.0)}
    with pytest.raises(ProtocolError, match=f"^{re.escape(message)}$"):
        ProbabilityMap(**(sound | fields))
