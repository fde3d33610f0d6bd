"""A checkpoint to one file that embeds clips with PyTorch alone: no skyreid, no folder, no Python code.

    program = torch.export.load("encoder.pt2").module()
    embeddings = program(frames, platforms)  # uint8 [clip, frame, 3, height, width], int64 [clip]

Frames are RGB at the encoder's size (`ExportReport.image_size`); a platform is 0 for ground, 1 for aerial, -1 where
nobody knows. Not ONNX: PyTorch's exporter to it needs packages that skyreid does not.
"""

import io
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx import GraphModule

from skyreid.baselines.baseline import Baseline
from skyreid.clips.clip_loader import normalize
from skyreid.errors import SettingError
from skyreid.extraction.loading import ClipEmbedder, load
from skyreid.feeding import Feeding, Normalization
from skyreid.files.atomic_file import write_atomically
from skyreid.models.platform_prompt import UNKNOWN_PLATFORM
from skyreid.models.vsla_clip import VideoEncoder
from skyreid.tracklet import PLATFORMS

TOLERANCE = 1e-5
"""Of `ExportReport.deviation`, as a share of the largest entry of an embedding."""
CHECKED_CLIPS = (1, 3)
_TRACED_CLIPS = 3


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    file: Path
    image_size: tuple[int, int]
    """(height, width) of the frames it eats."""
    clip_length: int | None
    """Frames a clip; None = any number."""
    feeding: Feeding
    """How the checkpoint wants to be fed; its normalisation stands in the program."""
    embed_dim: int
    deviation: float
    """Largest difference from the model's own embeddings of noise, one clip and three at once."""

    def lines(self) -> list[str]:
        """The same for a person."""
        height, width = self.image_size
        frames = "any number of" if self.clip_length is None else str(self.clip_length)
        return [
            f"{self.file}: clips of {frames} frames of {height} x {width} to embeddings of {self.embed_dim}",
            f"the checkpoint wants {self.feeding.in_words()}",
            f"largest deviation from the model: {self.deviation:.1e}",
        ]

    def to_json(self) -> dict[str, object]:
        """Everything."""
        return {**asdict(self), "file": str(self.file)}


class EmbeddingProgram(nn.Module):
    """An encoder with its normalisation."""

    def __init__(self, encoder: VideoEncoder | Baseline, normalization: Normalization) -> None:
        super().__init__()
        self.encoder = encoder
        self.normalization = normalization

    def forward(
        self, frames: UInt8[Tensor, "clip frame 3 height width"], platforms: Int[Tensor, " clip"]
    ) -> Float[Tensor, "clip embed"]:
        return self.encoder.embed(normalize(frames, self.normalization), platforms)


def export_checkpoint(checkpoint: Path, out: Path) -> ExportReport:
    """Write the program of a checkpoint's encoder, after holding it against the model.

    Args:
        checkpoint: folder of the model.
        out: the file, by custom `.pt2`.

    Raises:
        CheckpointError: not a checkpoint, or a damaged one.
        SettingError: see `export_embedder`.
    """
    return export_embedder(load(checkpoint, precision="float32"), out)


def export_embedder(embedder: ClipEmbedder, out: Path) -> ExportReport:
    """Write the program of an encoder on the CPU, after holding it against the encoder.

    Raises:
        SettingError: PyTorch cannot turn the encoder into such a program, or not faithfully; nothing was written.
    """
    encoder = embedder.encoder
    if not isinstance(encoder, VideoEncoder | Baseline):
        raise SettingError("a network of another program is a file of one's own already; checkpoints are exported")
    refusal = f"{type(encoder).__name__} cannot be exported"
    model = EmbeddingProgram(encoder, embedder.feeding.normalization).eval().requires_grad_(False)
    frames = embedder.feeding.clip_length
    try:
        program = torch.export.export(
            model,
            _noise(_TRACED_CLIPS, frames, encoder.image_size),
            dynamic_shapes={"frames": {0: Dim.DYNAMIC, 1: Dim.AUTO}, "platforms": {0: Dim.DYNAMIC}},
            strict=False,
        )
    except Exception as error:  # whatever the traced code ran into
        raise SettingError(f"{refusal}: {type(error).__name__}: {_first_line(error)}") from error
    _forget_sources(program)
    content = io.BytesIO()
    torch.export.save(program, content)
    content.seek(0)
    with warnings.catch_warnings():
        # PyTorch 2.10 warns of a buffer of its own.
        warnings.filterwarnings("ignore", message="The given buffer is not writable")
        written = torch.export.load(content)
    takes_any_length = _takes_any_length(written)
    deviation, largest = _compare(
        model, written.module(), (frames, frames + 1) if takes_any_length else (frames,), encoder.image_size
    )
    if not deviation <= TOLERANCE * largest:  # so that what is no number is refused too
        raise SettingError(
            f"{refusal}: the program's embeddings differ by {deviation:.1e} from those of the model, whose largest "
            f"entry is {largest:.1e}"
        )
    write_atomically(out, [content.getvalue()])
    return ExportReport(
        file=out,
        image_size=encoder.image_size,
        clip_length=None if takes_any_length else frames,
        feeding=embedder.feeding,
        embed_dim=encoder.embed_dim,
        deviation=deviation,
    )


def _noise(
    clips: int, frames: int, image_size: tuple[int, int]
) -> tuple[UInt8[Tensor, "clip frame 3 height width"], Int[Tensor, " clip"]]:
    generator = torch.Generator().manual_seed(clips)
    pixels = torch.randint(0, 256, (clips, frames, 3, *image_size), dtype=torch.uint8, generator=generator)
    return pixels, torch.tensor([*range(len(PLATFORMS)), UNKNOWN_PLATFORM]).repeat(clips)[:clips]


def _forget_sources(program: ExportedProgram) -> None:
    """Leave the paths of this machine's files out of the program."""
    for part in program.graph_module.modules():
        if isinstance(part, GraphModule):
            for node in part.graph.nodes:
                node.meta.pop("stack_trace", None)


def _takes_any_length(program: ExportedProgram) -> bool:
    (frames,) = (node for node in program.graph.nodes if node.op == "placeholder" and node.name == "frames")
    return isinstance(frames.meta["val"].shape[1], torch.SymInt)


@torch.inference_mode()
def _compare(
    model: EmbeddingProgram, program: nn.Module, lengths: tuple[int, ...], image_size: tuple[int, int]
) -> tuple[float, float]:
    """The largest difference between the model and the program, and the largest entry."""
    deviations, entries = [], []
    for clips in CHECKED_CLIPS:
        for frames in lengths:
            inputs = _noise(clips, frames, image_size)
            expected = model(*inputs)
            deviations.append((program(*inputs) - expected).abs().max())
            entries.append(expected.abs().max())
    return float(torch.stack(deviations).max()), float(torch.stack(entries).max())


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
