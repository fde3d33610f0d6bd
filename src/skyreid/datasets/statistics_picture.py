"""The statistics of a benchmark as one picture: sequence lengths (Fig. 2) and crop widths by platform."""

import io
from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator

from skyreid.datasets.statistics import PAPER_CROP_WIDTHS, BenchmarkStatistics, Distribution
from skyreid.files.atomic_file import write_atomically
from skyreid.tracklet import Platform

_COLOURS = {Platform.GROUND: "#c26a1b", Platform.AERIAL: "#2b7bba"}
_INK = "#30363d"
_ROW = 0.12
"""Height of a row above the histograms, as a share of theirs."""


def draw_statistics(statistics: BenchmarkStatistics, path: Path) -> None:
    """Draw to a .png file, atomically.

    Raises:
        ValueError: the name of the file does not end in .png.
    """
    if path.suffix != ".png":
        raise ValueError(f"the picture is a .png file; got {path.name}")
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1, wspace=0.04)
    figure = Figure(figsize=(10, 4.2), dpi=150, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    lengths, widths = figure.subplots(1, 2)
    _draw(lengths, statistics.sequence_lengths, "Sequence length", "frames per tracklet", "tracklets")
    _draw(widths, statistics.crop_widths, "Crop width", "pixels", "images")
    _mark_paper_ranges(widths, statistics.crop_widths_in_paper_range)
    figure.suptitle(
        f"{statistics.name}:  {statistics.identities:,} identities,  {statistics.tracklets:,} tracklets,  "
        f"{statistics.images:,} images",
        color=_INK,
        fontsize=13,
        fontweight="bold",
    )
    buffer = io.BytesIO()
    # Without the name of the drawing program and its version, the same statistics give the same bytes.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    write_atomically(path, [buffer.getvalue()])


def _draw(axes: Axes, distributions: Mapping[Platform, Distribution], title: str, unit: str, counted: str) -> None:
    for platform, values in distributions.items():
        edges = [number * values.bin_width for number in range(len(values.histogram) + 1)]
        colour = _COLOURS[platform]
        axes.stairs(values.histogram, edges, fill=True, color=colour, alpha=0.35)
        axes.stairs(
            values.histogram,
            edges,
            color=colour,
            linewidth=1.6,
            zorder=3,
            label=f"{platform}: median {values.percentiles['50']:.0f}, {values.num:,} {counted}",
        )
        axes.axvline(values.percentiles["50"], color=colour, linewidth=1.2, linestyle=(0, (4, 3)), zorder=4)
    axes.set_title(title, loc="left", color=_INK, fontsize=11)
    axes.set_xlabel(unit, color=_INK)
    axes.set_ylabel(counted, color=_INK)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.grid(axis="y", color="#d8dee4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#8b949e")
    axes.tick_params(colors=_INK)
    if distributions:
        axes.legend(frameon=False, labelcolor=_INK, fontsize=9)


def _mark_paper_ranges(axes: Axes, shares: Mapping[Platform, float]) -> None:
    """Draw between which widths the paper's crops lie, in rows above the histograms and the legend."""
    if not shares:
        return
    top = axes.get_ylim()[1] * (1 + _ROW * len(shares))
    axes.set_ylim(top=top)
    axes.set_xlim(right=max(axes.get_xlim()[1], 1.6 * max(PAPER_CROP_WIDTHS[platform][1] for platform in shares)))
    for row, (platform, share) in enumerate(shares.items()):
        low, high = PAPER_CROP_WIDTHS[platform]
        height = top * (0.97 - 0.8 * _ROW * row)
        axes.plot((low, high), (height, height), color=_COLOURS[platform], marker="|", markersize=9, linewidth=2)
        axes.annotate(
            f"{low} to {high} in G2A-VReID, {share:.0%} of these",
            (high, height),
            xytext=(8, 0),
            textcoords="offset points",
            verticalalignment="center",
            color=_INK,
            fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            zorder=5,
        )
    legend = axes.get_legend()
    assert legend is not None
    legend.set_loc("upper right")
    legend.set_bbox_to_anchor((1, 1 - 0.8 * _ROW * len(shares)))
