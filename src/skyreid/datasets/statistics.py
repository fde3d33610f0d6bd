"""What a benchmark is like: its row of Table 1, its Fig. 2, its crop widths, beside what the paper says."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from skyreid.datasets.benchmark import Benchmark, identities_of_test, identities_of_train
from skyreid.datasets.benchmarks import BENCHMARKS
from skyreid.datasets.benchmarks.benchmark_format import PaperRow
from skyreid.files.picture_file import picture_size, sweep_pictures
from skyreid.processes.progress import Progress, silent
from skyreid.tracklet import PLATFORMS, Platform, Tracklet

PAPER_CROP_WIDTHS: Mapping[Platform, tuple[int, int]] = {Platform.GROUND: (10, 70), Platform.AERIAL: (5, 35)}
"""Pixels between which most crops of G2A-VReID are wide. Source: paper section 3.3."""
_MAX_BINS = 40
_PERCENTILES = (5, 25, 50, 75, 95)


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """How whole numbers are spread."""

    num: int
    mean: float
    minimum: int
    maximum: int
    percentiles: Mapping[str, float]
    """Keys "5" to "95"."""
    bin_width: int
    histogram: tuple[int, ...]
    """Bin i counts the values from i * bin_width up to, and without, (i + 1) * bin_width."""


@dataclass(frozen=True, kw_only=True)
class PartStatistics:
    """Counts of train, query or gallery."""

    identities: int
    tracklets: int
    images: int


@dataclass(frozen=True, kw_only=True)
class BenchmarkStatistics:
    """Statistics of the tracklets that a benchmark uses; junk is not among them."""

    name: str
    identities: int
    tracklets: int
    images: int
    average_duration_s: float | None
    """None where neither times nor the frame rate are known."""
    camera_views: int
    camera_working_mode: str | None
    parts: Mapping[str, PartStatistics]
    """train, query and gallery, those that are not empty."""
    sequence_lengths: Mapping[Platform, Distribution]
    """Frames per tracklet (Fig. 2), by platform; all with one bin width."""
    crop_widths: Mapping[Platform, Distribution]
    """Pixels (section 3.3), by platform; all with one bin width."""
    crop_widths_in_paper_range: Mapping[Platform, float]
    """Share of the crops, 0-1, by platform, whose width lies in PAPER_CROP_WIDTHS, both ends included."""
    paper_row: PaperRow | None

    def to_json(self) -> dict[str, object]:
        """Give everything as plain JSON values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Say it to a person: the Table 1 row beside the paper's, the parts, the distributions."""
        paper = self.paper_row
        rows = [
            ("identities", f"{self.identities:,}", f"{paper.identities:,}" if paper else ""),
            ("tracklets", f"{self.tracklets:,}", f"{paper.tracklets:,}" if paper else ""),
            ("images", f"{self.images:,}", f"{paper.images:,}" if paper else ""),
            (
                "average duration",
                "unknown" if self.average_duration_s is None else f"{self.average_duration_s:.1f} s",
                f"{paper.average_duration_s:.1f} s" if paper else "",
            ),
            ("camera views", str(self.camera_views), str(paper.camera_views) if paper else ""),
            ("camera mode", self.camera_working_mode or "unknown", paper.camera_working_mode if paper else ""),
        ]
        width = max(len(here) for _, here, _ in rows)
        lines = [f"{self.name:<17} {'here':>{width}}{'   Table 1' if paper else ''}"]
        lines += [f"{label:<17} {here:>{width}}   {there}".rstrip() for label, here, there in rows]
        lines += ["", f"{'':<17} {'identities':>10} {'tracklets':>10} {'images':>11}"]
        for part, counts in self.parts.items():
            lines.append(f"{part:<17} {counts.identities:>10,} {counts.tracklets:>10,} {counts.images:>11,}")
        for title, spread in (("frames a tracklet", self.sequence_lengths), ("crop width (px)", self.crop_widths)):
            lines += ["", f"{title:<17} {'mean':>7} {'min':>7}" + "".join(f" {f'{p}%':>7}" for p in _PERCENTILES)]
            lines[-1] += f" {'max':>7}"
            for platform, values in spread.items():
                percentiles = "".join(f" {value:>7.0f}" for value in values.percentiles.values())
                lines.append(f"{platform:<17} {values.mean:>7.1f} {values.minimum:>7}{percentiles} {values.maximum:>7}")
        for platform, share in self.crop_widths_in_paper_range.items():
            low, high = PAPER_CROP_WIDTHS[platform]
            lines.append(f"{platform:<17} {share:>7.1%} of the crops are {low} to {high} px wide, as in G2A-VReID")
        return lines


