"""Training at true size, beside a program that works as the authors' does (`plain_program.py`), in one run.

    OMP_NUM_THREADS=1 python benchmarks/training.py stage2 stage1            # seconds, gradients, share of the peak
    OMP_NUM_THREADS=1 python benchmarks/training.py memory --clips 4         # peak of a process, by variant
    OMP_NUM_THREADS=1 python benchmarks/training.py curve --root WORLD       # 200 steps in bfloat16 and in float32
    OMP_NUM_THREADS=1 python benchmarks/training.py scaling --root WORLD     # one process and two under torchrun

ViT-B/16, 8 x 256 x 128, adapters of 256, platform prompt 3 x 16, 930 identities, random weights. Seconds are CPU
seconds of the quickest round; sides take turns. `curve` and `scaling` train `vsla-clip-small` on WORLD, a benchmark of
simulated people (`skyreid demo` leaves one); `curve` takes three seeds in float32.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from cpu_time import product_speed, quickest
from plain_program import PlainProgram, one_group_a_tensor
from skyreid.models.platform_prompt import PlatformPromptConfig
from skyreid.models.vsla_clip import VideoEncoder, VslaClip, VslaClipConfig
from skyreid.processes.distributed import Precision, Processes
from skyreid.training.memory import step_bytes
from skyreid.training.optimizer import WeightDecay, make_adam, set_learning_rate
from skyreid.training.stage1 import stage1_losses
from skyreid.training.stage2 import Stage2Config, Stage2LossConfig, Stage2Step

CONFIG = VslaClipConfig(platform_prompt=PlatformPromptConfig(depth=3, length=16))
IDENTITIES, FRAMES, RATE = 930, 8, 1e-4
STAGE1_BATCH, DRAWS = 64, 4
VARIANTS = [(precision, recompute) for precision in ("float32", "bfloat16") for recompute in (False, True)]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="+", choices=["stage2", "stage1", "memory", "curve", "scaling", "one-step"])
    parser.add_argument("--clips", type=int, default=4, help="of a batch of stage 2")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--root", type=Path, help="benchmark that `curve` and `scaling` train on")
    parser.add_argument("--precision", default="float32", help="of one-step, which `memory` starts")
    parser.add_argument("--recompute", action="store_true", help="the same")
    given = parser.parse_args()
    torch.manual_seed(0)
    for part in given.parts:
        if part == "stage2":
            stage2(given.clips, given.rounds)
        elif part == "stage1":
            stage1(given.rounds)
        elif part == "memory":
            memory(given.clips)
        elif part == "one-step":
            one_step(given.clips, given.precision, recompute=given.recompute)
        elif part == "curve":
            curve(given.root)
        else:
            scaling(given.root)
    return 0


def step_flops(clips: int, config: VslaClipConfig = CONFIG, frames: int = FRAMES) -> float:
    """Operations of a step's matrix products in the image tower, forward and backward, as ours computes them."""
    with torch.device("meta"):
        encoder = VideoEncoder(config)
        for name, parameter in encoder.named_parameters():
            parameter.requires_grad_("_frame" in name or "platform" in name)
        with FlopCounterMode(display=False) as counter:
            features = encoder(
                torch.empty(clips, frames, 3, *config.image.image_size), torch.zeros(clips, dtype=torch.long)
            )
            torch.stack([feature.sum() for feature in features]).sum().backward()
    return counter.get_total_flops()


class Ours:
    """Our step of stage 2, as `skyreid.training` takes it."""

    def __init__(
        self, model: VslaClip, precision: Precision, texts: torch.Tensor, *, device: Literal["auto", "cpu"] = "cpu"
    ) -> None:
        self.model, self.processes = model, Processes(device=device, precision=precision)
        optimizer = make_adam(model, WeightDecay())
        set_learning_rate(optimizer, RATE)
        step = Stage2Step(model, self.processes, Stage2LossConfig(), texts)
        self._step, self._optimizer = self.processes.prepare(step, optimizer)
        self._step.train()

    def backward(self, *batch: torch.Tensor) -> torch.Tensor:
        """Give the loss, on the device."""
        losses = self._step(*batch)
        self._optimizer.zero_grad(set_to_none=True)
        loss = torch.stack([*losses.values()]).sum()
        self.processes.backward(loss)
        return loss.detach()

    def step(self, *batch: torch.Tensor) -> None:
        self.backward(*batch)
        self._optimizer.step()


