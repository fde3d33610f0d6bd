"""`skyreid simulate`."""

import json

import pytest

from skyreid.cli.training import simulate
from skyreid.errors import SettingError


def test_a_finished_world_is_told_in_one_line(tmp_path, capsys):
    (tmp_path / "world.json").write_text(json.dumps({"version": 2, "identities": 1, "seed": 0, "frame_rate": 6}))
    for name in ("campus-01-ground", "campus-01-aerial"):
        for path in (f"videos/{name}.mp4", f"truth/{name}.txt", f"truth/{name}.jsonl"):
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).touch()
    simulate(tmp_path, identities=1, workers=1)
    assert capsys.readouterr().out == (
        f"videos: 2, people: 1, seconds: 24; next: skyreid build --sources {tmp_path}/sources.json\n"
    )


def test_no_workers_are_refused(tmp_path):
    with pytest.raises(SettingError, match="a world is filmed by 1 to 256 workers; got 0"):
        simulate(tmp_path / "world", workers=0)
