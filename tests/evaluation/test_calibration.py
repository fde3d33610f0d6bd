import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logit

from skyreid.datasets.protocol import CROSS_CAMERA, GROUND_TO_AERIAL, PROTOCOLS
from skyreid.errors import ProtocolError
from skyreid.evaluation.calibration import (
    CalibrationError,
    ProbabilityMap,
    calibrate,
    check_use,
    fit_probability_map,
    load_calibration,
    save_calibration,
)
from skyreid.evaluation.pair_counts import CELL, PairCounts
from skyreid.evaluation.pair_scores import pair_scores
from skyreid.evaluation.results.protocol_card import tables_data_sha256
from skyreid.feeding import Feeding
from tests.evaluation.pair_loops import crowd, loops, table, tables

MODEL, OTHER_MODEL = "a" * 64, "b" * 64
FED = Feeding(clip_length=8, image_size=(64, 32), needs_platform=False)


@pytest.fixture(scope="module")
def two_crowds():
    generator = np.random.default_rng(2)
    made = crowd(generator, 300, 80, model=MODEL), crowd(generator, 700, 80, first_id=300, model=MODEL)
    return replace(made[0], feeding=FED), replace(made[1], feeding=FED)


@pytest.fixture(scope="module")
def calibration(two_crowds):
    return calibrate(*two_crowds, GROUND_TO_AERIAL, false_positive_rate=0.01)


@given(query=tables(12), gallery=tables(25), protocol=st.sampled_from([*PROTOCOLS.values()]))
def test_both_thresholds_do_to_the_fitting_data_what_two_loops_find(query, gallery, protocol):
    same, different = loops(query, gallery, protocol)
    strangers, friends = [max(found) for found in different if found], [max(found) for found in same if found]
    num_different = sum(map(len, different))
    if not friends or num_different < 2 or len(strangers) < 2:
        with pytest.raises(ProtocolError):
            calibrate(query, gallery, protocol, false_positive_rate=0.5, false_positive_identification_rate=0.5)
        return
    fitted = calibrate(query, gallery, protocol, false_positive_rate=0.5, false_positive_identification_rate=0.5)
    reaching = sum(value >= fitted.pair.threshold for values in different for value in values)
    assert fitted.pair.false_positives == reaching <= num_different // 2
    point = fitted.gallery
    assert point.false_positives == sum(value >= point.threshold for value in strangers) <= len(strangers) // 2
    # One cell lower, and too many would be let in.
    lower = point.threshold - CELL
    assert sum(value >= lower for value in strangers) > len(strangers) // 2
    missed = sum(value < point.threshold for value in friends) / len(friends)
    assert point.false_negative_identification_rate == pytest.approx(missed, rel=0, abs=1e-15)
    assert (point.queries, point.queries_with_match) == (len(strangers), len(friends))
    assert point.gallery_size == round(num_different / len(strangers))


def test_the_pair_threshold_is_that_of_the_pair_scores(two_crowds, calibration):
    scores = pair_scores(*two_crowds, GROUND_TO_AERIAL)
    assert calibration.pair in scores.points


def test_a_calibration_says_what_it_was_fitted_on(calibration):
    assert (calibration.protocol, calibration.ranker, calibration.model) == ("ground-to-aerial", "cosine", MODEL)


def test_decisions_let_the_threshold_itself_in(calibration):
    for decide, threshold in (
        (lambda value: calibration.is_same_person(value).any(), calibration.pair.threshold),
        (calibration.is_in_gallery, calibration.gallery.threshold),
    ):
        at, below = np.float32(threshold), np.nextafter(np.float32(threshold), np.float32(-1))
        assert decide(np.array([-0.5, at], dtype=np.float32))
        assert not decide(np.array([-0.5, below], dtype=np.float32))


def test_more_people_in_the_gallery_are_more_chances_to_be_taken_for_somebody():
    generator = np.random.default_rng(3)
    query = crowd(generator, 200, 50)
    small, large = crowd(generator, 200, 50, first_id=200), crowd(generator, 3000, 50, first_id=200)
    fitted = calibrate(query, small, CROSS_CAMERA, false_positive_rate=0.01)
    closest = query.unit_embeddings @ large.unit_embeddings.T
    closest[query.pids[:, np.newaxis] == large.pids] = -1
    assert np.mean([fitted.is_in_gallery(row) for row in closest]) > 0.3
    known = replace(fitted, model=MODEL)
    (warning,) = check_use(known, **(USED | {"protocol": "cross-camera", "gallery_size": 2940}))
    assert warning == (
        f"the calibration was fitted on galleries of {fitted.gallery.gallery_size} entries and is used on 2,940: "
        "people who are not there are taken for somebody more often than 0.1, about 0.79 if each entry looks alike "
        "by chance"
    )


def test_a_calibration_names_the_data_that_it_was_fitted_on(two_crowds, calibration):
    assert calibration.data_sha256 is None  # nobody has hashed the pictures
    seen = [replace(t, pictures=np.array([f"{pid:064x}" for pid in t.pids.tolist()], dtype="S64")) for t in two_crowds]
    fitted = calibrate(*seen, GROUND_TO_AERIAL, false_positive_rate=0.01)
    assert fitted.data_sha256 == tables_data_sha256(*seen)
    assert f"different-person pairs of the data sha256 {fitted.data_sha256[:12]}" in fitted.lines()[0]


