"""Embedding at true size, beside what the authors' program computes.

    OMP_NUM_THREADS=1 python benchmarks/embedding.py
    ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 OMP_NUM_THREADS=1 python benchmarks/embedding.py    # as if without AMX

ViT-B/16, 8 frames of 256 x 128, adapters of 256, prompt of 3 x 16, random weights. All sides take turns, so that what
else the machine does disturbs them alike; each is its quickest turn. CPU seconds; the limit is the matrix product that
this machine does in the same precision. On a GPU, which this machine may not have, `load(..., device="cuda")` takes the
same path; this file times CPUs.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

import skyreid
from cpu_time import product, quickest
from plain_program import PlainProgram
from skyreid.checkpoint import write_checkpoint
from skyreid.clips.clip_loader import normalize
from skyreid.extraction.embed_tracklets import ExtractionConfig
from skyreid.extraction.precision import PrecisionPolicy, with_precision
from skyreid.files.config_json import to_json
from skyreid.models.fast_encoder import FastEncoder
from skyreid.models.platform_prompt import PlatformPromptConfig
from skyreid.models.vsla_clip import VideoEncoder, VslaClip, VslaClipConfig

CLIP_LENGTH = 8
CROP = (90, 40)
"""(height, width) of a crop on disk, about what G2A has."""
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def clip_flops(config: VslaClipConfig) -> float:
    """Operations of one clip's matrix products in the tower, as ours computes them."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        frames = torch.empty(1, CLIP_LENGTH, 3, *config.image.image_size)
        VideoEncoder(config).embed(frames, torch.zeros(1, dtype=torch.long))
    return counter.get_total_flops()


def cosine(a: Tensor, b: Tensor) -> float:
    return functional.cosine_similarity(a.double(), b.double()).min().item()


@torch.inference_mode()
def one_clip(model: VslaClip, *, clips: int, rounds: int) -> PrecisionPolicy:
    """Frames that are in memory to embeddings."""
    encoder = model.encoder
    computing, policy = with_precision(encoder)
    plain = PlainProgram(model).eval()
    frames = torch.randn(clips, CLIP_LENGTH, 3, 256, 128)
    platforms = torch.arange(clips) % 2
    sides: dict[str, Callable[[], Tensor]] = {
        "plain program": lambda: torch.cat(plain.encode(frames, platforms)[1:], dim=1),
        "ours, readable": lambda: encoder.embed(frames, platforms),
        "ours, fast in float32": (lambda fast: lambda: fast.embed(frames, platforms))(
            FastEncoder(encoder, torch.float32)
        ),
        "ours, by default": lambda: computing.embed(frames, platforms),
    }
    products = {name: product(dtype) for name, dtype in DTYPES.items()}
    taken = quickest({**sides, **{name: run for name, (run, _) in products.items()}}, rounds)
    peaks = {name: flops / taken[name] for name, (_, flops) in products.items()}
    print("matrix product: " + ", ".join(f"{name} {peak / 1e9:.0f}" for name, peak in peaks.items()) + " GFLOP a CPU s")
    print(f"by default: {policy.in_words()}")
    exact = sides["ours, readable"]()
    flops = clip_flops(model.config)
    for name, run in sides.items():
        precision = policy.precision if name == "ours, by default" else "float32"
        seconds = taken[name] / clips
        print(
            f"{name:22} {seconds:6.2f} CPU-s a clip, {taken['plain program'] / taken[name]:5.2f} x the plain program, "
            f"{flops / seconds / 1e9:4.0f} GFLOP/s, {flops / seconds / peaks[precision]:4.0%} of the product in "
            f"{precision}, cosine {cosine(run(), exact):.6f}"
        )
    return policy


def from_crops(model: VslaClip, *, tracklets: int, folder: Path) -> None:
    """`skyreid embed` from JPEG crops to a table, and the plain program from the same crops."""
    rng = np.random.default_rng(0)
    for tracklet in range(tracklets):
        (folder / "crops" / f"{tracklet}").mkdir(parents=True)
        for frame in range(CLIP_LENGTH):
            crop = Image.fromarray(rng.integers(0, 256, (*CROP, 3), dtype=np.uint8))
            crop.save(folder / "crops" / f"{tracklet}" / f"{frame}.jpg")
    config = {
        "kind": "vsla-clip",
        "model": to_json(model.config),
        "feeding": to_json(ExtractionConfig().feeding_of(model.encoder)),
    }
    weights = {f"encoder.{name}": tensor for name, tensor in model.encoder.state_dict().items()}
    write_checkpoint(folder / "checkpoint", weights=weights, config=config, provenance={})
    plain = PlainProgram(model).eval()

    def ours() -> None:
        skyreid.embed(folder / "crops", folder / "checkpoint", folder / "table.npz", platform="ground")

    @torch.inference_mode()
    def theirs() -> None:
        for tracklet in (folder / "crops").iterdir():
            frames = [
                Image.open(path).convert("RGB").resize((128, 256), Image.Resampling.BICUBIC)
                for path in tracklet.iterdir()
            ]
            pixels = torch.from_numpy(np.stack([np.asarray(frame) for frame in frames])).permute(0, 3, 1, 2)[None]
            plain.encode(normalize(pixels), torch.zeros(1, dtype=torch.long))

    skyreid.load(folder / "checkpoint")  # measures once what is remembered then
    taken = quickest({"load": lambda: skyreid.load(folder / "checkpoint"), "ours": ours, "theirs": theirs}, rounds=1)
    inside = taken["ours"] - taken["load"]
    print(
        f"embed {tracklets} tracklets from crops: {taken['ours']:.2f} CPU-s, {taken['load']:.2f} of them to load the "
        f"model; the plain program, loaded, {taken['theirs']:.2f}: {taken['theirs'] / inside:.2f} x, with loading "
        f"{taken['theirs'] / taken['ours']:.2f} x"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clips", type=int, default=1, help="that are embedded at once")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tracklets", type=int, default=16, help="of the run from crops; 0 = none")
    options = parser.parse_args()
    torch.manual_seed(0)
    config = VslaClipConfig(platform_prompt=PlatformPromptConfig(depth=3, length=16))
    model = VslaClip(config, num_identities=2).eval().requires_grad_(False)
    print(f"{torch.get_num_threads()} threads, {options.clips} clips at once, torch {torch.__version__}")
    one_clip(model, clips=options.clips, rounds=options.rounds)
    if options.tracklets:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["SKYREID_CACHE"] = f"{folder}/cache"
            from_crops(model, tracklets=options.tracklets, folder=Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
