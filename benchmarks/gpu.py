"""Everything that is asked of a GPU, in one run of at most six minutes on an H200.

    python benchmarks/gpu.py

Without a GPU the same code runs on the CPU with a small model and few people, and says so: then it shows that it runs,
and its figures are none of a GPU. The other side is `plain_program.py`, with its own mixed precision (float16 and a
gradient scaler) and data path (each epoch decodes, resizes and normalises every picture anew and ships floats).
"""

import contextlib
import io
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

import training as cpu
from frame_supply import as_floats
from plain_program import PlainProgram, one_group_a_tensor
from skyreid.clips.clip_loader import normalize
from skyreid.datasets.benchmarks.mars_layout import write_mars_layout
from skyreid.models.image_tower import AdapterConfig, ImageTowerConfig
from skyreid.models.platform_prompt import PlatformPromptConfig
from skyreid.models.text_tower import TextTowerConfig
from skyreid.models.vsla_clip import VslaClip, VslaClipConfig
from skyreid.processes.distributed import Precision
from skyreid.recipes import RECIPES
from skyreid.tracklet import Frame, Platform, Tracklet
from skyreid.training import train
from skyreid.training.memory import step_bytes
from skyreid.training.stage1 import stage1_losses
from skyreid.training.stage2 import Stage2Config
from skyreid.training.two_stage import TwoStageConfig

HAS_GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if HAS_GPU else "cpu")
SMALL = VslaClipConfig(
    image=ImageTowerConfig(
        image_size=(64, 32),
        patch_size=8,
        stride=8,
        width=128,
        layers=4,
        adapters=AdapterConfig(intra_frame=64, cross_frame=64),
    ),
    text=TextTowerConfig(width=64, layers=2, context_length=77),
    embed_dim=128,
    platform_prompt=PlatformPromptConfig(depth=3, length=16),
)
CONFIG = cpu.CONFIG if HAS_GPU else SMALL
IDENTITIES, CLIPS, FRAMES = (930, 32, 8) if HAS_GPU else (16, 8, 4)
FRAMES_OF_TRACKLET = 33 if HAS_GPU else 6
"""1,860 tracklets of 33 frames are some 61,000 frames."""
CROP = (90, 40)
"""Height and width of a stored crop, as in G2A-VReID."""
ROUNDS = 10 if HAS_GPU else 3
LOW: tuple[Precision, ...] = ("bfloat16", "float16") if HAS_GPU else ("bfloat16",)
FULL_EPOCHS = 120


def main() -> int:
    began = time.monotonic()
    torch.manual_seed(0)
    if HAS_GPU:
        print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}; ViT-B/16, {CLIPS} clips of {FRAMES}")
    else:
        print(f"NO GPU: a small model, {CLIPS} clips of {FRAMES}, on the CPU: this shows that it runs, and no more")
    with tempfile.TemporaryDirectory() as scratch:
        for part in (correctness, step, waits, memory, lambda: recipe(Path(scratch))):
            part()
            print(f"    [{time.monotonic() - began:.0f} s]", flush=True)
    return 0


def fresh_model(device: torch.device = DEVICE) -> VslaClip:
    torch.manual_seed(0)
    model = VslaClip(CONFIG, num_identities=IDENTITIES)
    model.train_in_stage2("adapters", ("final", "joint"))
    return model.to(device)


def drawn_batch(clips: int, device: torch.device = DEVICE) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    drawing = torch.Generator().manual_seed(1)
    shape = (clips, FRAMES, 3, *CONFIG.image.image_size)
    frames = normalize(torch.randint(0, 256, shape, dtype=torch.uint8, generator=drawing))
    labels = torch.arange(clips) // 4
    return frames.to(device), (torch.arange(clips) % 2).to(device), labels.to(device)


def texts_of(model: VslaClip) -> torch.Tensor:
    with torch.no_grad():
        parts = torch.arange(IDENTITIES, device=DEVICE).split(64)
        return torch.cat([model.text_features(part) for part in parts])