def test_a_file_gives_back_what_was_fitted(calibration, tmp_path):
    save_calibration(tmp_path / "new" / "cal.json", calibration)
    assert load_calibration(tmp_path / "new" / "cal.json") == calibration


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c.pop("format"),
         "must be of the format 'skyreid calibration 2'; got None; make one by 'skyreid calibrate'"),
        (lambda c: c.update(format="skyreid calibration 1"),
         "must be of the format 'skyreid calibration 2'; got 'skyreid calibration 1' (of skyreid 0.1); "
         "make one by 'skyreid calibrate'"),
        (lambda c: c["calibration"].pop("ranker"), "calibration: Calibration lacks ranker"),
        (lambda c: c["calibration"].update(date=1), "calibration: Calibration has no field date"),
        (lambda c: c["calibration"]["pair"].update(threshold="0.5"),
         "calibration.pair.threshold: expected float; got '0.5'"),
        (lambda c: c["calibration"]["pair"].update(threshold=1e999),
         "a calibration is a JSON file: numbers must be finite; got Infinity"),
        (lambda c: c["calibration"]["gallery"].update(gallery_size=0),
         "calibration.gallery: gallery_size must be at least 1; got 0"),
        (lambda c: c["calibration"]["probability"].update(prior=2.0),
         "calibration.probability: the prior must lie between 0 and 1; got 2.0"),
        (lambda c: c["calibration"]["pair"].update(true_positive_rate=1.5),
         "calibration.pair: a true positive rate must be from 0 to 1; got 1.5"),
        (lambda c: c["calibration"]["pair"].update(false_positives=-1),
         "calibration.pair: false_positives must be at least 0; got -1"),
        (lambda c: c["calibration"]["gallery"].update(false_negative_identification_rate=-0.5),
         "calibration.gallery: a false negative identification rate must be from 0 to 1; got -0.5"),
        (lambda c: c["calibration"]["gallery"].update(queries=0),
         "calibration.gallery: queries must be at least 1; got 0"),
        (lambda c: c["calibration"].update(same_pairs=-7), "calibration: same_pairs must be at least 1; got -7"),
        (lambda c: c["calibration"]["pair"].update(threshold=10**400),
         "a calibration is a JSON file: whole numbers have at most 64 bits; "
         "got 10000000000000000000... of 401 characters"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused(calibration, tmp_path, edit, message):
    path = tmp_path / "cal.json"
    content = calibration.to_json()
    edit(content)
    path.write_text(json.dumps(content))
    with pytest.raises(CalibrationError, match=f"^{re.escape(f'{path}: {message}')}$"):
        load_calibration(path)


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(CalibrationError, match=r"must be a calibration .*; nothing lies there"):
        load_calibration(tmp_path / "cal.json")
    (tmp_path / "cal.json").write_bytes(b"{\xff")
    with pytest.raises(CalibrationError, match="a calibration is a JSON file"):
        load_calibration(tmp_path / "cal.json")


USED = {"model": MODEL, "feeding": FED, "protocol": "ground-to-aerial", "ranker": "cosine", "gallery_size": 300}


def test_the_same_use_is_no_reason_to_warn(calibration):
    assert check_use(calibration, **USED) == []


@pytest.mark.parametrize(
    ("otherwise", "warning"),
    [
        ({"model": OTHER_MODEL},
         "the calibration was fitted on model aaaaaaaaaaaa and is used on model bbbbbbbbbbbb: "
         "its thresholds and probabilities say nothing about this model; fit one on it"),
        ({"model": None},
         "the calibration was fitted on model aaaaaaaaaaaa and is used on an unknown model: "
         "nobody can tell whether they are the same"),
        ({"feeding": replace(FED, clip_length=4, sampling="all-frames")},
         "the calibration was fitted on clips of one kind and is used on those of another: "
         "clip length 8 and 4; sampling one-clip and all-frames; fit one on these"),
        ({"protocol": "aerial-to-ground"},
         "the calibration was fitted on ground-to-aerial and is used on aerial-to-ground: "
         "similarities differ between directions; fit one for each"),
        ({"ranker": "k-reciprocal"},
         "the calibration was fitted on similarities of cosine and is used on those of k-reciprocal: "
         "they are not on one scale; fit one for each"),
    ],
)  # fmt: skip
def test_another_use_names_both(calibration, otherwise, warning):
    assert check_use(calibration, **(USED | otherwise)) == [warning]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"false_positive_rate": 0.001},
         "a false positive rate of 0.001 is not resolvable with 20 different-person pairs: "
         "ask for at least 0.05, or bring more"),
        ({"false_positive_rate": 0.1, "false_positive_identification_rate": 0.2},
         "a false positive identification rate of 0.2 is not resolvable with 2 queries: "
         "ask for at least 0.5, or bring more"),
        ({"false_positive_rate": 0.0}, "a false positive rate must lie between 0 and 1; got 0.0"),
        ({"false_positive_rate": 0.1, "false_positive_identification_rate": 1.5},
         "a false positive identification rate must lie between 0 and 1; got 1.5"),
        ({"false_positive_rate": 0.1, "false_positive_identification_rate": 0.5, "prior": 0.0},
         "the prior must lie between 0 and 1; got 0.0"),
    ],
)  # fmt: skip
def test_what_the_data_cannot_tell_is_refused(settings, message):
    query = table([[1, 0], [0, 1]], [7, 8])
    gallery = table([[1, 0.1], [0.1, 1]] * 10, [7, 8] * 10, camids=[1] * 20)
    with pytest.raises(ProtocolError, match=f"^{re.escape(message)}$"):
        calibrate(query, gallery, CROSS_CAMERA, **settings)


def test_a_calibration_is_told_to_people(calibration):
    text = "\n".join(calibration.lines())
    assert "ground-to-aerial, cosine, model aaaaaaaaaaaa: fitted on" in text
    assert f"not in the gallery below {calibration.gallery.threshold:.4f}" in text
    assert "probabilities are for pairs of which 0.01 are the same person before anyone looks" in text


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
