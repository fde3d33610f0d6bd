"""The formats that an encoder is exported to: what writes each, and what loads it again to be held against the model.

ONNX is written by PyTorch's older exporter, which needs nothing that skyreid does not, and OpenVINO's IR is made of
the ONNX file (docs/decisions/0011-export.md). Both are run as files of strangers are, in a process of their own.
"""

import importlib.util
import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import GraphModule

from skyreid.errors import SettingError
from skyreid.extraction.exported_encoder import run_exported
from skyreid.feeding import Feeding
from skyreid.graphs.graph_process import FEEDING, GraphFile, GraphLimits
from skyreid.graphs.onnx_file import open_onnx
from skyreid.graphs.openvino_file import open_openvino

Runner: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""From frames and platforms to embeddings."""
_OPSET = 17
"""The first with LayerNormalization; runtimes since 2022 know it."""
_LIMITS = GraphLimits(memory_bytes=24 * 2**30, call_s=1200.0)
"""Our own file on its maker's machine, 64 clips at once."""


@dataclass(frozen=True, kw_only=True)
class FrameProgram:
    """What is written."""

    model: nn.Module
    """Takes frames and platforms."""
    traced: ExportedProgram
    """The same as PyTorch's program."""
    example: tuple[UInt8[Tensor, "clip frame 3 height width"], Int[Tensor, " clip"]]
    feeding: Feeding
    takes_any_length: bool
    """Whether the number of frames is open."""


@dataclass(frozen=True, kw_only=True)
class ExportFormat:
    ending: str
    """Of the file that is named."""
    needs: tuple[str, ...]
    """Modules that write and read it."""
    extra: str
    """Of skyreid, with which they are installed."""
    write: Callable[[FrameProgram, Path], tuple[Path, ...]]
    """Writes the file, and gives it with those beside it."""
    load: Callable[[Path, FrameProgram], Runner]

    def require(self, out: Path) -> None:
        """Refuse what cannot be written here.

        Raises:
            SettingError: a module is not installed, or the file's name does not end as its readers ask for.
        """
        for needed in self.needs:
            if importlib.util.find_spec(needed) is None:
                raise SettingError(
                    f"{out}: needs {needed}, which is not installed; pip install 'skyreid[{self.extra}]'"
                )
        if self.needs and out.suffix != self.ending:
            raise SettingError(f"the file must end in {self.ending}, by which its readers know it; got {out}")


def _write_torch(program: FrameProgram, path: Path) -> tuple[Path, ...]:
    for part in program.traced.graph_module.modules():  # paths of this machine's files
        if isinstance(part, GraphModule):
            for node in part.graph.nodes:
                node.meta.pop("stack_trace", None)
    content = io.BytesIO()
    torch.export.save(program.traced, content)
    path.write_bytes(content.getvalue())
    return (path,)


def _load_torch(path: Path, program: FrameProgram) -> Runner:
    with warnings.catch_warnings():
        # PyTorch 2.10 warns of a buffer of its own.
        warnings.filterwarnings("ignore", message="The given buffer is not writable")
        return torch.export.load(io.BytesIO(path.read_bytes())).module()


class _WithoutPlatforms(nn.Module):
    """Of an encoder that is not told the platform: a program without that input."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: UInt8[Tensor, "clip frame 3 height width"]) -> Float[Tensor, "clip embed"]:
        return self.model(frames, frames.new_zeros(frames.shape[0], dtype=torch.long))


def _write_onnx(program: FrameProgram, path: Path) -> tuple[Path, ...]:
    import onnx

    is_told = program.feeding.needs_platform
    open_sides = {0: "clip", 1: "frame"} if program.takes_any_length else {0: "clip"}
    with warnings.catch_warnings():
        # That this exporter is the older one, and wherever a shape stands in Python; the gate finds what that costs.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            program.model if is_told else _WithoutPlatforms(program.model),
            program.example if is_told else program.example[:1],
            str(path),
            dynamo=False,
            opset_version=_OPSET,
            input_names=["frames", "platforms"] if is_told else ["frames"],
            output_names=["embeddings"],
            dynamic_axes={"frames": open_sides, "platforms": {0: "clip"}, "embeddings": {0: "clip"}},
        )
    made = onnx.load(path)
    made.metadata_props.add(key=FEEDING, value=program.feeding.to_text())
    made.graph.doc_string = (
        "frames: uint8 RGB [clip, frame, 3, height, width], normalised inside; platforms, where there are any: 0 "
        "ground, 1 aerial, -1 nobody knows; embeddings: compare them by cosine"
    )
    onnx.save(made, path)
    return (path,)


def _write_openvino(program: FrameProgram, path: Path) -> tuple[Path, ...]:
    import openvino  # pyright: ignore[reportMissingImports] # an extra that CI does not install

    (onnx_path,) = _write_onnx(program, path.with_suffix(".onnx"))
    made = openvino.convert_model(onnx_path)
    made.set_rt_info(program.feeding.to_text(), FEEDING)
    openvino.save_model(made, path, compress_to_fp16=False)
    return path, path.with_suffix(".bin")


def _run_graph(file: GraphFile) -> Runner:
    return lambda frames, platforms: torch.from_numpy(run_exported(file, frames.numpy(), platforms.numpy()).copy())


FORMATS: Mapping[str, ExportFormat] = {
    "torch": ExportFormat(ending=".pt2", needs=(), extra="", write=_write_torch, load=_load_torch),
    "onnx": ExportFormat(
        ending=".onnx",
        needs=("onnx", "onnxruntime"),
        extra="onnx",
        write=_write_onnx,
        load=lambda path, _: _run_graph(open_onnx(path, limits=_LIMITS)),
    ),
    "openvino": ExportFormat(
        ending=".xml",
        needs=("openvino", "onnx"),
        extra="openvino,onnx",
        write=_write_openvino,
        load=lambda path, _: _run_graph(open_openvino(path, limits=_LIMITS)),
    ),
}