def wait() -> None:
    if HAS_GPU:
        torch.cuda.synchronize()


def seconds(run: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Wall seconds of a round, the device waited for; two rounds are not counted."""
    for _ in range(2):
        run()
    wait()
    start = time.perf_counter()
    for _ in range(rounds):
        run()
    wait()
    return (time.perf_counter() - start) / rounds


# --- correctness -----------------------------------------------------------------------------------------------------


def gradients_of(model: VslaClip) -> dict[str, torch.Tensor]:
    """Gradients on the CPU; of a key's bias it is zero but for rounding (METHOD section 12)."""
    return {
        name: weight.grad.float().cpu()
        for name, weight in model.named_parameters()
        if weight.grad is not None and not name.endswith("key_value.bias")
    }


def stage1_of(device: torch.device, precision: Precision) -> tuple[float, dict[str, torch.Tensor]]:
    model = fresh_model(device)
    model.train_in_stage1()
    drawing = torch.Generator().manual_seed(2)
    features = torch.randn(2 * CLIPS, CONFIG.embed_dim, generator=drawing).to(device)
    labels = torch.randint(0, IDENTITIES, (2 * CLIPS,), generator=drawing)
    kind = torch.bfloat16 if precision == "float32" else getattr(torch, precision)
    with torch.autocast(device.type, kind, enabled=precision != "float32"):
        losses = stage1_losses(model, features, labels, None)
    loss = torch.stack([*losses.values()]).sum()
    loss.backward()
    return loss.item(), gradients_of(model)


def stage2_of(device: torch.device, precision: Precision) -> tuple[float, dict[str, torch.Tensor]]:
    model = fresh_model(device)
    texts = torch.randn(IDENTITIES, CONFIG.embed_dim, generator=torch.Generator().manual_seed(3)).to(device)
    ours = cpu.Ours(model, precision, texts, device="cpu" if device.type == "cpu" else "auto")
    loss = ours.backward(*drawn_batch(min(CLIPS, 8), device)).item()
    gradients = gradients_of(model)
    if precision == "float16":
        scale = ours.processes.gradient_scaler_state()["scale"]
        gradients = {name: gradient / scale for name, gradient in gradients.items()}
    return loss, gradients


def correctness() -> None:
    """Both stages in 16 bits beside float32 on the CPU: loss, and the cosine of all gradients together."""
    for name, run in (("stage 1", stage1_of), ("stage 2", stage2_of)):
        exact_loss, exact = run(torch.device("cpu"), "float32")
        for precision in ("float32", *LOW):
            loss, got = run(DEVICE, precision)
            flat, expected = (torch.cat([part[key].flatten() for key in sorted(exact)]) for part in (got, exact))
            cosine = float(torch.nn.functional.cosine_similarity(flat.double(), expected.double(), dim=0))
            far = abs(loss - exact_loss) / abs(exact_loss)
            print(f"{name}, {precision:8}: loss {far:.1e} from float32 on the CPU, gradients' cosine {cosine:.6f}")


# --- one step --------------------------------------------------------------------------------------------------------


def step() -> None:
    """Our step beside the plain one in float16 with its scaler; operations a second beside a large product's."""
    model, batch = fresh_model(), drawn_batch(CLIPS)
    texts = texts_of(model)
    program = PlainProgram(model).to(DEVICE).train()
    groups = one_group_a_tensor(program.trained_in_stage2(), cpu.RATE)
    kind = torch.float16 if HAS_GPU else torch.bfloat16
    scaler = torch.amp.GradScaler(DEVICE.type, enabled=HAS_GPU)

    def plain() -> None:
        with torch.autocast(DEVICE.type, kind):
            loss = program.stage2_loss(*batch, texts)
        groups.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(groups)
        scaler.update()
        loss.item()
        wait()

    ours = cpu.Ours(model, "bfloat16", texts, device="auto")
    theirs, mine = seconds(plain), seconds(lambda: ours.step(*batch))
    size = 8192 if HAS_GPU else 1024
    left = torch.randn(size, size, device=DEVICE, dtype=torch.bfloat16)
    peak = 2 * size**3 / seconds(lambda: left @ left)
    flops = cpu.step_flops(CLIPS, CONFIG, FRAMES)
    print(f"stage-2 step: {1e3 * mine:.1f} ms, plain with its own mixed precision {1e3 * theirs:.1f}: ", end="")
    print(f"{theirs / mine:.2f} x; {flops / mine / 1e12:.2f} TFLOP/s, {flops / mine / peak:.0%} of ", end="")
    print(f"{peak / 1e12:.2f} (MFU against the measured product)")


def waits() -> None:
    """How often a step of ours makes the host wait for the GPU."""
    if not HAS_GPU:
        print("waits of the host in a step: none can be counted without a GPU")
        return
    model = fresh_model()
    ours, batch = cpu.Ours(model, "bfloat16", texts_of(model), device="auto"), drawn_batch(CLIPS)
    ours.step(*batch)
    torch.cuda.set_sync_debug_mode("warn")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        ours.step(*batch)
    torch.cuda.set_sync_debug_mode("default")
    print(f"waits of the host in a step: {len(told)}")


def memory() -> None:
    """Peak of a step beside what `skyreid train` foretells."""
    for recompute in (False, True):
        foretold = step_bytes(
            CONFIG,
            Stage2Config(recompute_blocks=recompute),
            clips=CLIPS,
            frames=FRAMES,
            num_identities=IDENTITIES,
            precision="bfloat16",
        )
        model = fresh_model()
        model.encoder.tower.recomputes_blocks = recompute
        ours, batch = cpu.Ours(model, "bfloat16", texts_of(model), device="auto"), drawn_batch(CLIPS)
        took = seconds(lambda ours=ours, batch=batch: ours.step(*batch))
        said = "not measured without a GPU"
        if HAS_GPU:
            torch.cuda.reset_peak_memory_stats()
            ours.step(*batch)
            said = f"{torch.cuda.max_memory_reserved() / 1e9:.1f} GB"
        how = "computed again" if recompute else "kept"
        print(f"blocks {how}: peak {said}, foretold {foretold / 1e9:.1f} GB; a step {1e3 * took:.1f} ms")


# --- the whole recipe ------------------------------------------------------------------------------------------------


def draw_benchmark(folder: Path) -> Path:
    """Write people of random patches: the true count and sizes of pictures, whatever they show."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (64, *CROP, 3), dtype=np.uint8)
    packed = []
    for picture in pictures:
        smooth = Image.fromarray(picture).resize((10, 22)).resize((CROP[1], CROP[0]), Image.Resampling.BICUBIC)
        with io.BytesIO() as buffer:
            smooth.save(buffer, "jpeg", quality=90)
            packed.append(buffer.getvalue())
    tracklets = {}

    def write(pid: int, platform: Platform) -> None:
        frames = []
        for number in range(FRAMES_OF_TRACKLET):
            path = folder / f"{pid}_{platform}_{number}.jpg"
            path.write_bytes(packed[(7 * pid + number) % len(packed)])
            frames.append(Frame(str(path)))
        tracklets[pid, platform] = Tracklet(
            tracklet_id=f"{pid}_{platform}", frames=tuple(frames), pid=pid, camid=platform.number, platform=platform
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: write(*key), [(p, where) for p in range(1, IDENTITIES + 5) for where in Platform]))
    root = folder / "benchmark"
    write_mars_layout(
        root,
        train=[tracklet for (pid, _), tracklet in tracklets.items() if pid <= IDENTITIES],
        query=[tracklets[pid, Platform.GROUND] for pid in range(IDENTITIES + 1, IDENTITIES + 5)],
        gallery=[tracklets[pid, Platform.AERIAL] for pid in range(IDENTITIES + 1, IDENTITIES + 5)],
    )
    return root


class Stamps:
    """When each part of a run was at which step."""

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        self.at: dict[tuple[str, int], float] = {}

    def __call__(self, task: str, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        self.first.setdefault(task, now)
        self.at[task, done] = now


def recipe(scratch: Path) -> None:
    """Real epochs of both stages by `skyreid.training.train`, and 120 of each reckoned from the last ones."""
    root = draw_benchmark(scratch)
    config = RECIPES["vsla-clip-g2a-release"]()
    assert isinstance(config, TwoStageConfig)
    sampler = replace(config.stage2.sampler, identities=CLIPS // 4)
    config = replace(
        config,
        data_root=root,
        run_dir=scratch / "run",
        pretrained=None,
        model=CONFIG,
        clip_length=FRAMES,
        extraction=replace(config.extraction, clip_length=FRAMES, threads=16 if HAS_GPU else 2),
        stage1=replace(config.stage1, epochs=2, batch_size=64 if HAS_GPU else 16),
        stage2=replace(config.stage2, epochs=2, sampler=sampler),
        precision="bfloat16",
        frame_bank_gb=32.0,
    )
    stamps, began = Stamps(), time.monotonic()
    with contextlib.redirect_stderr(io.StringIO()):
        train(config, progress=stamps)
    ended = time.monotonic()
    log = [json.loads(line) for line in (config.run_dir / "log.jsonl").read_text().splitlines()]
    steps = {stage: sum(line["stage"] == stage for line in log) // 2 for stage in (1, 2)}
    # From the end of the first epoch to the end of the second: all frames are decoded by then.
    epoch = {stage: stamps.at[f"stage {stage}", 2 * n] - stamps.at[f"stage {stage}", n] for stage, n in steps.items()}
    once = ended - began - 2 * sum(epoch.values())
    whole = once + FULL_EPOCHS * sum(epoch.values())
    frames = 2 * IDENTITIES * FRAMES_OF_TRACKLET
    print(
        f"recipe on {IDENTITIES} people, {frames} frames: an epoch of stage 1 ({steps[1]} steps) {epoch[1]:.2f} s, of "
        f"stage 2 ({steps[2]} steps) {epoch[2]:.2f} s, all else once {once:.1f} s; "
        f"{FULL_EPOCHS} + {FULL_EPOCHS} epochs: {whole / 60:.1f} minutes"
    )
    theirs = plain_epoch(root, steps[2])
    print(f"the plain program's data path alone, an epoch of stage 2: {theirs:.2f} s")


class PlainClips(Dataset[tuple[torch.Tensor, int]]):
    """Clips as the authors' program reads them: every picture decoded, resized and normalised each time."""

    def __init__(self, root: Path, clips: int) -> None:
        self.paths = sorted((root / "bbox_train").rglob("*.jpg"))
        self.clips = clips

    def __len__(self) -> int:
        return self.clips

    def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
        height, width = CONFIG.image.image_size
        start = place * FRAMES % (len(self.paths) - FRAMES)
        frames = []
        for path in self.paths[start : start + FRAMES]:
            with Image.open(path) as picture:
                resized = picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
            frames.append(as_floats(resized))
        return torch.stack(frames), place % IDENTITIES


def plain_epoch(root: Path, steps: int) -> float:
    loader: Iterator[tuple[torch.Tensor, torch.Tensor]] = iter(
        DataLoader(PlainClips(root, steps * CLIPS), batch_size=CLIPS, num_workers=8 if HAS_GPU else 2)
    )
    start = time.monotonic()
    for frames, _ in loader:
        frames.to(DEVICE)
    wait()
    return time.monotonic() - start


if __name__ == "__main__":
    sys.exit(main())
