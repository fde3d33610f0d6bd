from dataclasses import replace

import numpy as np
import pytest

from skyreid.datasets.protocol import AERIAL_TO_GROUND, GROUND_TO_AERIAL
from skyreid.evaluation.comparisons import comparisons
from skyreid.evaluation.pair_counts import count_pairs
from skyreid.pages.report.distance_distribution import DistanceDistribution, distance_section, distance_svg
from skyreid.retrieval.cosine import COSINE
from tests.pages.report.reading import drawing, points_of, words
from tests.pages.report.small_world import HOSTILE

DISTRIBUTION = DistanceDistribution(
    name="up",
    edges=np.array([-1.0, -0.5, 0.0, 0.5, 1.0]),
    same=np.array([0, 0, 1, 3]),
    different=np.array([0, 60, 30, 10]),
    threshold=0.25,
    threshold_note="1 % of strangers pass",
)


def outline(svg, style):
    [group] = [group for group in svg.iter("g") if group.get("class") == style]
    [line] = [path for path in group.iter("path") if path.get("class") == "line"]
    return np.array(points_of(line))


@pytest.mark.parametrize(("style", "shares"), [("same", [0, 0.25, 0.75]), ("different", [0.6, 0.3, 0.1])])
def test_an_outline_is_as_high_as_the_share_of_its_bin_and_empty_ends_are_left_out(style, shares):
    svg = drawing(distance_svg(DISTRIBUTION))
    marks = [(line.get("y1"), text.text) for line, text in zip(svg.iter("line"), svg.iter("text"), strict=False)]
    scale = {text: float(y) for y, text in marks if y is not None}
    points = outline(svg, style)[1:-1]
    high = (scale["0%"] - points[:, 1]) / (scale["0%"] - scale["20%"]) * 0.2
    np.testing.assert_allclose(high, np.repeat(shares, 2), atol=2e-3)
    assert np.ptp(np.diff(points[::2, 0])) < 0.2  # bins of one width, the empty first one not among them


def test_the_threshold_stands_where_it_cuts_the_similarities():
    svg = drawing(distance_svg(DISTRIBUTION))
    left, right = outline(svg, "same")[[0, -1], 0]  # from -0.5 to 1
    assert outline(svg, "threshold")[:, 0] == pytest.approx([left + (right - left) * 0.5] * 2, abs=0.1)


def test_the_words_say_how_many_pairs_there_are_and_what_the_threshold_is():
    section = distance_section([DISTRIBUTION])
    assert section is not None
    legend = "same person, 4 pairs two people, 100 pairs threshold 0.250 1 % of strangers pass"
    assert words(section.html()).endswith(legend)
    spoken = drawing(section.html()).get("aria-label")
    assert spoken == (
        "up. same person: 4 pairs, half of them above 0.50; two people: 100 pairs, half of them above -0.50; "
        "threshold 0.250"
    )


def test_counted_pairs_become_bins(world):
    [compared] = comparisons(world.ground, world.aerial, GROUND_TO_AERIAL)
    found = DistanceDistribution.of("up", count_pairs([compared], COSINE))
    similarities = compared.query.unit_embeddings @ compared.gallery.unit_embeddings.T
    same = np.diag(similarities)
    others = similarities[~np.eye(4, dtype=bool)]
    bins = list(zip(found.edges[:-1], found.edges[1:], strict=True))
    assert len(bins) == 12
    assert found.edges[0] == pytest.approx(similarities.min(), rel=1e-2)
    assert found.edges[-1] == pytest.approx(similarities.max(), rel=1e-3)
    assert (found.same.sum(), found.different.sum()) == (4, 12)
    for (low, high), count in zip(bins, found.same, strict=True):
        assert count == np.count_nonzero((same >= low) & ((same < high) | (high == found.edges[-1])))
    # A different-person pair stands in the middle of its cell, 0.1 % from where it is.
    assert np.abs(np.cumsum(found.different) - [(others <= high).sum() for _, high in bins]).max() <= 1


def test_names_never_become_markup():
    hostile = DistanceDistribution(
        name=HOSTILE,
        edges=np.array([0.0, 1.0]),
        same=np.array([1]),
        different=np.array([1]),
        threshold=0.5,
        threshold_note=HOSTILE,
    )
    section = distance_section([hostile])
    assert section is not None
    assert "<script" not in section.html()
    assert words(section.html()).count(HOSTILE) == 2


def test_two_directions_that_compare_the_same_pairs_are_drawn_once_under_both_names(world):
    drawn = [
        DistanceDistribution.of(protocol.name, count_pairs(comparisons(*tables, protocol), COSINE))
        for protocol, tables in (
            (GROUND_TO_AERIAL, (world.ground, world.aerial)),
            (AERIAL_TO_GROUND, (world.aerial, world.ground)),
        )
    ]
    once = distance_section(drawn)
    assert once is not None
    assert once.body.count("<figure") == 1
    assert "ground-to-aerial and aerial-to-ground" in words(once.html())
    moved = replace(drawn[1], same=np.roll(drawn[1].same, 3))
    twice = distance_section([drawn[0], moved])
    assert twice is not None
    assert twice.body.count("<figure") == 2


def test_counts_and_bins_must_agree():
    with pytest.raises(ValueError, match=r"^up: 3 edges make 2 bins; got 1 counts$"):
        DistanceDistribution(name="up", edges=np.array([0.0, 0.5, 1.0]), same=np.array([1]), different=np.array([1]))


def test_without_distributions_there_is_no_section():
    assert distance_section([]) is None
