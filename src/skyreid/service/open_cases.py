"""The cases of a server: opened once, found by the id that an address names, never by a path."""

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Lock

from skyreid.cases.audit import record
from skyreid.cases.case import Case, CaseFacts, cases_there, create_case, is_case, open_case
from skyreid.cases.deciding.pair_queue import PairQueue
from skyreid.cases.deciding.standing import Standing, StandingKeeper
from skyreid.cases.keeping.originals import OncePictures
from skyreid.cases.people import People
from skyreid.cases.people_database import open_people, people_url
from skyreid.cases.search.asked_pictures import HeldPictures
from skyreid.cases.search.asking import CaseAsker
from skyreid.cases.search.searching import CaseSearch
from skyreid.cases.search.stacks import Stacker
from skyreid.cases.tracklets import CaseTracklet
from skyreid.cases.work.footage import LARGEST_UPLOAD, Shelf
from skyreid.errors import AwayError, RefusedError, SkyreidError
from skyreid.files.object_store import checked_url

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class OpenCase:
    """A case that is open, with what searches it."""

    case: Case
    case_id: str
    kept: StandingKeeper
    """Of who is who."""
    searches: CaseSearch
    pairs: PairQueue
    stacker: Stacker
    asker: CaseAsker
    """Embeds pictures and texts."""
    held: HeldPictures = field(default_factory=HeldPictures)
    """Pictures that somebody asks with."""
    alone: Lock = field(default_factory=Lock)

    @contextmanager
    def searching(self) -> Iterator[CaseSearch]:
        """Search alone: the caches are for one thread at a time."""
        with self.alone:
            yield self.searches

    def stacks(self, tracklets: Sequence[CaseTracklet], standing: Standing) -> dict[int, tuple[int, ...]]:
        """Say who of a list stands in a stack of whom; see `cases.stacks`."""
        with self.alone:
            return self.stacker.stacks(tracklets, standing)

    def close(self) -> None:
        """End its connections, and what is done beside requests."""
        self.pairs.close()
        self.case.close()

    def facts(self) -> CaseFacts:
        """What is true of it now."""
        return self.case.facts()

    def standing(self, tracklet_ids: Iterable[str] | None = None) -> Standing:
        """Say who is who now: of some at least, and of all whom somebody decided on; None = of all."""
        with self.case.database.reading() as connection:
            return self.kept.whole(connection) if tracklet_ids is None else self.kept.touching(connection, tracklet_ids)


class OpenCases:
    """All cases in a folder, and the people of its server.

    Args:
        folder: with cases, or a case.
        shelf: what footage may be taken from.
        largest_upload: bytes that footage may have.
        runs: folder of training runs to be shown.
        models: where the weights of models may lie, beside those that jobs name and the cache.
        database: URL of the PostgreSQL database that people, and cases that are made here, come into; None = where
            its people are.
        files: s3://BUCKET/PREFIX that crops and uploads of cases come into that are made here; None = their folders.

    Raises:
        StoreError: that is no place in an object store.
    """

    def __init__(
        self,
        folder: Path,
        *,
        shelf: Shelf | None = None,
        largest_upload: int = LARGEST_UPLOAD,
        models: Sequence[str] = (),
        runs: Path | None = None,
        database: str | None = None,
        files: str | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self._models, self.runs = tuple(models), runs
        self._files = None if files is None else checked_url(files)
        self.shelf, self.largest_upload = shelf or Shelf(), largest_upload
        self.people: People = open_people(self.folder, database=database)
        self.originals = OncePictures()
        self._open: dict[tuple[Path, int], OpenCase] = {}
        self._left_out: dict[tuple[Path, int], str] = {}
        self._changes = Lock()

    def close(self) -> None:
        """End all connections."""
        for one in self._open.values():
            one.close()
        self.people.close()

    def all(self, *, strict: bool = False) -> list[OpenCase]:
        """Give the cases that are there now, by folder name; one that was put in the place of another is opened.

        Args:
            strict: refuse when one cannot be opened; otherwise it is left out, the console says why, and the others are
                served.

        Raises:
            CaseError: `strict`, and one is damaged, or was written by another skyreid.
            AwayError: a database or an object store is away.
        """
        with self._changes:
            there = cases_there(self.folder)
            for gone in self._open.keys() - set(there):
                self._open.pop(gone).close()
            for one in there:
                if one not in self._open:
                    try:
                        self._open[one] = self._opened(one[0])
                    except AwayError:
                        raise
                    except SkyreidError as refusal:
                        if strict:
                            raise
                        self._warn(one, str(refusal))
            return [self._open[one] for one in there if one in self._open]

    def _opened(self, folder: Path) -> OpenCase:
        case, kept = open_case(folder), StandingKeeper()
        return OpenCase(
            case=case,
            case_id=case.facts().case_id,
            kept=kept,
            searches=CaseSearch(case, kept),
            pairs=PairQueue(case, kept),
            stacker=Stacker(case),
            asker=CaseAsker(case, models=self._models),
        )

    def _warn(self, place: tuple[Path, int], refusal: str) -> None:
        """Say once, and not with every page, that a case is left out."""
        if self._left_out.get(place) != refusal:
            self._left_out[place] = refusal
            _logger.warning("%s; it is not served until that is right", refusal)

    def create(self, name: str, *, by: str, retention_days: int) -> OpenCase:
        """Make a case; its folder gets a plain name that follows from what it is called.

        Raises:
            RefusedError: the server shows one case, and not a folder of them.
            SourceError: a name that cannot be shown.
            CaseError: the folder cannot be made.
            StoreError: the object store that is to have its files refuses, or is away.
        """
        if is_case(self.folder):
            raise RefusedError("this server shows one case; serve the folder that it lies in to make others")
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "case"
        taken = {path.name for path in self.folder.iterdir()}
        folder = next(one for n in count(1) if (one := plain if n == 1 else f"{plain}-{n}") not in taken)
        told = {"by": by, "name": name, "retention_days": retention_days}
        with create_case(self.folder / folder, database=people_url(self.folder), files=self._files, **told) as case:
            case_id = case.facts().case_id
        with self.people.database.writing() as connection:
            record(connection, by, "case new", name, {"case": case_id})
        made = self.find(case_id)
        assert made is not None
        return made

    def without_paths(self, words: str) -> str:
        """Say the same without where on this machine things lie."""
        shelf = [(path, f"the folder {path.name}") for path in self.shelf.folders]
        of_cases = sorted((path for path, _ in self._open), key=lambda path: len(str(path)), reverse=True)
        databases = {self.people.database.where, *(one.case.database.where for one in self._open.values())}
        for folder, called in (
            *((where, "the database") for where in databases if isinstance(where, str)),
            *((place, "the case") for one in self._open.values() if (place := one.case.store_place)),
            *((path, "the case") for path in of_cases),
            (self.folder, "the folder of cases"),
            *shelf,
        ):
            words = words.replace(f"{folder}: ", "").replace(str(folder), called)
        return re.sub(r"s3://[a-z0-9.-]+ at [^\s:]+", "the object store", words)

    def find(self, case_id: str) -> OpenCase | None:
        """Look a case up; None = there is none."""
        return next((one for one in self.all() if one.case_id == case_id), None)
