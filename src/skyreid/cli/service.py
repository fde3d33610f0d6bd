"""`skyreid serve`: the cases of a folder as web pages."""

import os
from pathlib import Path
from typing import Annotated

import tyro

from skyreid.cli.search import Several
from skyreid.cli.terminal import Bars, print_notice
from skyreid.errors import SettingError


def serve(
    cases: Annotated[Path | None, tyro.conf.Positional] = None,
    *,
    demo: bool = False,
    host: str = "127.0.0.1",
    port: int = 8765,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    workers: int = 1,
    footage: Several = (),
    largest_upload_mb: int = 32_768,
    model: Several = (),
    runs: Path | None = None,
    database: str | None = None,
    files: str | None = None,
    balancer: Several = (),
) -> None:
    """Show cases as web pages: add footage, browse, search, decide; Ctrl-C ends it.

    Args:
        cases: folder with cases, or a case; the one where this is called when not given.
        demo: make a case of drawn people first, in a new folder, or in one for temporary files when none is given; the
            second time it is there.
        host: address to listen at; another one than this machine's own needs a certificate.
        port: 0 takes a free one.
        tls_cert: certificate, a PEM file.
        tls_key: its key, a PEM file.
        workers: processes beside the server that look at the footage; 0 leaves that to `skyreid case work`.
        footage: folder of this machine that managers of a case may take footage from; may be given several times.
        largest_upload_mb: megabytes that one upload of footage may have.
        model: checkpoint or network of a case, as of `skyreid embed`, that pictures and texts are embedded by; may be
            given several times. Those of `case add` and of the cache are found without.
        runs: folder of training runs (the --run-dir of 'skyreid train', or one above several) that everybody who is
            logged in may look at, with their curves and scores.
        database: postgresql+psycopg://USER@HOST/NAME, as of `skyreid case new`: where people, sessions and new cases
            are kept from now on, for all servers of this folder.
        files: s3://BUCKET/PREFIX, as of `skyreid case new`: where crops and uploads of cases made on a page lie.
        balancer: address of who passes requests on to this server; may be given several times.
    """
    from skyreid.service.server import Tls, open_server

    if (tls_cert is None) is not (tls_key is None):
        raise SettingError("a certificate has a key: give --tls-cert and --tls-key")
    tls = None if tls_cert is None or tls_key is None else Tls(certificate=tls_cert, key=tls_key)
    if largest_upload_mb < 0:
        raise SettingError(f"uploads have a largest size of 0 megabytes or more; got {largest_upload_mb}")
    if demo:
        cases = _demo(cases)
    cases = Path() if cases is None else cases
    with open_server(
        cases,
        host=host,
        port=port,
        tls=tls,
        workers=workers,
        footage=footage,
        largest_upload=largest_upload_mb * 2**20,
        models=model,
        runs=runs,
        database=database,
        files=files,
        balancers=balancer,
    ) as server:
        print_notice(f"skyreid serves {cases} at {server.url} (Ctrl-C ends it)")
        if server.setup_token is not None:
            name = "&name=demo" if demo else ""
            print_notice(f"nobody can log in yet: make the first administrator at {server.url}first-run")
            print_notice(f"with this token, which works once: {server.setup_token}")
            print_notice(f"or open {server.url}first-run#token={server.setup_token}{name}")
        try:
            server.run()
        except KeyboardInterrupt:
            print_notice("ended; work that was not finished goes on at the next start")


def _demo(folder: Path | None) -> Path:
    from skyreid.experiments.demo_case import make_demo_case, usual_demo_folder

    folder = usual_demo_folder() if folder is None else folder
    with Bars() as bars:
        make_demo_case(folder, num_workers=os.cpu_count() or 1, progress=bars)
    return folder
