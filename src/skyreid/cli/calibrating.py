"""`skyreid calibrate`: what a similarity means."""

from pathlib import Path

from skyreid.cli.protocol_name import ProtocolName
from skyreid.cli.terminal import Bars, File, show_result


def calibrate(
    query: File,
    gallery: File,
    *,
    protocol: ProtocolName,
    out: Path,
    false_positive_rate: float = 0.01,
    false_positive_identification_rate: float = 0.1,
    prior: float = 0.01,
    json: bool = False,
) -> None:
    """Fit thresholds for "the same person" and "not in this gallery".

    And a map from similarity to probability.

    Args:
        query: .npz of tracklets whose people are known, and that the model was not trained on.
        gallery: the same, without the queries.
        protocol: the direction; fit one calibration for each.
        out: JSON file to write.
        false_positive_rate: share of the pairs of different people that may be called the same person.
        false_positive_identification_rate: share of people who are not in the gallery that may be taken for somebody.
        prior: share of same-person pairs among those that will be asked about, before anyone looks.
        json: print JSON.
    """
    from skyreid.evaluation.calibration.calibration import calibrate as fit

    with Bars() as bars:
        calibration = fit(
            query,
            gallery,
            protocol,
            false_positive_rate=false_positive_rate,
            false_positive_identification_rate=false_positive_identification_rate,
            prior=prior,
            out=out,
            progress=bars,
        )
    show_result(calibration, json=json)
