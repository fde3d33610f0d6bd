"""What pages and the JSON API say of a case: one function for both, so that they never differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from fastapi import HTTPException

from skyreid.cases.audit import AuditRow, audit_damage, audit_head, read_audit
from skyreid.cases.case import CaseFacts
from skyreid.cases.database import Database
from skyreid.cases.deciding.decisions import decide, undo
from skyreid.cases.deciding.standing import OPEN, Standing
from skyreid.cases.people import Right, Role
from skyreid.cases.sources import CaseSource, read_sources, sources_in
from skyreid.cases.tracklets import CaseTracklet, read_models, read_tracklets, tracklets_called, tracklets_in
from skyreid.cases.whereabouts.pages_by_time import Filter, page_by_time
from skyreid.errors import SettingError
from skyreid.files.strict_json import Json
from skyreid.pages.frame_strip import spread_frames
from skyreid.pages.sighting_shown import told_sighting
from skyreid.service.access import Visit
from skyreid.service.asked import Wanted
from skyreid.service.open_cases import OpenCase
from skyreid.tracklet import Platform

FILM_CELLS = 8
"""Frames of a film at most."""
PAGE = 48
"""Tracklets of a page of the grid."""
AUDIT_PAGE = 200


def tracklets_by_number(opened: OpenCase, numbers: Sequence[int]) -> list[CaseTracklet]:
    """Look tracklets up by the numbers of an address; one that is not there is a page that is not there."""
    found = {one.number: one for one in read_tracklets(opened.case, numbers=numbers)} if numbers else {}
    if missing := set(numbers) - found.keys():
        raise HTTPException(404, f"there is no tracklet {min(missing)}")
    return [found[number] for number in numbers]


def states_of(standing: Standing) -> Mapping[str, str]:
    """Say of each tracklet whether somebody was found elsewhere already, by its id."""
    return standing.people.once("states", lambda: {one: standing.tracklet_state(one) for one in standing.presences})


def shown(seen: CaseTracklet, state: str) -> dict[str, object]:
    """A tracklet as templates take it; where its video lies on this machine is nobody's business."""
    return {
        **told_sighting(seen.tracklet, replace(seen.sighting, video=None)),
        "number": seen.number,
        "cells": len(spread_frames(seen.tracklet, FILM_CELLS)),
        "state": state,
    }


def stacked(cards: Sequence[dict[str, object]], stacks: Mapping[int, tuple[int, ...]]) -> list[dict[str, object]]:
    """Put those who are near-identical with somebody below them, as templates take it."""
    by_number = {card["number"]: card for card in cards}
    below = {number for others in stacks.values() for number in others}
    return [
        {**card, "below": [by_number[other] for other in stacks.get(number, ())]}
        for number, card in by_number.items()
        if number not in below and isinstance(number, int)
    ]


def tracklet_json(seen: CaseTracklet, state: str) -> dict[str, Json]:
    """A tracklet as programs take it."""
    start_s, end_s = seen.sighting.offset_s or (None, None)
    return {
        "number": seen.number,
        "tracklet_id": seen.tracklet.tracklet_id,
        "platform": seen.source.platform.value,
        "camera": seen.source.camera,
        "source": seen.source.name,
        "file": seen.sighting.file,
        "start_s": start_s,
        "end_s": end_s,
        "time": None if seen.sighting.clock is None else seen.sighting.clock.isoformat(),
        "frames": len(seen.tracklet.frames),
        "state": state,
    }


# Cases.
@dataclass(frozen=True, kw_only=True)
class CaseCard:
    """What the first page says of a case."""

    facts: CaseFacts
    role: Role
    may_see: bool
    sources: dict[str, int]
    """By platform."""
    tracklets: int
    identities: int
    """Confirmed ones: somebody seen more than once."""
    kept_until: str | None
    """When the first of its sources goes."""

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        return {
            "case_id": self.facts.case_id,
            "name": self.facts.name,
            "role": self.role.value,
            "sources": dict(self.sources),
            "tracklets": self.tracklets,
            "identities": self.identities,
            "kept_until": self.kept_until,
            "legal_hold": self.facts.legal_hold,
        }


def case_cards(visit: Visit) -> list[CaseCard]:
    """Describe the cases that who asks has a role in; of those without a right to see, no more than the name."""
    cards = []
    for opened in visit.cases.all():
        role = visit.cases.people.role(visit.user, opened.case_id)
        if role is None:
            continue
        may_see = visit.cases.people.may(visit.user, opened.case_id, Right.SEE)
        sources = read_sources(opened.case) if may_see else []
        members = opened.standing().members.values() if may_see else ()
        cards.append(
            CaseCard(
                facts=opened.facts(),
                role=role,
                may_see=may_see,
                sources={platform.value: sum(one.platform is platform for one in sources) for platform in Platform},
                tracklets=sum(one.num_tracklets for one in sources),
                identities=sum(len(one) > 1 for one in members),
                kept_until=min((one.retain_until for one in sources), default=None),
            )
        )
    return cards


# Sources.
def sources_with_days(opened: OpenCase) -> list[tuple[CaseSource, int]]:
    """Give the footage, in the trash too, with the days that it is kept from now."""
    now = datetime.now(UTC)
    return [
        (one, max(0, (datetime.fromisoformat(one.retain_until) - now).days))
        for one in read_sources(opened.case, with_trash=True)
    ]


def source_json(source: CaseSource, days: int) -> dict[str, Json]:
    """A source as programs take it; where it lies on this machine is nobody's business."""
    told = source.to_json()
    return {name: told[name] for name in told if name not in ("path", "crops", "facts", "settings")} | {"days": days}


