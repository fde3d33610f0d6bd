"""Which pairs of tracklets are worth a question: those whose answer is neither given nor implied."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool

from skyreid.building.linking.link_state import LinkState


class OpenPairs:
    """Tells open pairs from closed ones. A pair is closed when

    - its two tracklets are one identity already, or
    - somebody calls a tracklet of the one identity different from a tracklet of the other, or
    - the asked person, or anybody where nobody in particular is asked, has decided on it.

    Args:
        pids: by `identities.identify`.
        state: of the same moment.
        annotator: who will be asked; None = nobody in particular.
    """

    def __init__(self, pids: Mapping[str, int], state: LinkState, *, annotator: str | None) -> None:
        self._pids = pids
        self._different: defaultdict[int, set[int]] = defaultdict(set)
        for first, second in state.cannot_links():
            self._different[pids[first]].add(pids[second])
            self._different[pids[second]].add(pids[first])
        self._decided: defaultdict[str, set[str]] = defaultdict(set)
        for (first, second), said in state.decisions.items():
            if annotator is None or annotator in said:
                self._decided[first].add(second)
                self._decided[second].add(first)

    def is_open(self, first: str, second: str) -> bool:
        """Say whether to ask about one pair."""
        return (
            self._pids[first] != self._pids[second]
            and self._pids[second] not in self._different.get(self._pids[first], ())
            and second not in self._decided.get(first, ())
        )

    def mask(self, rows: Sequence[str], columns: Sequence[str]) -> Bool[np.ndarray, "row column"]:
        """`is_open` for each of the rows with each of the columns."""
        row_pids = np.array([self._pids[row] for row in rows], dtype=np.int64)
        column_pids = np.array([self._pids[column] for column in columns], dtype=np.int64)
        is_open = row_pids[:, np.newaxis] != column_pids
        places = {column: place for place, column in enumerate(columns)}
        for number, row in enumerate(rows):
            if different := self._different.get(self._pids[row]):
                is_open[number] &= ~np.isin(column_pids, list(different))
            if decided := self._decided.get(row):
                is_open[number, [places[column] for column in decided if column in places]] = False
        return is_open
