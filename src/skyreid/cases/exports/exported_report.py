"""What the report of a case says: who was found more than once, by whose word, in which footage."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import sqlalchemy as sa

from skyreid.building.linking.event_log import DecisionEvent
from skyreid.cases.audit import audit_head, utc_now
from skyreid.cases.case import Case
from skyreid.cases.deciding.decision_rows import WORDS
from skyreid.cases.deciding.decisions import exported_events
from skyreid.cases.deciding.standing import Standing, standing_in
from skyreid.cases.schema import DECISIONS
from skyreid.cases.sources import CaseSource, sources_in
from skyreid.cases.tracklets import CaseModel, CaseTracklet, models_in, tracklets_called
from skyreid.errors import CaseError, NothingFoundError
from skyreid.files.atomic_file import write_atomically
from skyreid.pages.case_report import Report, ReportedIdentity, ReportedSighting, draw_report
from skyreid.pages.frame_strip import draw_film
from skyreid.pages.ranked_list import moment_in_words
from skyreid.tracklet import Platform

_CELL = (96, 192)
"""Width and height of a frame in a film, in pixels."""
_FRAMES = 4
_MARKS = {Platform.GROUND: "● ground", Platform.AERIAL: "▲ aerial"}


def write_report(case: Case, out: Path, tracklet: str | None) -> int:
    """Write the report as a PDF file; gives the number of identities.

    Args:
        case: whose.
        out: the file.
        tracklet: id of the one that was asked with; None = all identities that were found more than once.

    Raises:
        NothingFoundError: nobody was confirmed.
        CaseError: there is no such tracklet.
    """
    with case.database.reading() as connection:
        standing = standing_in(connection)
        sources = sources_in(connection, with_trash=False)
        models = models_in(connection)
        head = audit_head(connection)
        chosen = _chosen(standing, tracklet)
        seen = {
            one.tracklet.tracklet_id: one
            for one in tracklets_called(case, connection, [one for members in chosen.values() for one in members])
        }
        # Confirmations that wait for another person stay in the case.
        leaving = {event.event_id for event in exported_events(connection)[0]}
        rows = connection.execute(sa.select(DECISIONS.c.event_id, DECISIONS.c.model))
        shown_with = {row.event_id: row.model for row in rows if row.event_id in leaving}
    facts = case.facts()
    report = Report(
        title=f"Report of the case {facts.name}",
        is_simulated=any(source.is_simulated for source in sources),
        facts=(
            ("Case", f"{facts.name} ({facts.case_id})"),
            ("Purpose", "; ".join(dict.fromkeys(source.purpose for source in sources))),
            *((("Query", tracklet),) if tracklet else ()),
            ("Written", f"{utc_now()[:19]} UTC by skyreid {version('skyreid')}"),
            ("Log of the case", f"ends with {head}"),
            ("Faces", "covered in every picture of this report"),
        ),
        identities=[_identity(pid, members, seen, standing, shown_with, tracklet) for pid, members in chosen.items()],
        conflicts=_conflicts(standing),
        models=[_model(one) for one in models],
        sources=[_source(one) for one in sources],
    )
    write_atomically(out, [draw_report(report)])
    return len(chosen)


def _chosen(standing: Standing, tracklet: str | None) -> dict[int, tuple[str, ...]]:
    if tracklet is not None:
        pid = standing.identities.pids.get(tracklet)
        if pid is None:
            raise CaseError(f"the case has no tracklet {tracklet!r}, or it is in the trash")
        return {pid: standing.members[pid]}
    chosen = {pid: members for pid, members in standing.members.items() if len(members) > 1}
    if not chosen:
        raise NothingFoundError("nobody was confirmed yet: there is nothing to report")
    return chosen


def _identity(
    pid: int,
    members: Sequence[str],
    seen: dict[str, CaseTracklet],
    standing: Standing,
    shown_with: dict[str, int | None],
    query: str | None,
) -> ReportedIdentity:
    there = sorted((seen[one] for one in members), key=lambda one: (one.tracklet.tracklet_id != query, _when(one)))
    sightings = []
    for one in there:
        film = draw_film(one.tracklet, cell=_CELL, most=_FRAMES).strip
        sightings.append(
            ReportedSighting(
                film=film.jpeg,
                film_size=(film.width, film.height),
                is_query=one.tracklet.tracklet_id == query,
                facts=_sighting(one),
            )
        )
    decisions = [
        one for one in standing.state.standing if one.event_id in shown_with and set(one.tracklets) & set(members)
    ]
    return ReportedIdentity(
        title=f"Identity {pid}: seen {len(there)} times" if len(there) > 1 else f"Identity {pid}: seen once",
        sightings=sightings,
        decisions=[_decision(one, shown_with[one.event_id]) for one in decisions],
    )


def _when(one: CaseTracklet) -> str:
    return one.tracklet.tracklet_id if one.sighting.clock is None else one.sighting.clock.isoformat()


def _sighting(one: CaseTracklet) -> list[tuple[str, str]]:
    clock, source = one.sighting.clock, one.source
    return [
        ("Tracklet", one.tracklet.tracklet_id),
        ("Camera", f"{_MARKS[source.platform]}, {source.camera}"),
        ("Seen", "clock not set" if clock is None else clock.strftime("%Y-%m-%d %H:%M:%S %Z")),
        ("In the video", moment_in_words(one.sighting)),
        ("Clock offset", f"{source.clock_offset_s:+.1f} s"),
        ("Source", source.name),
    ]


def _decision(event: DecisionEvent, model: int | None) -> list[str]:
    return [
        event.time.strftime("%Y-%m-%d %H:%M:%S"),
        event.annotator,
        WORDS[event.decision],
        " – ".join(event.tracklets),  # noqa: RUF001 - an en dash between names
        "" if event.rank is None else str(event.rank),
        "" if event.similarity is None else f"{event.similarity:.3f}",
        "" if model is None else str(model),
    ]


def _conflicts(standing: Standing) -> list[str]:
    return [
        *(
            f"{' and '.join(one.different)} are rejected, and confirmed by way of {', '.join(one.chain)}"
            for one in standing.contradictions
        ),
        *(
            f"{' and '.join(one.tracklets)} were seen by one camera at the same time, and are confirmed as one person"
            for one in standing.overlaps
        ),
    ]


def _model(one: CaseModel) -> list[str]:
    told = [f"{one.num_vectors} vectors of {one.width}"]
    told += [one.precision] if one.precision else []
    told += ["saw people before their faces were covered"] if one.seen_unmasked else ["saw covered faces"]
    return [str(one.number), one.model, ", ".join(told)]


def _source(one: CaseSource) -> list[str]:
    begins = "clock not set" if one.begins is None else one.begins.strftime("%Y-%m-%d %H:%M:%S %Z")
    offset = f"; offset {one.clock_offset_s:+.1f} s" if one.clock_offset_s else ""
    return [f"{one.name} ({one.file})", f"{_MARKS[one.platform]}, {one.camera}", f"{begins}{offset}", one.sha256]
