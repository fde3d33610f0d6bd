"""The folder of one training run: configuration, state to resume from, log.

    config.json         resolved configuration, and the data hash; a resumed run must have the same ones
    state.pt            last finished epoch: changed weights, optimizer, place in the schedule
    stage1_features.pt  features of the bare tower, computed once
    log.jsonl           one line per step
    events/             the same for TensorBoard
    train.lock          held by the process that trains here
    training_frames_*   decoded frames (`clips/frame_bank.py`), until the training ends
    checkpoint/         the result
    query.npz, gallery.npz

All randomness of a run is derived from its seed and the epoch, so an epoch that was cut short is
simply run again and gives the same numbers.
"""

import io
import json
import os
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue] (made at run time)
from tensorboardX.summary import scalar
from torch import Tensor

from skyreid.errors import CheckpointError
from skyreid.files.atomic_file import naming, sweep_leftovers, try_lock, write_atomically
from skyreid.files.regular_file import open_in_place, open_regular, read_regular, shortened
from skyreid.files.strict_json import Json, parse_json, read_json

_DATA = "data_sha256"
_PLACES = frozenset(("run_dir", "data_root", "pretrained"))
"""Settings that say where something lies, not what it is: that is told by the hashes of data and weights."""
_NUMBERLESS = frozenset(("recompute_blocks",))
"""Settings that change memory and time only: a run that ran out of one of them goes on with another."""
_LOCK = "train.lock"


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """What is needed to go on after the last finished epoch."""

    stage: int
    epoch: int
    """Finished epochs of `stage`."""
    step: int
    """Steps of `stage` so far."""
    weights: dict[str, Tensor]
    """Every tensor of the model that training changes."""
    optimizer: dict[str, Any]
    gradient_scaler: dict[str, Any]
    initial_sha256: str
    """Of all weights before the first step: resuming from other ones would not be the same run."""


_KINDS = {
    "stage": int,
    "epoch": int,
    "step": int,
    "weights": dict,
    "optimizer": dict,
    "gradient_scaler": dict,
    "initial_sha256": str,
}
"""Of the fields of a `TrainingState`."""


