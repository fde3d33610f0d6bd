"""Near-identical sightings as one stack: pieces into which a tracker cut somebody, for lists that people look at.

A stack is of one source, its members follow each other within `MOST_GAP_S`, and each looks like the one before. Nobody
who is in a decision is stacked, and no number and no export knows of stacks.

How alike is near-identical depends on the model, and the case itself tells it: more alike than 99 of 100 pairs who were
in one picture at once, and so are different people; and at least `LEAST_COSINE`. Measured on halves of tracklets whose
person ground truth names, by the cosine of a half and the next one within 3 s in one camera:

    person-reid-0277, two cameras over a football field (dress alike): at 0.9, 6 of 24 that were cut are joined and none
    of 153 pairs of others; at 0.85, 12 of 24, and 2 of 153. Of 240 pairs in one picture, 99 % reach 0.86 at most.
    person-reid-0277, four simulated cameras: at 0.9, 9 of 12 are joined, and none of 16 (who reach 0.6).
    the small towers on that field, for which they were not trained: at 0.9, 65 of 153 pairs of others would be joined;
    who was in one picture reaches 0.99, and so that is asked for.
"""

from collections.abc import Collection, Sequence

import numpy as np
import sqlalchemy as sa
from jaxtyping import Float32
from sqlalchemy.engine import Connection

from skyreid.cases.case import Case, revision_of
from skyreid.cases.deciding.standing import Standing
from skyreid.cases.schema import TRACKLETS
from skyreid.cases.tracklets import CaseModel, CaseTracklet, models_in, usual_model, vectors_by_number

MOST_GAP_S = 3.0
"""From the end of a sighting to the beginning of the next one of a stack."""
LEAST_COSINE = 0.9
UNSURE_COSINE = 0.97
"""Where too few were in one picture at once to tell how alike different people are."""
ENOUGH_PAIRS = 20
SHARE_BELOW = 0.99
"""Of those who were in one picture at once."""
_RUNS, _RUN = 12, 50
"""Looked at to tell that: so many tracklets, in runs of neighbours spread over the case."""


class Stacker:
    """Finds the stacks of lists of one case; keeps how alike its different people are. For one thread at a time."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._least: tuple[int, CaseModel | None, float] | None = None

    def stacks(self, tracklets: Sequence[CaseTracklet], standing: Standing) -> dict[int, tuple[int, ...]]:
        """Say who stands in a stack of whom: numbers of the first of each in the list to those of the others.

        Args:
            tracklets: in the order of the list.
            standing: what was decided.
        """
        with self._case.database.reading() as connection:
            model, least = self._least_of(connection)
            if model is None:
                return {}
            free = _undecided(tracklets, standing)
            vectors = _units(connection, model, [one.number for one in free])
            known = [one for one in free if one.number in vectors]
            chains = _chains(known, vectors, least)
        places = {one.number: place for place, one in enumerate(tracklets)}
        found: dict[int, tuple[int, ...]] = {}
        for chain in chains:
            first, *others = sorted(chain, key=places.__getitem__)
            if others:
                found[first] = tuple(others)
        return found

    def _least_of(self, connection: Connection) -> tuple[CaseModel | None, float]:
        """Give the model, and how alike is near-identical by it, as they were found out for this revision."""
        revision = revision_of(connection)
        if self._least is None or self._least[0] != revision:
            model = usual_model(models_in(connection))
            self._least = revision, model, UNSURE_COSINE if model is None else _least_cosine(connection, model)
        return self._least[1:]


def _undecided(tracklets: Sequence[CaseTracklet], standing: Standing) -> list[CaseTracklet]:
    """Those on whom nobody decided, and who are nobody's other sighting."""
    decided: Collection[str] = {one for pair in standing.state.decisions for one in pair}
    pids = standing.identities.pids

    def is_alone(tracklet_id: str) -> bool:
        return tracklet_id not in pids or len(standing.members[pids[tracklet_id]]) == 1

    ids = [(one, one.tracklet.tracklet_id) for one in tracklets]
    return [one for one, tracklet_id in ids if tracklet_id not in decided and is_alone(tracklet_id)]


def _chains(
    tracklets: Sequence[CaseTracklet], vectors: dict[int, Float32[np.ndarray, " embed"]], least: float
) -> list[list[int]]:
    """Put sightings that follow each other and are near-identical into one chain, by the numbers of these."""
    ends: list[tuple[CaseTracklet, list[int]]] = []
    timed = [one for one in tracklets if one.sighting.offset_s is not None]
    for one in sorted(timed, key=lambda one: (one.source.number, one.sighting.offset_s or (0.0, 0.0), one.number)):
        likest, place = least, None
        for index, (last, _) in enumerate(ends):
            if last.source.number == one.source.number and 0 < _gap_s(last, one) <= MOST_GAP_S:
                cosine = float(vectors[last.number] @ vectors[one.number])
                likest, place = (cosine, index) if cosine >= likest else (likest, place)
        if place is None:
            ends.append((one, [one.number]))
        else:
            ends[place] = (one, [*ends[place][1], one.number])
    return [chain for _, chain in ends]


def _gap_s(before: CaseTracklet, after: CaseTracklet) -> float:
    assert before.sighting.offset_s is not None and after.sighting.offset_s is not None
    return after.sighting.offset_s[0] - before.sighting.offset_s[1]


def _least_cosine(connection: Connection, model: CaseModel) -> float:
    """Tell from those who were in one picture at once how alike different people are."""
    query = sa.select(*(TRACKLETS.c[name] for name in ("number", "source", "first_s", "last_s")))
    query = query.where(TRACKLETS.c.first_s.is_not(None)).order_by(TRACKLETS.c.number).limit(_RUN)
    low, high = connection.execute(sa.select(sa.func.min(TRACKLETS.c.number), sa.func.max(TRACKLETS.c.number))).one()
    rows = {
        row.number: row
        for run in range(_RUNS)
        for row in connection.execute(query.where(TRACKLETS.c.number >= low + run * (high - low) // _RUNS))
    }
    vectors = _units(connection, model, list(rows))
    known = sorted(vectors)
    cosines = [
        float(vectors[one] @ vectors[other])
        for place, one in enumerate(known)
        for other in known[place + 1 :]
        if rows[one].source == rows[other].source
        and min(rows[one].last_s, rows[other].last_s) > max(rows[one].first_s, rows[other].first_s)
    ]
    if len(cosines) < ENOUGH_PAIRS:
        return UNSURE_COSINE
    return max(LEAST_COSINE, float(np.quantile(cosines, SHARE_BELOW)))


def _units(
    connection: Connection, model: CaseModel, numbers: Sequence[int]
) -> dict[int, Float32[np.ndarray, " embed"]]:
    from skyreid.retrieval.cosine import unit_rows  # loads PyTorch

    vectors = vectors_by_number(connection, model, numbers)
    return dict(zip(vectors, unit_rows(np.stack(list(vectors.values()))), strict=True)) if vectors else {}