def drawn_batch(clips: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    labels = torch.arange(clips) // 2
    return torch.randn(clips, FRAMES, 3, 256, 128), torch.arange(clips) % 2, labels


def trained_model() -> VslaClip:
    model = VslaClip(CONFIG, num_identities=IDENTITIES)
    model.train_in_stage2("adapters", ("final", "joint"))
    return model


def stage2(clips: int, rounds: int) -> None:
    model = trained_model()
    program = PlainProgram(model).train()
    with torch.no_grad():
        texts = torch.cat([model.text_features(part) for part in torch.arange(IDENTITIES).split(64)])
    batch = drawn_batch(clips)
    ours = {precision: Ours(model, precision, texts) for precision in ("float32", "bfloat16")}
    groups = one_group_a_tensor(program.trained_in_stage2(), RATE)

    def plain() -> float:
        loss = program.stage2_loss(*batch, texts)
        groups.zero_grad()
        loss.backward()
        return loss.item()

    def plain_step() -> None:
        plain()
        groups.step()

    compare_gradients(model, program, plain, lambda: ours["float32"].backward(*batch).item())
    sides = {"plain": plain_step, **{name: lambda side=side: side.step(*batch) for name, side in ours.items()}}
    seconds = quickest(sides, rounds)
    flops = step_flops(clips)
    print(f"stage 2, a clip of a batch of {clips}; {flops / clips / 1e9:.0f} GFLOP in its matrix products")
    print(f"  plain, float32   {seconds['plain'] / clips:6.2f} CPU-s")
    for name in ours:
        peak = product_speed(getattr(torch, name))
        print(
            f"  ours, {name:10} {seconds[name] / clips:6.2f} CPU-s, {seconds['plain'] / seconds[name]:5.2f} x plain; "
            f"{flops / seconds[name] / 1e9:.0f} GFLOP/s, {flops / seconds[name] / peak:.0%} of {peak / 1e9:.0f}"
        )


def compare_gradients(
    model: VslaClip, program: PlainProgram, plain: Callable[[], float], ours: Callable[[], float]
) -> None:
    theirs = plain()
    expected = {name: gradient.clone() for name, gradient in program.gradients().items()}
    model.zero_grad()
    mine = ours()
    got = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert got.keys() == expected.keys(), got.keys() ^ expected.keys()
    # The gradient of a key's bias is zero but for rounding (METHOD section 12).
    kept = {name for name in got if not name.endswith("key_value.bias")}
    far = {name: float((got[name] - expected[name]).norm() / expected[name].norm()) for name in kept}
    worst = max(far, key=lambda name: far[name])
    print(f"loss {mine:.6f}, plain {theirs:.6f} ({abs(mine - theirs) / abs(theirs):.1e} apart); ", end="")
    print(f"gradients of {len(far)} tensors at most {far[worst]:.1e} apart ({worst})")
    assert far[worst] < 1e-4


def stage1(rounds: int) -> None:
    torch.manual_seed(0)
    model = VslaClip(CONFIG, num_identities=IDENTITIES)
    program = PlainProgram(model)
    everybody = torch.arange(IDENTITIES).repeat_interleave(DRAWS)
    labels = everybody[torch.randperm(len(everybody))[:STAGE1_BATCH]]
    features = torch.randn(STAGE1_BATCH, CONFIG.embed_dim)
    steps = len(everybody) // STAGE1_BATCH
    model.train_in_stage1()
    adam = make_adam(model, WeightDecay(weights=1e-4))
    set_learning_rate(adam, RATE)
    groups = one_group_a_tensor([*model.identity_prompt.parameters()], RATE)

    def ours(precision: Precision) -> None:
        model.requires_grad_(False)
        model.train_in_stage1()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            losses = stage1_losses(model, features, labels, None)
        adam.zero_grad(set_to_none=True)
        torch.stack([*losses.values()]).sum().backward()
        adam.step()

    def plain() -> None:
        program.requires_grad_(True)
        model.requires_grad_(True)  # as released: the towers' weights get gradients that nobody clears or uses
        loss = program.stage1_loss(features, labels)
        groups.zero_grad()
        loss.backward()
        groups.step()
        loss.item()

    seconds = quickest(
        {"plain": plain, "float32": lambda: ours("float32"), "bfloat16": lambda: ours("bfloat16")}, rounds
    )
    distinct = len(labels.unique())
    width, layers = CONFIG.text.width, CONFIG.text.layers
    flops = 2 * 2.0 * distinct * CONFIG.identity_prompt.length * layers * 12 * width**2
    print(
        f"stage 1, an epoch of {steps} steps of {STAGE1_BATCH} clips ({distinct} identities): one step, times {steps}"
    )
    print(f"  plain, float32   {steps * seconds['plain']:7.0f} CPU-s")
    for name in ("float32", "bfloat16"):
        peak = product_speed(getattr(torch, name))
        print(
            f"  ours, {name:10} {steps * seconds[name]:7.0f} CPU-s, {seconds['plain'] / seconds[name]:5.2f} x plain; "
            f"{flops / seconds[name] / 1e9:.0f} GFLOP/s, {flops / seconds[name] / peak:.0%} of {peak / 1e9:.0f}"
        )


def memory(clips: int) -> None:
    for precision, recompute in VARIANTS:
        options = ["--recompute"] if recompute else []
        done = subprocess.run(
            [sys.executable, __file__, "one-step", "--clips", str(clips), "--precision", precision, *options],
            check=True,
            capture_output=True,
            text=True,
        )
        print(done.stdout, end="", flush=True)


def one_step(clips: int, precision: Precision, *, recompute: bool) -> None:
    batch, model = drawn_batch(clips), trained_model()
    model.encoder.tower.recomputes_blocks = recompute
    began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    stage2 = Stage2Config(recompute_blocks=recompute)
    foretold = [
        step_bytes(CONFIG, stage2, clips=count, frames=FRAMES, num_identities=IDENTITIES, precision=precision)
        for count in (clips, 32)
    ]
    Ours(model, precision, torch.randn(IDENTITIES, CONFIG.embed_dim)).step(*batch)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        f"{precision}, {'recomputed' if recompute else 'kept':10}, {clips} clips: peak {peak / 1e9:.2f} GB, "
        f"model and libraries {began / 1e9:.2f}; "
        f"foretold {foretold[0] / 1e9:.2f}, of 32 clips {foretold[1] / 1e9:.1f}",
        flush=True,
    )


