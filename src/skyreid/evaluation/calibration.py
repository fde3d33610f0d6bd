"""What a similarity means: a threshold for "the same person", one for "not in this gallery", and a probability.

    pair       a pair is called the same person where its similarity reaches the threshold; chosen by the share of
               different-person pairs that may reach it.
    gallery    a person is called "not in this gallery" where not even the closest entry reaches the threshold;
               chosen by the share of queries that may reach it though their person is not there (false positive
               identification rate, FPIR). Each query is asked for its closest entry with its own matches taken
               out of the gallery, which needs no query without a match. The price is the share of queries whose
               closest match stays below (false negative identification rate, FNIR).

The second is a statement about a gallery as a whole: each further entry is a further chance to look alike, so the
FPIR rises with the number of entries, and the one that a calibration states holds for the size it was fitted on.

All of it holds for the model, the direction and the ranker of the fitting data only (`check_use`), and on the
people of the fitting data it looks better than it is: fit on people the model was not trained on, and measure on
others yet (`reliability`).

Source: ISO/IEC 19795-1, identification performance.
"""

import json
import math
from dataclasses import dataclass
from itertools import pairwise
from os import PathLike

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy.optimize import isotonic_regression
from scipy.special import expit, logit

from skyreid.arguments import path_of
from skyreid.datasets.protocol import EvaluationProtocol, find_protocol
from skyreid.errors import CalibrationError, ProtocolError, SkyreidError
from skyreid.evaluation.comparisons import comparisons
from skyreid.evaluation.pair_counts import (
    BLOCK_SIZE,
    OperatingPoint,
    PairCounts,
    count_pairs,
    just_above,
    num_let_in,
    operating_point,
    require_count,
    require_rate,
    require_share,
    unresolvable,
)
from skyreid.evaluation.results.protocol_card import tables_data_sha256
from skyreid.feeding import Feeding, feeding_differences
from skyreid.files.atomic_file import write_atomically
from skyreid.files.config_json import from_json, to_json
from skyreid.files.file_kinds import CALIBRATION, require_kind
from skyreid.files.regular_file import shortened
from skyreid.files.strict_json import read_json
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.cosine import COSINE
from skyreid.retrieval.ranker import Ranker
from skyreid.retrieval.sharded_table import Table, table_of

FALSE_POSITIVE_RATE = 0.01
FALSE_POSITIVE_IDENTIFICATION_RATE = 0.1
PRIOR = 0.01


@dataclass(frozen=True, kw_only=True)
class GalleryPoint:
    """The threshold of "not in this gallery", and what it does to the queries that it was chosen on.

    Raises:
        ProtocolError: a rate that is none, or a number of queries or entries that no fit has.
    """

    false_positive_identification_rate: float
    """As it was asked for."""
    threshold: float
    """Where the closest entry is less similar than this, the person is called not in the gallery."""
    false_positives: int
    """Queries whose closest entry of another person reaches the threshold."""
    queries: int
    false_negative_identification_rate: float
    """Share of the queries with a match whose closest match does not reach the threshold."""
    queries_with_match: int
    gallery_size: int
    """Entries of other people that a query was compared with, on average."""

    def __post_init__(self) -> None:
        require_rate("a false positive identification rate", self.false_positive_identification_rate)
        require_share("a false negative identification rate", self.false_negative_identification_rate)
        require_count("false_positives", self.false_positives, least=0)
        for name in ("queries", "queries_with_match", "gallery_size"):
            require_count(name, getattr(self, name), least=1)


