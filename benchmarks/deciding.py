"""How many decisions link people, with lists that learn and without: `python benchmarks/deciding.py --model MODEL`.

For each seed a world of simulated people is drawn (`simulated_case.py`), embedded by MODEL and brought into a case, in
which nobody is anybody yet. Then an annotator who knows everybody works as the pages offer it: each tracklet of the
ground asks in turn, the first of the list is decided on, and the list is asked for anew. They turn to the next one when
all aerial tracklets of the person are found, or after ten rejections one after the other, and begin again with the
first one when all have asked. Counted are the decisions after which 90 % of the people are linked (a tracklet of the
ground and an aerial one are one person) and whole (all of their tracklets are). With --adapt the work is done
a third time, with lists that learn and `skyreid case adapt` once half of the people are linked.
"""

import argparse
import tempfile
from pathlib import Path

from simulated_case import draw_world, embedded, make_case
from skyreid.cases.case import Case
from skyreid.cases.deciding.decision_rows import CONFIRMED, REJECTED
from skyreid.cases.deciding.decisions import decide
from skyreid.cases.search.adapting import adapt
from skyreid.cases.search.searching import CaseSearch
from skyreid.errors import NothingFoundError
from skyreid.tracklet import Platform, Tracklet

PATIENCE, SHARE, PASSES = 10, 0.9, 20
KINDS = ("raw", "refined", "adapted")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True, help="what `skyreid embed` takes")
    parser.add_argument("--name", default="table", help="of the tables that are kept")
    parser.add_argument("--worlds", type=Path, default=Path("worlds"), help="folder where worlds are kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--identities", type=int, default=60)
    parser.add_argument("--adapt", action="store_true")
    given = parser.parse_args()
    for seed in given.seeds:
        folder = given.worlds / str(seed)
        tracklets = draw_world(folder, seed, given.identities)
        table = embedded(folder, given.model, given.name)
        for kind in KINDS if given.adapt else KINDS[:2]:
            with (
                tempfile.TemporaryDirectory() as scratch,
                make_case(Path(scratch) / "case", tracklets, table) as case,
            ):
                work = Work(case, tracklets)
                linked, whole = work.do(refine=kind != "raw", adapting=kind == "adapted")
            for line in work.told:
                print(line)
            print(f"seed {seed}, {len(tracklets)} tracklets, {kind}: {linked} decisions to link, {whole} to have whole")


class Work:
    """The decisions of somebody who knows everybody."""

    def __init__(self, case: Case, tracklets: list[Tracklet]) -> None:
        self._case, self._tracklets = case, tracklets
        self._pids = {one.tracklet_id: one.pid for one in tracklets}
        self._person = {one.tracklet_id: frozenset([one.tracklet_id]) for one in tracklets}
        self._aerial = {one.tracklet_id for one in tracklets if one.platform is Platform.AERIAL}
        self._of = {pid: {name for name, one in self._pids.items() if one == pid} for pid in set(self._pids.values())}
        self.decisions = 0
        self.told: list[str] = []
        self.linked: dict[int, int] = {}
        self.whole: dict[int, int] = {}

    def do(self, *, refine: bool, adapting: bool) -> tuple[int | None, int | None]:
        """Work until all is done that is counted; gives the two numbers of decisions, None = never."""
        searching = CaseSearch(self._case)
        for _ in range(PASSES):
            for query in (one for one in self._pids if one not in self._aerial):
                if adapting and len(self.linked) >= len(self._of) / 2:
                    adapting = False
                    self.told = [
                        f"after {self.decisions} decisions: {line}" for line in adapt(self._case, by="a").lines()
                    ]
                self._ask(searching, query, refine=refine)
                if self._at(self.whole) is not None:
                    return self._at(self.linked), self._at(self.whole)
        return self._at(self.linked), None

    def _ask(self, searching: CaseSearch, query: str, *, refine: bool) -> None:
        sought, rejected = self._of[self._pids[query]] & self._aerial, 0
        while rejected < PATIENCE and not sought <= self._person[query]:
            try:
                first = searching.search([query], platform=Platform.AERIAL, top_k=1, refine=refine).candidates[0]
            except NothingFoundError:
                return
            found = first.seen.tracklet.tracklet_id
            is_same = self._pids[found] == self._pids[query]
            decide(self._case, query, found, CONFIRMED if is_same else REJECTED, annotator="oracle")
            self.decisions += 1
            rejected = 0 if is_same else rejected + 1
            if is_same:
                self._join(query, found)

    def _join(self, first: str, second: str) -> None:
        person = self._person[first] | self._person[second]
        for one in person:
            self._person[one] = person
        pid = self._pids[first]
        self.linked.setdefault(pid, self.decisions)
        if person == self._of[pid]:
            self.whole.setdefault(pid, self.decisions)

    def _at(self, done: dict[int, int]) -> int | None:
        """After how many decisions enough people were done."""
        enough = -(-len(self._of) * SHARE // 1)
        return sorted(done.values())[int(enough) - 1] if len(done) >= enough else None


if __name__ == "__main__":
    main()
