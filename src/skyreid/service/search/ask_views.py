"""What a search found, and two sightings side by side: one function for pages and the JSON API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from skyreid.cases.search.asked_pictures import HeldPicture
from skyreid.cases.search.reach import seconds_between
from skyreid.cases.search.searching import Candidate, CaseRanking
from skyreid.cases.tracklets import CaseTracklet
from skyreid.errors import NothingFoundError
from skyreid.files.strict_json import Json
from skyreid.retrieval.search import Asked
from skyreid.service.access import Visit
from skyreid.service.browsing.case_views import tracklets_by_number
from skyreid.service.search.search_asked import SearchWanted
from skyreid.service.web_page import SIMILARITY_ONLY
from skyreid.tracklet import Platform

WEAK = 5
"""Shown where nobody is as similar as was asked for."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search found, and what it asked with."""

    queries: tuple[tuple[CaseTracklet, str], ...]
    """With their states."""
    asked: tuple[Asked, ...]
    """Beside tracklets."""
    ranking: CaseRanking | None
    """None = nobody could be searched."""
    problem: str
    floor: float
    stacks: Mapping[int, tuple[int, ...]]
    """Numbers of those who are shown first to those who are near-identical."""

    @cached_property
    def is_weak(self) -> bool:
        """Whether nobody is as similar as was asked for."""
        ranked = () if self.ranking is None else self.ranking.candidates
        return bool(ranked) and max(one.similarity for one in ranked) < self.floor

    @cached_property
    def shown(self) -> tuple[Candidate, ...]:
        """Those who are as similar as was asked for; where nobody is, the first few all the same."""
        ranked = () if self.ranking is None else self.ranking.candidates
        return ranked[:WEAK] if self.is_weak else tuple(one for one in ranked if one.similarity >= self.floor)

    @property
    def num_below(self) -> int:
        """Ranked, and not shown since they are less similar than was asked for."""
        return 0 if self.ranking is None else len(self.ranking.candidates) - len(self.shown)

    def stacks_shown(self) -> dict[int, tuple[int, ...]]:
        """The stacks of those who are shown."""
        there = {one.seen.number for one in self.shown}
        chains = [[one for one in (first, *others) if one in there] for first, others in self.stacks.items()]
        return {chain[0]: tuple(chain[1:]) for chain in chains if len(chain) > 1}

    def seconds_from_query(self, candidate: Candidate) -> float | None:
        """From the first query to a candidate; None = nobody knows."""
        return seconds_between(self.queries[0][0], candidate.seen) if self.queries else None

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        if self.ranking is None:
            return {"candidates": [], "num_searched": 0, "problem": self.problem}
        told = self.ranking.to_json()
        told["candidates"] = [
            {"number": one.seen.number, **one.to_json(), "seconds_from_query": self.seconds_from_query(one)}
            for one in self.shown
        ]
        return {
            **told,
            "asked": [{"words": one.words, "notes": list(one.notes)} for one in self.asked],
            "stacks": [[first, *others] for first, others in self.stacks.items()],
            "weak": self.is_weak,
            "num_below_floor": self.num_below,
            "notice": SIMILARITY_ONLY,
            "exact": True,
        }


def search(visit: Visit, wanted: SearchWanted) -> Found:
    """Rank the case by likeness to what is asked with, and note it in the log."""
    opened = visit.case
    queries = tracklets_by_number(opened, wanted.t)
    ids = [one.tracklet.tracklet_id for one in queries]
    standing = opened.standing(ids)
    asked, seen_from = _asked(visit, wanted)
    platform = None if wanted.to in ("any", "other") else Platform(wanted.to)
    if wanted.to == "other" and (seen_from := queries[0].source.platform if queries else seen_from):
        platform = seen_from.other
    problem, ranking = "", None
    try:
        with opened.searching() as searches:
            ranking = searches.search(
                ids,
                asked=asked,
                platform=platform,
                top_k=wanted.k,
                filters=wanted.filters,
                max_speed=wanted.speed or None,
                model=opened.asker.model().number if asked else None,
                with_decided=wanted.decided,
                person=visit.user,
                refine=wanted.refine,
            )
    except NothingFoundError as nobody:
        problem = visit.cases.without_paths(str(nobody))
    subject = " ".join([*ids, *(one.words for one in asked)])[:500]
    visit.log("search", subject, platform=wanted.to, found=0 if ranking is None else len(ranking.candidates))
    states = [standing.tracklet_state(one) for one in ids]
    ranked = [] if ranking is None or wanted.each else [one.seen for one in ranking.candidates]
    among = [*ids, *(one.tracklet.tracklet_id for one in ranked)]
    return Found(
        queries=tuple(zip(queries, states, strict=True)),
        asked=asked,
        ranking=ranking,
        problem=problem,
        floor=wanted.floor,
        stacks=opened.stacks(ranked, opened.standing(among)) if ranked else {},
    )


def picture_asked(visit: Visit, wanted: SearchWanted) -> HeldPicture | None:
    """Find the picture or the frame that a search asks with; None = it asks with neither."""
    opened = visit.case
    if wanted.picture:
        return opened.held.uploaded(wanted.picture, by=visit.user)
    return opened.held.frame(opened.case, opened.asker, wanted.source, wanted.at) if wanted.source else None


def _asked(visit: Visit, wanted: SearchWanted) -> tuple[tuple[Asked, ...], Platform | None]:
    """Embed what is asked with beside tracklets, and say from where it was seen."""
    asker, held = visit.case.asker, picture_asked(visit, wanted)
    found: list[Asked] = []
    if held is not None:
        height, width = held.pixels.shape[:2]
        found.append(held.ask(asker, wanted.box or (0.0, 0.0, float(width), float(height))))
    if wanted.text.strip():
        found.append(asker.text(wanted.text))
    return tuple(found), None if held is None else held.platform


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two sightings side by side."""

    first: CaseTracklet
    second: CaseTracklet
    state: str
    """What was decided on the two."""

    @property
    def seconds_apart(self) -> float | None:
        """From the first to the second; None = nobody knows."""
        return seconds_between(self.first, self.second)


def compare(visit: Visit, numbers: Sequence[int]) -> Pair:
    """Look two tracklets up, and note in the log that they were looked at."""
    first, second = tracklets_by_number(visit.case, numbers)
    ids = [first.tracklet.tracklet_id, second.tracklet.tracklet_id]
    state = visit.case.standing(ids).seen_by(visit.user).pair_state(*ids)
    visit.log("tracklets compared", " ".join(ids))
    return Pair(first=first, second=second, state=state)
