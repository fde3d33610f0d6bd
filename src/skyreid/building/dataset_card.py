"""The dataset card: one page of Markdown that says what a build is, from what, how, and on which terms."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from skyreid.building.build_folder import MASKING_FILE, STATISTICS_FILE
from skyreid.building.build_report import NOT_STATED, PER_TRACKLET, BuildInfo
from skyreid.building.finder import finder_in_words
from skyreid.datasets.benchmarks import g2a_vreid
from skyreid.datasets.manifest import MANIFEST_FILE
from skyreid.datasets.statistics import PAPER_CROP_WIDTHS, BenchmarkStatistics
from skyreid.retrieval.embedding_table import TABLE_FILE

_SIMULATED = (
    "**Simulated data: every person here was drawn by a program. Nobody was filmed, and no score on this data says "
    "how well anything works on real footage.**"
)
_FILMED = (
    "Cut from footage by skyreid. It may show real people: a score or a licence is not their consent, and masked "
    "faces do not make them anonymous."
)


def dataset_card(info: BuildInfo, statistics: BenchmarkStatistics, *, identities: str) -> str:
    """Write the card of a build; the same build gives the same text.

    Args:
        info: how it was made.
        statistics: of its tracklets.
        identities: who its pids are, as the manifest says it.
    """
    title = "Simulated people, seen from the ground and from the air" if info.is_simulated else "People in footage"
    parts = [
        [f"# {title}", "", _SIMULATED if info.is_simulated else _FILMED],
        ["## Terms and consent", "", *_declaration(info)],
        [
            "## Counts",
            "",
            *_counts(statistics, identities),
            "",
            f"![Sequence lengths and crop widths]({STATISTICS_FILE})",
        ],
        ["## Sources", "", *_sources(info)],
        ["## What was left out", "", *_left_out(info)],
        ["## Masked faces", "", *_masking(info)],
        ["## Settings", "", *_settings(info)],
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _declaration(info: BuildInfo) -> list[str]:
    lines = [f"- {name}: {_plain(text)}" for name, text in asdict(info.declaration).items()]
    if NOT_STATED in asdict(info.declaration).values():
        lines += ["", "What is not stated is not granted. State it with `skyreid build --terms --consent --contact`."]
    return lines


def _counts(statistics: BenchmarkStatistics, identities: str) -> list[str]:
    paper = g2a_vreid.FORMAT.paper_row
    assert paper is not None
    duration = "unknown" if statistics.average_duration_s is None else f"{statistics.average_duration_s:.1f} s"
    rows = [
        ("identities", f"{statistics.identities:,}", f"{paper.identities:,}"),
        ("tracklets", f"{statistics.tracklets:,}", f"{paper.tracklets:,}"),
        ("images", f"{statistics.images:,}", f"{paper.images:,}"),
        ("average duration", duration, f"{paper.average_duration_s:.1f} s"),
        ("camera views", str(statistics.camera_views), str(paper.camera_views)),
        ("camera mode", statistics.camera_working_mode or "unknown", paper.camera_working_mode),
    ]
    lines = _table(("", "here", "G2A-VReID (paper, Table 1)"), rows)
    if identities == PER_TRACKLET:
        lines += [
            "",
            "When this was built, nobody had said who is who (`skyreid link`): every tracklet is an identity.",
        ]
    for platform, share in statistics.crop_widths_in_paper_range.items():
        low, high = PAPER_CROP_WIDTHS[platform]
        lines += ["", f"Of the {platform} crops, {share:.0%} are {low} to {high} pixels wide, as in G2A-VReID."]
    return lines


def _sources(info: BuildInfo) -> list[str]:
    rows = [
        (
            source.path.name,
            source.camera,
            source.platform.value,
            source.start_time.isoformat() if source.start_time else NOT_STATED,
            finder_in_words(done.fingerprint["finder"]),
            done.fingerprint["video_sha256"],
        )
        for source, done in zip(info.sources, info.finished, strict=True)
    ]
    reports = [done.report for done in info.finished if done.report.read_as]
    told = [
        f"- {_plain(report.name)}: {_plain(sentence)}"
        for report in reports
        for sentence in (f"annotations read as {report.read_as}; {report.numbers()}", *report.notes)
    ]
    told += [f"- {_plain(one.report.name)}: {_plain(one.report.damage)}" for one in info.finished if one.report.damage]
    table = _table(("file", "camera", "platform", "start", "people found by", "sha256 of the video"), rows)
    return [*table, "", *told] if told else table


def _left_out(info: BuildInfo) -> list[str]:
    rows = [
        (
            done.report.name,
            str(done.report.tracklets),
            str(done.report.crops),
            ", ".join(done.report.left_out()) or "nothing",
        )
        for done in info.finished
    ]
    return _table(("source", "tracklets", "crops", "left out, by reason"), rows)


def _masking(info: BuildInfo) -> list[str]:
    if info.masking is None:
        return ["**Faces are not masked.**"]
    faces = info.faces
    seen = f"[{TABLE_FILE}]({TABLE_FILE}) holds embeddings of people as a model saw them before that, in memory only."
    detected = int(faces["faces"]) - int(faces["followed"]) - int(faces["fallback"])
    expected = sum(source.report.faces_expected for source in info.finished)
    missed = sum(source.report.faces_missed for source in info.finished)
    recall = (
        f" Where it found a face in the frames before and after, it found it in {expected - missed} of {expected}."
        if expected
        else ""
    )
    return [
        f"Before anything was written, {faces['faces']} regions were covered ({faces['style']}): {detected} faces that "
        f"the detector found ({faces['detector']}), {faces['followed']} found by their skin or in a frame before or "
        f"after, and {faces['fallback']} heads of people large enough to be recognised on whom none was found. Below "
        f"{info.masking.observe_px_per_m:g} pixels a metre nothing is covered; from "
        f"{info.masking.recognise_px_per_m:g} on, every head that is not seen from straight above. "
        f"[{MASKING_FILE}]({MASKING_FILE}) tells where. A detector misses faces, and people are also known by their "
        "build and clothes: this makes recognition harder and rules it out for nobody.",
        "",
        f"The detector: {info.face_detector_card}.{recall}",
        *([] if info.embedder is None else ["", seen]),
    ]


def _settings(info: BuildInfo) -> list[str]:
    quality = (f"- {name}: {value:g}" for name, value in asdict(info.quality).items())
    return [
        f"- one crop every {info.interval_s:g} s",
        *quality,
        "",
        f"[{MANIFEST_FILE}]({MANIFEST_FILE}) lists every tracklet and holds their sha256.",
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_plain, cells))} |"


def _plain(text: str) -> str:
    """A user's words on one line, so that they neither end a table nor make a heading, HTML or a terminal's colours.

    A file's name may hold bytes that are no text; they are shown as escapes too.
    """
    escaped = " ".join(text.split()).replace("\\", "\\\\")
    escaped = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in escaped)
    for sign in "|<>[]`*":
        escaped = escaped.replace(sign, f"\\{sign}")
    return escaped
