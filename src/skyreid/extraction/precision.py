"""In which numbers, and by which code, a model embeds on this machine: one policy, measured and remembered.

`auto` takes fewer bits where all of this holds: the model is large enough to gain by them, the device has products in
half as many, a probe of pictures embeds in the same direction, and it takes clearly less time. A large model of ours
that is not sped up so on a CPU is computed in float32 by the fast engine, every other one exactly. What was measured is
kept in the cache of weights, so that no second run decides otherwise because another program was busy meanwhile.

The exact path is float32 by the readable encoder: training, its own test and every comparison with stored numbers.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skyreid.arguments import find_named
from skyreid.errors import SettingError
from skyreid.extraction.embed_tracklets import Encoder
from skyreid.files.atomic_file import write_atomically
from skyreid.files.config_json import from_json
from skyreid.files.strict_json import read_json
from skyreid.models.fast_encoder import FastEncoder
from skyreid.models.vsla_clip import VideoEncoder
from skyreid.processes.distributed import (
    FLOAT16_NEEDS_GPU,
    Precision,
    cpu_capabilities,
    device_facts,
    gpu_precision,
    wait_for_gpu,
)
from skyreid.processes.progress import Progress, silent
from skyreid.tracklet import PLATFORMS
from skyreid.weights.weights_cache import cache_folder

logger = logging.getLogger(__name__)
Engine: TypeAlias = Literal["readable", "fast", "autocast"]
"""The encoder as it is trained; its twin without anything beside the products (`models/fast_encoder.py`); the encoder
as it is with PyTorch choosing what is computed in fewer bits, for methods of the comparison on a GPU."""

LEAST_COSINE = 0.999
"""Of an embedding in fewer bits with the one in float32."""
LEAST_GAIN = 1.3
"""Below, a machine that is busy by chance would decide."""
LEAST_GFLOP = 10.0
"""Of a clip: smaller models spend their time elsewhere than in products."""
_PROBE_FRAMES, _PROBE_CELLS, _RUNS = 2, 8, 3
_DTYPES: dict[str, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, kw_only=True)
class PrecisionPolicy:
    """What computes embeddings, and why."""

    precision: Precision
    """Of the matrix products; never "auto"."""
    engine: Engine
    threads: int
    """That one product is spread over."""
    why: str
    """In a few words."""
    gain: float | None = None
    """How many times as fast as float32 by the readable encoder fewer bits were here; None = not measured."""
    cosine: float | None = None
    """Their smallest one with an embedding in float32, over the probe; None = not measured."""

    def in_words(self) -> str:
        """Say it in a line."""
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{self.precision} ({self.engine}, {threads}): {self.why}"

    @property
    def key(self) -> tuple[str, str, int]:
        """What a bit of an embedding may hang on."""
        return self.precision, self.engine, self.threads


class AutocastEncoder(nn.Module):
    """An encoder whose larger products PyTorch computes in fewer bits."""

    def __init__(self, encoder: Encoder, dtype: torch.dtype) -> None:
        super().__init__()
        assert isinstance(encoder, nn.Module)
        self.encoder = encoder
        self.image_size, self.embed_dim, self.dtype = encoder.image_size, encoder.embed_dim, dtype
        self._embed = encoder.embed

    def embed(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"]
    ) -> Float[Tensor, "clip embed"]:
        """Embed as the encoder inside does."""
        with torch.autocast(frames.device.type, self.dtype):
            return self._embed(frames, platforms)


def with_precision(
    encoder: Encoder, asked: Precision = "auto", *, model: str | None = None, progress: Progress = silent
) -> tuple[Encoder, PrecisionPolicy]:
    """Give what computes the embeddings of `encoder` on its device, and the policy that says so.

    Args:
        encoder: in evaluation mode, on its device, in float32.
        asked: "auto" decides as this file's head says; "float32" is the exact path; "bfloat16" and "float16" are taken
            without a probe.
        model: sha256 of the weights, under which the outcome of a probe is remembered; None = it is not.
        progress: told while it is measured, and what came of it.

    Raises:
        SettingError: no such precision; float16 without a GPU; or a network of another program in fewer bits.
    """
    find_named(asked, {name: name for name in get_args(Precision)}, "precision")
    if not isinstance(encoder, nn.Module):
        if asked not in ("auto", "float32"):
            raise SettingError(f"a network of another program computes as it was made; precision {asked} is for ours")
        return encoder, exactly("a network of another program computes as it was made")
    device = next(encoder.parameters()).device
    if asked == "float16" and device.type == "cpu":
        raise SettingError(FLOAT16_NEEDS_GPU)
    if asked == "float32":
        return encoder, exactly("asked for")
    if asked != "auto":
        return _converted(encoder, asked), _policy(encoder, asked, "asked for")
    policy = _decide(encoder, model, progress)
    return (encoder if policy.engine == "readable" else _converted(encoder, policy.precision)), policy


@contextmanager
def on_threads(threads: int | None) -> Iterator[int]:
    """Spread products over so many threads inside the block; None = as it is, which is all cores unless told.

    Raises:
        SettingError: fewer than one.
    """
    before = torch.get_num_threads()
    if threads is not None and threads < 1:
        raise SettingError(f"threads must be at least 1; got {threads}")
    torch.set_num_threads(before if threads is None else threads)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def _decide(encoder: nn.Module, model: str | None, progress: Progress) -> PrecisionPolicy:
    device = next(encoder.parameters()).device
    if gflop_of_a_clip(encoder) < LEAST_GFLOP:
        return exactly("the model is too small to gain by anything else")
    low = _fewer_bits(encoder, device)
    if low is None:
        return _in_float32(encoder, device, f"this {device.type} has no faster products for such a model")
    return measured(encoder, low, model=model, progress=progress)


def measured(encoder: nn.Module, low: Precision, *, model: str | None, progress: Progress = silent) -> PrecisionPolicy:
    """Give the outcome of a `probe`: the one that is remembered of these weights on such a machine, or a new one.

    Args:
        encoder: in evaluation mode, on its device, in float32.
        low: the candidate.
        model: sha256 of the weights; None = nothing is remembered of them.
        progress: told while it is measured, and what came of it.
    """
    place = None if model is None else _place(model, next(encoder.parameters()).device)
    policy = None if place is None else _remembered(place)
    if policy is None:
        progress("choose precision", 0, 1)
        policy = probe(encoder, low)
        if place is not None:
            _remember(place, policy)
    progress("choose precision", 1, 1, policy.in_words())
    return policy


def probe(encoder: nn.Module, low: Precision) -> PrecisionPolicy:
    """Embed a few pictures in float32 and in `low`, and say which of them it shall be.

    Args:
        encoder: in evaluation mode, on its device, in float32.
        low: the candidate.
    """
    assert isinstance(encoder, Encoder)
    device = next(encoder.parameters()).device
    frames = _pictures(encoder.image_size).to(device)
    platforms = torch.arange(len(PLATFORMS), device=device)
    converted = _converted(encoder, low)
    exact_s, exact = _seconds(lambda: encoder.embed(frames, platforms), device)
    quick_s, quick = _seconds(lambda: converted.embed(frames, platforms), device)
    cosine = functional.cosine_similarity(exact.double(), quick.double()).min().item()
    gain = exact_s / quick_s
    if not cosine >= LEAST_COSINE:  # so that what is no number is refused too
        policy = exactly(f"{low} turns embeddings away: cosine {cosine:.5f}")  # so much hangs on its last bits
    elif gain < LEAST_GAIN:
        policy = _in_float32(encoder, device, f"{low} is only {gain:.1f} times as fast here")
    else:
        why = f"{gain:.1f} times as fast as float32 here, smallest cosine with it {cosine:.5f}"
        policy = _policy(encoder, low, why)
    return replace(policy, gain=gain, cosine=cosine)


def gflop_of_a_clip(encoder: nn.Module) -> float:
    """Estimate the products of a clip of 8 frames: every weight of an image tower meets every token once.

    Of other models, whose weights meet each frame in many places, it is a large number.
    """
    if not isinstance(encoder, VideoEncoder):
        return float("inf")
    tokens = 8 * len(encoder.tower.position_table)
    return 2e-9 * tokens * sum(parameter.numel() for parameter in encoder.tower.blocks.parameters())


def _fewer_bits(encoder: nn.Module, device: torch.device) -> Precision | None:
    """Give the precision that a device might be faster in, for such a model; None = there is none."""
    if device.type == "cuda":
        return gpu_precision()
    if device.type != "cpu" or not isinstance(encoder, VideoEncoder):
        return None
    known = cpu_capabilities()
    return "bfloat16" if known.get("amx_bf16") or known.get("avx512_bf16") else None


def _converted(encoder: Encoder, low: Precision) -> Encoder:
    if isinstance(encoder, VideoEncoder):
        return FastEncoder(encoder, _DTYPES[low])
    return AutocastEncoder(encoder, _DTYPES[low])


def _policy(encoder: Encoder, precision: Precision, why: str) -> PrecisionPolicy:
    engine: Engine = "fast" if isinstance(encoder, VideoEncoder) else "autocast"
    return PrecisionPolicy(precision=precision, engine=engine, threads=torch.get_num_threads(), why=why)


def _in_float32(encoder: nn.Module, device: torch.device, why: str) -> PrecisionPolicy:
    """Of a large model: a CPU takes a quarter less time by the fast engine, for the same numbers but for rounding."""
    if device.type != "cuda" and isinstance(encoder, VideoEncoder):
        return _policy(encoder, "float32", why)
    return exactly(why)


def exactly(why: str) -> PrecisionPolicy:
    """Compute in float32, by the encoder as it is."""
    return PrecisionPolicy(precision="float32", engine="readable", threads=torch.get_num_threads(), why=why)


def _pictures(image_size: tuple[int, int]) -> Float[Tensor, "platform frame 3 height width"]:
    """Draw soft patches of colour, normalised: noise of single pixels is nothing that a tower sees in footage."""
    generator = torch.Generator().manual_seed(0)
    cells = torch.randn(len(PLATFORMS) * _PROBE_FRAMES, 3, _PROBE_CELLS, _PROBE_CELLS, generator=generator)
    pictures = functional.interpolate(cells, image_size, mode="bilinear")
    return pictures.unflatten(0, (len(PLATFORMS), _PROBE_FRAMES))


@torch.inference_mode()
def _seconds(run: Callable[[], Tensor], device: torch.device) -> tuple[float, Tensor]:
    """Time the quickest of a few runs, which is the least disturbed; in CPU seconds where that is the device."""
    embeddings, times = run(), []
    for _ in range(_RUNS):
        begun = _clock(device)
        embeddings = run()
        times.append(_clock(device) - begun)
    return min(times), embeddings.float().cpu()


def _clock(device: torch.device) -> float:
    if device.type == "cpu":
        return time.process_time()
    wait_for_gpu(device)
    return time.perf_counter()


def _place(model: str, device: torch.device) -> Path | None:
    """Name the file of an outcome: of these weights, on such a machine, by these versions."""
    known = [model, *device_facts(device), torch.get_num_threads(), torch.__version__, version("skyreid")]
    name = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
    try:
        return cache_folder() / "precision" / f"{name}.json"
    except SettingError:  # nobody knows the user's folder
        return None


def _remembered(place: Path) -> PrecisionPolicy | None:
    try:
        return from_json(PrecisionPolicy, read_json(place), where=str(place))
    except (OSError, ValueError):  # none, or a damaged one: it is measured again
        return None


def _remember(place: Path, policy: PrecisionPolicy) -> None:
    try:
        write_atomically(place, [json.dumps(asdict(policy), indent=2).encode() + b"\n"])
    except OSError as error:
        logger.info("what was measured is not remembered: %s", error)
