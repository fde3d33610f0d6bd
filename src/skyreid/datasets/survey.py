"""What a format's files say about a benchmark, with everything that is wrong with them.

Reading and verifying share the parsing: every format fills a `Survey`; a reader then refuses it when it has
a finding, the verifier lists all of them.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from skyreid.datasets.benchmark import Benchmark
from skyreid.datasets.protocol import EvaluationProtocol
from skyreid.errors import DatasetError, MissingFrameError
from skyreid.files.regular_file import names_in, read_regular
from skyreid.tracklet import Tracklet


class FindingKind(StrEnum):
    """What can be wrong with a benchmark on disk."""

    UNUSABLE_FILE = "unusable file"
    """A file of the layout is not there or cannot be parsed: nothing more can be said."""
    MISSING_FILE = "missing file"
    """A frame that the format lists, or all frames of a person in one camera, are not there."""
    EXTRA_FILE = "extra file"
    """A file stands among the frames and nothing lists it."""
    UNREADABLE_IMAGE = "unreadable image"
    CHANGED_IMAGE = "changed image"
    """A file is another picture than the one that the manifest lists."""
    INCONSISTENT = "inconsistent"
    """Two places that must say the same disagree, such as a file name and its table row."""
    INDEX_OUT_OF_RANGE = "index out of range"
    OVERLAP = "overlap"
    """A frame, row or person is listed twice."""
    SHARED_IDENTITY = "shared identity"
    """An identity stands in train and in test."""
    WRONG_QUERY = "wrong query"
    """A query that the protocol forbids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong."""

    kind: FindingKind
    subject: str
    """What it is about: a file relative to the root, a table row, an identity."""
    detail: str


@dataclass(kw_only=True)
class Survey:
    """The tracklets of a benchmark on disk and the findings made while parsing them."""

    name: str
    root: Path
    protocol: EvaluationProtocol
    train: list[Tracklet] = field(default_factory=list)
    query: list[Tracklet] = field(default_factory=list)
    gallery: list[Tracklet] = field(default_factory=list)
    left_out: list[Tracklet] = field(default_factory=list)
    """Listed by the distribution, ranked by nobody: junk, people outside the split."""
    listed: set[str] = field(default_factory=set)
    """Path of every frame that the format lists, whether it is there or not."""
    missing: set[str] = field(default_factory=set)
    """Those of `listed` that are not there."""
    unused: list[str] = field(default_factory=list)
    """Those of `listed` that no tracklet has; reading can do without them."""
    image_trees: list[Path] = field(default_factory=list)
    """Folders in which, at any depth, every file must be listed."""
    findings: list[Finding] = field(default_factory=list)
    _folders: dict[str, frozenset[str]] = field(default_factory=dict)

    def report(self, kind: FindingKind, subject: str, detail: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(kind=kind, subject=subject, detail=detail))

    def names_in(self, folder: str) -> frozenset[str]:
        """Name what somebody put into a folder; nothing where there is no such folder. Listed once per survey."""
        names = self._folders.get(folder)
        if names is None:
            try:
                names = frozenset(names_in(folder))
            except (FileNotFoundError, NotADirectoryError, ValueError):  # of a name that no folder can have
                names = frozenset()
            self._folders[folder] = names
        return names

    def list_image(self, folder: str, name: str) -> str:
        """Note that the format lists this frame, report it when it is not there, return its path."""
        path = f"{folder}/{name}"
        if path not in self.listed:
            self.listed.add(path)
            if name not in self.names_in(folder):
                self.missing.add(path)
                self.report(FindingKind.MISSING_FILE, self.relative(path), "listed, but not there")
        return path

    def relative(self, path: str) -> str:
        """Shorten a path below the root for a message."""
        return path.removeprefix(f"{self.root}/")

    def benchmark(self) -> Benchmark:
        """Give the benchmark, or refuse it.

        Raises:
            MissingFrameError: listed frames are not there; the message names the first and counts them.
            DatasetError: any other finding.
        """
        for finding in self.findings:
            if finding.kind is not FindingKind.MISSING_FILE:
                in_all = f" ({len(self.findings)} findings in all)" if len(self.findings) > 1 else ""
                raise DatasetError(f"{self.name}: {finding.subject}: {finding.detail}{in_all}")
        if self.findings:
            raise MissingFrameError(
                f"{self.name}: {len(self.findings)} of {len(self.listed)} listed frames are missing "
                f"under {self.root}; the first is {self.findings[0].subject}"
            )
        return Benchmark(
            name=self.name,
            train=tuple(self.train),
            query=tuple(self.query),
            gallery=tuple(self.gallery),
            protocol=self.protocol,
        )


def read_lines(path: Path) -> list[str]:
    """Read a list file.

    Raises:
        DatasetError: it is not UTF-8 text.
    """
    try:
        return read_regular(path).decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} must be UTF-8 text: {error}") from error


def require_files(name: str, root: Path, files: tuple[str, ...]) -> None:
    """Refuse a root that lacks a file or folder of its layout.

    Raises:
        DatasetError: naming all that are missing.
    """
    missing = [file for file in files if not (root / file).exists()]
    if missing:
        raise DatasetError(
            f"{name}: {len(missing)} of {len(files)} expected files missing under {root}: {', '.join(missing)}"
        )