class RunFolder:
    """Owns the files of a run; made by `open_run`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def save_state(self, state: TrainingState) -> None:
        """Replace the state; it is on the disk when this returns."""
        write_atomically(self.path / "state.pt", [_packed(vars(state))])

    def load_state(self) -> TrainingState | None:
        """Return the state of the last finished epoch, None before the first."""
        path = self.path / "state.pt"
        if not path.exists():
            return None
        kept = _unpacked(path)
        if kept.keys() != _KINDS.keys() or not all(isinstance(kept[name], kind) for name, kind in _KINDS.items()):
            raise _damaged(path, "it does not hold the state of a training")
        return TrainingState(**kept)

    def drop_state(self) -> None:
        """Forget the state of a run that is done: three quarters of its size, and of no more use."""
        (self.path / "state.pt").unlink(missing_ok=True)

    def save_features(self, features: Tensor, labels: Tensor, *, initial_sha256: str) -> None:
        """Keep the features that stage 1 trains against, and the hash of the weights that made them."""
        kept = {"features": features, "labels": labels, "initial_sha256": initial_sha256}
        write_atomically(self.path / "stage1_features.pt", [_packed(kept)])

    def load_features(self, *, initial_sha256: str) -> tuple[Tensor, Tensor] | None:
        """Return what `save_features` kept, if anything.

        Raises:
            CheckpointError: other weights made them.
        """
        path = self.path / "stage1_features.pt"
        if not path.exists():
            return None
        kept = _unpacked(path)
        check_same_start(self.path, str(kept.get("initial_sha256", "not known")), initial_sha256)
        if not all(isinstance(kept.get(name), Tensor) for name in ("features", "labels")):
            raise _damaged(path, "it holds no features")
        return kept["features"], kept["labels"]


def check_same_start(path: Path, kept: str, given: str) -> None:
    """Refuse to go on with a run that began with other weights.

    Args:
        path: the folder of the run.
        kept: hash of the weights before the first step, as the run noted it.
        given: the same, now.

    Raises:
        CheckpointError: they differ.
    """
    if kept != given:
        raise CheckpointError(
            f"{path}: the run started from other weights (sha256 {shortened(kept)}, now {shortened(given)}); put the "
            "pretrained weights of then back, or start a new run"
        )


@contextmanager
def locked_run(path: Path, *, is_first: bool) -> Iterator[None]:
    """Keep other trainings out of a folder, which is made; what a killed one was just writing in it goes.

    Args:
        path: the folder.
        is_first: whether this is the process that writes; the others hold nothing.

    Raises:
        CheckpointError: another training is at work there.
    """
    if not is_first:
        yield
        return
    path.mkdir(parents=True, exist_ok=True)
    for name in ("events", "events/stage1", "events/stage2"):
        if (path / name).is_symlink():
            raise CheckpointError(f"{path / name}: is a link; a training writes into its own folder only")
    with open(path / _LOCK, "a", opener=open_in_place) as lock:
        if not try_lock(lock.fileno()):
            raise CheckpointError(f"{path}: another training is at work in this folder; name another --run-dir")
        sweep_leftovers(path)
        yield


def refuse_taken(path: Path, *, resume: bool) -> None:
    """Refuse a folder that holds a run which nobody asked to go on with.

    Raises:
        CheckpointError: it does.
    """
    if not resume and (path / "config.json").exists():
        raise CheckpointError(f"{path} holds a run already: go on with it by --resume, or name another --run-dir")


def open_run(path: Path, config: Json, *, data_sha256: str, resume: bool) -> RunFolder:
    """Start a run folder, or go on with one.

    Args:
        path: the folder.
        config: resolved configuration.
        data_sha256: data hash of the benchmark: a run goes on with the pictures that it began with.
        resume: whether there may be a run already.

    Raises:
        CheckpointError: it exists and `resume` is False; its configuration is another one, but for places, or
            damaged; or the pictures, or who is on them, have changed since.
    """
    assert isinstance(config, dict)
    config_path = path / "config.json"
    config, kept = {**config, _DATA: data_sha256}, None
    refuse_taken(path, resume=resume)
    if config_path.exists():
        try:
            kept = read_json(config_path)
        except ValueError as error:
            raise _damaged(config_path, str(error)) from error
        if not isinstance(kept, dict):
            raise _damaged(config_path, "it holds no configuration")
        begun_with = kept.pop(_DATA, None)
        if begun_with is None:
            raise CheckpointError(
                f"{path} was started by skyreid 0.1 or earlier, which did not note its pictures; start a new run"
            )
        if begun_with != data_sha256:
            raise CheckpointError(
                f"{path} was started with other pictures: the data sha256 was {shortened(str(begun_with))}, now it is "
                f"{shortened(data_sha256)}; put the data of then back, or start a new run"
            )
        kept[_DATA] = data_sha256
        if differences := setting_differences(kept, config):
            raise CheckpointError(f"{path} was started with another configuration: {'; '.join(differences)}")
    if kept != config:  # begun, or moved
        write_atomically(config_path, [(json.dumps(config, indent=2) + "\n").encode()])
    return RunFolder(path)


class RunLog:
    """One JSON line per step, and the same numbers for TensorBoard.

    Args:
        path: the run folder.
        stage: 1 or 2.
        steps_done: lines of this stage beyond it belong to an epoch that was cut short: they go.
    """

    def __init__(self, path: Path, *, stage: int, steps_done: int) -> None:
        self._stage = stage
        self._path = path / "log.jsonl"
        self._events_dir = path / "events" / f"stage{stage}"
        self._drop_unfinished(steps_done)
        self._events_dir.mkdir(parents=True, exist_ok=True)
        self._lines = open(self._path, "a", opener=open_in_place)  # noqa: SIM115 (`close` closes it)
        # Not by the library's SummaryWriter: its thread dies of a full disk, and the run then waits for it.
        with naming(self._events_dir):
            # The library names files by the second: one that starts again within it would write over the other.
            self._events = EventsWriter(str(self._events_dir / "events"), f".{steps_done:09d}.{os.getpid()}")
            # What a killed process logged of an epoch that was cut short is hidden.
            started = SessionLog(status=SessionLog.START)
            self._events.write_event(Event(step=steps_done + 1, wall_time=time.time(), session_log=started))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Log one step."""
        with naming(self._path):
            self._lines.write(json.dumps({"stage": self._stage, "step": step, **values}) + "\n")
            self._lines.flush()
        with naming(self._events_dir):
            for name, value in values.items():
                summary = scalar(f"stage{self._stage}/{name}", value)
                self._events.write_event(Event(step=step, wall_time=time.time(), summary=summary))

    def flush(self) -> None:
        """Have on the disk what was logged: a run that is killed goes on behind its last finished epoch."""
        with naming(self._path):
            self._lines.flush()
            os.fsync(self._lines.fileno())
        with naming(self._events_dir):
            self._events.flush()

    def close(self) -> None:
        """Flush both."""
        with naming(self._path):
            self._lines.close()
        with naming(self._events_dir):
            self._events.close()

    def _drop_unfinished(self, steps_done: int) -> None:
        if not self._path.exists():
            return
        kept = []
        # A kill can cut the last line short; whole lines end with a newline.
        for line in read_regular(self._path).splitlines(keepends=True):
            if line.endswith(b"\n"):
                stage, step = self._place(line)
                if stage < self._stage or (stage == self._stage and step <= steps_done):
                    kept.append(line)
        write_atomically(self._path, kept)

    def _place(self, line: bytes) -> tuple[int, int]:
        try:
            entry = parse_json(line)
            return int(entry["stage"]), int(entry["step"])
        except (ValueError, LookupError, TypeError) as error:
            raise _damaged(self._path, f"{line[:80]!r} is no step of a training") from error


def _packed(content: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    return buffer.getvalue()


def _unpacked(path: Path) -> dict[str, Any]:
    with open_regular(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:  # PyTorch compares no checksums
                if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                    raise ValueError("it is packed, and PyTorch packs nothing")
                if (damaged := archive.testzip()) is not None:
                    raise ValueError(f"{damaged!r} is not as it was written")
            file.seek(0)
            content = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # both raise whatever their decoders meet, an OSError of a place before the file too
            raise _damaged(path, str(error).partition("\n")[0] or type(error).__name__) from error
    if not isinstance(content, dict):
        raise _damaged(path, "it is something else")
    return content


def _damaged(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(f"{path} cannot be read: {reason}; start a new run, in another --run-dir")


def setting_differences(kept: Json, given: Json, where: str = "") -> list[str]:
    """Say which settings of two runs differ; where things lie is none, only whether they are there at all."""
    if isinstance(kept, dict) and isinstance(given, dict):
        # A run of an older version may lack a field that there is now, or have one that is gone.
        return [
            difference
            for key in {**kept, **given}
            if key not in _NUMBERLESS
            and not (key in _PLACES and isinstance(kept.get(key), str) and isinstance(given.get(key), str))
            for difference in setting_differences(
                kept.get(key, "absent"), given.get(key, "absent"), f"{where}.{key}".lstrip(".")
            )
        ]
    return [] if kept == given else [f"{where} was {kept}, is {given}"]
