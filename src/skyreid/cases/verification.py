"""Whether a case is whole: its database, its log, its crops, and what was derived from them."""

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from skyreid.cases.audit import audit_damage, audit_head
from skyreid.cases.case import CROPS, Case
from skyreid.cases.schema import TRACKLETS
from skyreid.cases.search.search_cache import SearchCache
from skyreid.cases.sources import sources_in
from skyreid.cases.tracklets import models_in
from skyreid.cases.work.importing import sweep_crops
from skyreid.files.regular_file import file_sha256
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
        mended += [f"{case.folder / CROPS / name}: no source names it; removed" for name in sweep_crops(case)]
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
    for row in connection.execute(query):
        num_tracklets += 1
        for _, _, _, sha256 in row.frames:
            num_crops += 1
            path = Path(case.crop_path(sources[row.source].crops, sha256))
            try:
                if file_sha256(path) != sha256:
                    told.append(f"{path}: a crop of {row.tracklet_id} was changed")
            except OSError as error:
                told.append(f"{path}: a crop of {row.tracklet_id} cannot be read: {error.strerror}")
        progress("look at crops", num_tracklets, total)
    return num_tracklets, num_crops, told
