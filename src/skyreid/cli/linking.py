"""`skyreid link`: people say which tracklets are one person."""

import os
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from skyreid.cli.terminal import Bars, File, Note, ask, print_error, print_lines, show_result
from skyreid.errors import NothingFoundError, SettingError, SourceError

if TYPE_CHECKING:
    from skyreid.building.linking.candidates import Candidate, CandidateConfig
    from skyreid.building.linking.link_folder import LinkFolder
    from skyreid.building.linking.presence import Presence
    from skyreid.retrieval.embedding_table import EmbeddingTable

_RANKING = {"table", "per_tracklet", "clock_tolerance_s", "annotator"}
_READ_BY = {
    "out": _RANKING | {"json"},
    "decisions": {"annotator", "json"},
    "undo": {"annotator", "json"},
    "report": {"json"},
    "ask": _RANKING | {"videos"},
}
"""Mode to the options that it reads; `require` and its annotator go with every one."""
_NEEDS_ANNOTATOR = {"decisions", "undo", "ask"}
_NO_PAIR = (
    "no pair is left to decide: a pair is a ground and an aerial tracklet, neither decided nor implied by a decision "
    "('skyreid link FOLDER --report' says what stands; 'skyreid data stats FOLDER' counts the tracklets)"
)
_QUESTION = "one person? y = same, n = different, u = unsure, z = undo, q = quit: "


def link(
    folder: File,
    *,
    table: Path | None = None,
    videos: Path | None = None,
    annotator: str | None = None,
    out: Path | None = None,
    decisions: Path | None = None,
    undo: bool = False,
    report: bool = False,
    require: int | None = None,
    per_tracklet: int | None = None,
    clock_tolerance_s: float | None = None,
    json: bool = False,
) -> None:
    """Say which tracklets are one person, asked here or by a list.

    The list is written by --out and read by --decisions.

    Args:
        folder: what `skyreid build` made; decisions are kept in its links.jsonl, identities in its manifest.
        table: what `skyreid embed` made of it; None = embeddings.npz in the folder; where that is not there either,
            pairs are ranked by time alone.
        videos: folder with the footage, for the whole frames and links to the moment; None = where `skyreid find` saw
            it, the folder, and the one above it.
        annotator: name of the person who decides.
        out: CSV file to write: the pairs to decide, with a column to fill in.
        decisions: such a file, filled in (.csv, or .jsonl with a, b and decision): same, different, unsure or empty.
        undo: take back the annotator's last decision.
        report: say where the work stands, what contradicts itself and how far annotators agree.
        require: how many annotators must say "same" before a link counts, from now on; 1 at first.
        per_tracklet: suggestions for each tracklet; 5 when not given.
        clock_tolerance_s: seconds between two sightings that halve their plausibility; 60 when not given.
        json: print JSON.
    """
    given = {
        "table": table,
        "videos": videos,
        "annotator": annotator,
        "out": out,
        "decisions": decisions,
        "undo": undo or None,
        "report": report or None,
        "require": require,
        "per_tracklet": per_tracklet,
        "clock_tolerance_s": clock_tolerance_s,
        "json": json or None,
    }
    mode = _mode({name for name, value in given.items() if value is not None})
    from skyreid.building.linking.candidates import (
        CLOCK_TOLERANCE_S,
        PER_TRACKLET,
        CandidateConfig,
        read_pair_list,
        write_pair_list,
    )
    from skyreid.building.linking.link_folder import LinkFolder
    from skyreid.retrieval.embedding_table import TABLE_FILE, load_table

    config = CandidateConfig(
        per_tracklet=PER_TRACKLET if per_tracklet is None else per_tracklet,
        clock_tolerance_s=CLOCK_TOLERANCE_S if clock_tolerance_s is None else clock_tolerance_s,
    )
    embeddings = None if table is None else load_table(table)
    links = LinkFolder(folder)
    if table is None and mode in ("out", "ask") and (folder / TABLE_FILE).exists():
        embeddings = load_table(folder / TABLE_FILE)
    who = annotator or ""
    if require is not None:
        links.require(who, require)
    if mode == "ask":
        _ask_all(links, embeddings, config, who, videos)
        return
    lines: list[str] = []
    content: dict[str, object] = {}
    if out is not None:
        with Bars() as bars:
            candidates = links.candidates(embeddings, config, annotator=annotator, progress=bars)
        if not candidates:
            links.update_manifest()
            raise NothingFoundError(_NO_PAIR)
        write_pair_list(out, candidates)
        lines.append(f"{len(candidates)} pairs to decide: {out}")
        content = {"pairs": len(candidates), "list": str(out)}
    elif decisions is not None:
        filled = read_pair_list(decisions)
        stored = links.decide_all(who, filled.decisions)
        lines.append(
            f"{stored.added} decisions stored, {stored.changed} of them changed; {stored.repeated} were already so, "
            f"{filled.left_open} lines are without a decision"
        )
        content = {**asdict(stored), "left_open": filled.left_open}
    elif undo:
        undone = links.undo(who)
        lines.append(f"undone: {' and '.join(undone.tracklets)} were {undone.decision}")
        content = {"undone": {"tracklets": list(undone.tracklets), "decision": undone.decision}}
    links.update_manifest()
    standing = links.report()
    if report:
        show_result(standing, json=json)
    else:
        to_mend = standing.to_mend()
        show_result(Note([*lines, *to_mend], {**content, "to_mend": to_mend}), json=json)


