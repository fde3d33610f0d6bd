"""A small adapter that learns from the decisions of a case how to tell its people apart: `skyreid case adapt`.

    adapted(x) = x + B A x, scaled to length 1, for the unit vector x of a tracklet; A and B have RANK rows and columns

It stands on the vectors of whatever model made them, so that the case needs neither pictures nor weights. Identities
are split by a hash of their first tracklet: two thirds train, by the cross-entropy of finding another sighting of the
person among the others on whom something was decided; the rest says whether it helps. Only if the mean average
precision of those is better, the adapted vectors become a model of their own of the case, in one transaction that the
log notes; whoever is killed before leaves the case as it was. Searches by tracklets take it until tracklets come that
it has not seen; pictures and texts ask by the model that embeds them. Vectors of the two are never compared.
"""

import hashlib
from dataclasses import asdict, dataclass

import numpy as np
import sqlalchemy as sa
from jaxtyping import Float32, Int64
from sqlalchemy.engine import Connection

from skyreid.building.linking.event_log import check_annotator
from skyreid.cases.audit import record
from skyreid.cases.case import Case, next_revision, revision_of
from skyreid.cases.deciding.standing import Standing, standing_in
from skyreid.cases.schema import TRACKLETS, VECTORS
from skyreid.cases.tracklets import ADAPTED, CaseModel, as_vectors, find_model, models_in, put_vectors, usual_model
from skyreid.errors import CaseError, NothingFoundError
from skyreid.files.strict_json import Json

RANK, STEPS, RATE, TEMPERATURE, DECAY = 16, 50, 1e-3, 0.1, 1e-2
LEAST_TRAINED, LEAST_HELD_OUT = 6, 3
"""Identities that are confirmed on both platforms, on either side of the split."""


