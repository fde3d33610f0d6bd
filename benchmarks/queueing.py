"""Events on a clock, and parts with a line in front of them: what `sizing.py` plays footage and searches through."""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Station:
    """A part with so many servers and one line."""

    name: str
    servers: int
    busy: int = 0
    waiting: deque = field(default_factory=deque)
    longest: int = 0
    busy_s: float = 0.0
    waited_s: float = 0.0
    served: int = 0


class Events:
    """The clock: what happens when, in order."""

    def __init__(self, until_s: float, from_s: float = 0.0) -> None:
        self.now, self.until_s, self.from_s = 0.0, until_s, from_s
        self._queue: list = []
        self._number = 0

    def at(self, time_s: float, happens: Callable[[], None]) -> None:
        """Have something happen; what lies behind the end never does."""
        if time_s <= self.until_s:
            self._number += 1
            heapq.heappush(self._queue, (time_s, self._number, happens))

    def ask(self, station: Station, takes_s: float, then: Callable[[], None] = lambda: None) -> None:
        """Be served, now or once those before have been."""
        if station.busy < station.servers:
            station.busy += 1
            self._serve(station, takes_s, then, self.now)
        else:
            station.waiting.append((takes_s, then, self.now))
            if self.now >= self.from_s:
                station.longest = max(station.longest, len(station.waiting))

    def _serve(self, station: Station, takes_s: float, then: Callable[[], None], since_s: float) -> None:
        begun, ends = self.now, self.now + takes_s
        station.busy_s += max(0.0, min(ends, self.until_s) - max(begun, self.from_s))
        if begun >= self.from_s:
            station.waited_s += begun - since_s
            station.served += 1

        def done() -> None:
            if station.waiting:
                self._serve(station, *station.waiting.popleft())
            else:
                station.busy -= 1
            then()

        self.at(ends, done)

    def run(self) -> None:
        """Let everything happen until the end."""
        while self._queue:
            self.now, _, happens = heapq.heappop(self._queue)
            happens()

    def told(self, station: Station) -> dict[str, float]:
        """How a part fared since `from_s`."""
        return {
            "servers": station.servers,
            "utilisation": round(station.busy_s / station.servers / (self.until_s - self.from_s), 3),
            "waiting_at_the_end": len(station.waiting),
            "longest_line": station.longest,
            "mean_wait_s": round(station.waited_s / max(1, station.served), 3),
        }
