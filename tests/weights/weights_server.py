"""A real HTTP server on the loopback that gives files well, badly or not at all."""

import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Server:
    """What it gives, how, and what it was asked."""

    files: dict[str, bytes]
    address: str = ""
    knows_ranges: bool = True
    etag: str = '"first"'
    cut_after: int | None = None
    """Bytes after which every connection ends."""
    longer_by: int = 0
    """Bytes that follow the file, where its length is not told."""
    redirect: str | None = None
    status: int | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    gate: threading.Event | None = None
    """What every answer waits for after its first half."""


@contextmanager
def serving(**files):
    """Serve files by path; names of keywords stand for their paths with a dot."""
    server = Server({name.replace("__", "."): content for name, content in files.items()})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked.append(dict(self.headers))
            content = server.files.get(self.path.lstrip("/"))
            if server.redirect is not None:
                self.send_response(302)
                self.send_header("Location", server.redirect)
                self.end_headers()
                return
            if content is None or server.status is not None:
                self.send_error(server.status or 404)
                return
            begin = self.range_begin(len(content))
            self.send_response(206 if begin else 200)
            self.send_header("ETag", server.etag)
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
            if not server.longer_by:
                self.send_header("Content-Length", str(len(content) - begin))
            self.end_headers()
            given = content[begin:] + bytes(server.longer_by)
            if server.gate is not None:
                self.wfile.write(given[: len(given) // 2])
                self.wfile.flush()
                server.gate.wait(20)
                given = given[len(given) // 2 :]
            self.wfile.write(given if server.cut_after is None else given[: server.cut_after])

        def range_begin(self, length):
            told = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if told is None or not server.knows_ranges or self.headers.get("If-Range", server.etag) != server.etag:
                return 0
            return min(int(told[1]), length)

        def log_message(self, *_):
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    server.address = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