def without_vector(opened: OpenCase) -> int:
    """How many tracklets the model with the most vectors has not seen: searches leave them out."""
    models = read_models(opened.case)
    total = sum(one.num_tracklets for one in read_sources(opened.case))
    return total - (models[0].num_vectors if models else 0)


# Browsing.
@dataclass(frozen=True, kw_only=True)
class Grid:
    """A page of tracklets."""

    tracklets: tuple[tuple[CaseTracklet, str], ...]
    """With their state."""
    total: int
    num_pages: int
    cameras: tuple[str, ...]
    """All of the case."""
    stacks: Mapping[int, tuple[int, ...]]
    """Numbers of those who are shown first to those who are near-identical."""
    num_without_clock: int
    """Left out by a filter of time, since nobody knows when they were seen."""


def browse(opened: OpenCase, wanted: Wanted) -> Grid:
    """Give those tracklets that are wanted, by time.

    Raises:
        SettingError: a moment that is none.
    """
    after, before = (_moment(text) for text in (wanted.after, wanted.before))
    chosen = Filter(
        platform=Platform(wanted.platform) if wanted.platform else None,
        camera=wanted.camera or None,
        after=after,
        before=before,
        state=None if wanted.state == "any" else wanted.state,
    )
    with opened.case.database.reading() as connection:
        sources = sources_in(connection, with_trash=False)
        decided = opened.kept.touching(connection, ())
        first = (wanted.page - 1) * PAGE
        page = page_by_time(connection, sources, decided, chosen, first=first, limit=PAGE)
        by_number = {one.number: one for one in tracklets_in(opened.case, connection, numbers=page.numbers)}
        tracklets = [by_number[number] for number in page.numbers]
        standing = opened.kept.touching(connection, [one.tracklet.tracklet_id for one in tracklets])
    return Grid(
        tracklets=tuple((one, standing.tracklet_state(one.tracklet.tracklet_id)) for one in tracklets),
        total=page.total,
        num_pages=max(1, -(-page.total // PAGE)),
        cameras=tuple(sorted({one.camera for one in sources if one.num_tracklets})),
        stacks={} if wanted.each else opened.stacks(tracklets, standing),
        num_without_clock=page.num_without_clock,
    )


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SettingError(f"a time is written as 2026-05-04T09:00; got {text!r:.60}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


# Deciding.
@dataclass(frozen=True, kw_only=True)
class Decided:
    """A decision that was made or taken back, and what holds now."""

    event_id: str
    tracklet_ids: tuple[str, str]
    state: str

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        return {"event_id": self.event_id, "tracklet_ids": list(self.tracklet_ids), "state": self.state}


def decide_pair(
    visit: Visit,
    first: int,
    second: int,
    decision: str,
    *,
    rank: int | None,
    similarity: float | None,
    model: int | None,
    seconds: float | None,
) -> Decided:
    """Store a decision of who asks; it is on the disk when this returns."""
    ids = [one.tracklet.tracklet_id for one in tracklets_by_number(visit.case, [first, second])]
    case = visit.case.case
    event = decide(
        case,
        ids[0],
        ids[1],
        decision,
        annotator=visit.user,
        rank=rank,
        similarity=similarity,
        model=model,
        seconds=seconds,
    )
    return Decided(
        event_id=event.event_id,
        tracklet_ids=event.tracklets,
        state=visit.case.standing(ids).seen_by(visit.user).pair_state(ids[0], ids[1]),
    )


def undo_decision(visit: Visit, event_id: str | None) -> Decided:
    """Take back a decision of who asks; None = the last one."""
    event = undo(visit.case.case, annotator=visit.user, event_id=event_id)
    standing = visit.case.standing(event.tracklets).seen_by(visit.user)
    is_there = all(one in standing.presences for one in event.tracklets)
    return Decided(
        event_id=event.event_id,
        tracklet_ids=event.tracklets,
        state=standing.pair_state(*event.tracklets) if is_there else OPEN,
    )


def person_of(opened: OpenCase, seen: CaseTracklet) -> tuple[str, int | None, list[CaseTracklet]]:
    """Give the state of a tracklet, the pid of its identity, and where else the same person was found."""
    tracklet_id = seen.tracklet.tracklet_id
    with opened.case.database.reading() as connection:
        standing = opened.kept.touching(connection, [tracklet_id])
        pid = standing.identities.pids.get(tracklet_id)
        others = [] if pid is None else [one for one in standing.members[pid] if one != tracklet_id]
        return standing.tracklet_state(tracklet_id), pid, tracklets_called(opened.case, connection, others)


# The log.
@dataclass(frozen=True, kw_only=True)
class AuditPage:
    """Rows of a log, the newest first, and whether it is as it was written."""

    rows: tuple[AuditRow, ...]
    head: str
    damage: tuple[str, ...]
    older: int | None
    """Before which row the next page begins; None = there is none."""

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        rows: list[Json] = [
            {"seq": row.seq, "time": row.time, "who": row.who, "action": row.action, "subject": row.subject}
            | {"details": dict(row.details), "hash": row.hash}
            for row in self.rows
        ]
        return {"rows": rows, "head": self.head, "damage": list(self.damage), "older": self.older}


def audit_page(database: Database, *, before: int | None) -> AuditPage:
    """Read the log of a case or of the server, and see that its rows follow from each other."""
    with database.reading() as connection:
        head = audit_head(connection)
        last = int(head.partition(":")[0])
        end = min(last, last if before is None else before - 1)
        start = max(0, end - AUDIT_PAGE)
        rows = read_audit(connection, after=start, limit=end - start) if end > 0 else []
        damage = tuple(audit_damage(connection))
    return AuditPage(rows=tuple(reversed(rows)), head=head, damage=damage, older=start + 1 if start > 0 else None)
