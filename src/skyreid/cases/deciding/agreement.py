"""How well the people of a case agree, on pairs that each decided without knowing what the other said."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from skyreid.building.linking.event_log import (
    Decision,
    DecisionEvent,
    LinkEvent,
    Pair,
    RebuildEvent,
    RequireEvent,
    UndoEvent,
    make_pair,
)
from skyreid.building.linking.link_report import Agreement, agreements
from skyreid.building.linking.link_state import LinkState
from skyreid.cases.case import Case
from skyreid.cases.deciding.decision_rows import WORDS, events_in
from skyreid.cases.deciding.standing import standing_in
from skyreid.files.strict_json import Json


@dataclass(frozen=True, kw_only=True)
class CaseAgreement:
    """Who said how much, and how well each two agree."""

    required: int
    """How many people must confirm a pair before it counts."""
    waiting: int
    """Pairs on which too few people have spoken so far."""
    said: Mapping[str, Mapping[str, int]]
    """Person to decision to how many stand, as far as who asks may know."""
    agreement: tuple[Agreement, ...]
    """Of each two people, over the pairs that both decided blind."""
    disagreements: tuple[Pair, ...]
    """Pairs on which enough people spoke, and not all said the same."""

    def lines(self) -> list[str]:
        """Say it to a reader."""
        people = "1 person" if self.required == 1 else f"{self.required} people"
        lines = [f"{people} must confirm a pair before it counts; {self.waiting} wait for another person"]
        for person, counts in self.said.items():
            lines.append(f"{person}: {', '.join(f'{count} {word}' for word, count in counts.items())}")
        for two in self.agreement:
            lines.append(f"{' and '.join(two.annotators)}: {kappa_in_words(two)}")
        return lines

    def to_json(self) -> dict[str, Json]:
        """Say it to a program."""
        return {
            "required": self.required,
            "waiting": self.waiting,
            "said": {person: dict(counts) for person, counts in self.said.items()},
            "agreement": [
                {"people": list(two.annotators), "pairs": two.pairs, "agreed": two.agreed, "kappa": two.kappa}
                for two in self.agreement
            ],
            "disagreements": [list(pair) for pair in self.disagreements],
        }


def kappa_in_words(two: Agreement) -> str:
    """Say how well two people agree, with the count that it is of."""
    if not two.pairs:
        return "no pair was decided by both without seeing the other; Cohen's kappa is undefined"
    told = f"{two.agreed} of {two.pairs} pairs agree"
    if two.kappa is None:
        return f"{told}; Cohen's kappa is undefined, since both always said one and the same"
    return f"{told}, Cohen's kappa {two.kappa:.3f}"


def read_agreement(case: Case, *, person: str | None = None) -> CaseAgreement:
    """Compare the people of a case.

    Args:
        case: whose people.
        person: who asks, and is not told what others said of a pair before enough did; None = all is told.
    """
    with case.database.reading() as connection:
        events, standing = events_in(connection), standing_in(connection, touched=())
    state = standing.state
    told = state if person is None else standing.seen_by(person).state
    said: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for words in told.decisions.values():
        for annotator, decision in words.items():
            said[annotator][WORDS[decision]] += 1
    blind = blind_decisions(events, state)
    compared = {one.annotators: one for one in agreements(blind)}
    two_each = list(combinations(sorted(said), 2))
    return CaseAgreement(
        required=state.required,
        waiting=sum(len(words) < state.required for words in state.decisions.values()),
        said={annotator: dict(sorted(counts.items())) for annotator, counts in sorted(said.items())},
        agreement=tuple(
            compared.get(two, Agreement(annotators=two, pairs=0, agreed=0, kappa=None)) for two in two_each
        ),
        disagreements=tuple(pair for pair in state.disagreements() if len(state.decisions[pair]) >= state.required),
    )


def blind_decisions(events: Iterable[LinkEvent], state: LinkState) -> dict[Pair, dict[str, Decision]]:
    """Give what each person said of a pair before anything that another one said of it was shown.

    What people said is shown once as many have spoken as were needed then (`Standing.seen_by`).

    Args:
        events: the whole history.
        state: replayed from it; tells what stands, and on what is there.
    """
    required = 1
    standing: dict[str, tuple[Pair, str]] = {}
    shown: defaultdict[Pair, set[str]] = defaultdict(set)
    blind: set[str] = set()

    def show(pair: Pair) -> None:
        people = {person for other, person in standing.values() if other == pair}
        if len(people) >= required:
            shown[pair] |= people

    for event in events:
        match event:
            case RequireEvent():
                required = event.annotators
                for pair in {pair for pair, _ in standing.values()}:
                    show(pair)
            case DecisionEvent():
                if shown[event.tracklets] <= {event.annotator}:
                    blind.add(event.event_id)
                standing[event.event_id] = event.tracklets, event.annotator
                show(event.tracklets)
            case UndoEvent():
                standing.pop(event.undoes, None)
            case RebuildEvent():
                names = {old.tracklet_id: new.tracklet_id for old, new in event.moved.items()}
                standing = {one: (_renamed(pair, names), person) for one, (pair, person) in standing.items()}
                shown = defaultdict(set, {_renamed(pair, names): people for pair, people in shown.items()})
    found: defaultdict[Pair, dict[str, Decision]] = defaultdict(dict)
    for event in state.standing:
        if event.event_id in blind and event.tracklets in state.decisions:
            found[event.tracklets][event.annotator] = event.decision
    return dict(found)


def _renamed(pair: Pair, names: Mapping[str, str]) -> Pair:
    first, second = (names.get(one, one) for one in pair)
    return pair if first == second else make_pair(first, second)
