"""One process or many: the only file that touches the launch library.

One process is the default. Several are started by PyTorch's own launcher,

    torchrun --nproc-per-node 4 -m skyreid train ...

and each of them then finds itself here as one of `Processes.world_size`.
"""

import atexit
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, TypeVar

import torch
import torch.distributed
from jaxtyping import Shaped
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer

from skyreid.errors import SettingError

Precision = Literal["auto", "float32", "bfloat16", "float16"]
Item = TypeVar("Item")
FLOAT16_NEEDS_GPU = "precision float16 needs a GPU; on a CPU choose float32 or bfloat16"
_VISIBLE_GPUS = "CUDA_VISIBLE_DEVICES"


def choose_device(name: str) -> None:
    """Let this process, and those that it starts, see no device but one; before anything is loaded onto one.

    Args:
        name: "cpu", "cuda" for all GPUs, or "cuda:1" for the second of those that are to be seen now.

    Raises:
        SettingError: there is no such GPU.
    """
    kind, _, number = name.partition(":")
    if kind == "cpu":
        os.environ[_VISIBLE_GPUS] = ""
        return
    if number:
        if "LOCAL_WORLD_SIZE" in os.environ:
            raise SettingError(f"--device {name} is for one process; torchrun gives each of its processes a GPU")
        given = os.environ.get(_VISIBLE_GPUS)
        seen = [str(place) for place in range(int(number) + 1)] if given is None else given.split(",")
        os.environ[_VISIBLE_GPUS] = seen[int(number)] if int(number) < len(seen) else ""
    if not torch.cuda.is_available():
        raise SettingError(f"--device {name}: PyTorch sees no such GPU here; --device cpu, or none, runs on the CPU")


def gpu_precision() -> Literal["bfloat16", "float16"]:
    """Give the precision of 16 bits that the GPU here has."""
    return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"


def cpu_capabilities() -> dict[str, object]:
    """What PyTorch knows of the CPU; nothing where its version does not tell."""
    return dict(getattr(torch.cpu, "get_capabilities", dict)())


def device_facts(device: torch.device) -> list[object]:
    """Say what the speed of a product may hang on, for a record."""
    if device.type == "cuda":
        return [torch.cuda.get_device_name(device)]
    return [cpu_capabilities(), os.environ.get("ONEDNN_MAX_CPU_ISA")]


def wait_for_gpu(device: torch.device) -> None:
    """Return when all that was given to the GPU is done."""
    torch.cuda.synchronize(device)


