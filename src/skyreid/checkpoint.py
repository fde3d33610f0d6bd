"""A checkpoint is a folder: weights, configuration, where it comes from, what it scored.

    model.safetensors   every tensor, under our names
    config.json         what rebuilds the model
    provenance.json     commit, dirty flag, data hash, seed, world size, library versions
    metrics.json        scores with their protocol; absent until there are some

It loads without the training data and without a GPU, and nothing in it is executed.
"""

import errno
import itertools
import json
import os
import platform
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from skyreid.errors import CheckpointError, SkyreidError
from skyreid.files.atomic_file import replaced_folder, sweep_leftovers
from skyreid.files.file_kinds import CHECKPOINT, require_kind
from skyreid.files.regular_file import file_sha256, names_in
from skyreid.files.strict_json import Json, read_json

WEIGHTS_FILE = "model.safetensors"
_FILES = (WEIGHTS_FILE, "config.json", "provenance.json")
"""What every checkpoint holds."""
_SPARE_PARAMETERS = 1_000
"""That a model may register beyond its weights while it is built; parts are replaced on the way."""
Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A checkpoint folder, read."""

    weights: dict[str, Tensor]
    config: dict[str, Json]
    provenance: dict[str, Json]

    def __repr__(self) -> str:
        return f"Checkpoint({self.config.get('kind')}, {len(self.weights)} tensors)"


def write_checkpoint(
    folder: Path,
    *,
    weights: Mapping[str, Tensor],
    config: Mapping[str, Json],
    provenance: Mapping[str, Json],
    metrics: Mapping[str, object] | None = None,
) -> None:
    """Write the folder whole or not at all; an older checkpoint of that name is replaced.

    Raises:
        CheckpointError: something else than a checkpoint has that name.
        OSError: it cannot be written.
    """
    if os.path.lexists(folder) and not (folder.is_dir() and {*_FILES, "metrics.json"} >= set(names_in(folder))):
        raise CheckpointError(
            f"{folder}: must be new, empty, or a checkpoint, which is then replaced; it is something else"
        )
    with replaced_folder(folder) as staging:
        try:
            save_file(
                {key: tensor.detach().cpu().contiguous() for key, tensor in weights.items()},
                staging / WEIGHTS_FILE,
            )
        except safetensors.SafetensorError as error:  # its word for a full disk, which ends in "(os error 28)"
            told = re.search(r"os error (\d+)", str(error))
            number = int(told[1]) if told else errno.EIO
            raise OSError(number, os.strerror(number), str(folder / WEIGHTS_FILE)) from error
        (staging / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        (staging / "provenance.json").write_text(json.dumps(provenance, indent=2) + "\n")
        if metrics is not None:
            (staging / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
        # The library that writes weights lets their owner alone read them; they are for whoever reads their neighbours.
        (staging / WEIGHTS_FILE).chmod((staging / "config.json").stat().st_mode & 0o777)


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint folder onto the CPU.

    Raises:
        CheckpointError: a file is missing, cut or not what its name says.
    """
    if not folder.exists():
        sweep_leftovers(folder.parent, folder.name)  # its writer may have been killed when it was just to be named
    require_kind(folder, CHECKPOINT, error=CheckpointError)
    if absent := [name for name in _FILES if not (folder / name).is_file()]:
        raise CheckpointError(f"{folder} is no whole checkpoint: {', '.join(absent)} missing; make it again")
    try:
        weights = load_file(folder / WEIGHTS_FILE)
        config, provenance = (_read_object(folder / name) for name in _FILES[1:])
    except (safetensors.SafetensorError, MemoryError, ValueError) as error:
        raise CheckpointError(f"{folder}: cannot be read: {error}") from error
    return Checkpoint(weights=weights, config=config, provenance=provenance)


def _read_object(path: Path) -> dict[str, Json]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} must hold a JSON object; got {content!r:.80}")
    return content


def weights_sha256(folder: Path) -> str:
    """Hash the weights file of a checkpoint: the name that embedding tables give to the model that made them."""
    return file_sha256(folder / WEIGHTS_FILE)


def build_to_fit(build: Callable[[], Module], weights: Mapping[str, Tensor], *, origin: str) -> Module:
    """Build a model from a config that came with weights, and load them.

    The config is a stranger's word: the model is first built without memory, on PyTorch's meta device, and must have
    the very tensors of the weights before a byte is taken for it.

    Args:
        build: makes the model, on the CPU or wherever the default device is.
        weights: what must fit.
        origin: of both, for messages.

    Raises:
        CheckpointError: no model can be built so, or it has other tensors; lists them.
    """
    try:
        with torch.device("meta"), _parameters_at_most(len(weights), origin):
            check_fit(build(), weights, origin=origin)
    except SkyreidError:
        raise
    except (ValueError, TypeError, ArithmeticError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{origin}: no model can be built from its config: {reason}") from error
    model = build()
    model.load_state_dict(dict(weights))
    return model


@contextmanager
def _parameters_at_most(tensors: int, origin: str) -> Iterator[None]:
    """Stop a build that goes on beyond what the weights can fill, such as a tower of a billion layers."""
    made = itertools.count(1)
    most = 2 * tensors + _SPARE_PARAMETERS

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        if next(made) > most:
            raise CheckpointError(f"{origin}: its config asks for more than {most} tensors; its weights hold {tensors}")

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def check_fit(module: nn.Module, weights: Mapping[str, Tensor], *, origin: str) -> None:
    """Compare names and shapes; every key must be there, none may be left over.

    Raises:
        CheckpointError: lists the missing, the unexpected and the mis-shaped keys.
    """
    own = module.state_dict()
    problems = [f"missing {key}" for key in sorted(own.keys() - weights.keys())]
    problems += [f"unexpected {key}" for key in sorted(weights.keys() - own.keys())]
    problems += [
        f"{key} has shape {list(weights[key].shape)}, the model wants {list(own[key].shape)}"
        for key in sorted(own.keys() & weights.keys())
        if weights[key].shape != own[key].shape
    ]
    if problems:
        shown = "; ".join(problems[:10]) + (f"; and {len(problems) - 10} more" if len(problems) > 10 else "")
        raise CheckpointError(f"{origin}: weights do not fit the model: {shown}")


def load_strictly(module: nn.Module, weights: Mapping[str, Tensor], *, origin: str) -> None:
    """Copy `weights` into `module`; see `check_fit`."""
    check_fit(module, weights, origin=origin)
    module.load_state_dict(dict(weights))


def provenance_of_this_run(*, seed: int, world_size: int, data_sha256: str | None) -> dict[str, Json]:
    """Say what made a result: code, data, seed, machine and library versions."""
    return {
        "skyreid": version("skyreid"),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": None if (status := _git("status", "--porcelain")) is None else bool(status),
        "data_sha256": data_sha256,
        "seed": seed,
        "world_size": world_size,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.processor() or platform.machine(),
    }


def _git(*arguments: str) -> str | None:
    """Ask git about the checkout that this code stands in; None outside of one."""
    try:
        answer = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