def _mode(given: set[str]) -> str:
    """What these options ask for.

    Raises:
        SettingError: two things at once, an option that this mode does not read, or nobody who decides.
    """
    modes = [name for name in ("out", "decisions", "undo", "report") if name in given]
    if len(modes) > 1:
        raise SettingError(f"one thing at a time: {' and '.join(map(_option, modes))} do not go together")
    mode = modes[0] if modes else "ask"
    asked = "the questions in the terminal" if mode == "ask" else _option(mode)
    read = _READ_BY[mode] | {mode} | ({"require", "annotator"} if "require" in given else set())
    if unread := sorted(given - read):
        raise SettingError(f"{_option(unread[0])} means nothing to {asked}")
    if (mode in _NEEDS_ANNOTATOR or "require" in given) and "annotator" not in given:
        raise SettingError(f"--annotator NAME must say who decides, for {asked}")
    return mode


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _ask_all(
    links: "LinkFolder",
    embeddings: "EmbeddingTable | None",
    config: "CandidateConfig",
    annotator: str,
    videos: Path | None,
) -> None:
    """Ask about one pair after the other; every answer is on the disk before the next question."""
    from skyreid.building.linking.event_log import Decision, make_pair
    from skyreid.building.scenes import draw_scenes
    from skyreid.case_record import footage_of
    from skyreid.pages.pair_page import SIMILARITY_NOTICE, write_pair_page
    from skyreid.retrieval.sighting import find_sighting

    answers = {"y": Decision.SAME, "n": Decision.DIFFERENT, "u": Decision.UNSURE}
    by_id = {tracklet.tracklet_id: tracklet for tracklet in links.tracklets}
    # Of this process, so that two people can work at once.
    page = links.out_dir / "link" / f"pair-{os.getpid()}.html"

    def suggest() -> "list[Candidate]":
        with Bars() as bars:
            return links.candidates(embeddings, config, annotator=annotator, progress=bars)

    candidates = suggest()
    if not candidates:
        links.update_manifest()
        raise NothingFoundError(_NO_PAIR)
    manifest, folder = links.manifest, links.out_dir
    at_hand = footage_of(folder, manifest, videos)
    sightings = {one.tracklet_id: find_sighting(one, manifest, at_hand) for one in links.tracklets}
    with Bars() as bars:
        scenes = draw_scenes(folder, manifest, at_hand, progress=bars)
    is_masked = manifest.info.get("faces_masked") is not False
    print_lines([f"{len(candidates)} pairs. {SIMILARITY_NOTICE}"])
    place = 0
    try:
        while place < len(candidates):
            candidate = candidates[place]
            if not links.open_pairs(annotator=annotator).is_open(candidate.ground, candidate.aerial):
                place += 1  # implied by an answer, or decided by somebody else meanwhile
                continue
            pair = by_id[candidate.ground], by_id[candidate.aerial]
            write_pair_page(page, pair, sightings, scenes, folder=folder, is_masked=is_masked)
            print_lines(_shown(links, candidate, place, len(candidates), page))
            asked = monotonic()
            answer = _answer()
            if answer == "q":
                break
            if answer == "z":
                _undo(links, annotator)
                candidates, place = suggest(), 0
                continue
            links.decide(
                annotator,
                make_pair(candidate.ground, candidate.aerial),
                answers[answer],
                rank=place + 1,
                similarity=candidate.similarity,
                seconds=round(monotonic() - asked, 1),
            )
            place += 1
        else:
            print_lines(["no pair is left to ask about"])
    finally:
        page.unlink(missing_ok=True)
        links.update_manifest()
    print_lines(links.report().lines())


def _shown(links: "LinkFolder", candidate: "Candidate", place: int, total: int, page: Path) -> list[str]:
    facts = (("similarity", candidate.similarity), ("plausibility in time", candidate.plausibility))
    return [
        "",
        f"[{place + 1}/{total}] ground  {candidate.ground}  {_when(links.presences[candidate.ground])}",
        f"{'':{len(str(place + 1)) + len(str(total)) + 3}} aerial  {candidate.aerial}  "
        f"{_when(links.presences[candidate.aerial])}",
        ", ".join(f"{name} {'unknown' if value is None else f'{value:.3f}'}" for name, value in facts),
        f"picture: {page}",
    ]


def _when(presence: "Presence") -> str:
    if presence.clock is not None:
        first, last = presence.clock
        return f"{_second(first)} to {_second(last)}"
    if presence.seconds is not None:
        return f"{presence.seconds[0]:.1f} s to {presence.seconds[1]:.1f} s in the video"
    return "at an unknown time"


def _second(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="seconds")


def _answer() -> str:
    while True:
        try:
            answer = ask(_QUESTION).strip().lower()
        except (EOFError, KeyboardInterrupt):
            print_lines([""])
            return "q"
        if answer in ("y", "n", "u", "z", "q"):
            return answer
        print_lines([f"y, n, u, z or q; got {answer!r}"])


def _undo(links: "LinkFolder", annotator: str) -> None:
    try:
        undone = links.undo(annotator)
    except SourceError as nothing:
        print_error(str(nothing))
    else:
        print_lines([f"undone: {' and '.join(undone.tracklets)} were {undone.decision}"])
