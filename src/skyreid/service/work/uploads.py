"""Bodies that are taken as they come, file by file: none of it is held in memory or written elsewhere first.

A form sends its token as its first field, so that nothing of a file is read before it is known who sends it.
"""

import re
from collections import deque
from collections.abc import AsyncIterator

from fastapi import HTTPException, Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

_PATHS = re.compile(r"(/api)?/c/[0-9a-f]{32}/uploads")
ROUND_A_FILE = 2**20
"""Bytes that a form may have beside its files."""
_LONGEST_FIELD = 1_000


def is_upload_path(path: str) -> bool:
    """Whether the body of a request is taken as it comes."""
    return _PATHS.fullmatch(path) is not None


class Parts:
    """The parts of a form, in the order in which they come.

    Args:
        request: whose body it is.

    Raises:
        HTTPException: it is no form.
    """

    def __init__(self, request: Request) -> None:
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise HTTPException(422, "no file came; choose one")
        self._stream = request.stream()
        self._events: deque[tuple[str, bytes]] = deque()
        self._header, self._value = bytearray(), bytearray()
        self._is_whole = False
        self._parser = MultipartParser(
            options[b"boundary"],
            {
                "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._end_header,
                "on_part_data": lambda data, start, end: self._events.append(("data", data[start:end])),
                "on_part_end": lambda: self._events.append(("end", b"")),
                "on_end": self._end,
            },
        )

    async def first_field(self, name: str) -> str:
        """Give the value of the first field; "" where it is another one, or a file."""
        value = bytearray()
        kind, told = await self._next()
        _, options = parse_options_header(told)
        is_it = kind == "begin" and options.get(b"name") == name.encode() and b"filename" not in options
        while kind != "end" and len(value) <= _LONGEST_FIELD:
            kind, data = await self._next()
            value += data
        return value.decode("utf-8", "replace") if is_it and kind == "end" else ""

    async def files(self) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
        """Give each file by its name, and its bytes as they come; those are to be read before the next one is."""
        while True:
            kind, told = await self._next(at_end=True)
            if kind == "nothing":
                return
            name = parse_options_header(told)[1].get(b"filename") if kind == "begin" else None
            if name:
                yield name.decode("utf-8", "replace"), self._bytes()

    async def _bytes(self) -> AsyncIterator[bytes]:
        while (event := await self._next())[0] == "data":
            yield event[1]

    async def _next(self, *, at_end: bool = False) -> tuple[str, bytes]:
        """Give what comes next; at the end of the form, nothing, or a refusal where something must come."""
        while not self._events:
            try:
                self._parser.write(await anext(self._stream))
            except StopAsyncIteration:
                if at_end and self._is_whole:
                    return "nothing", b""
                raise HTTPException(422, "the file did not arrive whole; send it again") from None
            except FormParserError:
                raise HTTPException(422, "the form cannot be read; load the page anew") from None
        return self._events.popleft()

    def _end_header(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            self._events.append(("begin", bytes(self._value)))
        self._header.clear()
        self._value.clear()

    def _end(self) -> None:
        self._is_whole = True
