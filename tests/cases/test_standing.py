"""Who is who, kept from question to question, and lists that the database cuts: as if all had been read anew."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import product

import numpy as np
import pytest

from skyreid.cases.case import open_case
from skyreid.cases.deciding.decisions import decide, require, undo
from skyreid.cases.deciding.standing import StandingKeeper, standing_in
from skyreid.cases.keeping.retention import restore_source, trash_source
from skyreid.cases.sources import set_clock, sources_in
from skyreid.cases.whereabouts.pages_by_time import Filter, PageByTime, page_by_time
from skyreid.cases.work.importing import import_build
from skyreid.errors import CaseError, RefusedError
from skyreid.tracklet import Platform
from tests.cases.builds import PEOPLE, write_build

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def several(empty, tmp_path):
    """The build gave two pairs one pid."""
    write_build(tmp_path / "built", pids=[1, 2, 2, 4, 5, 5])
    import_build(empty, tmp_path / "built", by="anna", purpose="a test")
    return empty


def told(standing):
    return (
        [one.tracklet_id for one in standing.tracklets],
        standing.numbers,
        standing.presences,
        standing.state,
        standing.identities,
        standing.members,
        standing.overlaps,
    )


def change(case, random):
    """Do what changes who is who; what is refused changes nothing."""
    first, second = random.choice(PEOPLE, 2, replace=False)
    source = str(random.choice(["gate-a", "gate-b", "roof-a"]))
    words = ("confirmed", "rejected", "unsure")
    acts = [
        *(lambda word=word: decide(case, first, second, word, annotator="anna") for word in words * 3),
        lambda: undo(case, annotator="anna"),
        lambda: require(case, int(random.integers(1, 3)), annotator="bert"),
        lambda: trash_source(case, source, by="anna"),
        lambda: restore_source(case, source, by="anna"),
        lambda: set_clock(case, source, by="anna", start_time=NOON, offset_s=float(random.integers(-5, 5))),
        lambda: set_clock(case, source, by="anna", start_time=None, offset_s=0.0),
    ]
    with suppress(CaseError, RefusedError):
        acts[random.integers(len(acts))]()


def test_what_is_kept_and_what_is_paged_is_what_reading_everything_gives(several):
    random, kept = np.random.default_rng(0), StandingKeeper()
    for step in range(24):
        change(several, random)
        with several.database.reading() as connection:
            whole = standing_in(connection)
            decided = kept.touching(connection, ()) if step % 2 else kept.whole(connection)
            assert told(kept.whole(connection)) == told(whole)
            few = kept.touching(connection, [PEOPLE[0]])
            assert few.state == whole.state and few.identities.contradictions == whole.identities.contradictions
            sources = sources_in(connection, with_trash=False)
            for wanted in some_filters(random):
                for first in (0, 2):
                    found = page_by_time(connection, sources, decided, wanted, first=first, limit=2)
                    assert found == oracle(whole, sources, wanted, first, 2), wanted


def some_filters(random):
    filters = [
        Filter(platform=platform, camera=camera, after=after, before=before, state=state)
        for platform, camera, after, before, state in product(
            (None, *Platform), (None, "gate", "nowhere"), (None, NOON), (None, NOON + timedelta(seconds=3)),
            (None, "open", "confirmed"),
        )
    ]  # fmt: skip
    return [filters[place] for place in random.choice(len(filters), 6, replace=False)]


def oracle(standing, sources, wanted, first, limit):
    """The same by going through everybody."""
    cameras = {one.name: one.camera for one in sources}
    found, without_clock = [], 0
    for one in standing.tracklets:
        presence = standing.presences[one.tracklet_id]
        if wanted.platform not in (None, one.platform) or wanted.camera not in (None, cameras[presence.source]):
            continue
        if wanted.state not in (None, standing.tracklet_state(one.tracklet_id)):
            continue
        clock = None if presence.clock is None else presence.clock[0]
        if wanted.after or wanted.before:
            if clock is None:
                without_clock += 1
                continue
            if (wanted.after and clock < wanted.after) or (wanted.before and clock > wanted.before):
                continue
        when = clock.timestamp() if clock else presence.seconds[0] if presence.seconds else 0.0
        found.append((when, standing.numbers[one.tracklet_id]))
    found = [number for _, number in sorted(found)]
    return PageByTime(numbers=tuple(found[first : first + limit]), total=len(found), num_without_clock=without_clock)


def test_an_older_moment_is_told_as_it_was(several):
    kept = StandingKeeper()
    decide(several, PEOPLE[0], PEOPLE[3], "confirmed", annotator="anna")
    with several.database.reading() as before:
        assert len(kept.whole(before).state.standing) == 1
        decide(several, PEOPLE[1], PEOPLE[4], "confirmed", annotator="anna")
        with several.database.reading() as after:
            assert len(kept.whole(after).state.standing) == 2
        assert len(kept.whole(before).state.standing) == 1


def test_another_database_in_the_place_of_one_is_read_anew(several, copied):
    kept = StandingKeeper()
    decide(several, PEOPLE[0], PEOPLE[3], "confirmed", annotator="anna")
    with several.database.reading() as connection:
        kept.touching(connection, ())
    with open_case(copied) as other:
        decide(other, PEOPLE[1], PEOPLE[4], "rejected", annotator="bert")
        with other.database.reading() as connection:
            assert kept.touching(connection, ()).state == standing_in(connection).state
