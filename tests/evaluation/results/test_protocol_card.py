from dataclasses import fields, replace
from itertools import combinations

import numpy as np
import pytest

from skyreid.datasets.protocol import CROSS_CAMERA, GROUND_TO_AERIAL, MARS, PROTOCOLS, EvaluationProtocol
from skyreid.evaluation.results.protocol_card import PROTOCOL_FIELDS, ProtocolCard, differences, tables_sha256
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.retrieval.reranking import KReciprocal
from tests.evaluation.results.result_examples import CARD

MAY_DIFFER = {"model", "model_sha256", "precision", "seed", "commit"}
NAMES = [each.name for each in fields(ProtocolCard)]


def changed(value):
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else {"ground": "aerial", "aerial": "any"}.get(value, f"not {value}")


def test_the_card_says_everything_of_a_protocol_that_changes_a_score():
    assert {each.name for each in fields(EvaluationProtocol)} - {"mAP_cut"} == {"name", *PROTOCOL_FIELDS[1:]}


def test_cards_of_two_protocols_are_never_comparable():
    for a, b in combinations(PROTOCOLS.values(), 2):
        assert differences(ProtocolCard.of(a), ProtocolCard.of(b))
        assert not ProtocolCard.of(a).is_of(b)
        assert ProtocolCard.of(a).is_of(a)


@pytest.mark.parametrize("name", sorted(set(NAMES) - MAY_DIFFER - {"checkpoint_rule"}))
def test_what_makes_a_score_must_be_equal(name):
    other = replace(CARD, **{name: changed(getattr(CARD, name))})
    (difference,) = differences(CARD, other)
    assert difference.startswith(f"{name.replace('_', ' ')}: ")
    assert differences(CARD, other, apart_from=frozenset({name})) == []


@pytest.mark.parametrize("name", sorted(MAY_DIFFER))
def test_what_is_compared_may_differ(name):
    assert differences(CARD, replace(CARD, **{name: changed(getattr(CARD, name))})) == []


def test_differences_are_in_plain_words():
    other = replace(CARD, split=None, flip=True, clip_length=4, checkpoint_rule="fixed epoch", ranker="k-reciprocal")
    assert differences(CARD, other) == [
        "split: release and not stated",
        "flip: no and yes",
        "checkpoint rule: last epoch and fixed epoch",
        "clip length: 8 and 4",
        "ranker: cosine and k-reciprocal",
    ]


def test_a_checkpoint_chosen_on_the_test_set_is_comparable_with_nothing():
    best = replace(CARD, checkpoint_rule="best on test")
    assert differences(best, best) == [
        "checkpoint rule: best on test, which is comparable with nothing; score the last epoch"
    ]
    assert len(differences(CARD, best)) == 2


def test_what_was_not_trained_is_comparable_with_what_was_but_not_with_what_nobody_stated():
    untrained = replace(CARD, checkpoint_rule="not trained")
    assert differences(untrained, CARD) == differences(CARD, untrained) == []
    assert differences(untrained, replace(CARD, checkpoint_rule=None)) == [
        "checkpoint rule: not trained and not stated"
    ]
    assert "comparable with nothing" in differences(untrained, replace(CARD, checkpoint_rule="best on test"))[-1]


def test_what_nobody_stated_is_listed():
    assert CARD.not_stated() == []
    assert ProtocolCard.of(MARS).not_stated() == [
        name.replace("_", " ") for name in NAMES if name not in {*PROTOCOL_FIELDS, "distance", "ranker", *MAY_DIFFER}
    ]


def test_a_caption_says_how_the_scores_came_about():
    assert CARD.in_words() == (
        "g2a-vreid, split release; ground-to-aerial: ground queries against the aerial gallery, same person and camera "
        "ignored; sampling one-clip, frames a clip 8; flip no, distance cosine; checkpoint: last epoch; "
        "data sha256 dddddddddddd."
    )
    assert replace(CARD, simulated=True).in_words().startswith("SIMULATED DATA: nobody here exists; ")
    assert ProtocolCard.of(MARS).in_words() == (
        "dataset not stated, split not stated; mars: any queries against the whole gallery, queries stand in the "
        "gallery, same person and camera ignored; sampling not stated, frames a clip not stated; flip not stated, "
        "distance cosine; "
        "checkpoint: not stated; data sha256 not stated."
    )


def test_a_ranking_by_something_else_than_the_distance_is_reranked():
    assert not ProtocolCard.of(GROUND_TO_AERIAL).is_reranked
    card = ProtocolCard.of(CROSS_CAMERA, ranker=KReciprocal())
    assert card.is_reranked
    assert card.ranker == KReciprocal().name


def table(seed=0, **changes) -> EmbeddingTable:
    columns = {
        "embeddings": np.random.default_rng(seed).standard_normal((3, 4)).astype(np.float32),
        "pids": np.array([1, 2, 2]),
        "camids": np.array([0, 0, 1]),
        "platforms": np.array([0, 1, 1]),
        "tracklet_ids": np.array(["a", "b", "c"]),
    }
    return EmbeddingTable(**{**columns, **changes})


def test_two_models_that_were_asked_the_same_have_tables_of_one_hash():
    reordered = EmbeddingTable(
        **{
            name: getattr(table(seed=1), name)[[2, 0, 1]]
            for name in ("embeddings", "pids", "camids", "platforms", "tracklet_ids")
        }
    )
    assert tables_sha256(table(), table()) == tables_sha256(reordered, table(seed=2))


@pytest.mark.parametrize(
    "change",
    [
        {"pids": np.array([1, 2, 3])},
        {"camids": np.array([0, 0, 0])},
        {"platforms": np.array([0, 0, 1])},
        {"tracklet_ids": np.array(["a", "b", "d"])},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_people_cameras_or_tracklets_have_another_hash(change):
    hashes = {
        tables_sha256(*pair) for pair in [(table(), table()), (table(**change), table()), (table(), table(**change))]
    }
    assert len(hashes) == 3
