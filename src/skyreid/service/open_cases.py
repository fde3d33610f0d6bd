"""The cases of a server: opened once, found by the id that an address names, never by a path."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from skyreid.cases.case import Case, CaseFacts, list_cases, open_case
from skyreid.cases.footage import LARGEST_UPLOAD, Shelf
from skyreid.cases.pair_queue import PairQueue
from skyreid.cases.people import People, open_people
from skyreid.cases.searching import CaseSearch


@dataclass(frozen=True, kw_only=True)
class OpenCase:
    """A case that is open, with what searches it."""

    case: Case
    case_id: str
    searches: CaseSearch
    pairs: PairQueue
    alone: Lock = field(default_factory=Lock)

    @contextmanager
    def searching(self) -> Iterator[CaseSearch]:
        """Search alone: the caches are for one thread at a time."""
        with self.alone:
            yield self.searches

    def facts(self) -> CaseFacts:
        """What is true of it now."""
        return self.case.facts()


class OpenCases:
    """All cases in a folder, and the people of its server.

    Args:
        folder: with cases, or a case.
        shelf: what footage may be taken from.
        largest_upload: bytes that footage may have.
    """

    def __init__(self, folder: Path, *, shelf: Shelf | None = None, largest_upload: int = LARGEST_UPLOAD) -> None:
        self.folder = folder.resolve()
        self.shelf, self.largest_upload = shelf or Shelf(), largest_upload
        self.people: People = open_people(self.folder)
        self._open: dict[Path, OpenCase] = {}
        self._changes = Lock()

    def close(self) -> None:
        """End all connections."""
        for one in self._open.values():
            one.case.close()
        self.people.close()

    def all(self) -> list[OpenCase]:
        """Give the cases that are there now, by folder name."""
        with self._changes:
            there = list_cases(self.folder)
            for gone in self._open.keys() - set(there):
                self._open.pop(gone).case.close()
            for path in there:
                if path not in self._open:
                    case = open_case(path)
                    self._open[path] = OpenCase(
                        case=case, case_id=case.facts().case_id, searches=CaseSearch(case), pairs=PairQueue(case)
                    )
            return [self._open[path] for path in there]

    def without_paths(self, words: str) -> str:
        """Say the same without where on this machine things lie."""
        shelf = [(path, f"the folder {path.name}") for path in self.shelf.folders]
        of_cases = sorted(self._open, key=lambda path: len(str(path)), reverse=True)
        for folder, called in (
            *((path, "the case") for path in of_cases),
            (self.folder, "the folder of cases"),
            *shelf,
        ):
            words = words.replace(f"{folder}: ", "").replace(str(folder), called)
        return words

    def find(self, case_id: str) -> OpenCase | None:
        """Look a case up; None = there is none."""
        return next((one for one in self.all() if one.case_id == case_id), None)
