"""A case for other people's tools: the benchmarks of the field, and boxes as annotations.

They are made of a build, as `skyreid data export` makes them, so that a case and a folder give the same files.
"""

from pathlib import Path
from typing import Literal

from skyreid.building.annotations.annotated_video import AnnotatedVideo
from skyreid.building.export import AnnotationFormat, export_annotations, export_layout
from skyreid.building.video.decode import probe
from skyreid.cases.case import Case
from skyreid.cases.deciding.standing import read_standing
from skyreid.cases.exports.exported_build import write_build
from skyreid.cases.source_video import LOOK_LIMITS, video_of
from skyreid.cases.sources import CaseSource, read_sources
from skyreid.errors import NothingFoundError, RefusedError
from skyreid.files.atomic_file import scratch_folder
from skyreid.processes.progress import Progress, silent
from skyreid.tracklet import Platform

BUILT = "built"


def write_layout(case: Case, out: Path, layout: Literal["mars", "g2a"], progress: Progress) -> int:
    """Write those who were confirmed on both platforms as a benchmark; gives the number of its tracklets.

    Raises:
        NothingFoundError: fewer than two people were.
    """
    found = sum(len(platforms) == len(Platform) for platforms in _platforms_of_people(case))
    if found < 2:
        raise NothingFoundError(
            f"a benchmark needs two people who were confirmed on both platforms; so far there are {found}"
        )
    with scratch_folder(out) as built:
        write_build(case, built / BUILT, progress)
        report = export_layout(built / BUILT, out, layout=layout, progress=progress)
    return report.train_tracklets + report.query_tracklets + report.gallery_tracklets


def write_boxes(case: Case, out: Path, format: AnnotationFormat) -> int:
    """Write the boxes of every source, each with the number of its identity; gives the number of files.

    Raises:
        NothingFoundError: there are no tracklets.
        SourceError: a person is in two places of one frame.
        RefusedError: a video is not where it was, or is another one, and the format wants its size and length.
        VideoError: it can no longer be decoded.
    """
    videos = {one.name: _video(case, one) for one in read_sources(case)} if format == "label-studio" else None
    with scratch_folder(out) as built:
        write_build(case, built / BUILT, silent)
        out.mkdir()
        return len(export_annotations(built / BUILT, out, format, videos=videos))


def _video(case: Case, source: CaseSource) -> AnnotatedVideo:
    try:
        with video_of(case, source) as path:
            told = probe(path, limits=LOOK_LIMITS)
    except RefusedError as refusal:
        raise RefusedError(f"{refusal}; Label Studio's format wants its length, mot and cvat do not") from refusal
    return AnnotatedVideo(
        name=source.file,
        width=told.width,
        height=told.height,
        frame_rate=told.frame_rate,
        num_frames=told.num_frames,
        duration_s=told.duration_s,
    )


def _platforms_of_people(case: Case) -> list[set[Platform]]:
    """The platforms from which each person was seen."""
    counts = read_standing(case).people.counts.values()
    return [{platform for platform, seen in one.items() if seen} for one in counts]
