"""Whether a case is whole: its database, its log, its crops, and what was derived from them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from skyreid.cases.audit import audit_damage, audit_head
from skyreid.cases.case import Case
from skyreid.cases.schema import TRACKLETS
from skyreid.cases.search.search_cache import SearchCache
from skyreid.cases.sources import sources_in
from skyreid.cases.tracklets import models_in
from skyreid.cases.work.importing import sweep_crops
from skyreid.datasets.data_hash import crop_sha256
from skyreid.files.strict_json import Json
from skyreid.processes.progress import Progress, silent


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was looked at, and what is wrong."""

    tracklets: int
    crops: int
    models: int
    audit_head: str
    """Number and hash of the last row of the log: keep it elsewhere, and nobody can write the log anew."""
    damage: tuple[str, ...]
    """A sentence each; () = all is as it was written."""
    mended: tuple[str, ...]
    """What was put right, since it follows from the database."""

    def lines(self) -> list[str]:
        """Say it to a reader."""
        looked = (
            f"{self.tracklets} tracklets, {self.crops} crops, vectors of {self.models} models, the database and its log"
        )
        verdict = "all as it was written" if not self.damage else f"{len(self.damage)} faults"
        return [*self.damage, *self.mended, f"audit log ends with {self.audit_head}", f"{looked}: {verdict}"]

    def to_json(self) -> dict[str, Json]:
        """Say it to a program."""
        return {
            "tracklets": self.tracklets,
            "crops": self.crops,
            "models": self.models,
            "audit_head": self.audit_head,
            "damage": list(self.damage),
            "mended": list(self.mended),
        }


class _Listed(NamedTuple):
    """A crop that a tracklet shows."""

    tracklet_id: str
    path: str
    sha256: str
    is_last: bool
    """Of its tracklet."""


def verify_case(case: Case, *, rebuild: bool = True, progress: Progress = silent) -> Verification:
    """Look at everything: what the database says of itself, every row of the log, every crop, every cached vector.

    Args:
        case: to be looked at.
        rebuild: write caches anew that are not as the database is, and remove crops that nobody names.
        progress: hears of crops.
    """
    damage, mended = case.database.damage(), []
    with case.database.reading() as connection:
        damage += list(audit_damage(connection))
        head = audit_head(connection)
        num_tracklets, num_crops, of_crops = _look_at_crops(case, connection, progress)
        damage += of_crops
        caches = [SearchCache(case, model) for model in models_in(connection)]
        faults = [cache.damage(connection) for cache in caches]
    for cache, told in zip(caches, faults, strict=True):
        if told and rebuild:
            cache.rebuild()
            mended += [f"{one}; it was written anew" for one in told]
        else:
            damage += told
    if rebuild:
        mended += [f"{case.files.crops}{key}: no source names it; removed" for key in sweep_crops(case)]
    return Verification(
        tracklets=num_tracklets,
        crops=num_crops,
        models=len(caches),
        audit_head=head,
        damage=tuple(damage),
        mended=tuple(mended),
    )


def _look_at_crops(case: Case, connection: Connection, progress: Progress) -> tuple[int, int, list[str]]:
    """Hash every crop that a tracklet shows; gives the number of tracklets and of crops, and what is wrong."""
    sources = {source.number: source for source in sources_in(connection, with_trash=True)}
    total = sum(source.num_tracklets for source in sources.values())
    num_tracklets, num_crops, told = 0, 0, []
    query = sa.select(TRACKLETS.c.tracklet_id, TRACKLETS.c.source, TRACKLETS.c.frames).order_by(TRACKLETS.c.number)

    def listed() -> Iterator[_Listed]:
        for row in connection.execute(query):
            crops, is_last = sources[row.source].crops, len(row.frames) - 1
            for place, (_, _, _, sha256) in enumerate(row.frames):
                yield _Listed(row.tracklet_id, case.crop_path(crops, sha256), sha256, place == is_last)

    for crop, fault in case.files.of_each(_look_at, listed()):
        num_crops += 1
        num_tracklets += crop.is_last
        told += [f"{crop.path}: a crop of {crop.tracklet_id} {fault}"] if fault else []
        if crop.is_last:
            progress("look at crops", num_tracklets, total)
    return num_tracklets, num_crops, told


def _look_at(crop: _Listed) -> tuple[_Listed, str]:
    try:
        return crop, "" if crop_sha256(crop.path) == crop.sha256 else "was changed"
    except OSError as error:
        return crop, f"cannot be read: {error.strerror}"
