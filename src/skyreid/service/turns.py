"""Whose turn it is: so many requests are worked on at once, the others wait in a line that has an end.

One interpreter computes, so that more at once only make everybody slower. Who would wait longer than anybody looks at
an empty page is told to come again, and so is who stands in the line too often: nobody keeps the others out.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import HTTPException

AT_ONCE = 4
"""Requests that are worked on. Some wait for a disk, a decoder or a model, and the interpreter is free then."""
MOST_WAITING = 200
MOST_OF_ONE = 32
"""Of one user, at work or waiting: what some windows of a browser ask for together."""
PATIENCE_S = 10.0
AGAIN_S = 3
"""When to come again."""


class Turns:
    """The line of one server.

    Args:
        at_once: how many are worked on.
        most_waiting: how many wait.
        most_of_one: how many of one user are here.
        patience_s: how long one waits.
    """

    def __init__(
        self,
        *,
        at_once: int = AT_ONCE,
        most_waiting: int = MOST_WAITING,
        most_of_one: int = MOST_OF_ONE,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._most_waiting, self._most_of_one, self._patience_s = most_waiting, most_of_one, patience_s
        self._waiting = 0
        self._here: Counter[str] = Counter()

    @asynccontextmanager
    async def turn(self, user: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it.

        Raises:
            HTTPException: 503, the line is too long, or the user stands in it too often.
        """
        if self._here[user] >= self._most_of_one or self._waiting >= self._most_waiting:
            raise _busy()
        self._here[user] += 1
        try:
            await self._enter()
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._here[user] -= 1
            if not self._here[user]:
                del self._here[user]

    async def _enter(self) -> None:
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience_s):
                await self._places.acquire()
        except TimeoutError:
            raise _busy() from None
        finally:
            self._waiting -= 1


def _busy() -> HTTPException:
    return HTTPException(
        503, "too many ask at once; nothing was done, try again in a moment", headers={"Retry-After": str(AGAIN_S)}
    )