class Processes:
    """This process among its equals: its device, its share of the work, what all of them know.

    Args:
        device: "auto" takes a GPU when there is one; "cpu" never does.
        precision: of the matrix products; "auto" is bfloat16 where a GPU has it, else float32.

    Raises:
        SettingError: float16 without a GPU.
    """

    def __init__(self, *, device: Literal["auto", "cpu"] = "auto", precision: Precision = "auto") -> None:
        is_cuda = device == "auto" and torch.cuda.is_available()
        if precision == "auto":
            precision = "bfloat16" if is_cuda and torch.cuda.is_bf16_supported() else "float32"
        if precision == "float16" and not is_cuda:
            raise SettingError(FLOAT16_NEEDS_GPU)
        self.precision: Precision = precision
        # It tells everybody who uses it, in every process, which precision it was given.
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        self._fabric = Fabric(
            accelerator="cuda" if is_cuda else "cpu",
            devices=self.local_world_size,
            num_nodes=int(os.environ.get("GROUP_WORLD_SIZE", "1")),
            strategy="ddp" if "LOCAL_WORLD_SIZE" in os.environ else "auto",
            precision={"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}[precision],  # pyright: ignore[reportArgumentType]
        )
        self._fabric.launch()
        if torch.distributed.is_initialized():
            # The launch library leaves gloo's threads to the end of the process, which they now and then abort.
            atexit.register(_leave_group)

    @property
    def rank(self) -> int:
        return self._fabric.global_rank

    @property
    def world_size(self) -> int:
        return self._fabric.world_size

    @property
    def local_world_size(self) -> int:
        """Processes on this machine."""
        return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # set by torchrun

    @property
    def is_first(self) -> bool:
        """True in the one process that writes files and reports."""
        return self._fabric.is_global_zero

    @property
    def machine(self) -> int:
        """Number of the machine that this process runs on, from 0."""
        return self._fabric.node_rank

    @property
    def is_first_on_machine(self) -> bool:
        """True in the one process of a machine that prepares what its processes share there."""
        return self._fabric.local_rank == 0

    @property
    def device(self) -> torch.device:
        return self._fabric.device

    def gpu_memory(self) -> tuple[int, int] | None:
        """Free and total bytes of this process's GPU; None where it has none."""
        return torch.cuda.mem_get_info(self.device) if self.device.type == "cuda" else None

    def prepare(self, step: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        """Wrap a module and its optimizer so that gradients are averaged over all processes."""
        prepared, wrapped = self._fabric.setup(step, optimizer)
        return prepared, wrapped

    def backward(self, loss: Tensor) -> None:
        """Compute gradients, scaled as the precision needs it."""
        self._fabric.backward(loss)

    def gradient_scaler_state(self) -> dict[str, Any]:
        """What float16 training must remember to resume exactly; empty in other precisions."""
        return self._fabric.strategy.precision.state_dict()

    def restore_gradient_scaler(self, state: dict[str, Any]) -> None:
        """Put `gradient_scaler_state` back."""
        self._fabric.strategy.precision.load_state_dict(state)

    def mixed_precision(self) -> AbstractContextManager[None]:
        """Run what is inside in this run's precision."""
        return self._fabric.autocast()

    def share(self, items: Sequence[Item]) -> list[Item]:
        """Take this process's part of a list: consecutive, all parts equally long.

        Raises:
            SettingError: the list does not divide evenly.
        """
        if len(items) % self.world_size:
            raise SettingError(f"{len(items)} clips a batch do not divide among {self.world_size} processes")
        length = len(items) // self.world_size
        return list(items[self.rank * length : (self.rank + 1) * length])

    def uneven_share(self, items: Sequence[Item]) -> list[Item]:
        """Take this process's part of a list: consecutive, nothing padded, lengths differ by one at most."""
        cuts = [len(items) * rank // self.world_size for rank in range(self.world_size + 1)]
        return list(items[cuts[self.rank] : cuts[self.rank + 1]])

    def gather_with_gradient(self, part: Shaped[Tensor, "part ..."]) -> Shaped[Tensor, "whole ..."]:
        """Concatenate equal parts in rank order; gradients flow back to the part they came from.

        The backward pass sums over processes. A loss that every process computes on the whole batch
        is therefore counted `world_size` times, which the averaging of `prepare` divides out again.
        """
        if self.world_size == 1:
            return part
        gathered = self._fabric.all_gather(part, sync_grads=True)
        assert isinstance(gathered, Tensor)
        return gathered.flatten(0, 1)

    def gather_rows(self, part: Shaped[Tensor, "part ..."]) -> Shaped[Tensor, "whole ..."]:
        """Concatenate parts of unequal length in rank order, on the CPU of every process."""
        if self.world_size == 1:
            return part.cpu()
        parts: list[Tensor] = [part] * self.world_size
        torch.distributed.all_gather_object(parts, part.cpu())
        return torch.cat(parts)

    def gather_items(self, part: list[Item]) -> list[Item]:
        """Concatenate lists of unequal length in rank order, in every process."""
        if self.world_size == 1:
            return part
        parts: list[list[Item]] = [part] * self.world_size
        torch.distributed.all_gather_object(parts, part)
        return [item for each in parts for item in each]

    def first_then_others(self, make: Callable[[], Item]) -> Item:
        """Let the first process make something and give all processes what it made."""
        made: list[Item | None] = [make() if self.is_first else None]
        if self.world_size > 1:
            torch.distributed.broadcast_object_list(made, src=0)
        return made[0]  # pyright: ignore[reportReturnType]

    def wait_for_all(self) -> None:
        """Continue when every process has come here."""
        self._fabric.barrier()


def _leave_group() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
