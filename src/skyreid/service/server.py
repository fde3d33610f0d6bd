"""A server that runs: on this machine only, unless connections are encrypted."""

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from os import PathLike
from pathlib import Path

import uvicorn

from skyreid.arguments import path_of
from skyreid.cases.search.asking import is_here
from skyreid.cases.work.footage import LARGEST_UPLOAD
from skyreid.errors import CaseError, RefusedError, SettingError
from skyreid.service.app import LOOPBACK, make_app
from skyreid.service.keeping import Keeper
from skyreid.service.workers import Workers


@dataclass(frozen=True, kw_only=True)
class Tls:
    """What connections are encrypted with, in PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that holds its port and waits to be run."""

    url: str
    setup_token: str | None
    """Makes the first administrator; None = there are users."""
    _uvicorn: uvicorn.Server
    _socket: socket.socket
    _workers: Workers
    _keeper: Keeper

    def run(self) -> None:
        """Answer until it is interrupted; meanwhile have jobs done, and remove what may not stay."""
        with self._workers, self._keeper:
            self._uvicorn.run(sockets=[self._socket])


@contextmanager
def open_server(
    folder: str | PathLike[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    tls: Tls | None = None,
    workers: int = 1,
    footage: Sequence[str | PathLike[str]] = (),
    largest_upload: int = LARGEST_UPLOAD,
    models: Sequence[str] = (),
    runs: str | PathLike[str] | None = None,
    database: str | None = None,
    files: str | None = None,
    balancers: Sequence[str] = (),
) -> Iterator[Server]:
    """Get a server ready.

    Args:
        folder: with cases, or a case.
        host: address to listen at.
        port: 0 = a free one.
        tls: encrypts connections; None = they are not, which only this machine itself may use.
        workers: processes that do the jobs of its cases.
        footage: folders of this machine that footage may be taken from.
        largest_upload: bytes that footage may have which is sent to it.
        runs: folder of training runs that everybody who is logged in may look at.
        models: where weights lie that pictures and texts are embedded by, beside those that jobs name and the cache.
        database: URL of a PostgreSQL database, which several servers of one folder share: it gets the people of the
            server, and the cases that are made there; None = they stay where they are.
        files: as of `OpenCases`.
        balancers: addresses of those who pass requests on, and are believed where these came from (X-Forwarded-For).

    Raises:
        RefusedError: others could reach it, and connections would not be encrypted.
        SettingError: a host, port, certificate, folder, model or number of workers that cannot be used.
        CaseError: the folder is none, or a case cannot be opened.
    """
    folder = path_of(folder, "a folder of cases")
    if not folder.is_dir():
        raise CaseError(f"{folder}: is no folder; name one with cases ('skyreid case new {folder}/NAME' makes one)")
    if tls is not None:
        _require_pair(tls)
    elif not _is_loopback(host):
        raise RefusedError(
            f"{host}: others could reach this server and read passwords and pictures on the way; give --tls-cert and "
            "--tls-key, or listen at 127.0.0.1"
        )
    for balancer in balancers:
        try:
            ip_network(balancer)
        except ValueError as error:
            raise SettingError(
                f"{balancer}: a balancer is named by its address, or a network of them ({error})"
            ) from error
    for model in models:
        if not is_here(model):
            raise SettingError(
                f"{model}: is no checkpoint or network here, and no name of weights in the cache (--model)"
            )
    runs_folder = None if runs is None else path_of(runs, "a folder of runs").resolve()
    if runs_folder is not None and not runs_folder.is_dir():
        raise SettingError(f"{runs_folder}: is no folder of training runs (--runs)")
    listener = _listen(host, port)
    try:
        app = make_app(
            folder,
            names=() if tls else LOOPBACK,
            is_tls=tls is not None,
            footage=[path_of(one, "a folder of footage") for one in footage],
            largest_upload=largest_upload,
            models=models,
            runs=runs_folder,
            database=database,
            files=files,
        )
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(balancers),
            forwarded_allow_ips=list(balancers),
            ssl_certfile=None if tls is None else tls.certificate,
            ssl_keyfile=None if tls is None else tls.key,
            timeout_graceful_shutdown=3,
        )
        config.load()
        name = f"[{host}]" if ":" in host else host
        url = f"{'https' if tls else 'http'}://{name}:{listener.getsockname()[1]}/"
        token = app.state.cases.people.setup_token()
        try:
            yield Server(
                url=url,
                setup_token=token,
                _uvicorn=uvicorn.Server(config),
                _socket=listener,
                _workers=Workers(app.state.cases, workers),
                _keeper=Keeper(app.state.cases),
            )
        finally:
            app.state.cases.close()
    finally:
        listener.close()


def _require_pair(tls: Tls) -> None:
    """See that a certificate and its key can be used, and name the one of them that cannot."""
    for path, option in ((tls.certificate, "--tls-cert"), (tls.key, "--tls-key")):
        try:
            path.open("rb").close()
        except OSError as error:
            raise SettingError(f"{path}: cannot be read ({error.strerror}); {option} takes a PEM file") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(tls.certificate)
    except ssl.SSLError as error:
        raise SettingError(f"{tls.certificate}: holds no certificate; --tls-cert takes a PEM file") from error
    try:
        context.load_cert_chain(tls.certificate, tls.key, password="")  # else it would ask at the terminal
    except ssl.SSLError as error:
        raise SettingError(
            f"{tls.key}: holds no key of {tls.certificate} that needs no passphrase; --tls-key takes a PEM file"
        ) from error


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65_535:
        raise SettingError(f"{host}:{port}: a port is a number from 0 (a free one) to 65535 (--port)")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()  # whoever comes before the first answer waits
        except BaseException:
            listener.close()
            raise
    except (OSError, OverflowError) as error:
        raise SettingError(f"{host}:{port}: cannot be listened at ({error}); give another --host or --port") from error
    return listener
