"""A checkpoint to a file that embeds clips without skyreid: for PyTorch, ONNX Runtime or OpenVINO.

The program eats uint8 RGB frames [clip, frame, 3, height, width] at the encoder's size (`ExportReport.image_size`);
scaling and normalisation stand in it. An encoder that is told the platform takes it as a second input, int64 [clip]: 0
for ground, 1 for aerial, -1 where nobody knows (a program for PyTorch always has it). Embeddings come un-normalised.

No file gets its name before it has been loaded again as its reader will, and has embedded clips of noise as the model
does: alone and in batches, of every number of frames that it takes.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental.symbolic_shapes import is_concrete_int

from skyreid.arguments import find_named
from skyreid.baselines.baseline import Baseline
from skyreid.clips.clip_loader import normalize
from skyreid.errors import SettingError
from skyreid.extraction.export_formats import FORMATS, ExportFormat, FrameProgram, Runner
from skyreid.extraction.loading import ClipEmbedder, load
from skyreid.feeding import Feeding, Normalization
from skyreid.files.atomic_file import write_atomically
from skyreid.models.platform_prompt import UNKNOWN_PLATFORM
from skyreid.models.vsla_clip import VideoEncoder
from skyreid.tracklet import PLATFORMS

Format: TypeAlias = Literal["torch", "onnx", "openvino"]
MIN_AGREEMENT = 0.999
"""Of an embedding by the file with the model's own: their cosine, times the ratio of their lengths."""
LENGTHS = (1, 4, 8, 16)
"""Frames a clip, of one clip at a time."""
BATCHES = ((8, 4), (64, 1))
"""Clips at once, and their frames, few enough that memory holds a large model's; of a model that takes one length,
that one."""
_TRACED_CLIPS = 3
_PIECE_BYTES = 2**24


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    file: Path
    format: Format
    image_size: tuple[int, int]
    """(height, width) of the frames it eats."""
    clip_length: int | None
    """Frames a clip; None = any number."""
    feeding: Feeding
    """How the checkpoint wants to be fed; its normalisation stands in the program."""
    embed_dim: int
    agreement: float
    """Least cosine, times the ratio of lengths, of embeddings of noise by the file with the model's own."""

    def lines(self) -> list[str]:
        """The same for a person."""
        height, width = self.image_size
        frames = "any number of" if self.clip_length is None else str(self.clip_length)
        return [
            f"{self.file}: clips of {frames} frames of {height} x {width} to embeddings of {self.embed_dim}",
            f"the checkpoint wants {self.feeding.in_words()}",
            f"least agreement with the model's own embeddings (1 = the same): {self.agreement:.7f}",
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


def export_checkpoint(checkpoint: Path, out: Path, *, format: Format = "torch") -> ExportReport:
    """Write the program of a checkpoint's encoder, after holding it against the model.

    Args:
        checkpoint: folder of the model.
        out: the file, by custom `.pt2`, `.onnx` or, for OpenVINO, `.xml`, which gets a `.bin` beside it.
        format: whose program it is.

    Raises:
        CheckpointError: not a checkpoint, or a damaged one.
        SettingError: see `export_embedder`.
    """
    find_named(format, {name: name for name in get_args(Format)}, "format of an export")
    FORMATS[format].require(out)  # before a large model is read
    return export_embedder(load(checkpoint, precision="float32"), out, format=format)


def export_embedder(embedder: ClipEmbedder, out: Path, *, format: Format = "torch") -> ExportReport:
    """Write the program of an encoder on the CPU, after holding it against the encoder.

    Raises:
        SettingError: the encoder cannot be turned into such a program, or not faithfully, or what writes it is not
            installed; nothing was written.
    """
    encoder, writer = embedder.encoder, FORMATS[format]
    if not isinstance(encoder, VideoEncoder | Baseline):
        raise SettingError("a network of another program is a file of one's own already; checkpoints are exported")
    refusal = f"{type(encoder).__name__} cannot be exported"
    model = EmbeddingProgram(encoder, embedder.feeding.normalization).eval().requires_grad_(False)
    frames = embedder.feeding.clip_length
    example = _noise(_TRACED_CLIPS, frames, encoder.image_size)
    with tempfile.TemporaryDirectory(prefix="skyreid-export-") as folder:
        try:
            traced = torch.export.export(
                model,
                example,
                dynamic_shapes={"frames": {0: Dim.DYNAMIC, 1: Dim.AUTO}, "platforms": {0: Dim.DYNAMIC}},
                strict=False,
            )
            takes_any_length = _takes_any_length(traced)
            program = FrameProgram(
                model=model,
                traced=traced,
                example=example,
                feeding=embedder.feeding,
                takes_any_length=takes_any_length,
            )
            written = writer.write(program, Path(folder) / f"encoder{writer.ending}")
            run = writer.load(written[0], program)
        except Exception as error:  # whatever the traced code or the library that writes it ran into
            raise SettingError(f"{refusal}: {type(error).__name__}: {_first_line(error)}") from error
        lengths = LENGTHS if takes_any_length else (frames,)
        batches = BATCHES if takes_any_length else tuple((clips, frames) for clips, _ in BATCHES)
        least = _held_against(model, run, [*((1, length) for length in lengths), *batches], refusal)
        _give_names(writer, written, out)
    return ExportReport(
        file=out,
        format=format,
        image_size=encoder.image_size,
        clip_length=None if takes_any_length else frames,
        feeding=embedder.feeding,
        embed_dim=encoder.embed_dim,
        agreement=least,
    )


def _noise(
    clips: int, frames: int, image_size: tuple[int, int]
) -> tuple[UInt8[Tensor, "clip frame 3 height width"], Int[Tensor, " clip"]]:
    generator = torch.Generator().manual_seed(clips)
    pixels = torch.randint(0, 256, (clips, frames, 3, *image_size), dtype=torch.uint8, generator=generator)
    return pixels, torch.tensor([*range(len(PLATFORMS)), UNKNOWN_PLATFORM]).repeat(clips)[:clips]


def _takes_any_length(program: ExportedProgram) -> bool:
    (frames,) = (node for node in program.graph.nodes if node.op == "placeholder" and node.name == "frames")
    return not is_concrete_int(frames.meta["val"].shape[1])


@torch.inference_mode()
def _held_against(model: EmbeddingProgram, run: Runner, tried: list[tuple[int, int]], refusal: str) -> float:
    """Give the least agreement of embeddings by the file with the model's, over batches of clips and frames.

    Raises:
        SettingError: it is below `MIN_AGREEMENT`, or the file cannot be run so; names the worst clip.
    """
    worst, where = 2.0, ""
    for clips, frames in tried:
        inputs = _noise(clips, frames, model.encoder.image_size)
        batch = f"{clips} clips of {frames} frames"
        expected = model(*inputs)
        try:
            given = run(*inputs)
        except Exception as error:  # of the library that runs it
            raise SettingError(f"{refusal}: its file cannot embed {batch}: {_first_line(error)}") from error
        if given.shape != expected.shape:
            raise SettingError(
                f"{refusal}: its file gives {list(given.shape)} for {batch}; {list(expected.shape)} is due"
            )
        agreements = _agreements(given.double(), expected.double())
        clip = int(agreements.argmin())
        if agreements[clip] < worst:
            worst, where = float(agreements[clip]), f"clip {clip + 1} of {batch}"
    if worst < MIN_AGREEMENT:
        raise SettingError(
            f"{refusal}: its file must embed noise as the model does, to a cosine and a ratio of lengths of "
            f"{MIN_AGREEMENT}; the worst is {where}, at {worst:.4f}"
        )
    return worst


def _agreements(given: Float[Tensor, "clip embed"], expected: Float[Tensor, "clip embed"]) -> Float[Tensor, " clip"]:
    """Cosine times the ratio of the shorter to the longer, by clip; -1 where either is no number."""
    lengths = torch.stack([given.norm(dim=1), expected.norm(dim=1)])
    cosines = nn.functional.cosine_similarity(given, expected, dim=1)
    return (cosines * lengths.amin(dim=0) / lengths.amax(dim=0)).nan_to_num(nan=-1.0)


def _give_names(writer: ExportFormat, written: tuple[Path, ...], out: Path) -> None:
    """Bring files to where they shall stand, the one that is named last."""
    for path in reversed(written):
        write_atomically(out if path.suffix == writer.ending else out.with_suffix(path.suffix), _pieces(path))


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
