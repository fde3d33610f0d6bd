"""Where the linking of a folder stands, for people and for programs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations

from skyreid.building.linking.event_log import Decision, Pair
from skyreid.building.linking.link_state import Contradiction, LinkState, OpenPairs, identify
from skyreid.building.linking.presence import OverlapConflict, Presence, overlap_conflicts
from skyreid.tracklet import PLATFORMS, Platform, Tracklet

_ROWS_PER_BLOCK = 256


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """A pair on which people say different things; it is not linked."""

    tracklets: Pair
    decisions: Mapping[str, Decision]
    """By annotator."""


@dataclass(frozen=True, kw_only=True)
class OutdatedDecision:
    """A decision on tracklets that are gone or were built otherwise since."""

    annotator: str
    decision: Decision
    tracklets: Pair


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Two annotators, on the pairs that both decided."""

    annotators: tuple[str, str]
    pairs: int
    agreed: int
    kappa: float | None
    """Cohen's: 1 = always, 0 = as chance would; None where both always said one and the same, or no pair is shared."""


@dataclass(frozen=True, kw_only=True)
class LinkReport:
    """Counts, and everything that a person has to mend, by name."""

    tracklets: int
    identities: int
    identities_on_both_platforms: int
    required: int
    """How many people must say `same` before a link counts."""
    links: int
    """Pairs that count as one person."""
    waiting: int
    """Pairs that are called one person by too few people so far."""
    open_pairs: int
    """Pairs of a ground and an aerial tracklet that nobody decided on and no decision implies."""
    decisions: Mapping[str, Mapping[Decision, int]]
    """By annotator: what stands."""
    outdated: Sequence[OutdatedDecision]
    """They count for nothing."""
    torn_bytes: int
    """A piece of an event at the end of the file of decisions, never acknowledged and ignored."""
    contradictions: Sequence[Contradiction]
    conflicts: Sequence[OverlapConflict]
    disagreements: Sequence[Disagreement]
    agreement: Sequence[Agreement]

    def lines(self) -> list[str]:
        """The counts, then `to_mend`."""
        lines = [
            f"{self.tracklets} tracklets, {self.identities} identities, {self.identities_on_both_platforms} of them on "
            "both platforms",
            f"{self.links} link{' counts' if self.links == 1 else 's count'} "
            f"({self.required} annotator{'s' * (self.required > 1)} required), "
            f"{self.waiting} wait for another annotator, {self.open_pairs} pairs are open",
        ]
        for annotator, counts in self.decisions.items():
            lines.append(f"{annotator}: {', '.join(f'{count} {decision}' for decision, count in counts.items())}")
        for two in self.agreement:
            kappa = "undefined" if two.kappa is None else f"{two.kappa:.3f}"
            first, second = two.annotators
            lines.append(f"{first} and {second}: {two.agreed} of {two.pairs} shared pairs agree, Cohen's kappa {kappa}")
        lines += outdated_lines(self.outdated)
        if self.torn_bytes:
            lines.append(f"the file of decisions ends in {self.torn_bytes} bytes of an unfinished event, ignored")
        return [*lines, *self.to_mend()]

    def to_mend(self) -> list[str]:
        """One line for each thing that a person has to look at again."""
        lines = []
        for contradiction in self.contradictions:
            first, second = contradiction.different
            lines.append(
                f"contradiction: {first} and {second} are called different, but {' = '.join(contradiction.chain)}; "
                "none of these links counts until one decision is undone or changed"
            )
        for conflict in self.conflicts:
            first, second = conflict.tracklets
            lines.append(
                f"conflict: {first} and {second} are identity {conflict.pid}, but one camera saw both at the same time"
            )
        for disagreement in self.disagreements:
            said = ", ".join(f"{annotator} says {word}" for annotator, word in disagreement.decisions.items())
            lines.append(f"disagreement: {' and '.join(disagreement.tracklets)}: {said}")
        return lines

    def to_json(self) -> dict[str, object]:
        """What a program reads."""
        return asdict(self)