@dataclass(frozen=True, kw_only=True)
class AdaptReport:
    """What an adapter brought on people it had not seen."""

    adopted: int | None
    """Number of the new model; None = it was no better, and nothing changed."""
    identities_trained: int
    identities_held_out: int
    before: float
    """Mean average precision of the held-out people, 0 to 1."""
    after: float

    def lines(self) -> list[str]:
        """Say it to a reader."""
        verdict = "no better, not adopted" if self.adopted is None else f"adopted as model {self.adopted}"
        return [
            f"trained on {self.identities_trained} people; mean average precision of {self.identities_held_out} others "
            f"among those decided on: {self.before:.1%} before, {self.after:.1%} after: {verdict}"
        ]

    def to_json(self) -> dict[str, Json]:
        """Say it to a program."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """Tracklets of one side of the split on whom something was decided."""

    units: Float32[np.ndarray, "known embed"]
    pids: Int64[np.ndarray, " known"]
    platforms: Int64[np.ndarray, " known"]

    @property
    def num_identities(self) -> int:
        """How many were found on both platforms."""
        ground, aerial = (set(self.pids[self.platforms == number].tolist()) for number in (0, 1))
        return len(ground & aerial)


def adapt(case: Case, *, by: str, seed: int = 0) -> AdaptReport:
    """Train an adapter on the decisions of a case, and adopt it if people it has not seen are found better.

    Raises:
        NothingFoundError: too few are confirmed on both platforms.
        CaseError: the case has no vectors, or it changed meanwhile.
    """
    check_annotator(by)
    with case.database.reading() as connection:
        base = usual_model(models_in(connection))
        if base is None:
            raise CaseError(f"{case.folder}: has no vectors to adapt; 'skyreid case work' makes them")
        revision = revision_of(connection)
        numbers, ids, units = _units(connection, base)
        trained, held_out = split(standing_in(connection), ids, units, seed=seed)
    if trained.num_identities < LEAST_TRAINED or held_out.num_identities < LEAST_HELD_OUT:
        raise NothingFoundError(
            f"{case.folder}: too few people are confirmed on both platforms to learn from ({trained.num_identities} to "
            f"train, {held_out.num_identities} held out; needed are {LEAST_TRAINED} and {LEAST_HELD_OUT}): decide more"
        )
    down, up = train(trained, seed=seed)
    before, after = precision(held_out), precision(held_out, (down, up))
    number = None
    with case.database.writing() as connection:
        if after > before:
            if revision_of(connection) != revision:
                raise CaseError(f"{case.folder}: tracklets came or went meanwhile; run it again")
            name = ADAPTED + hashlib.sha256(down.tobytes() + up.tobytes()).hexdigest()
            number = find_model(
                connection, model=name, feeding=base.feeding, seen_unmasked=base.seen_unmasked, width=base.width
            )
            adapted = applied(units, down, up)
            put_vectors(
                connection, number, dict(zip(numbers, adapted, strict=True)), revision=next_revision(connection)
            )
        told = {"of": base.number, "before": before, "after": after, "seed": seed}
        record(connection, by, "case adapt", "not adopted" if number is None else f"model {number}", told)
    return AdaptReport(
        adopted=number,
        identities_trained=trained.num_identities,
        identities_held_out=held_out.num_identities,
        before=before,
        after=after,
    )


def split(
    standing: Standing, ids: list[str], units: Float32[np.ndarray, "row embed"], *, seed: int
) -> tuple[Lesson, Lesson]:
    """Put everybody on whom something was decided on one side: those who train, and those held out."""
    pids, rows = standing.identities.pids, {one: row for row, one in enumerate(ids)}
    platform = {one.tracklet_id: one.platform.number for one in standing.tracklets}
    rejected = {pids[one] for pair in standing.state.cannot_links() for one in pair}
    sides: tuple[list[str], list[str]] = ([], [])
    for pid, members in standing.members.items():
        if len(members) > 1 or pid in rejected:
            drawn = hashlib.sha256(f"{seed} {min(members)}".encode()).digest()[0]
            sides[drawn % 3 == 0].extend(one for one in members if one in rows)
    trained, held_out = (
        Lesson(
            units=units[[rows[one] for one in side]],
            pids=np.array([pids[one] for one in side], dtype=np.int64),
            platforms=np.array([platform[one] for one in side], dtype=np.int64),
        )
        for side in sides
    )
    return trained, held_out


def train(lesson: Lesson, *, seed: int) -> tuple[Float32[np.ndarray, "rank embed"], Float32[np.ndarray, "embed rank"]]:
    """Give A and B, the same for the same decisions on one kind of machine."""
    import torch

    random = torch.Generator().manual_seed(seed)
    units, pids = torch.from_numpy(lesson.units), torch.from_numpy(lesson.pids)
    platforms = torch.from_numpy(lesson.platforms)
    width = units.shape[1]
    down = (torch.randn(RANK, width, generator=random) / width**0.5).requires_grad_()
    up = torch.zeros(width, RANK, requires_grad=True)
    optimizer = torch.optim.AdamW([down, up], lr=RATE, weight_decay=DECAY)
    across = platforms[:, None] != platforms
    same = (pids[:, None] == pids) & across
    asks = same.any(dim=1)
    for _ in range(STEPS):
        adapted = torch.nn.functional.normalize(units + units @ down.T @ up.T, dim=1)
        scores = (adapted @ adapted.T / TEMPERATURE).masked_fill(~across, -torch.inf)
        found = scores.masked_fill(~same, -torch.inf).logsumexp(dim=1) - scores.logsumexp(dim=1)
        optimizer.zero_grad()
        (-found[asks].mean()).backward()
        optimizer.step()
    return down.detach().numpy(), up.detach().numpy()


def applied(
    units: Float32[np.ndarray, "row embed"],
    down: Float32[np.ndarray, "rank embed"],
    up: Float32[np.ndarray, "embed rank"],
) -> Float32[np.ndarray, "row embed"]:
    """Adapt unit vectors."""
    adapted = units + units @ down.T @ up.T
    return adapted / np.linalg.norm(adapted, axis=1, keepdims=True)


def precision(lesson: Lesson, adapter: tuple[np.ndarray, np.ndarray] | None = None) -> float:
    """Give the mean average precision of everybody who has sightings on the other platform, among all there."""
    units = lesson.units if adapter is None else applied(lesson.units, *adapter)
    scores, found = units @ units.T, []
    for row, pid in enumerate(lesson.pids):
        other = np.flatnonzero(lesson.platforms != lesson.platforms[row])
        hits = (lesson.pids[other] == pid)[np.argsort(-scores[row, other], kind="stable")]
        if hits.any():
            places = np.flatnonzero(hits) + 1
            found.append(float(np.mean(np.arange(1, len(places) + 1) / places)))
    return float(np.mean(found))


def _units(connection: Connection, model: CaseModel) -> tuple[list[int], list[str], Float32[np.ndarray, "row embed"]]:
    from skyreid.retrieval.cosine import unit_rows  # loads PyTorch

    query = (
        sa.select(TRACKLETS.c.number, TRACKLETS.c.tracklet_id, VECTORS.c.embedding)
        .join(VECTORS, VECTORS.c.tracklet == TRACKLETS.c.number)
        .where(VECTORS.c.model == model.number)
        .order_by(TRACKLETS.c.number)
    )
    rows = connection.execute(query).all()
    vectors = as_vectors([row.embedding for row in rows], model.width)
    return [row.number for row in rows], [row.tracklet_id for row in rows], unit_rows(vectors)
