"""Is this copy of a benchmark the published one, and whole? Every finding, not the first."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from skyreid.datasets.benchmark import identities_of_test, identities_of_train
from skyreid.datasets.benchmarks import find_format, require_layout
from skyreid.datasets.benchmarks.benchmark_format import Counts, check_split
from skyreid.datasets.benchmarks.manifest_benchmark import listed_hashes
from skyreid.datasets.benchmarks.mars_layout import OWN_FILE
from skyreid.datasets.data_hash import unchanged_picture
from skyreid.datasets.survey import Finding, FindingKind, Survey
from skyreid.errors import ChangedFrameError, DatasetError, ManifestError, MissingFrameError
from skyreid.files.picture_file import sweep_pictures
from skyreid.files.regular_file import is_left_by_system, names_in
from skyreid.processes.progress import Progress, silent
from skyreid.tracklet import Frame, Tracklet

_LINES_PER_KIND = 10


@dataclass(frozen=True, kw_only=True)
class CountCheck:
    """One published number beside what was found."""

    name: str
    expected: int
    found: int | None
    """None when the files could not be parsed."""

    @property
    def is_ok(self) -> bool:
        return self.found == self.expected


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What `verify` found."""

    name: str
    root: str
    split: int
    tracklets: int
    """All that are listed; 0 also where the files could not be parsed."""
    has_decoded_images: bool
    counts: tuple[CountCheck, ...]
    findings: tuple[Finding, ...]

    @property
    def is_ok(self) -> bool:
        """Whether there is anything, every published number was found and nothing is wrong."""
        return self.tracklets > 0 and not self.findings and all(check.is_ok for check in self.counts)

    def to_json(self) -> dict[str, object]:
        """Give everything as plain JSON values."""
        return {**asdict(self), "is_ok": self.is_ok}

    def lines(self) -> list[str]:
        """Say it to a person: each count, then the findings by kind, the first ten of each."""
        lines = [f"{self.name} under {self.root}, split {self.split}: {'pass' if self.is_ok else 'FAIL'}"]
        for check in self.counts:
            found = "nothing" if check.found is None else f"{check.found:,}"
            lines.append(
                f"  {'pass' if check.is_ok else 'FAIL'}  {check.name.replace('_', ' '):<17} "
                f"{check.expected:>11,} published {found:>11} found"
            )
        if not self.counts:
            lines.append("  no published counts to compare with")
        if not self.has_decoded_images:
            lines.append("  images were not decoded")
        by_kind: defaultdict[FindingKind, list[Finding]] = defaultdict(list)
        for finding in self.findings:
            by_kind[finding.kind].append(finding)
        for kind, findings in by_kind.items():
            lines.append(f"  {kind} ({len(findings):,})")
            lines += [f"    {finding.subject}: {finding.detail}" for finding in findings[:_LINES_PER_KIND]]
            if len(findings) > _LINES_PER_KIND:
                lines.append(f"    and {len(findings) - _LINES_PER_KIND:,} more")
        if not self.tracklets and not self.findings:
            lines.append("  it lists no tracklets")
        if FindingKind.MISSING_FILE in by_kind:
            lines.append(f"  to mend it: {self._remedy(by_kind[FindingKind.MISSING_FILE][0].subject)}")
        return lines

    def _remedy(self, missing: str) -> str:
        """Look for a missing file one level up and one level down."""
        root = Path(self.root)
        for folder in (root.parent, *(root / name for name in names_in(root))):
            if (folder / missing).exists():
                return f"{missing} lies under {folder}; move what lies there to {root}"
        return "unpack the whole archive again, or ask its authors; is --root another copy than you mean?"


def verify(
    name: str,
    root: Path,
    split: int = 0,
    *,
    decode_images: bool = True,
    progress: Progress = silent,
) -> Verification:
    """Compare a benchmark on disk with its format and its published numbers; nothing on disk is changed.

    A folder that skyreid wrote itself in the layout of a benchmark says so, and no published count binds it.

    Args:
        name: a name in `BENCHMARKS`.
        root: the benchmark's folder.
        split: number of the split.
        decode_images: open and decode every image too, and compare its bytes with the hash that a manifest of ours
            lists: minutes for a million.
        progress: told about the decoding.

    Raises:
        DatasetError: no such benchmark or split. Whatever is wrong with the folder is a finding.
    """
    form = find_format(name)
    check_split(name, split, form.num_splits)
    found = Counts()
    findings: list[Finding] = []
    try:
        require_layout(name, root)
        survey = form.survey(root, split)
    except (DatasetError, ManifestError) as error:
        findings.append(Finding(kind=FindingKind.UNUSABLE_FILE, subject=str(root), detail=str(error)))
        decode_images = False
    else:
        found = _count(survey)
        findings += [*survey.findings, *_shared_identities(survey), *_extra_files(survey), *_unused_frames(survey)]
        if not form.lists_frames:
            findings += _gaps(survey)
        if form.pid_of_name is not None:
            findings += _foreign_names(survey, form.pid_of_name)
        if decode_images:
            findings += _wrong_images(survey, progress)
    counts = (
        CountCheck(name=count, expected=expected, found=getattr(found, count))
        for count, expected in asdict(form.published).items()
        if expected is not None and not (root / OWN_FILE).is_file()
    )
    return Verification(
        name=name,
        root=str(root),
        split=split,
        tracklets=found.tracklets or 0,
        has_decoded_images=decode_images,
        counts=tuple(counts),
        findings=tuple(findings),
    )


