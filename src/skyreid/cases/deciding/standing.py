"""Who is who after all decisions, and how that is kept from one question to the next.

Identities follow from the tracklets and the events, and are never stored. To read all tracklets for each page would
take longer than anything else that the page does: a `StandingKeeper` reads them when they change, and only the new
events otherwise.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from threading import RLock
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from skyreid.building.linking.event_log import Decision, DecisionEvent, LinkEvent, RebuildEvent, make_pair
from skyreid.building.linking.link_state import Contradiction, Identities, LinkState, OpenPairs, identify, replay
from skyreid.building.linking.presence import OverlapConflict, Presence, overlap_conflicts
from skyreid.cases.audit import utc_now
from skyreid.cases.case import Case, revision_of
from skyreid.cases.database import in_parts
from skyreid.cases.deciding.decision_rows import (
    CONFIRMED,
    REJECTED,
    UNSURE,
    events_in,
    last_event_in,
    numbered_events_in,
)
from skyreid.cases.schema import SOURCES, TRACKLETS
from skyreid.cases.sources import can_be_seen, sources_in
from skyreid.tracklet import PLATFORMS, Frame, Platform, Tracklet

OPEN, WAITING = "open", "waiting"
"""Nobody decided; people confirmed, and too few did so far."""
Derived = TypeVar("Derived")


class Members:
    """The identities of one moment by their pids, and what follows from who is in them; each is found out once.

    Args:
        tracklets: as built.
        presences: theirs.
        pids: who is who.
    """

    def __init__(
        self, tracklets: Sequence[Tracklet], presences: Mapping[str, Presence], pids: Mapping[str, int]
    ) -> None:
        self._tracklets, self._presences, self._pids = tracklets, presences, pids
        self._derived: dict[str, object] = {}
        self._alone = RLock()

    @cached_property
    def by_pid(self) -> Mapping[int, tuple[str, ...]]:
        """Pid to the tracklets of that identity, those who are alone too."""
        found: defaultdict[int, list[str]] = defaultdict(list)
        for tracklet_id, pid in self._pids.items():
            found[pid].append(tracklet_id)
        return {pid: tuple(ids) for pid, ids in found.items()}

    @cached_property
    def platforms(self) -> Mapping[str, Platform]:
        """From where each tracklet was seen."""
        return {one.tracklet_id: one.platform for one in self._tracklets}

    @cached_property
    def counts(self) -> Mapping[int, Mapping[Platform, int]]:
        """Pid to how many of its tracklets were seen from where."""
        found = {pid: dict.fromkeys(PLATFORMS, 0) for pid in self.by_pid}
        for tracklet_id, pid in self._pids.items():
            found[pid][self.platforms[tracklet_id]] += 1
        return found

    @cached_property
    def first_built(self) -> Mapping[int, str]:
        """Pid of a build to the first tracklet that it gave it to."""
        return {one.pid: one.tracklet_id for one in reversed(self._tracklets)}

    @cached_property
    def overlaps(self) -> list[OverlapConflict]:
        """Identities that one camera saw twice at the same time: they cannot be one person."""
        several = [one for one in self._tracklets if len(self.by_pid[self._pids[one.tracklet_id]]) > 1]
        return overlap_conflicts([replace(t, pid=self._pids[t.tracklet_id]) for t in several], self._presences)

    def once(self, name: str, derive: Callable[[], Derived]) -> Derived:
        """Give what else follows from the same moment, found out when it is first asked for.

        Args:
            name: of what it is.
            derive: finds it out; it may depend on this moment alone.
        """
        with self._alone:
            if name not in self._derived:
                self._derived[name] = derive()
            return self._derived[name]  # pyright: ignore[reportReturnType] - one name has one kind


@dataclass(frozen=True, kw_only=True, eq=False)
class Standing:
    """What holds after all decisions."""

    tracklets: tuple[Tracklet, ...]
    """That can be decided on, as built; their frames are not filled in."""
    numbers: Mapping[str, int]
    """By which the database knows them."""
    presences: Mapping[str, Presence]
    state: LinkState
    identities: Identities
    people: Members
    """The identities, whoever looks at them."""

    @property
    def members(self) -> Mapping[int, tuple[str, ...]]:
        """Pid to the tracklets of that identity, those who are alone too."""
        return self.people.by_pid

    @property
    def contradictions(self) -> tuple[Contradiction, ...]:
        """Pairs that are rejected, and joined by confirmed ones all the same; none of the latter counts meanwhile."""
        return self.identities.contradictions

    @property
    def overlaps(self) -> list[OverlapConflict]:
        """Identities that one camera saw twice at the same time: they cannot be one person."""
        return self.people.overlaps

    def tracklet_state(self, tracklet_id: str) -> str:
        """Say whether somebody was found elsewhere already: confirmed or open."""
        pid = self.identities.pids.get(tracklet_id)
        return CONFIRMED if pid is not None and len(self.members[pid]) > 1 else OPEN

    def pair_state(self, first: str, second: str) -> str:
        """Say what was decided on two tracklets, or follows: confirmed, rejected, unsure, waiting, or open."""
        pids = self.identities.pids
        if pids[first] == pids[second]:
            return CONFIRMED
        if (pids[first], pids[second]) in self._rejected:
            return REJECTED
        said = set(self.state.decisions.get(make_pair(first, second), {}).values())
        if said == {Decision.SAME}:
            return WAITING if len(self.state.decisions[make_pair(first, second)]) < self.state.required else UNSURE
        return UNSURE if said else OPEN

    def seen_by(self, person: str) -> "Standing":
        """Leave out what this person may not know yet.

        Where several people must decide on a pair, each does so without knowing of the others: what somebody else
        said is told when enough have spoken. Who is who stays what it is.
        """
        if self.state.required == 1:
            return self
        told = {
            pair: said if len(said) >= self.state.required else {person: said[person]}
            for pair, said in self.state.decisions.items()
            if len(said) >= self.state.required or person in said
        }

        def is_told(event: DecisionEvent) -> bool:
            return event.annotator == person or len(told.get(event.tracklets, ())) >= self.state.required

        state = LinkState(
            decisions=told,
            standing=tuple(filter(is_told, self.state.standing)),
            outdated=tuple(filter(is_told, self.state.outdated)),
            required=self.state.required,
        )
        return replace(self, state=state)

    def rejected_with(self, tracklet_id: str) -> set[str]:
        """Tracklets that are somebody else: nobody is asked about them again."""
        pid = self.identities.pids[tracklet_id]
        others = {other for one, other in self._rejected if one == pid}
        return {member for other in others for member in self.members[other]}

    def open_pairs(self, annotator: str | None) -> OpenPairs:
        """Tell which pairs a person may still be asked about; None = nobody in particular."""
        return OpenPairs(self.identities.pids, self.state, annotator=annotator)

    @cached_property
    def _rejected(self) -> set[tuple[int, int]]:
        pids = self.identities.pids
        pairs = [(pids[first], pids[second]) for first, second in self.state.cannot_links()]
        return {*pairs, *((second, first) for first, second in pairs)}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Read:
    """Tracklets as the database holds them, without what was decided."""

    tracklets: tuple[Tracklet, ...]
    numbers: Mapping[str, int]
    presences: Mapping[str, Presence]
    fingerprints: Mapping[str, str]

    def standing(self, events: Sequence[LinkEvent]) -> Standing:
        """Fold the events over them."""
        state = replay(events, self.fingerprints)
        identities = identify(self.tracklets, state)
        return Standing(
            tracklets=self.tracklets,
            numbers=self.numbers,
            presences=self.presences,
            state=state,
            identities=identities,
            people=Members(self.tracklets, self.presences, identities.pids),
        )


_Moment = tuple[int, tuple[int, ...]]
"""Revision of the case, and the sources that can be seen: an authorisation ends by the clock, and changes no row."""


class StandingKeeper:
    """Says who is who in one case, from what it read before and what is new; safe for several threads."""

    def __init__(self) -> None:
        self._alone = RLock()
        self._seqs: list[int] = []
        self._events: list[LinkEvent] = []
        self._read: tuple[_Moment, _Read] | None = None
        self._whole: tuple[_Moment, str, Standing] | None = None

    def whole(self, connection: Connection) -> Standing:
        """Say who is who at the moment of a transaction."""
        with self._alone:
            events, moment = self._events_in(connection), _moment(connection)
            if self._read is None or self._read[0] != moment:
                self._read = moment, _read_tracklets(connection)
            last = _last_id(events)
            if self._whole is None or self._whole[:2] != (moment, last):
                self._whole = moment, last, self._read[1].standing(events)
            return self._whole[2]

    def touching(self, connection: Connection, tracklet_ids: Iterable[str]) -> Standing:
        """Say it of some tracklets at least, and of all whom somebody decided on."""
        with self._alone:
            events = self._events_in(connection)
            if self._whole is not None and self._whole[:2] == (_moment(connection), _last_id(events)):
                return self._whole[2]
        return _standing_of(connection, events, tracklet_ids)

    def _events_in(self, connection: Connection) -> list[LinkEvent]:
        """All events of a transaction; they are only added to, so that those that were read stay as they are."""
        last, event_id = last_event_in(connection)
        known = bisect_right(self._seqs, last)
        if known and event_id == self._events[known - 1].event_id:
            return self._events[:known]
        if self._events and not (known == len(self._events) and last > self._seqs[-1]):
            self._seqs, self._events = [], []  # of another database, that was put in the place of this one
        for seq, event in numbered_events_in(connection, after=self._seqs[-1] if self._seqs else 0):
            self._seqs.append(seq)
            self._events.append(event)
        return list(self._events)


def read_standing(case: Case, *, touched: Iterable[str] | None = None) -> Standing:
    """Say who is who now; see `standing_in`."""
    with case.database.reading() as connection:
        return standing_in(connection, touched=touched)


def standing_in(connection: Connection, *, touched: Iterable[str] | None = None) -> Standing:
    """Say who is who, in a transaction that runs.

    Args:
        connection: of the transaction.
        touched: tracklets that are asked about; None = all. Others are left out, unless somebody decided on them.
    """
    events = events_in(connection)
    if touched is not None:
        return _standing_of(connection, events, touched)
    return _read_tracklets(connection).standing(events)


def _last_id(events: Sequence[LinkEvent]) -> str:
    return events[-1].event_id if events else ""


def _standing_of(connection: Connection, events: Sequence[LinkEvent], touched: Iterable[str]) -> Standing:
    decided = {one for event in events if isinstance(event, DecisionEvent) for one in event.tracklets}
    moved = {seen.tracklet_id for event in events if isinstance(event, RebuildEvent) for seen in event.moved.values()}
    return _read_tracklets(connection, {*touched, *decided, *moved}).standing(events)


def _moment(connection: Connection) -> _Moment:
    return revision_of(connection), tuple(connection.execute(_SEEN, {"now": utc_now()}).scalars())


_SEEN = sa.select(SOURCES.c.number).where(can_be_seen(sa.bindparam("now"))).order_by(SOURCES.c.number)


def _read_tracklets(connection: Connection, wanted: Collection[str] | None = None) -> _Read:
    """Read tracklets that can be seen: those that are wanted and who was built with them, or all."""
    if wanted is not None and not wanted:
        return _Read(tracklets=(), numbers={}, presences={}, fingerprints={})
    sources = {source.number: source for source in sources_in(connection, with_trash=False)}
    columns = ("number", "tracklet_id", "pid", "fingerprint", "first_s", "last_s", "source")
    query = (
        sa.select(*(TRACKLETS.c[name] for name in columns))
        .where(TRACKLETS.c.source.in_(sources))
        .order_by(TRACKLETS.c.number)
    )
    if wanted is None:
        rows = connection.execute(query).all()
    else:
        pids: set[int] = set()
        for part in in_parts(sorted(wanted)):
            of_part = sa.select(TRACKLETS.c.pid).where(TRACKLETS.c.tracklet_id.in_(part))
            pids.update(connection.execute(of_part).scalars())
        parts = in_parts(sorted(pids))
        rows = [row for part in parts for row in connection.execute(query.where(TRACKLETS.c.pid.in_(part)))]
        rows.sort(key=lambda row: row.number)
    tracklets: list[Tracklet] = []
    numbers: dict[str, int] = {}
    presences: dict[str, Presence] = {}
    fingerprints: dict[str, str] = {}
    begins = {number: source.begins for number, source in sources.items()}
    for row in rows:
        source = sources[row.source]
        tracklets.append(
            Tracklet(
                tracklet_id=row.tracklet_id,
                frames=_NO_FRAMES,
                pid=row.pid,
                camid=source.camid,
                platform=source.platform,
            )
        )
        numbers[row.tracklet_id], fingerprints[row.tracklet_id] = row.number, row.fingerprint
        seconds = None if row.first_s is None else (row.first_s, row.last_s)
        presences[row.tracklet_id] = Presence(source=source.name, seconds=seconds, video_start=begins[row.source])
    return _Read(tracklets=tuple(tracklets), numbers=numbers, presences=presences, fingerprints=fingerprints)


_NO_FRAMES = (Frame(""),)
