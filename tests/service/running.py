"""A real server in a process of its own, on a free port of the loopback, and clients of it."""

import os
import re
import signal
import ssl
import subprocess
import sys

import httpx

PASSWORD = "a long and quiet river"


class Running:
    """`skyreid serve` over a folder; ends with the block.

    Args:
        folder: with cases.
        options: of the command.
        certificate: that browsers trust, of a server for others; it says `localhost`.
    """

    def __init__(self, folder, *options, certificate=None):
        self._verify = True if certificate is None else ssl.create_default_context(cafile=certificate)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "skyreid", "serve", str(folder), "--port", "0", *map(str, options)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=os.environ | {"COLUMNS": "200"},
        )
        self.said, self.url, self.token = [], None, None
        for line in self._process.stderr:
            self.said.append(line.decode())
            if found := re.search(r"at (https?)://\S+:(\d+)/ \(", self.said[-1]):
                self.url = f"{found[1]}://{'127.0.0.1' if certificate is None else 'localhost'}:{found[2]}"
                break
        assert self.url, self.said

    def read_token(self):
        """The one that makes the first administrator."""
        for line in self._process.stderr:
            self.said.append(line.decode())
            if found := re.search(r"works once: (\S+)", self.said[-1]):
                return found[1]
        raise AssertionError(self.said)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._process.stderr.close()

    def client(self):
        """A browser without a session; as such it asks for pages."""
        return httpx.Client(base_url=self.url, headers={"origin": self.url}, timeout=120, verify=self._verify)

    def make_first(self, name="boss"):
        """A browser of the first administrator."""
        with self.client() as first:
            first.headers["x-csrf-token"] = first.get("/api/session").json()["csrf"]
            told = {"token": self.read_token(), "name": name, "password": PASSWORD}
            assert first.post("/api/first-run", json=told).status_code == 201
        return self.log_in(name)

    def end(self):
        """End it as Ctrl-C does; gives its exit status."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(timeout=60)

    def log_in(self, name, password=PASSWORD):
        """A browser in which somebody is logged in; `csrf` goes with what it changes."""
        client = self.client()
        client.headers["x-csrf-token"] = client.get("/api/session").json()["csrf"]
        answer = client.post("/api/login", json={"name": name, "password": password})
        assert answer.status_code == 200, answer.text
        client.headers["x-csrf-token"] = answer.json()["csrf"]
        return client
