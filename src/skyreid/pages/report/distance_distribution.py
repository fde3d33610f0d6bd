"""How similar pairs of one person are, and pairs of two: the less the humps overlap, the easier the search."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64
from markupsafe import Markup

from skyreid.evaluation.pair_counts import PairCounts
from skyreid.pages.report.section import Axes, Chart, Key, Section, chart_svg, charts_html, round_ticks

_BINS = (12, 48)
"""Fewest and most: few pairs in many bins are spikes that say nothing."""
_NOT_SEEN = 0.005
"""Share of an axis below which two drawings cannot be told apart."""
_KEYS = {
    "same": Markup('<path class="area" d="M1 11 V4 H27 V11 z"/><path class="line" d="M1 4 H27"/>'),
    "different": Markup('<path class="area" d="M1 11 V4 H27 V11 z"/><path class="line" d="M1 4 H27"/>'),
    "threshold": Markup('<path class="line" d="M14 0 V12"/>'),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class DistanceDistribution:
    """Two histograms over one scale of cosine similarity."""

    name: str
    edges: Float64[np.ndarray, " edge"]
    """Of the bins, ascending; bin i reaches from edge i to edge i + 1."""
    same: Int64[np.ndarray, " bin"]
    """Pairs of one person."""
    different: Int64[np.ndarray, " bin"]
    """Pairs of two people."""
    threshold: float | None = None
    """Similarity from which a pair is called one person; None = there is none."""
    threshold_note: str = ""
    """How the threshold was chosen, such as "1 % false positives"."""

    def __post_init__(self) -> None:
        bins = len(self.edges) - 1
        if len(self.same) != bins:
            raise ValueError(f"{self.name}: {len(self.edges)} edges make {bins} bins; got {len(self.same)} counts")

    @classmethod
    def of(
        cls, name: str, pairs: PairCounts, *, threshold: float | None = None, threshold_note: str = ""
    ) -> "DistanceDistribution":
        """Sort the pairs that a protocol compares into bins."""
        drawn = np.concatenate([pairs.same.astype(np.float64), pairs.values])
        low, high = float(drawn.min()), float(drawn.max())
        bins = int(np.clip(2 * np.sqrt(len(pairs.same)), *_BINS))
        edges = np.linspace(low, high if high > low else low + 1e-6, bins + 1)
        return cls(
            name=name,
            edges=edges,
            same=np.histogram(pairs.same.astype(np.float64), edges)[0].astype(np.int64),
            different=np.histogram(pairs.values, edges, weights=pairs.counts)[0].astype(np.int64),
            threshold=threshold,
            threshold_note=threshold_note,
        )


def distance_section(distributions: Sequence[DistanceDistribution]) -> Section | None:
    """One drawing for each direction, equal ones once; None where there is none."""
    if not distributions:
        return None
    return Section(
        anchor="distances",
        title="How alike pairs look",
        lead="Share of pairs by cosine similarity. Each outline sums to 100 % by itself, though there are far more "
        "pairs of two people than of one. Where they overlap, appearance alone cannot decide.",
        body=charts_html([_chart(one) for one in _told_apart(distributions)]),
    )


def _told_apart(distributions: Sequence[DistanceDistribution]) -> list[DistanceDistribution]:
    """Those that look different; equal ones once, under all their names.

    Two directions compare the same pairs, so that their drawings differ by rounding only.
    """
    shown: list[DistanceDistribution] = []
    for one in distributions:
        place = next((place for place, other in enumerate(shown) if _look_alike(one, other)), None)
        if place is None:
            shown.append(one)
        else:
            shown[place] = replace(shown[place], name=f"{shown[place].name} and {one.name}")
    return shown


def _look_alike(one: DistanceDistribution, other: DistanceDistribution) -> bool:
    if len(one.edges) != len(other.edges) or one.threshold_note != other.threshold_note:
        return False
    if (one.same.sum(), one.different.sum()) != (other.same.sum(), other.different.sum()):
        return False
    span = float(one.edges[-1] - one.edges[0])
    thresholds = [np.nan if each.threshold is None else each.threshold for each in (one, other)]
    return (
        np.allclose(one.edges, other.edges, rtol=0, atol=_NOT_SEEN * span)
        and np.allclose(*thresholds, rtol=0, atol=_NOT_SEEN * span, equal_nan=True)
        and np.allclose(_shares(one.same), _shares(other.same), rtol=0, atol=_NOT_SEEN)
        and np.allclose(_shares(one.different), _shares(other.different), rtol=0, atol=_NOT_SEEN)
    )


def distance_svg(distribution: DistanceDistribution) -> Markup:
    """Both outlines over the bins in which there is any pair, and the threshold."""
    shares = {"different": _shares(distribution.different), "same": _shares(distribution.same)}
    used = np.flatnonzero(distribution.same + distribution.different)
    first, last = (int(used[0]), int(used[-1]) + 1) if used.size else (0, len(distribution.same))
    edges = distribution.edges[first : last + 1]
    highest = max(float(share.max(initial=0)) for share in shares.values()) or 1.0
    axes = Axes(x_range=_reaching(edges, distribution.threshold), y_range=(0.0, highest * 1.05))
    grid = axes.grid(
        [(at, f"{at:g}") for at in round_ticks(*axes.x_range)],
        [(at, f"{at * 100:g}%") for at in round_ticks(*axes.y_range)],
        "cosine similarity",
    )
    outlines = "\n".join(_outline(axes, style, edges, share[first:last]) for style, share in shares.items())
    return chart_svg(_spoken(distribution), f"{grid}\n{outlines}\n{_threshold(axes, distribution)}")


def _chart(distribution: DistanceDistribution) -> Chart:
    keys = [
        Key(style="same", mark=_KEYS["same"], label=f"same person, {distribution.same.sum():,} pairs"),
        Key(style="different", mark=_KEYS["different"], label=f"two people, {distribution.different.sum():,} pairs"),
    ]
    if distribution.threshold is not None:
        label = f"threshold {distribution.threshold:.3f}"
        keys.append(Key(style="threshold", mark=_KEYS["threshold"], label=label))
    return Chart(title=distribution.name, svg=distance_svg(distribution), keys=keys, note=distribution.threshold_note)


def _shares(counts: Int64[np.ndarray, " bin"]) -> Float64[np.ndarray, " bin"]:
    return counts / max(1, int(counts.sum()))


def _reaching(edges: Float64[np.ndarray, " edge"], threshold: float | None) -> tuple[float, float]:
    """From the first to the last value that is drawn."""
    drawn = [float(edges[0]), float(edges[-1])]
    if threshold is not None:
        drawn.append(threshold)
    return min(drawn), max(drawn)


def _outline(axes: Axes, style: str, edges: Float64[np.ndarray, " edge"], shares: Float64[np.ndarray, " bin"]) -> str:
    steps = [
        (float(edge), float(share))
        for low, high, share in zip(edges[:-1], edges[1:], shares, strict=True)
        for edge in (low, high)
    ]
    points = [(float(edges[0]), 0.0), *((edge, share) for edge, share in steps), (float(edges[-1]), 0.0)]
    path = axes.path(points)
    return f'<g class="{style}"><path class="area" d="{path} z"/><path class="line" d="{path}"/></g>'


def _threshold(axes: Axes, distribution: DistanceDistribution) -> str:
    if distribution.threshold is None:
        return ""
    line = axes.path([(distribution.threshold, 0.0), (distribution.threshold, axes.y_range[1])])
    return f'<g class="threshold"><path class="line" d="{line}"/></g>'


def _spoken(distribution: DistanceDistribution) -> str:
    middles = "; ".join(
        f"{words}: {counts.sum():,} pairs" + (f", half of them above {_median(distribution, counts):.2f}")
        for words, counts in (("same person", distribution.same), ("two people", distribution.different))
        if counts.sum()
    )
    threshold = "" if distribution.threshold is None else f"; threshold {distribution.threshold:.3f}"
    return f"{distribution.name}. {middles}{threshold}"


def _median(distribution: DistanceDistribution, counts: Int64[np.ndarray, " bin"]) -> float:
    """The lower edge of the bin in which the median lies."""
    half = np.searchsorted(np.cumsum(counts), counts.sum() / 2)
    return float(distribution.edges[half])
