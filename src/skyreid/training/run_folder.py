"""The folder of one training run: configuration, state to resume from, log.

    config.json         resolved configuration, and the data hash; a resumed run must have the same ones
    state.pt            last finished epoch: changed weights, optimizer, place in the schedule
    stage1_features.pt  features of the bare tower, computed once
    log.jsonl           one line per step
    events/             the same for TensorBoard
    checkpoint/         the result
    query.npz, gallery.npz

All randomness of a run is derived from its seed and the epoch, so an epoch that was cut short is
simply run again and gives the same numbers.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tensorboardX import SummaryWriter
from torch import Tensor

from skyreid.atomic_file import write_atomically
from skyreid.content_hash import shortened
from skyreid.errors import CheckpointError
from skyreid.strict_json import Json

_DATA = "data_sha256"


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
        return TrainingState(**_unpacked(path)) if path.exists() else None

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
        check_same_start(self.path, kept.get("initial_sha256", "not known"), initial_sha256)
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


def open_run(path: Path, config: Json, *, data_sha256: str, resume: bool) -> RunFolder:
    """Start a run folder, or go on with one.

    Args:
        path: the folder.
        config: resolved configuration.
        data_sha256: data hash of the benchmark: a run goes on with the pictures that it began with.
        resume: whether there may be a run already.

    Raises:
        CheckpointError: it exists and `resume` is False; its configuration is another one; or the pictures, or who
            is on them, have changed since.
    """
    assert isinstance(config, dict)
    config_path = path / "config.json"
    config = {**config, _DATA: data_sha256}
    if config_path.exists():
        if not resume:
            raise CheckpointError(f"{path} holds a run already: go on with it by --resume, or name another --run-dir")
        kept = json.loads(config_path.read_text())
        begun_with = kept.pop(_DATA, None)
        if begun_with is None:
            raise CheckpointError(
                f"{path} was started by skyreid 0.1 or earlier, which did not note its pictures; start a new run"
            )
        if begun_with != data_sha256:
            raise CheckpointError(
                f"{path} was started with other pictures: the data sha256 was {shortened(begun_with)}, now it is "
                f"{shortened(data_sha256)}; put the data of then back, or start a new run"
            )
        kept[_DATA] = data_sha256
        if differences := _differences(kept, config):
            raise CheckpointError(f"{path} was started with another configuration: {'; '.join(differences)}")
    else:
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
        self._drop_unfinished(path / "log.jsonl", steps_done)
        self._lines = (path / "log.jsonl").open("a")
        self._events = SummaryWriter(str(path / "events" / f"stage{stage}"), purge_step=steps_done + 1)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Log one step."""
        self._lines.write(json.dumps({"stage": self._stage, "step": step, **values}) + "\n")
        self._lines.flush()
        for name, value in values.items():
            self._events.add_scalar(f"stage{self._stage}/{name}", value, step)

    def close(self) -> None:
        """Flush both."""
        self._lines.close()
        self._events.close()

    def _drop_unfinished(self, path: Path, steps_done: int) -> None:
        if not path.exists():
            return
        # A kill can cut the last line short; whole lines end with a newline.
        lines = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
        entries = [(json.loads(line), line) for line in lines]
        kept = [
            line
            for entry, line in entries
            if entry["stage"] < self._stage or (entry["stage"] == self._stage and entry["step"] <= steps_done)
        ]
        write_atomically(path, [line.encode() for line in kept])


def _packed(content: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    return buffer.getvalue()


def _unpacked(path: Path) -> dict[str, Any]:
    return torch.load(path, map_location="cpu", weights_only=True)


def _differences(kept: Json, given: Json, where: str = "") -> list[str]:
    if isinstance(kept, dict) and isinstance(given, dict):
        # A run of an older version may lack a field that there is now, or have one that is gone.
        return [
            difference
            for key in {**kept, **given}
            for difference in _differences(
                kept.get(key, "absent"), given.get(key, "absent"), f"{where}.{key}".lstrip(".")
            )
        ]
    return [] if kept == given else [f"{where} was {kept}, is {given}"]