def link_report(
    tracklets: Sequence[Tracklet], found: Mapping[str, Presence], state: LinkState, *, torn_bytes: int
) -> LinkReport:
    """Look at everything.

    Args:
        tracklets: with the pids that the build gave them.
        found: by `presence.presences`.
        state: replayed for these tracklets.
        torn_bytes: of the log.
    """
    identities = identify(tracklets, state)
    resolved = [replace(tracklet, pid=identities.pids[tracklet.tracklet_id]) for tracklet in tracklets]
    on_platform = [{tracklet.pid for tracklet in resolved if tracklet.platform is platform} for platform in PLATFORMS]
    return LinkReport(
        tracklets=len(tracklets),
        identities=len(set(identities.pids.values())),
        identities_on_both_platforms=len(set.intersection(*on_platform)),
        required=state.required,
        links=len(state.links()),
        waiting=len(state.waiting()),
        open_pairs=_count_open(tracklets, OpenPairs(identities.pids, state, annotator=None)),
        decisions=_counts(state),
        outdated=outdated_decisions(state),
        torn_bytes=torn_bytes,
        contradictions=identities.contradictions,
        conflicts=overlap_conflicts(resolved, found),
        disagreements=[
            Disagreement(tracklets=pair, decisions=dict(sorted(state.decisions[pair].items())))
            for pair in state.disagreements()
        ],
        agreement=agreements(state.decisions),
    )


def outdated_decisions(state: LinkState) -> list[OutdatedDecision]:
    """List the decisions that count for nothing."""
    return [
        OutdatedDecision(annotator=event.annotator, decision=event.decision, tracklets=event.tracklets)
        for event in state.outdated
    ]


def outdated_lines(outdated: Sequence[OutdatedDecision]) -> list[str]:
    """Say which decisions count for nothing; nothing to say is []."""
    if not outdated:
        return []
    return [
        f"{len(outdated)} decisions count for nothing: their tracklets are gone or were built otherwise",
        *(f"  {one.annotator}: {' and '.join(one.tracklets)} were {one.decision}" for one in outdated),
    ]


def _counts(state: LinkState) -> dict[str, dict[Decision, int]]:
    said = Counter((annotator, word) for by in state.decisions.values() for annotator, word in by.items())
    annotators = sorted({annotator for annotator, _ in said})
    return {annotator: {word: said[annotator, word] for word in Decision} for annotator in annotators}


def _count_open(tracklets: Sequence[Tracklet], open_pairs: OpenPairs) -> int:
    ground, aerial = (
        [tracklet.tracklet_id for tracklet in tracklets if tracklet.platform is platform]
        for platform in (Platform.GROUND, Platform.AERIAL)
    )
    return sum(
        int(open_pairs.mask(ground[start : start + _ROWS_PER_BLOCK], aerial).sum())
        for start in range(0, len(ground), _ROWS_PER_BLOCK)
    )


def agreements(decisions: Mapping[Pair, Mapping[str, Decision]]) -> list[Agreement]:
    """Compare each two annotators; the categories are same, different and unsure."""
    annotators = sorted({annotator for said in decisions.values() for annotator in said})
    return [
        _agreement(
            first,
            second,
            [(said[first], said[second]) for said in decisions.values() if {first, second} <= said.keys()],
        )
        for first, second in combinations(annotators, 2)
    ]


def _agreement(first: str, second: str, answers: list[tuple[Decision, Decision]]) -> Agreement:
    """Kappa = (observed - expected) / (1 - expected), both multiplied by n² to stay in whole numbers.

    Source: Cohen 1960, A coefficient of agreement for nominal scales.
    """
    count = len(answers)
    agreed = sum(one is other for one, other in answers)
    first_says, second_says = (Counter(answer[side] for answer in answers) for side in (0, 1))
    expected = sum(first_says[decision] * second_says[decision] for decision in Decision)
    possible = count * count - expected
    return Agreement(
        annotators=(first, second),
        pairs=count,
        agreed=agreed,
        kappa=(count * agreed - expected) / possible if possible else None,
    )
