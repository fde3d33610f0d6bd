"""The case of the demo: ready to decide, drawn and said to be so, and made once."""

import stat
import tempfile

import pytest

from skyreid.cases.case import open_case
from skyreid.cases.sources import read_sources
from skyreid.cases.tracklets import read_models, read_tracklets
from skyreid.errors import SettingError
from skyreid.experiments.demo_case import make_demo_case, usual_demo_folder


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "letters.txt").write_text("dear anna")
    with pytest.raises(SettingError, match="a demo begins in a new folder"):
        make_demo_case(tmp_path, num_workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_the_usual_folder_is_for_nobody_else_and_no_link(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = usual_demo_folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and usual_demo_folder() == folder
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SettingError, match="is not this user's folder"):
        usual_demo_folder()


@pytest.mark.slow  # two minutes: it films
def test_somebody_can_decide_at_once_and_the_second_time_nothing_is_made(tmp_path):
    make_demo_case(tmp_path / "demo", num_workers=2)
    with open_case(tmp_path / "demo" / "demo") as case:
        sources, seen, (model,) = read_sources(case), read_tracklets(case), read_models(case)
    assert all(source.is_simulated and source.path is not None for source in sources) and len(sources) == 4
    assert model.num_vectors == len(seen) >= 16 and len({one.tracklet.pid for one in seen}) == len(seen)
    told = []
    make_demo_case(tmp_path / "demo", num_workers=2, progress=lambda *report: told.append(report))
    assert told == []
