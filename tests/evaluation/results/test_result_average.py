import json
import re

import pytest

from skyreid.errors import ProtocolError
from skyreid.evaluation.results.result_average import TEN_SPLITS, average_over_splits, mean_over_seeds
from tests.evaluation.results.result_examples import example_result

REMEDY = "average files of one name, DIRECTION.SAMPLING.RANKER.json, of models trained in the same way"
VALUES = [0.70, 0.72, 0.74, 0.76, 0.78, 0.80, 0.82, 0.84, 0.86, 0.88]


def of_split(split, value=0.5, **changes):
    own = {name: f"{split}{name}" for name in ("data_sha256", "tables_sha256", "model_sha256")}
    return example_result(scores={"mAP": value}, **{"dataset": "ilids-vid", "split": split, **own, **changes})


SPLITS = [of_split(split, value) for split, value in zip(TEN_SPLITS, VALUES, strict=True)]


def test_ten_splits_have_a_mean_and_a_deviation_whatever_their_order():
    average = average_over_splits(SPLITS)
    assert average.scores["mAP"].mean == pytest.approx(0.79)
    assert average.scores["mAP"].sd == pytest.approx(0.060553, abs=1e-6)
    assert average.runs == TEN_SPLITS
    assert average_over_splits(SPLITS[::-1]).card == average.card
    assert len({average.card.data_sha256, *(result.card.data_sha256 for result in SPLITS)}) == 11
    assert json.loads(json.dumps(average.to_json()))["card"]["split"] == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"


def test_a_person_reads_what_was_averaged():
    first, second = average_over_splits([of_split("0", 0.4), of_split("1", 0.6)], splits=("0", "1")).lines()
    assert first.startswith("vsla-clip, mean ± sd over the splits 0, 1: mAP 50.0% ± 14.1   mINP 58.3% ± 0.0   rank-1 ")
    assert second.startswith("ilids-vid, split 0, 1; ground-to-aerial")
    assert second.endswith(" Ranking: cosine.")


@pytest.mark.parametrize(
    ("results", "message"),
    [
        (
            [*SPLITS[:3], *SPLITS[4:9]],
            "an average over splits needs every one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9; missing: 3, 9",
        ),
        ([*SPLITS, SPLITS[2]], "every split counts once in an average; split '2' stands twice"),
        ([*SPLITS, of_split("10")], "an average is over the splits 0, 1, 2, 3, 4, 5, 6, 7, 8, 9; got '10' too"),
        ([*SPLITS, of_split(None)], "an average is over the splits 0, 1, 2, 3, 4, 5, 6, 7, 8, 9; got None too"),
        (
            [*SPLITS[:9], of_split("9", dataset="prid-2011", seed=1)],
            "these results have no average, because of: dataset, seed\n"
            f"dataset: ilids-vid and prid-2011\nseed: 0 and 1\n{REMEDY}",
        ),
        (
            [*SPLITS[:9], of_split("9", model="tf-clip")],
            f"these results have no average, because of: model\nmodel: vsla-clip and tf-clip\n{REMEDY}",
        ),
    ],
)
def test_what_is_no_average_over_the_splits_is_refused(results, message):
    with pytest.raises(ProtocolError, match=f"^{re.escape(message)}$"):
        average_over_splits(results)


def test_seeds_have_a_mean_and_a_deviation():
    runs = [example_result(scores={"mAP": 0.2 * seed}, seed=seed, model_sha256=str(seed)) for seed in (1, 2, 3)]
    average = mean_over_seeds(runs)
    assert (average.scores["mAP"].mean, average.scores["mAP"].sd) == pytest.approx((0.4, 0.2))
    assert (average.runs, average.card.seed, average.card.split) == (("1", "2", "3"), None, "release")


def test_only_what_all_runs_have_is_averaged():
    runs = [example_result(scores={"mAP@20": 0.5}, seed=0), example_result(seed=1)]
    assert "mAP@20" not in mean_over_seeds(runs).scores


@pytest.mark.parametrize(
    ("seeds", "changes", "message"),
    [
        ([0], {}, "a mean over seeds needs at least two results that state their seed; got [0]"),
        ([0, None], {}, "a mean over seeds needs at least two results that state their seed; got [0, None]"),
        ([0, 0], {}, "every seed counts once in an average; seed 0 stands twice"),
        (
            [0, 1],
            {"split": "other"},
            f"these results have no average, because of: split\nsplit: release and other\n{REMEDY}",
        ),
    ],
)
def test_what_is_no_mean_over_seeds_is_refused(seeds, changes, message):
    runs = [example_result(seed=seed, **(changes if place else {})) for place, seed in enumerate(seeds)]
    with pytest.raises(ProtocolError, match=f"^{re.escape(message)}$"):
        mean_over_seeds(runs)
