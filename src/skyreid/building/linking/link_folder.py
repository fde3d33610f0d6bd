"""A build folder whose people are being linked: what to ask, what was answered, what follows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from skyreid.building.build_folder import LOCK
from skyreid.building.linking.candidates import Candidate, CandidateConfig, PairDecision, rank_candidates
from skyreid.building.linking.event_log import (
    Decision,
    DecisionEvent,
    Pair,
    RequireEvent,
    UndoEvent,
    check_annotator,
    locked_log,
    new_event_id,
    now,
    read_log,
)
from skyreid.building.linking.link_report import LinkReport, link_report
from skyreid.building.linking.link_state import LinkState, OpenPairs, fingerprints, identify, replay
from skyreid.building.linking.linked_manifest import apply_links, as_built, is_current
from skyreid.building.linking.presence import presences
from skyreid.datasets.manifest import MANIFEST_FILE, read_built_folder, read_manifest, write_manifest
from skyreid.errors import SourceError
from skyreid.files.atomic_file import try_lock
from skyreid.files.regular_file import open_in_place
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.embedding_table import EmbeddingTable


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What became of a list of decisions."""

    added: int
    """Stored, changed ones among them."""
    changed: int
    """Replace what the same person had said."""
    repeated: int
    """The same person had said so already; not stored again."""


class LinkFolder:
    """What `skyreid build` made, and the decisions beside it.

    Every decision is on the disk when its method returns. The manifest follows at `update_manifest`, which
    the next run makes up for when this one is killed before.

    Raises:
        ManifestError: the manifest is missing or damaged, or was not made by `skyreid build`.
    """

    def __init__(self, out_dir: Path) -> None:
        self.out_dir = out_dir
        self.manifest = read_built_folder(out_dir)
        """As it was at the beginning; what decisions do not change holds on: sources, cameras and crops."""
        self.tracklets, self._info = as_built(self.manifest.tracklets, self.manifest.info)
        """With the pids that the build gave them."""
        self.presences = presences(self.tracklets, self._info)
        self._fingerprints = fingerprints(self.tracklets)

    def state(self) -> LinkState:
        """What holds now, decisions of other processes included."""
        return replay(read_log(self.out_dir).events, self._fingerprints)

    def open_pairs(self, *, annotator: str | None) -> OpenPairs:
        """Which pairs may be asked now."""
        state = self.state()
        return OpenPairs(identify(self.tracklets, state).pids, state, annotator=annotator)

    def candidates(
        self,
        table: EmbeddingTable | None,
        config: CandidateConfig,
        *,
        annotator: str | None,
        progress: Progress = silent,
    ) -> list[Candidate]:
        """What to ask next, the most promising first; see `rank_candidates`."""
        open_pairs = self.open_pairs(annotator=annotator)
        return rank_candidates(self.tracklets, self.presences, open_pairs, table, config, progress=progress)

    def decide(
        self,
        annotator: str,
        tracklets: Pair,
        decision: Decision,
        *,
        rank: int | None = None,
        similarity: float | None = None,
        seconds: float | None = None,
    ) -> None:
        """Store one decision, with what the person saw; see `DecisionEvent`.

        Raises:
            SourceError: a tracklet is not in the folder.
        """
        check_annotator(annotator)
        self._check_known(tracklets)
        event = self._event(annotator, tracklets, decision, rank=rank, similarity=similarity, seconds=seconds)
        with locked_log(self.out_dir) as log:
            log.append([event])

    def decide_all(self, annotator: str, decisions: Sequence[PairDecision]) -> Stored:
        """Store decisions from a list, all or none; what the person had said already is not stored again.

        Raises:
            SourceError: a tracklet is not in the folder; the message names the line.
        """
        check_annotator(annotator)
        for decided in decisions:
            try:
                self._check_known(decided.tracklets)
            except SourceError as refusal:
                raise SourceError(f"{decided.where}: {refusal}") from None
        with locked_log(self.out_dir) as log:
            said = replay(log.log.events, self._fingerprints).decisions
            before = [said.get(decided.tracklets, {}).get(annotator) for decided in decisions]
            new = [
                (decided, earlier)
                for decided, earlier in zip(decisions, before, strict=True)
                if earlier is not decided.decision
            ]
            log.append([self._event(annotator, decided.tracklets, decided.decision) for decided, _ in new])
        return Stored(
            added=len(new),
            changed=sum(earlier is not None for _, earlier in new),
            repeated=len(decisions) - len(new),
        )

    def undo(self, annotator: str) -> DecisionEvent:
        """Take back this person's last standing decision; an earlier one on the same pair holds again.

        Raises:
            SourceError: there is none.
        """
        check_annotator(annotator)
        with locked_log(self.out_dir) as log:
            last = replay(log.log.events, self._fingerprints).last_of(annotator)
            if last is None:
                raise SourceError(f"{self.out_dir}: {annotator!r} has no decision to undo")
            log.append([UndoEvent(event_id=new_event_id(), time=now(), annotator=annotator, undoes=last.event_id)])
        return last

    def require(self, annotator: str, annotators: int) -> None:
        """Set how many people must say `same` before a link counts.

        Raises:
            SourceError: fewer than one.
        """
        check_annotator(annotator)
        if annotators < 1:
            raise SourceError(f"at least one annotator must be required; got {annotators}")
        with locked_log(self.out_dir) as log:
            if replay(log.log.events, self._fingerprints).required != annotators:
                event = RequireEvent(event_id=new_event_id(), time=now(), annotator=annotator, annotators=annotators)
                log.append([event])

    def update_manifest(self) -> None:
        """Bring the manifest up to the decisions; one that is already there is not written again.

        Raises:
            SourceError: a build is at work in the folder.
            ManifestError: the folder was built again meanwhile, and the manifest is damaged.
        """
        path = self.out_dir / MANIFEST_FILE
        if is_current(read_log(self.out_dir), read_manifest(path).info):
            return
        # The first lock keeps other linkers away, the second a build. Neither waits for the other.
        with locked_log(self.out_dir) as log, self._no_build():
            manifest = read_manifest(path)
            write_manifest(path, *apply_links(log.log, *as_built(manifest.tracklets, manifest.info)))

    def report(self) -> LinkReport:
        """Where the work stands."""
        log = read_log(self.out_dir)
        return link_report(
            self.tracklets, self.presences, replay(log.events, self._fingerprints), torn_bytes=log.torn_bytes
        )

    @contextmanager
    def _no_build(self) -> Iterator[None]:
        with open(self.out_dir / LOCK, "a", opener=open_in_place) as lock:
            if not try_lock(lock.fileno()):
                raise SourceError(
                    f"{self.out_dir}: a build is at work in this folder; the decisions are stored and come into the "
                    f"manifest with 'skyreid link {self.out_dir} --report' when it has ended"
                )
            yield

    def _check_known(self, tracklets: Pair) -> None:
        for tracklet_id in tracklets:
            if tracklet_id not in self._fingerprints:
                raise SourceError(f"{self.out_dir} has no tracklet {tracklet_id!r}")

    def _event(
        self,
        annotator: str,
        tracklets: Pair,
        decision: Decision,
        *,
        rank: int | None = None,
        similarity: float | None = None,
        seconds: float | None = None,
    ) -> DecisionEvent:
        return DecisionEvent(
            event_id=new_event_id(),
            time=now(),
            annotator=annotator,
            decision=decision,
            tracklets=tracklets,
            fingerprints=(self._fingerprints[tracklets[0]], self._fingerprints[tracklets[1]]),
            rank=rank,
            similarity=similarity,
            seconds=seconds,
        )
