"""What holds for every answer and every request, whatever route it is for."""

import re
from collections.abc import Iterable

from fastapi.responses import PlainTextResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from skyreid.service.access import SAFE
from skyreid.service.work.uploads import ROUND_A_FILE, is_upload_path

LARGEST_BODY = 64 * 1024
LARGEST_PICTURE = 24 * 2**20
"""To ask with, with the form around it."""
LARGER_BODIES = ((re.compile(r"(?:/api)?/c/[0-9a-f]{32}/pictures"), LARGEST_PICTURE),)
"""Paths that take more than others."""
CONTENT_POLICY = "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"
HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Of every answer: nothing foreign runs or is fetched, nothing stays in a browser after logging out."""


class Guardrails:
    """Refuses requests for other names and large bodies, and gives every answer its headers.

    Args:
        app: that answers.
        names: by which the server may be called, lest a foreign name leads a browser here; none = any (a certificate
            says the name then).
        is_tls: whether connections are encrypted.
        largest_upload: bytes that footage may have.
    """

    def __init__(self, app: ASGIApp, *, names: Iterable[str], is_tls: bool, largest_upload: int) -> None:
        self._app, self._largest_upload = app, largest_upload
        self._names = frozenset(names)
        self._headers = HEADERS | ({"strict-transport-security": "max-age=31536000"} if is_tls else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope["method"], scope["path"], Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, method: str, path: str, headers: Headers) -> PlainTextResponse | None:
        name = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
        if self._names and name not in self._names:
            return PlainTextResponse("this server has another name", 421)
        if method in SAFE:
            return None
        length = headers.get("content-length", "")
        if not length and "transfer-encoding" not in headers:
            return None  # it has no body
        if not length.isascii() or not length.isdigit():
            return PlainTextResponse("a request says how long it is", 411)
        largest = next((most for pattern, most in LARGER_BODIES if pattern.fullmatch(path)), LARGEST_BODY)
        if is_upload_path(path):
            largest = self._largest_upload + ROUND_A_FILE
        if int(length) > largest:
            return PlainTextResponse(f"a request has at most {largest} bytes", 413)
        return None
