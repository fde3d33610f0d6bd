"""An extraction that is killed goes on where it was and ends in the same bits."""

import hashlib
import random
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from skyreid.errors import SettingError
from skyreid.extraction.committed_clips import committed_clips
from skyreid.extraction.embed_folder import embed

BATCHES = 30
PROGRAM = """
import sys, time
from skyreid.extraction.embed_folder import embed
def slowly(task, done, total, note=""):
    if task == "embedding":
        print(done, flush=True)
        time.sleep(0.02)
told = {"platform": "aerial", "batch": 2, "threads": 1, "sampling": "all-frames"}
embed(*sys.argv[1:], **told, progress=slowly)
"""


def crops(folder, *, tracklets):
    rng = np.random.default_rng(0)
    for tracklet in range(tracklets):
        (folder / f"{tracklet}").mkdir(parents=True)
        for frame in range(5):
            pixels = rng.integers(0, 256, (30, 14, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{tracklet}" / f"{frame}.png")
    return folder


def embed_as_the_program(folder, checkpoint, out, **settings):
    told = []
    return told, embed(
        folder,
        checkpoint,
        out,
        platform="aerial",
        sampling="all-frames",
        progress=lambda *report: told.append(report),
        **{"batch": 2, "threads": 1} | settings,
    )


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def kill_while_it_embeds(folder, checkpoint, out, *, after):
    """Give the number of batches that were reported before the kill."""
    command = [sys.executable, "-c", PROGRAM, folder, checkpoint, out]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        reported = 0
        for line in process.stdout:
            reported = int(line)
            if reported >= after:
                process.send_signal(signal.SIGKILL)
                break
        else:
            pytest.fail(f"ended by itself after {reported} batches")
        process.stdout.read()
    assert process.returncode == -signal.SIGKILL
    return reported


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_it_ends_in_the_table_of_an_undisturbed_run(save_checkpoint, tmp_path, kills):
    folder, checkpoint = crops(tmp_path / "crops", tracklets=2 * BATCHES), save_checkpoint()
    embed_as_the_program(folder, checkpoint, tmp_path / "undisturbed.npz")
    out, rng = tmp_path / "table.npz", random.Random(0)
    for kill in range(kills):
        # So late that each goes farther than the one before.
        kill_while_it_embeds(folder, checkpoint, out, after=(kill + rng.random()) * (BATCHES - 1) / kills + 1)
        assert not out.exists()
    told, _ = embed_as_the_program(folder, checkpoint, out)
    assert sha256(out) == sha256(tmp_path / "undisturbed.npz")
    assert [path.name for path in tmp_path.iterdir() if "table" in path.name] == ["table.npz"]
    assert told[-1] == ("embedding", BATCHES, BATCHES)


class Stop(Exception):
    """Raised where a run is to end early."""


def stopped(folder, checkpoint, out, *, after):
    """Embed until so many batches are committed."""

    def stop(task, done, total, note=""):
        if task == "embedding" and done == after:
            raise Stop

    with pytest.raises(Stop):
        embed(folder, checkpoint, out, platform="aerial", sampling="all-frames", progress=stop, batch=2, threads=1)


def test_nothing_is_embedded_twice(save_checkpoint, tmp_path, monkeypatch):
    folder, checkpoint, out = crops(tmp_path / "crops", tracklets=8), save_checkpoint(), tmp_path / "table.npz"
    stopped(folder, checkpoint, out, after=3)
    committed = (tmp_path / "table.npz.clips").read_bytes()
    assert committed.count(b"\n") == 1 + 3
    stopped(folder, checkpoint, out, after=3)
    assert (tmp_path / "table.npz.clips").read_bytes() == committed


def test_a_line_that_was_cut_off_is_embedded_again(save_checkpoint, tmp_path):
    folder, checkpoint, out = crops(tmp_path / "crops", tracklets=8), save_checkpoint(), tmp_path / "table.npz"
    _, undisturbed = embed_as_the_program(folder, checkpoint, None)
    stopped(folder, checkpoint, out, after=3)
    committed = tmp_path / "table.npz.clips"
    committed.write_bytes(committed.read_bytes()[:-100])
    _, table = embed_as_the_program(folder, checkpoint, out)
    assert np.array_equal(table.embeddings, undisturbed.embeddings)


def test_a_changed_crop_is_embedded_again_and_said_so(save_checkpoint, tmp_path, caplog):
    folder, checkpoint, out = crops(tmp_path / "crops", tracklets=8), save_checkpoint(), tmp_path / "table.npz"
    stopped(folder, checkpoint, out, after=3)
    (folder / "1" / "0.png").write_bytes((folder / "0" / "0.png").read_bytes())
    _, table = embed_as_the_program(folder, checkpoint, out)
    assert "the pictures of 1 tracklets changed since they were embedded, such as 1" in caplog.text
    _, anew = embed_as_the_program(folder, checkpoint, None)
    assert np.array_equal(table.embeddings, anew.embeddings)


def test_another_model_embeds_everything_again_and_says_so(save_checkpoint, tmp_path, caplog):
    folder, out = crops(tmp_path / "crops", tracklets=8), tmp_path / "table.npz"
    stopped(folder, save_checkpoint(), out, after=3)
    _, table = embed_as_the_program(folder, save_checkpoint(), out, precision="bfloat16")
    assert "made by another model or otherwise (" in caplog.text
    assert "precision float32 and bfloat16" in caplog.text
    _, anew = embed_as_the_program(folder, save_checkpoint(), None, precision="bfloat16")
    assert np.array_equal(table.embeddings, anew.embeddings)


def test_two_runs_do_not_write_one_table(tmp_path):
    path = tmp_path / "table.npz.clips"
    told = "another run is embedding into this table"
    with (
        committed_clips(path, {}, embed_dim=2),
        pytest.raises(SettingError, match=told),
        committed_clips(path, {}, embed_dim=2),
    ):
        pass
    assert not path.exists()


@pytest.mark.parametrize(
    ("settings", "message"), [({"batch": 0}, "batch must be"), ({"threads": 0}, "threads must be")]
)
def test_impossible_settings_are_refused(save_checkpoint, tmp_path, settings, message):
    with pytest.raises(SettingError, match=f"{message} at least 1"):
        embed_as_the_program(crops(tmp_path / "crops", tracklets=1), save_checkpoint(), None, **settings)
