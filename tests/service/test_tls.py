"""A server for others: with a certificate, or not at all."""

import http.client
import shutil
import subprocess
from urllib.parse import urlsplit

import pytest

from skyreid.cases.case import create_case
from skyreid.errors import RefusedError, SettingError
from skyreid.service.server import Tls, open_server
from tests.service.running import PASSWORD, Running

EVERYWHERE = "0.0.0.0"
"""Another address than this machine's own for itself: others reach it."""


@pytest.fixture
def certified(tmp_path):
    """A certificate of this machine that is its own authority, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    paths = tmp_path / "certificate.pem", tmp_path / "key.pem"
    asked = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    asked += ["-addext", "subjectAltName=DNS:localhost", "-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run(["openssl", "req", *asked], check=True, capture_output=True)
    return paths


@pytest.fixture
def cases(tmp_path):
    folder = tmp_path / "cases"
    folder.mkdir()
    create_case(folder / "square", by="anna").close()
    return folder


def test_others_are_listened_to_with_a_certificate_only(tmp_path):
    with pytest.raises(RefusedError, match=rf"{EVERYWHERE}.*--tls-cert"), open_server(tmp_path, host=EVERYWHERE):
        pass
    assert not list(tmp_path.iterdir())


def test_with_a_certificate_all_is_encrypted_and_cookies_go_no_other_way(cases, certified):
    certificate, key = certified
    told = ("--host", EVERYWHERE, "--tls-cert", certificate, "--tls-key", key)
    with Running(cases, *told, certificate=certificate) as server:
        assert server.url.startswith("https://localhost:")
        own = server.make_first()
        answer = own.get("/")
        assert answer.status_code == 200 and "strict-transport-security" in answer.headers
        again = own.post("/api/login", json={"name": "boss", "password": PASSWORD})
        with server.client() as stranger:
            set_there = [*again.headers.get_list("set-cookie"), *stranger.get("/login").headers.get_list("set-cookie")]
        told = [cookie for cookie in set_there if "Max-Age=0" not in cookie]  # the others are removed
        assert {one.partition("=")[0] for one in told} == {"skyreid_session", "skyreid_form"}
        for cookie in told:
            assert {"secure", "httponly", "samesite=lax"} <= {part.strip().lower() for part in cookie.split(";")}
        # An address that is not encrypted is another one: our own page does not come from there.
        unsafe = {"origin": server.url.replace("https:", "http:")}
        assert own.post("/api/logout", headers=unsafe).status_code == 403
        plain = http.client.HTTPConnection("localhost", urlsplit(server.url).port, timeout=20)
        with pytest.raises((http.client.HTTPException, OSError)):
            plain.request("GET", "/login")
            plain.getresponse()
        plain.close()
        own.close()


def test_a_certificate_or_a_key_that_cannot_be_used_is_named(tmp_path, certified):
    certificate, key = certified
    wrong, gone, locked = (tmp_path / name for name in ("wrong.pem", "gone.pem", "locked.pem"))
    wrong.write_text("these are words")
    hidden = ["openssl", "rsa", "-aes256", "-passout", "pass:secret", "-in", str(key), "-out", str(locked)]
    subprocess.run(hidden, check=True, capture_output=True)
    for pair, named in (
        ((wrong, key), wrong),
        ((gone, key), gone),
        ((key, key), key),
        ((certificate, wrong), wrong),
        ((certificate, gone), gone),
        ((certificate, locked), locked),
    ):
        tls = Tls(certificate=pair[0], key=pair[1])
        with pytest.raises(SettingError, match=f"^{named}: ") as refusal, open_server(tmp_path, tls=tls):
            pass
        assert "PEM" in str(refusal.value)