def train_small(root: Path, run_dir: Path, *options: str, launcher: tuple[str, ...] = ()) -> list[float]:
    """Train the small recipe for 200 steps of stage 2; give the loss of each."""
    command = [*(launcher or (sys.executable, "-m", "skyreid")), "train", "vsla-clip-small", "--data-root", str(root)]
    subprocess.run(
        [*command, "--run-dir", str(run_dir), *options, "--quiet", "--device", "cpu"],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    lines = [json.loads(line) for line in (run_dir / "log.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if line["stage"] == 2][:200]


def curve(root: Path) -> None:
    """Means of 20 steps; spread is from the lowest to the highest of three seeds in float32."""
    options = ["--stage1.epochs", "20", "--stage2.epochs", "30"]
    with tempfile.TemporaryDirectory() as scratch:
        exact = [
            train_small(root, Path(scratch) / f"{seed}", *options, "--seed", str(seed), "--precision", "float32")
            for seed in (1, 2, 3)
        ]
        rounded = train_small(root, Path(scratch) / "b", *options, "--seed", "1", "--precision", "bfloat16")
    assert len(rounded) == 200, len(rounded)
    exact_means = np.array(exact).reshape(3, 10, 20).mean(2)
    means = np.array(rounded).reshape(10, 20).mean(1)
    print("steps      float32, three seeds: lowest, highest   bfloat16")
    outside = 0
    for number in range(10):
        low, high = exact_means[:, number].min(), exact_means[:, number].max()
        inside = low <= means[number] <= high
        outside += not inside
        print(f"{20 * number + 1:3}-{20 * number + 20:3}  {low:8.4f} {high:8.4f}   {means[number]:8.4f} {inside}")
    own = np.abs(means - exact_means[0]).max()
    print(f"outside in {outside} of 10; from float32 of its own seed at most {own:.4f} apart", end="; ")
    print(f"seeds are {(exact_means.max(0) - exact_means.min(0)).mean():.4f} apart in the mean")


def scaling(root: Path) -> None:
    """Wall seconds of the same run on one process and on two."""
    options = ["--stage1.epochs", "10", "--stage2.epochs", "10", "--stage2.sampler.drop-last"]
    took = {}
    for count in (1, 2):
        launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}")
        with tempfile.TemporaryDirectory() as scratch:
            start = time.monotonic()
            train_small(root, Path(scratch) / "run", *options, launcher=(*launcher, "-m", "skyreid"))
            took[count] = time.monotonic() - start
    print(
        f"one process {took[1]:.1f} s, two {took[2]:.1f} s: {took[1] / took[2]:.2f} x (load {os.getloadavg()[0]:.1f})"
    )


if __name__ == "__main__":
    sys.exit(main())