@dataclass(frozen=True, kw_only=True)
class ProbabilityMap:
    """From a similarity to the probability that two tracklets show the same person; rises with the similarity.

    What data can tell is how much more often a similarity comes from same-person pairs than from different-person
    pairs: the likelihood ratio. How many pairs are of the same person to begin with, the prior, is a matter of who
    asks about which pairs; that of a benchmark is nobody else's. The map therefore keeps the two apart:

        odds of the same person = prior odds × likelihood ratio

    Raises:
        ProtocolError: a prior that is none, or knots that do not rise.
    """

    prior: float
    """Share of same-person pairs among those that are asked about, before anyone looked."""
    similarities: tuple[float, ...]
    log_likelihood_ratios: tuple[float, ...]
    """Natural logarithm, at these similarities."""

    def __post_init__(self) -> None:
        require_rate("the prior", self.prior)
        numbers = [*self.similarities, *self.log_likelihood_ratios]
        if not self.similarities or len(self.similarities) != len(self.log_likelihood_ratios):
            raise ProtocolError(
                "a probability map needs as many likelihood ratios as similarities, at least one; "
                f"got {len(self.log_likelihood_ratios)} and {len(self.similarities)}"
            )
        rises = all(a < b for a, b in pairwise(self.similarities)) and all(
            a <= b for a, b in pairwise(self.log_likelihood_ratios)
        )
        if not (rises and np.isfinite(numbers).all()):
            raise ProtocolError("the similarities and likelihood ratios of a probability map must be finite and rise")

    def probabilities(self, similarities: Float[np.ndarray, " pair"]) -> Float64[np.ndarray, " pair"]:
        """Of the same person, for pairs of these similarities."""
        return expit(logit(self.prior) + np.interp(similarities, self.similarities, self.log_likelihood_ratios))


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What similarities mean for one model, one direction and one ranker.

    Raises:
        ProtocolError: a threshold that is not finite, or no pairs of one kind.
    """

    protocol: str
    """Name of the protocol that it was fitted under: the direction."""
    ranker: str
    model: str | None
    """sha256 of the weights that made the embeddings; None = the tables did not say."""
    feeding: Feeding | None
    """How those weights were fed; None = the tables did not say."""
    data_sha256: str | None
    """Data hash of the tracklets that it was fitted on; None = the tables did not say."""
    same_pairs: int
    different_pairs: int
    pair: OperatingPoint
    gallery: GalleryPoint
    probability: ProbabilityMap

    def __post_init__(self) -> None:
        for threshold in (self.pair.threshold, self.gallery.threshold):
            if not math.isfinite(threshold):
                raise ProtocolError(f"a threshold must be finite; got {threshold}")
        require_count("same_pairs", self.same_pairs, least=1)
        require_count("different_pairs", self.different_pairs, least=1)

    def is_same_person(self, similarities: Float[np.ndarray, " pair"]) -> Bool[np.ndarray, " pair"]:
        """Decide for each pair alone."""
        return similarities >= self.pair.threshold

    def is_in_gallery(self, similarities: Float[np.ndarray, " entry"]) -> bool:
        """Decide whether the person of one query is in a gallery, by the similarities of its entries."""
        return bool(similarities.max() >= self.gallery.threshold)

    def probabilities(self, similarities: Float[np.ndarray, " pair"]) -> Float64[np.ndarray, " pair"]:
        """Of the same person, at the prior of the calibration."""
        return self.probability.probabilities(similarities)

    def __repr__(self) -> str:
        return (
            f"Calibration({self.protocol}, {self.ranker}: same person from {self.pair.threshold:.4f}, "
            f"not in the gallery below {self.gallery.threshold:.4f})"
        )

    def to_json(self) -> dict[str, object]:
        """What `save_calibration` writes."""
        return {"format": _FORMAT, "calibration": to_json(self)}

    def lines(self) -> list[str]:
        """What a human reads."""
        pair, gallery = self.pair, self.gallery
        return [
            f"{self.protocol}, {self.ranker}, {_model(self.model)}: fitted on {self.same_pairs:,} same-person and "
            f"{self.different_pairs:,} different-person pairs"
            + ("" if self.data_sha256 is None else f" of the data sha256 {shortened(self.data_sha256)}"),
            f"same person from a similarity of {pair.threshold:.4f}: {pair.true_positive_rate:.2%} of the same-person "
            f"pairs reach it, and at most {pair.false_positive_rate:.2%} of the others",
            f"not in the gallery below {gallery.threshold:.4f}: of {gallery.queries:,} queries whose person is not "
            f"there, at most {gallery.false_positive_identification_rate:.2%} are taken for somebody; of "
            f"{gallery.queries_with_match:,} whose person is there, {gallery.false_negative_identification_rate:.2%} "
            "are missed",
            f"this holds for galleries of about {gallery.gallery_size:,} entries: in larger ones, more are taken "
            "for somebody",
            f"probabilities are for pairs of which {self.probability.prior:g} are the same person before anyone looks",
        ]


def calibrate(
    query: Table | str | PathLike[str],
    gallery: Table | str | PathLike[str],
    protocol: EvaluationProtocol | str,
    *,
    false_positive_rate: float = FALSE_POSITIVE_RATE,
    false_positive_identification_rate: float = FALSE_POSITIVE_IDENTIFICATION_RATE,
    prior: float = PRIOR,
    ranker: Ranker = COSINE,
    block_size: int = BLOCK_SIZE,
    out: str | PathLike[str] | None = None,
    progress: Progress = silent,
) -> Calibration:
    """Fit thresholds and probabilities on every pair that a protocol compares.

    Args:
        query: as for `evaluate`: a table or its path.
        gallery: as for `evaluate`.
        protocol: which pairs there are, by name; one direction, as similarities across platforms are lower than others.
        false_positive_rate: share of the different-person pairs that may be called the same person.
        false_positive_identification_rate: share of the queries that may be taken for somebody though their
            person is not in the gallery.
        prior: share of same-person pairs among those that will be asked about, before anyone looks: about
            0.001 for all entries of a gallery of 1,000 with one match, 0.5 for pairs that somebody chose.
        ranker: what compares them.
        block_size: similarities held in memory at once, but for at least 16 queries. Never changes a number.
        out: JSON file to write, for `load_calibration`.
        progress: told after every block.

    Raises:
        TableError: the tables hold embeddings of different sizes or models.
        ProtocolError: no such protocol, no pair of one kind is left, or too few for a rate: nothing is extrapolated.
        SettingError: an argument of another kind.
    """
    query, gallery, protocol = table_of(query), table_of(gallery), find_protocol(protocol)
    require_rate("a false positive rate", false_positive_rate)
    require_rate("a false positive identification rate", false_positive_identification_rate)
    counts = count_pairs(
        comparisons(query, gallery, protocol),
        ranker,
        block_size=block_size,
        progress=progress,
    )
    fitted = Calibration(
        protocol=protocol.name,
        ranker=ranker.name,
        model=query.model or gallery.model,
        feeding=query.feeding or gallery.feeding,
        data_sha256=tables_data_sha256(query, gallery),
        same_pairs=counts.same.size,
        different_pairs=counts.num_different,
        pair=operating_point(counts, false_positive_rate),
        gallery=_gallery_point(counts, false_positive_identification_rate),
        probability=fit_probability_map(counts, prior),
    )
    if out is not None:
        save_calibration(out, fitted)
    return fitted


def _gallery_point(counts: PairCounts, rate: float) -> GalleryPoint:
    strangers = np.sort(counts.closest_different[counts.closest_different > -np.inf])[::-1]
    friends = counts.closest_same[counts.closest_same > -np.inf]
    let_in = num_let_in(rate, strangers.size)
    if let_in == 0:
        raise ProtocolError(
            f"a false positive identification rate of {rate:g} {unresolvable(strangers.size, 'queries')}"
        )
    threshold = just_above(float(strangers[let_in]))
    return GalleryPoint(
        false_positive_identification_rate=rate,
        threshold=threshold,
        false_positives=int(np.count_nonzero(strangers >= threshold)),
        queries=strangers.size,
        false_negative_identification_rate=float(np.mean(friends < threshold)),
        queries_with_match=friends.size,
        gallery_size=round(counts.num_different / strangers.size),
    )


_MOST_BINS = 40
_PAIRS_PER_BIN = 10
"""Of the kind of which there are fewer."""


def fit_probability_map(counts: PairCounts, prior: float) -> ProbabilityMap:
    """Fit the likelihood ratio on counted pairs; the prior plays no part in it.

    The logarithm of the ratio is taken in bins of equal weight (half of it on each kind of pair), made to rise with
    the similarity (isotonic regression) and joined by straight lines. Outside the first and the last bin it stays
    as it is there, so that no pair is told surer than the number of pairs in a bin allows.

    Measured on simulated tables of 480 to 8,200 same-person pairs, checked on other people, prior 0.01, by the widest
    gap of a bin of the reliability curve: a logistic curve (Platt) was up to 0.64 off, as the similarities of the two
    kinds need not spread alike; isotonic regression without bins up to 0.38, where pairs were few; this map 0.13.

    Raises:
        ProtocolError: the prior is not between 0 and 1.

    Source: isotonic regression by scipy; 0.5 added to every bin: Haldane 1956, Anscombe 1956.
    """
    num_same, num_different = counts.same.size, counts.num_different
    values, places = np.unique(np.concatenate([counts.same.astype(np.float64), counts.values]), return_inverse=True)
    same = np.bincount(places[:num_same], minlength=values.size)
    different = np.bincount(places[num_same:], counts.counts, minlength=values.size)
    weights = same / num_same + different / num_different
    num_bins = int(np.clip(min(num_same, num_different) // _PAIRS_PER_BIN, 1, _MOST_BINS))
    middles = (np.cumsum(weights) - weights / 2) / weights.sum()
    _, bins = np.unique((middles * num_bins).astype(np.int64), return_inverse=True)  # empty ones leave
    num_bins = int(bins[-1]) + 1
    same_in_bin = np.bincount(bins, same) + 0.5
    different_in_bin = np.bincount(bins, different) + 0.5
    ratios = np.log(same_in_bin / (num_same + 0.5 * num_bins)) - np.log(
        different_in_bin / (num_different + 0.5 * num_bins)
    )
    precisions = 1 / (1 / same_in_bin + 1 / different_in_bin)
    return ProbabilityMap(
        prior=prior,
        similarities=tuple((np.bincount(bins, weights * values) / np.bincount(bins, weights)).tolist()),
        log_likelihood_ratios=tuple(isotonic_regression(ratios, weights=precisions).x.tolist()),
    )


_MUCH_LARGER = 2


def check_use(
    calibration: Calibration,
    *,
    model: str | None,
    feeding: Feeding | None,
    protocol: str,
    ranker: str,
    gallery_size: int | None = None,
) -> list[str]:
    """Say in which respects a calibration is used on something else than it was fitted on; nothing to say is [].

    Args:
        calibration: what is used.
        model: sha256 of the weights of the embeddings that it is used on; None = unknown.
        feeding: how those weights were fed; None = unknown.
        protocol: name of the direction that it is used in.
        ranker: name of what made the similarities.
        gallery_size: entries that a query is compared with; None = nobody is looked for in a gallery.
    """
    warnings = []
    if None in (model, calibration.model):
        warnings.append(
            f"the calibration was fitted on {_model(calibration.model)} and is used on {_model(model)}: "
            "nobody can tell whether they are the same"
        )
    elif model != calibration.model:
        warnings.append(
            f"the calibration was fitted on {_model(calibration.model)} and is used on {_model(model)}: "
            "its thresholds and probabilities say nothing about this model; fit one on it"
        )
    elif calibration.feeding is not None and feeding is not None and feeding != calibration.feeding:
        warnings.append(
            "the calibration was fitted on clips of one kind and is used on those of another: "
            f"{'; '.join(feeding_differences(calibration.feeding, feeding))}; fit one on these"
        )
    if protocol != calibration.protocol:
        warnings.append(
            f"the calibration was fitted on {calibration.protocol} and is used on {protocol}: "
            "similarities differ between directions; fit one for each"
        )
    if ranker != calibration.ranker:
        warnings.append(
            f"the calibration was fitted on similarities of {calibration.ranker} and is used on those of {ranker}: "
            "they are not on one scale; fit one for each"
        )
    fitted_size = calibration.gallery.gallery_size
    if gallery_size is not None and gallery_size > _MUCH_LARGER * fitted_size:
        fitted_rate = calibration.gallery.false_positive_identification_rate
        rate = 1 - (1 - fitted_rate) ** (gallery_size / fitted_size)
        warnings.append(
            f"the calibration was fitted on galleries of {fitted_size:,} entries and is used on {gallery_size:,}: "
            f"people who are not there are taken for somebody more often than {fitted_rate:g}, about {rate:.2g} "
            "if each entry looks alike by chance"
        )
    return warnings


def _model(sha256: str | None) -> str:
    return "an unknown model" if sha256 is None else f"model {sha256[:12]}"


_FORMAT = "skyreid calibration 2"
_FORMAT_OF_0_1 = "skyreid calibration 1"


def save_calibration(path: str | PathLike[str], calibration: Calibration) -> None:
    """Write a calibration as JSON, whole or not at all."""
    write_atomically(
        path_of(path, "the file of a calibration"), [json.dumps(calibration.to_json(), indent=2).encode(), b"\n"]
    )


def calibration_of(given: Calibration | str | PathLike[str]) -> Calibration:
    """Take a calibration, or read the one whose path is given.

    Raises:
        CalibrationError: what `load_calibration` refuses.
        SettingError: it is neither.
    """
    return given if isinstance(given, Calibration) else load_calibration(given)


def load_calibration(path: str | PathLike[str]) -> Calibration:
    """Read a calibration.

    Raises:
        CalibrationError: no such file, one of another format, or values that no fit gives.
        SettingError: the path is none.
    """
    path = path_of(path, "a calibration")
    require_kind(path, CALIBRATION, error=CalibrationError)
    try:
        content = read_json(path)
    except (OSError, ValueError) as reason:
        raise CalibrationError(f"{path}: a calibration is a JSON file: {reason}") from None
    if not isinstance(content, dict) or content.keys() != {"format", "calibration"} or content["format"] != _FORMAT:
        named = content.get("format") if isinstance(content, dict) else None
        of = " (of skyreid 0.1)" if named == _FORMAT_OF_0_1 else ""
        raise CalibrationError(
            f"{path}: must be of the format {_FORMAT!r}; got {named!r:.80}{of}; make one by 'skyreid calibrate'"
        )
    try:
        return from_json(Calibration, content["calibration"], where="calibration")
    except SkyreidError as refusal:
        raise CalibrationError(f"{path}: {refusal}") from None
