"""Whether the memory of a device will do for a training, told before it starts.

A step of stage 2 is run without numbers: PyTorch's fake tensors have sizes and owners only, so the largest sum of
what lives at once, gradients and Adam's two moments included, is counted in seconds whatever the size. docs/results.md
has it beside measured peaks.
"""

import logging
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from skyreid.errors import SettingError
from skyreid.models.vsla_clip import HeadName, VslaClip, VslaClipConfig
from skyreid.processes.distributed import Precision, Processes
from skyreid.training.stage2 import Stage2Config, stage2_losses

logger = logging.getLogger(__name__)

LIBRARIES_BYTES = 900_000_000
"""Of a process beside the tensors of a step: PyTorch itself, and what its matrix products and its allocator hold."""
_HELD_BETWEEN = 1.15
"""What the allocator holds over what lives, after some steps (measured)."""
_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""Limit and use of a container, in the second version of control groups and in the first."""


def step_bytes(
    model: VslaClipConfig,
    stage2: Stage2Config,
    *,
    clips: int,
    frames: int,
    num_identities: int,
    precision: Precision,
) -> int:
    """Foretell the largest memory of a step of stage 2 in one process, model and libraries included.

    Args:
        model: of the recipe.
        stage2: of the recipe.
        clips: of a batch that this process encodes.
        frames: of a clip.
        num_identities: that train.
        precision: of the towers.
    """
    sixteen_bits = torch.float16 if precision == "float16" else torch.bfloat16
    with torch.device("meta"):  # nothing is drawn
        trained = VslaClip(model, num_identities=num_identities)
    with FakeTensorMode(allow_non_fake_inputs=True), _Living() as living:
        trained.to_empty(device="cpu")
        trained.train_in_stage2(stage2.tuned, stage2.loss.identity_on)
        trained.encoder.tower.recomputes_blocks = stage2.recompute_blocks
        labels = torch.zeros(clips, dtype=torch.long)
        pixels = torch.zeros(clips, frames, 3, *model.image.image_size)
        texts = torch.zeros(num_identities, model.embed_dim)
        moments: list[Tensor] = []
        for parameter in trained.parameters():
            if parameter.requires_grad:
                moments += [torch.zeros_like(parameter), torch.zeros_like(parameter)]
        with torch.autocast("cpu", sixteen_bits, enabled=precision in ("bfloat16", "float16")):
            features = trained.encoder(pixels, labels)
        logits: dict[HeadName, Tensor] = {
            name: trained.heads[name](getattr(features, name).float()) for name in stage2.loss.identity_on
        }
        wide = type(features)(*(feature.float() for feature in features))
        terms = stage2_losses(wide, logits, texts if stage2.loss.needs_text else None, labels, stage2.loss)
        torch.stack([*terms.values()]).sum().backward()
        del moments
    return int(_HELD_BETWEEN * living.most) + LIBRARIES_BYTES


class _Living(TorchDispatchMode):
    """Counts the bytes of all tensors that live, and the most there ever were."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 0
        self._now = 0
        self._seen: dict[int, int] = {}

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, list | tuple) else (made,):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = id(storage)
        if key in self._seen:
            return
        self._seen[key] = storage.nbytes()
        self._now += storage.nbytes()
        self.most = max(self.most, self._now)
        weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self._now -= self._seen.pop(key, 0)


def machine_memory() -> tuple[int, int] | None:
    """Free and total bytes of this machine, or of its container; None where the system does not tell."""
    told = Path("/proc/meminfo")
    if not told.exists():
        return None
    lines = (line.split() for line in told.read_text().splitlines())
    kilobytes = {line[0].rstrip(":"): int(line[1]) for line in lines}
    free, total = 1024 * kilobytes["MemAvailable"], 1024 * kilobytes["MemTotal"]
    for limit_path, used_path in _CGROUPS:
        try:
            limit, used = int(Path(limit_path).read_text()), int(Path(used_path).read_text())
        except (OSError, ValueError):  # no such group, or "max"
            continue
        total, free = min(total, limit), min(free, limit - used)
    return free, total


def told_memory(need: int, memory: tuple[int, int] | None, stage2: Stage2Config, *, at_most: bool = False) -> str:
    """Say whether `need` bytes will do.

    Args:
        need: of all processes that share the memory.
        memory: free and total bytes; None where they are not known.
        stage2: of the recipe, for the remedy.
        at_most: whether `need` is an upper bound.

    Returns:
        One line; a warning goes to the log too.

    Raises:
        SettingError: the device has less in all.
    """
    said = f"a step of stage 2 needs {'less than' if at_most else 'about'} {need / 1e9:.1f} GB of memory"
    if memory is None:
        return said
    free, total = memory
    remedy = "fewer identities a batch (--stage2.sampler.identities)"
    if not stage2.recompute_blocks:
        remedy += ", or blocks that are computed again (--stage2.recompute-blocks)"
    if need > total:
        raise SettingError(f"{said}, and the device has {total / 1e9:.1f} GB: take {remedy}")
    if need > free:
        said = f"{said}, and {free / 1e9:.1f} of {total / 1e9:.1f} GB are free: free some, or take {remedy}"
        logger.warning("%s", said)
        return said
    return f"{said}; {free / 1e9:.1f} GB are free"


def check_memory(
    model: VslaClipConfig, stage2: Stage2Config, processes: Processes, *, frames: int, num_identities: int
) -> str:
    """Say whether the memory of this process's device will do for stage 2; counted exactly where it may be scarce.

    Args:
        model: of the recipe.
        stage2: of the recipe.
        processes: that train.
        frames: of a clip.
        num_identities: that train.

    Returns:
        One line; a warning goes to the log too.

    Raises:
        SettingError: the device has too little memory in all.
    """
    gpu = processes.gpu_memory()
    memory = gpu or machine_memory()
    clips = stage2.sampler.identities * stage2.sampler.tracklets // processes.world_size
    # On a CPU the processes of a machine share its memory; each has a GPU of its own.
    sharing = 1 if gpu else processes.local_world_size
    most = sharing * _upper_bound(model, clips=clips, frames=frames, num_identities=num_identities)
    if memory is None or most < memory[0] / 2:
        return told_memory(most, memory, stage2, at_most=True)
    need = step_bytes(
        model,
        stage2,
        clips=clips,
        frames=frames,
        num_identities=num_identities,
        precision=processes.precision,
    )
    return told_memory(sharing * need, memory, stage2)


def _upper_bound(model: VslaClipConfig, *, clips: int, frames: int, num_identities: int) -> int:
    """Bytes that no step reaches, without counting: small trainings need not wait for more."""
    image = model.image
    tokens = clips * frames * (1 + image.grid[0] * image.grid[1])
    widths = 2 * (model.embed_dim + image.width) * num_identities + 50 * image.layers * image.width**2
    text = 13 * model.text.layers * model.text.width**2 + 5 * num_identities * model.text.width
    floats = 60 * tokens * image.width * image.layers + 4 * (widths + text)
    return LIBRARIES_BYTES + 4 * floats