def _count(survey: Survey) -> Counts:
    train = identities_of_train(survey.train)
    test = identities_of_test((*survey.query, *survey.gallery))
    everybody = (survey.train, survey.query, survey.gallery, survey.left_out)
    return Counts(
        identities=len(train | test | identities_of_test(survey.left_out)),
        tracklets=sum(len(tracklets) for tracklets in everybody),
        images=len(survey.listed) - len(survey.missing),
        train_identities=len(train),
        test_identities=len(test),
        train_tracklets=len(survey.train),
        query_tracklets=len(survey.query),
        gallery_tracklets=len(survey.gallery),
    )


def _shared_identities(survey: Survey) -> list[Finding]:
    shared = identities_of_train(survey.train) & identities_of_test((*survey.query, *survey.gallery))
    return [
        Finding(kind=FindingKind.SHARED_IDENTITY, subject=f"pid {pid}", detail="stands in train and in test")
        for pid in sorted(shared)
    ]


def _extra_files(survey: Survey) -> list[Finding]:
    extra = {
        path
        for tree in survey.image_trees
        for folder, _, names in os.walk(tree)
        for path in (f"{folder}/{name}" for name in names)
        if path not in survey.listed and not any(map(is_left_by_system, survey.relative(path).split("/")))
    }
    return [
        Finding(kind=FindingKind.EXTRA_FILE, subject=survey.relative(path), detail="nothing lists it")
        for path in sorted(extra)
    ]


def _unused_frames(survey: Survey) -> list[Finding]:
    return [
        Finding(kind=FindingKind.INCONSISTENT, subject=survey.relative(path), detail="listed, but in no tracklet")
        for path in survey.unused
    ]


def _wrong_images(survey: Survey, progress: Progress) -> list[Finding]:
    listed = listed_hashes(survey.root)
    frames = [Frame(path, sha256=listed.get(path)) for path in sorted(survey.listed - survey.missing)]
    problems = sweep_pictures(frames, _problem, task="decode images", progress=progress)
    return [
        Finding(kind=problem[0], subject=survey.relative(frame.path), detail=problem[1])
        for frame, problem in zip(frames, problems, strict=True)
        if problem is not None
    ]


def _problem(frame: Frame) -> tuple[FindingKind, str] | None:
    try:
        unchanged_picture(frame)
    except ChangedFrameError as error:
        return FindingKind.CHANGED_IMAGE, str(error)
    except MissingFrameError as error:
        return FindingKind.UNREADABLE_IMAGE, str(error).removeprefix(f"{frame.path}: ")
    return None


# What the names of frames betray where no list says which frames a tracklet has. LS-VID, iLIDS-VID and PRID-2011 keep
# a tracklet as whatever files are there, so one that went missing shortens it without a trace, but for its number.
# Reading does not refuse what is found here, since a distribution may have gaps of its own.
_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")
_USUAL_SHARE = 0.9
"""Of all steps from frame to frame that must be one and the same before another step is a gap."""


def _gaps(survey: Survey) -> list[Finding]:
    """Name the first frame of each gap, where nearly all frames are numbered in one step."""
    steps = {tracklet.tracklet_id: list(_steps(tracklet)) for tracklet in _everybody(survey)}
    counted = Counter(step for taken in steps.values() for _, step in taken)
    if not counted:
        return []
    usual, times = counted.most_common(1)[0]
    if usual < 1 or times < _USUAL_SHARE * counted.total():
        return []
    return [
        Finding(
            kind=FindingKind.MISSING_FILE,
            subject=survey.relative(_following(path, usual)),
            detail=f"frames are numbered in steps of {usual}; here {step // usual - 1} are not there",
        )
        for taken in steps.values()
        for path, step in taken
        if step > usual
    ]


def _foreign_names(survey: Survey, pid_of_name: Callable[[str], int | None]) -> list[Finding]:
    """Name the frames whose name tells another identity than their tracklet's, where most names tell the right one."""
    told = [
        (tracklet, frame.path, pid)
        for tracklet in _everybody(survey)
        for frame in tracklet.frames
        if (pid := pid_of_name(frame.path.rpartition("/")[2])) is not None
    ]
    wrong = [(tracklet, path, pid) for tracklet, path, pid in told if pid != tracklet.pid]
    if 2 * len(wrong) > len(told):
        return []
    return [
        Finding(
            kind=FindingKind.INCONSISTENT,
            subject=survey.relative(path),
            detail=f"the name says pid {pid}, its tracklet is of pid {tracklet.pid}",
        )
        for tracklet, path, pid in wrong
    ]


def _everybody(survey: Survey) -> list[Tracklet]:
    return [*survey.train, *survey.query, *survey.gallery, *survey.left_out]


def _steps(tracklet: Tracklet) -> Iterator[tuple[str, int]]:
    numbered = [
        (frame.path, int(number[0])) for frame in tracklet.frames if (number := _LAST_NUMBER.search(frame.path))
    ]
    for (path, number), (_, following) in pairwise(numbered):
        yield path, following - number


def _following(path: str, step: int) -> str:
    return _LAST_NUMBER.sub(lambda match: f"{int(match[0]) + step:0{len(match[0])}d}", path)
