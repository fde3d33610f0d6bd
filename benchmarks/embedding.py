"""Embedding at true size, beside what the authors' program computes.

    OMP_NUM_THREADS=1 python benchmarks/embedding.py
    ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 OMP_NUM_THREADS=1 python benchmarks/embedding.py    # as if without AMX
    OMP_NUM_THREADS=1 python benchmarks/embedding.py --video FILM --annotations BOXES       # from a film, too

ViT-B/16, 8 frames of 256 x 128, adapters of 256, prompt of 3 x 16, random weights. All sides take turns, so that what
else the machine does disturbs them alike; each is its quickest turn. CPU seconds; the limit is the matrix product that
this machine does in the same precision. On a GPU, which this machine may not have, `load(..., device="cuda")` takes the
same path; this file times CPUs.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

import skyreid
from cpu_time import product, quickest, seconds_with_children
from plain_program import PlainProgram
from skyreid.building.finder import read_annotated
from skyreid.building.sources import Source
from skyreid.building.video.decode import frames, probe
from skyreid.checkpoint import write_checkpoint
from skyreid.clips.clip_loader import normalize
from skyreid.extraction.embed_tracklets import ExtractionConfig
from skyreid.extraction.loading import CuttingEmbedder
from skyreid.extraction.precision import PrecisionPolicy, with_precision
from skyreid.files.config_json import to_json
from skyreid.models.fast_encoder import FastEncoder
from skyreid.models.platform_prompt import PlatformPromptConfig
from skyreid.models.vsla_clip import VideoEncoder, VslaClip, VslaClipConfig
from skyreid.tracklet import Platform

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
    pixels = torch.randn(clips, CLIP_LENGTH, 3, 256, 128)
    platforms = torch.arange(clips) % 2
    sides: dict[str, Callable[[], Tensor]] = {
        "plain program": lambda: torch.cat(plain.encode(pixels, platforms)[1:], dim=1),
        "ours, readable": lambda: encoder.embed(pixels, platforms),
        "ours, fast in float32": (lambda fast: lambda: fast.embed(pixels, platforms))(
            FastEncoder(encoder, torch.float32)
        ),
        "ours, by default": lambda: computing.embed(pixels, platforms),
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


def write_model(model: VslaClip, folder: Path) -> Path:
    config = {
        "kind": "vsla-clip",
        "model": to_json(model.config),
        "feeding": to_json(ExtractionConfig().feeding_of(model.encoder)),
    }
    weights = {f"encoder.{name}": tensor for name, tensor in model.encoder.state_dict().items()}
    write_checkpoint(folder / "checkpoint", weights=weights, config=config, provenance={})
    skyreid.load(folder / "checkpoint")  # measures once what is remembered then
    return folder / "checkpoint"


@torch.inference_mode()
def embed_plainly(plain: PlainProgram, pictures: Iterable[Image.Image]) -> None:
    resized = [picture.convert("RGB").resize((128, 256), Image.Resampling.BICUBIC) for picture in pictures]
    pixels = torch.from_numpy(np.stack([np.asarray(picture) for picture in resized])).permute(0, 3, 1, 2)[None]
    plain.encode(normalize(pixels), torch.zeros(1, dtype=torch.long))


def from_crops(model: VslaClip, checkpoint: Path, *, tracklets: int, folder: Path) -> None:
    """`skyreid embed` from JPEG crops to a table, and the plain program from the same crops."""
    rng = np.random.default_rng(0)
    for tracklet in range(tracklets):
        (folder / "crops" / f"{tracklet}").mkdir(parents=True)
        for frame in range(CLIP_LENGTH):
            crop = Image.fromarray(rng.integers(0, 256, (*CROP, 3), dtype=np.uint8))
            crop.save(folder / "crops" / f"{tracklet}" / f"{frame}.jpg")
    plain = PlainProgram(model).eval()

    def ours() -> None:
        skyreid.embed(folder / "crops", checkpoint, folder / "table.npz", platform="ground")

    def theirs() -> None:
        for tracklet in (folder / "crops").iterdir():
            embed_plainly(plain, map(Image.open, tracklet.iterdir()))

    taken = quickest({"load": lambda: skyreid.load(checkpoint), "ours": ours, "theirs": theirs}, rounds=1)
    inside = taken["ours"] - taken["load"]
    print(
        f"embed {tracklets} tracklets from crops: {taken['ours']:.2f} CPU-s, {taken['load']:.2f} of them to load the "
        f"model; the plain program, loaded, {taken['theirs']:.2f}: {taken['theirs'] / inside:.2f} x, with loading "
        f"{taken['theirs'] / taken['ours']:.2f} x"
    )


def from_video(model: VslaClip, checkpoint: Path, source: Source, folder: Path) -> None:
    """`skyreid build --embed` of a film whose boxes are given, and the plain program on the same crops of the film.

    Ours decodes in a process of its own, covers faces, judges and writes every crop; the plain side does none of it.
    """
    facts = probe(source.path)
    annotated = read_annotated(source, facts)
    assert annotated is not None, "--video needs --annotations"
    boxes = annotated.frames
    embedder = CuttingEmbedder(checkpoint)
    plain = PlainProgram(model).eval()
    started = time.monotonic()
    ours, report = seconds_with_children(lambda: skyreid.build(source, folder / "built", embedder=embedder))
    wall = time.monotonic() - started

    def theirs() -> int:
        crops: dict[int, list[Image.Image]] = {}
        for frame in frames(source.path, interval_s=0.5):
            for person, box in boxes.get(frame.index, {}).items():
                crops.setdefault(person, []).append(Image.fromarray(frame.pixels).crop(box))
        for track in crops.values():
            embed_plainly(plain, [track[place * len(track) // CLIP_LENGTH] for place in range(CLIP_LENGTH)])
        return len(crops)

    plainly, count = seconds_with_children(theirs)
    print(
        f"build and embed {facts.duration_s:.1f} s of film, {sum(one.tracklets for one in report.sources)} tracklets: "
        f"{ours:.1f} CPU-s, {wall:.1f} s on the clock; the plain program {plainly:.1f} CPU-s for {count} tracks: "
        f"{plainly / ours:.2f} x"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", type=int, default=1, help="that are embedded at once")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tracklets", type=int, default=16, help="of the run from crops; 0 = none")
    parser.add_argument("--video", type=Path, help="film to build and embed")
    parser.add_argument("--annotations", type=Path, help="its boxes")
    options = parser.parse_args()
    torch.manual_seed(0)
    config = VslaClipConfig(platform_prompt=PlatformPromptConfig(depth=3, length=16))
    model = VslaClip(config, num_identities=2).eval().requires_grad_(False)
    print(f"{torch.get_num_threads()} threads, {options.clips} clips at once, torch {torch.__version__}")
    one_clip(model, clips=options.clips, rounds=options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SKYREID_CACHE"] = f"{folder}/cache"
        checkpoint = write_model(model, Path(folder))
        if options.tracklets:
            from_crops(model, checkpoint, tracklets=options.tracklets, folder=Path(folder))
        if options.video:
            source = Source(
                path=options.video, platform=Platform.GROUND, camera="film", annotations=options.annotations
            )
            from_video(model, checkpoint, source, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