def benchmark_statistics(benchmark: Benchmark, progress: Progress = silent) -> BenchmarkStatistics:
    """Measure a benchmark; of the images only the headers are read.

    The average duration is the time from the first to the last frame where the frames have times, else images
    per tracklet times the format's seconds per frame, which is how Table 1 reckons.

    Raises:
        MissingFrameError: an image is missing or has no readable header.

    Source: paper Table 1, Fig. 2, section 3.3.
    """
    tested = (*benchmark.query, *benchmark.gallery)
    tracklets = (*benchmark.train, *tested)
    parts = {
        "train": _part(benchmark.train, identities_of_train(benchmark.train)),
        "query": _part(benchmark.query, identities_of_test(benchmark.query)),
        "gallery": _part(benchmark.gallery, identities_of_test(benchmark.gallery)),
    }
    of_platform = {p: [t for t in tracklets if t.platform is p] for p in PLATFORMS}
    widths = _widths(of_platform, progress)
    lengths = {p: [len(t.frames) for t in group] for p, group in of_platform.items()}
    form = BENCHMARKS.get(benchmark.name)
    paper_row = form.paper_row if form else None
    return BenchmarkStatistics(
        name=benchmark.name,
        identities=len(identities_of_train(benchmark.train) | identities_of_test(tested)),
        tracklets=len(tracklets),
        images=sum(len(t.frames) for t in tracklets),
        average_duration_s=_average_duration_s(tracklets, form.seconds_per_frame if form else None),
        camera_views=len({t.camid for t in tracklets}),
        camera_working_mode=paper_row.camera_working_mode if paper_row else None,
        parts={name: part for name, part in parts.items() if part.tracklets},
        sequence_lengths=_distributions(lengths),
        crop_widths=_distributions(widths),
        crop_widths_in_paper_range=_in_paper_range(widths),
        paper_row=paper_row,
    )


def _part(tracklets: Sequence[Tracklet], identities: set[int]) -> PartStatistics:
    return PartStatistics(
        identities=len(identities), tracklets=len(tracklets), images=sum(len(t.frames) for t in tracklets)
    )


def _average_duration_s(tracklets: Sequence[Tracklet], seconds_per_frame: float | None) -> float | None:
    spans = []
    for tracklet in tracklets:
        first, last = tracklet.frames[0].time_s, tracklet.frames[-1].time_s
        if first is not None and last is not None:
            spans.append(last - first)
    if spans and len(spans) == len(tracklets):
        return float(np.mean(spans))
    if tracklets and seconds_per_frame is not None:
        return float(np.mean([len(tracklet.frames) for tracklet in tracklets])) * seconds_per_frame
    return None


def _widths(of_platform: Mapping[Platform, Sequence[Tracklet]], progress: Progress) -> dict[Platform, list[int]]:
    return {
        platform: sweep_pictures(
            [frame.path for tracklet in tracklets for frame in tracklet.frames],
            _width,
            task=f"measure {platform} crops",
            progress=progress,
        )
        for platform, tracklets in of_platform.items()
    }


def _width(path: str) -> int:
    return picture_size(path)[0]


def _distributions(values: Mapping[Platform, Sequence[int]]) -> dict[Platform, Distribution]:
    """Describe each platform's values in bins of one width, so that they can be drawn over each other."""
    bin_width = _bin_width(max((max(group) for group in values.values() if group), default=0))
    return {
        platform: Distribution(
            num=len(group),
            mean=float(np.mean(group)),
            minimum=min(group),
            maximum=max(group),
            percentiles={str(p): float(np.percentile(group, p)) for p in _PERCENTILES},
            bin_width=bin_width,
            histogram=tuple(np.bincount(np.asarray(group) // bin_width).tolist()),
        )
        for platform, group in values.items()
        if group
    }


def _in_paper_range(widths: Mapping[Platform, Sequence[int]]) -> dict[Platform, float]:
    shares: dict[Platform, float] = {}
    for platform, group in widths.items():
        low, high = PAPER_CROP_WIDTHS[platform]
        if group:
            shares[platform] = sum(low <= width <= high for width in group) / len(group)
    return shares


def _bin_width(maximum: int) -> int:
    """Choose the smallest of 1, 2, 5, 10, 20, ... with which at most 40 bins reach the maximum."""
    decade = 1
    while True:
        for step in (1, 2, 5):
            if maximum // (step * decade) < _MAX_BINS:
                return step * decade
        decade *= 10
