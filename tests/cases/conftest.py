"""Cases in a file, and in PostgreSQL where one is named."""

import os
import shutil
from contextlib import contextmanager

import pytest

from skyreid.cases.case import create_case
from skyreid.cases.work.importing import import_build
from tests.cases.builds import drawn, write_build

POSTGRES = os.environ.get("SKYREID_TEST_POSTGRES")
"""URL of a database in which cases may be made and dropped, such as postgresql+psycopg://postgres@localhost/postgres."""
on_postgres = pytest.param(POSTGRES, marks=pytest.mark.skipif(not POSTGRES, reason="SKYREID_TEST_POSTGRES is not set"))


@contextmanager
def new_case(folder, database):
    """A case that is dropped at the end, where it is no file."""
    with create_case(folder, by="anna", database=database) as case:
        yield case
        if database is not None:
            case.database.drop()


@pytest.fixture(
    scope="session",
    params=[pytest.param(None, id="sqlite"), pytest.param(POSTGRES, id="postgres", marks=on_postgres.marks)],
)
def database(request):
    """The URL of a case's database; None = a file."""
    return request.param


@pytest.fixture
def empty(tmp_path, database):
    with new_case(tmp_path / "case", database) as case:
        yield case


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Six tracklets with vectors; not to be changed."""
    folder = tmp_path_factory.mktemp("built") / "built"
    write_build(folder, embeddings=drawn())
    return folder


@pytest.fixture
def case(empty, built):
    import_build(empty, built, by="anna", purpose="a test")
    return empty


@pytest.fixture(scope="session")
def filled(tmp_path_factory, built):
    """A case in a file, to be copied."""
    folder = tmp_path_factory.mktemp("filled") / "case"
    with create_case(folder, by="anna") as case:
        import_build(case, built, by="anna", purpose="a test")
    return folder


@pytest.fixture
def copied(tmp_path, filled):
    shutil.copytree(filled, tmp_path / "copy")
    return tmp_path / "copy"
