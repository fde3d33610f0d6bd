"""What test_distributed.py runs on one process, on two and on three.

    torchrun --nproc-per-node 2 -m tests.distributed_step FOLDER OUT

leaves OUT/rank0.pt and OUT/rank1.pt; FOLDER holds the frames.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor

from skyreid.clips.clip_loader import normalize
from skyreid.extraction.embed_tracklets import ExtractionConfig, embed_tracklets
from skyreid.processes.distributed import Processes
from skyreid.tracklet import PLATFORMS, Frame, Tracklet
from skyreid.training.optimizer import WeightDecay, make_adam, set_learning_rate
from skyreid.training.stage2 import Stage2LossConfig, Stage2Step
from tests.tiny_model import IMAGE_SIZE, drawn, tiny_model

LABELS = torch.tensor([3, 3, 1, 1, 0, 0, 4, 4, 2, 2, 3, 3])
FRAMES_OF = (3, 1, 5)
"""Frames of each tracklet, FOLDER/<tracklet>_<frame>.png."""


def one_step(processes: Processes, *, is_averaged: bool) -> dict[str, dict[str, Tensor]]:
    """One training step of stage 2 on this process's part of twelve clips: losses, gradients, what is left.

    In float64, so that what one process and two compute differs by a real difference only, whatever the
    processor's matrix product rounds.

    Args:
        processes: those that take the step.
        is_averaged: False plants a fault: this process keeps the gradient of its own part.
    """
    generator = torch.Generator().manual_seed(0)
    frames = normalize(torch.randint(0, 256, (12, 3, 3, *IMAGE_SIZE), dtype=torch.uint8, generator=generator)).double()
    model = tiny_model().double()
    model.train_in_stage2("adapters", ("final", "joint"))
    optimizer = make_adam(model, WeightDecay())
    set_learning_rate(optimizer, 1e-3)
    step = Stage2Step(model, processes, Stage2LossConfig(), drawn(5, 32).double()).train()
    if is_averaged:
        step, optimizer = processes.prepare(step, optimizer)
    part = processes.share(range(12))
    platforms = torch.tensor([clip % 2 for clip in part])
    losses = step(frames[part], platforms, LABELS[part])
    processes.backward(torch.stack([*losses.values()]).sum())
    gradients = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    optimizer.step()
    return {
        "losses": {name: loss.detach() for name, loss in losses.items()},
        "gradients": gradients,
        "statistics": {name: tensor.clone() for name, tensor in model.named_buffers() if "running" in name},
    }


def embed(processes: Processes, folder: Path, numbers: range) -> dict[str, Tensor | list[str]]:
    """The table of some of the tracklets in `folder`."""
    tracklets = [
        Tracklet(
            tracklet_id=f"t{number}",
            frames=tuple(Frame(str(folder / f"{number}_{frame}.png")) for frame in range(FRAMES_OF[number])),
            pid=number,
            camid=0,
            platform=PLATFORMS[number % 2],
        )
        for number in numbers
    ]
    encoder = tiny_model().encoder
    feeding = ExtractionConfig(clip_length=2, sampling="all-frames").feeding_of(encoder)
    table = embed_tracklets(encoder, tracklets, processes, feeding)
    return {"embeddings": torch.from_numpy(table.embeddings), "ids": table.tracklet_ids.tolist()}


def sharing(processes: Processes) -> dict[str, object]:
    """What this process gets of lists, and how parts come together again."""
    try:
        refusal = str(processes.share(range(5)))
    except ValueError as error:
        refusal = str(error)
    rows = processes.uneven_share(range(5))
    part = torch.full((2,), float(processes.rank), requires_grad=True)
    whole = processes.gather_with_gradient(part)
    (whole * torch.arange(1.0, len(whole) + 1)).sum().backward()
    return {
        "share": processes.share(range(6)),
        "uneven": [processes.uneven_share(range(length)) for length in range(6)],
        "gathered": processes.gather_rows(torch.tensor(rows).reshape(-1, 1)),
        "items": processes.gather_items([f"of {processes.rank}"] * processes.rank),
        "of_the_first": processes.first_then_others(lambda: f"made by {processes.rank}"),
        "refusal": refusal,
        "whole": whole.detach(),
        "gradient": part.grad,
    }


def everything(processes: Processes, folder: Path) -> dict[str, object]:
    return {
        "world_size": processes.world_size,
        "step": one_step(processes, is_averaged=True),
        "unaveraged_step": one_step(processes, is_averaged=False),
        "all": embed(processes, folder, range(3)),
        "one": embed(processes, folder, range(1)),
        "sharing": sharing(processes),
    }


if __name__ == "__main__":
    processes = Processes(device="cpu", precision="float32")
    torch.save(everything(processes, Path(sys.argv[1])), Path(sys.argv[2]) / f"rank{processes.rank}.pt")
    processes.wait_for_all()
