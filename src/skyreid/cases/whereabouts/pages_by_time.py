"""Tracklets by time, a page of those that are wanted: filtered, counted and cut by the database.

What people decided is folded from events and no column; of those on whom nobody decided, the database itself sees
whether the build gave them one pid with others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from skyreid.cases.database import is_among
from skyreid.cases.deciding.decision_rows import CONFIRMED
from skyreid.cases.deciding.standing import OPEN, Standing
from skyreid.cases.schema import TRACKLETS
from skyreid.cases.sources import CaseSource
from skyreid.tracklet import Platform


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which tracklets are wanted."""

    platform: Platform | None = None
    camera: str | None = None
    after: datetime | None = None
    """Begins no earlier, by the clock; as `before`, it leaves out those of whom nobody knows when they were seen."""
    before: datetime | None = None
    state: str | None = None
    """confirmed or open; None = both."""


@dataclass(frozen=True, kw_only=True)
class PageByTime:
    """A page of tracklets."""

    numbers: tuple[int, ...]
    """By time, those of one moment by number."""
    total: int
    """On all pages."""
    num_without_clock: int
    """Left out by a filter of time, since nobody knows when they were seen."""


def page_by_time(
    connection: Connection,
    sources: Sequence[CaseSource],
    decided: Standing,
    wanted: Filter,
    *,
    first: int,
    limit: int,
) -> PageByTime:
    """Give a page of the tracklets of a case.

    Args:
        connection: of a transaction.
        sources: of the case that can be seen.
        decided: who is who among those that somebody decided on at least, in the same transaction.
        wanted: which tracklets.
        first: place of the first one of the page, from 0.
        limit: how many to give.
    """
    begins = {one.number: one.begins.timestamp() for one in sources if one.begins is not None}
    clock = _clock(begins)
    seen = [one.number for one in sources]
    chosen = [
        one.number for one in sources if wanted.platform in (None, one.platform) and wanted.camera in (None, one.camera)
    ]
    where: list[sa.ColumnElement[bool]] = [TRACKLETS.c.source.in_(chosen)]
    if wanted.state is not None:
        is_confirmed = _is_confirmed(connection, decided, seen)
        where.append(is_confirmed if wanted.state == CONFIRMED else sa.not_(is_confirmed))
    without_clock = 0
    if wanted.after or wanted.before:
        counted = sa.select(sa.func.count()).select_from(TRACKLETS)
        without_clock = connection.execute(counted.where(*where, clock.is_(None))).scalar_one()
        where.append(clock.is_not(None))
        where += [clock >= wanted.after.timestamp()] if wanted.after else []
        where += [clock <= wanted.before.timestamp()] if wanted.before else []
    counted = sa.select(sa.func.count()).select_from(TRACKLETS).where(*where)
    page = sa.select(TRACKLETS.c.number).where(*where)
    page = page.order_by(sa.func.coalesce(clock, TRACKLETS.c.first_s, 0.0), TRACKLETS.c.number)
    return PageByTime(
        total=connection.execute(counted).scalar_one(),
        numbers=tuple(connection.execute(page.limit(limit).offset(first)).scalars()),
        num_without_clock=without_clock,
    )


def _clock(begins: dict[int, float]) -> sa.ColumnElement[float]:
    """When a tracklet begins, in seconds since 1970; NULL = nobody knows."""
    if not begins:
        return sa.cast(sa.null(), sa.Float)
    return sa.case(begins, value=TRACKLETS.c.source, else_=sa.null()) + TRACKLETS.c.first_s


def _is_confirmed(connection: Connection, decided: Standing, seen: Sequence[int]) -> sa.ColumnElement[bool]:
    """Whether somebody was found elsewhere already, as `Standing.tracklet_state` says it."""
    pids = decided.identities.pids
    joined = {pids[one] for pair in decided.state.decisions for one in pair}
    told: dict[str, list[int]] = {CONFIRMED: [], OPEN: []}
    for pid in joined:
        for member in decided.members[pid]:
            told[decided.tracklet_state(member)].append(decided.numbers[member])
    several = sa.select(TRACKLETS.c.pid).where(TRACKLETS.c.source.in_(seen)).group_by(TRACKLETS.c.pid)
    by_build = TRACKLETS.c.pid.in_(several.having(sa.func.count() > 1))
    return sa.case(
        (is_among(connection, TRACKLETS.c.number, told[CONFIRMED]), sa.true()),
        (is_among(connection, TRACKLETS.c.number, told[OPEN]), sa.false()),
        else_=by_build,
    )
