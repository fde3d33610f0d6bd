"""Where the tests find an object store, and a way to it that a test may cut."""

import os
import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from skyreid.files import object_store
from skyreid.files.object_store import list_objects

BUCKET = os.environ.get("SKYREID_TEST_S3")
"""A bucket that .ci/with-object-store starts, such as s3://skyreid-tests; AWS_… say where it is."""
on_store = pytest.mark.skipif(not BUCKET, reason="SKYREID_TEST_S3 is not set (.ci/with-object-store sets it)")


def new_place():
    """A place in the bucket that nobody else uses."""
    return f"{BUCKET}/{uuid4().hex}"


class Way:
    """The way of this process to the store inside a `with` block: passes connections on, until it is cut."""

    def __init__(self):
        told = urlsplit(os.environ["AWS_ENDPOINT_URL_S3"])
        self._there = (told.hostname, told.port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._open = set()
        self.is_cut = False

    def __enter__(self):
        self._before = os.environ["AWS_ENDPOINT_URL_S3"]
        self._lead_to(self.url)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listening.close()
        self.cut()
        self._lead_to(self._before)

    def _lead_to(self, url):
        os.environ["AWS_ENDPOINT_URL_S3"] = url
        object_store._store.cache_clear()

    def cut(self):
        self.is_cut = True
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def mend(self):
        self.is_cut = False

    def cut_for(self, seconds):
        self.cut()
        threading.Timer(seconds, self.mend).start()

    def _accept(self):
        with suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                if self.is_cut:
                    here.close()
                    continue
                there = socket.create_connection(self._there)
                self._open |= {here, there}
                for pair in ((here, there), (there, here)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source, target):
        with suppress(OSError):
            while part := source.recv(2**16):
                target.sendall(part)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            self._open.discard(one)
            one.close()


def objects_of(case):
    """What lies in the store for a case, but for the object by which its place is known again."""
    return [one for one in list_objects(case.files.root) if one.url != f"{case.files.root}/begun"]
