"""Somebody's image network as an encoder of tracklets: an ONNX file or an OpenVINO IR, from a picture to a vector.

The file does not tell how its pictures must come, so somebody declares it: in the text that names the file,

    osnet.onnx,size=256x128,colour=rgb,scale=255,mean=0.485/0.456/0.406,std=0.229/0.224/0.225

or in a card beside it, `osnet.json` beside `osnet.onnx`, with the same keys as JSON:

    {"size": [256, 128], "colour": "rgb", "scale": 255, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
     "check": {"picture": "osnet.png", "embedding": [0.0132, …]}}

A pixel of 0 to 255 is divided by `scale`, then `mean` is subtracted and the difference divided by `std`, channel by
channel in the network's order. A card may hold what the network's own program gave for a picture: the declaration is
then held against it. Every frame is embedded alone and its vector brought to length 1; the embedding of a tracklet is
the mean over its frames.
"""

import re
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Float32, Int
from torch import Tensor

from skyreid.arguments import file_and_settings
from skyreid.clips.clip_loader import normalize
from skyreid.clips.frame_reading import resize
from skyreid.errors import CheckpointError, MissingFrameError, SettingError
from skyreid.extraction.exported_encoder import ExportedEncoder
from skyreid.feeding import Feeding, Normalization
from skyreid.files.config_json import from_json, to_json
from skyreid.files.picture_file import read_picture
from skyreid.files.strict_json import Json, read_json
from skyreid.graphs.graph_process import GraphFile, Port
from skyreid.graphs.onnx_file import open_onnx
from skyreid.graphs.openvino_file import open_openvino
from skyreid.models.platform_prompt import UNKNOWN_PLATFORM

Triple = tuple[float, float, float]
EXAMPLE = "osnet.onnx,size=256x128,colour=rgb,scale=255,mean=0.485/0.456/0.406,std=0.229/0.224/0.225"
OPENERS = {".onnx": open_onnx, ".xml": open_openvino}
"""By the ending of the file."""
MIN_AGREEMENT = 0.995
"""Cosine between the stored embedding and ours. Half precision and another resizing cost less than 0.005; another order
of colours or another scale, on pictures of people, more."""


@dataclass(frozen=True, kw_only=True)
class StoredOutput:
    """What the network's own program gave, so that a wrong declaration is noticed."""

    picture: str
    """A picture file beside the card."""
    embedding: tuple[float, ...]
    """Of any length; only its direction is compared."""


@dataclass(frozen=True, kw_only=True)
class EncoderCard:
    """How a network wants its pictures."""

    colour: Literal["rgb", "bgr"]
    scale: float
    """What a pixel of 0 to 255 is divided by: 255, or 1 for networks that take it as it is."""
    size: tuple[int, int] | None = None
    """(height, width); None = what the file says."""
    mean: Triple = (0.0, 0.0, 0.0)
    """Of scaled pixels, in the network's order of channels."""
    std: Triple = (1.0, 1.0, 1.0)
    output: str | None = None
    """The output that is the embedding; None = there is only one."""
    check: StoredOutput | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise SettingError(f"scale is a positive number, 255 or 1 for most networks; got {self.scale}")
        if self.size is not None and min(self.size) < 1:
            raise SettingError(f"a picture has at least one pixel; got size {self.size}")

    @property
    def normalization(self) -> Normalization:
        """The same for pixels of 0 to 1, in the order of RGB."""
        to_unit = self.scale / 255
        step = 1 if self.colour == "rgb" else -1
        mean, std = ([value * to_unit for value in values[::step]] for values in (self.mean, self.std))
        return Normalization(mean=(mean[0], mean[1], mean[2]), std=(std[0], std[1], std[2]))


class NetworkEncoder:
    """An `Encoder` whose network runs in a process of its own, on the CPU.

    Raises:
        CheckpointError: the file takes or gives something else than a picture and a vector.
    """

    def __init__(self, file: GraphFile, card: EncoderCard) -> None:
        self._file, self._is_bgr = file, card.colour == "bgr"
        self._input = _picture_input(file)
        self._output = _vector_output(file, card.output)
        self.image_size = _image_size(file, self._input, card.size)
        self.embed_dim = len(self._vector(np.zeros((1, 3, *self.image_size), np.float32)))

    def embed(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"]
    ) -> Float[Tensor, "clip embed"]:
        """Embed normalised clips: the mean over the unit vectors of their frames; the platform is not asked for."""
        pictures = rearrange(
            frames.float().cpu().numpy(), "clip frame channel height width -> (clip frame) 1 channel height width"
        )
        if self._is_bgr:
            pictures = pictures[:, :, ::-1]
        # One by one: a crop embeds the same whatever stands beside it, and a CPU gains next to nothing from more.
        vectors = np.stack([self._unit(self._vector(np.ascontiguousarray(picture))) for picture in pictures])
        return torch.from_numpy(vectors.reshape(*frames.shape[:2], -1).mean(axis=1))

    def _vector(self, picture: Float32[np.ndarray, "1 3 height width"]) -> Float32[np.ndarray, " embed"]:
        (given,) = self._file.run({self._input.name: picture.astype(self._input.type)}, [self._output])
        if given.ndim < 2 or given.size != given.shape[1] or given.dtype.kind != "f":
            raise CheckpointError(
                f"{self._file.path}: gives {Port(self._output, str(given.dtype), given.shape)} for a picture, where a "
                "vector belongs; output=NAME says which output is the embedding"
            )
        return given.reshape(-1).astype(np.float32)

    def _unit(self, vector: Float32[np.ndarray, " embed"]) -> Float32[np.ndarray, " embed"]:
        length = float(np.linalg.norm(vector))
        if not (np.isfinite(length) and length > 0):
            raise CheckpointError(f"{self._file.path}: gives a vector of length {length} for a picture")
        return vector / np.float32(length)


def names_a_network(text: str) -> bool:
    """Tell whether a text names a file that is loaded here: by its ending."""
    return Path(text.partition(",")[0]).suffix.lower() in OPENERS


def load_network(text: str) -> tuple[NetworkEncoder | ExportedEncoder, Feeding, str]:
    """Load `FILE.onnx` or `FILE.xml`, with its settings or a card beside it; what skyreid exported needs neither.

    Returns:
        The encoder, how tracklets are fed to it, and the sha256 over its files.

    Raises:
        SettingError: the text is not of this form, nobody declares how pictures must come, or what runs such a file is
            not installed.
        CheckpointError: a file is missing or broken, its form is another, or it contradicts its card.
    """
    if (plain := Path(text).expanduser()).is_file() and not plain.with_suffix(".json").exists():
        file = OPENERS[plain.suffix.lower()](plain)
        if file.feeding is not None:
            exported = ExportedEncoder(file)
            return exported, exported.feeding, file.sha256
    path, card = _declared(text)
    file = OPENERS[path.suffix.lower()](path)
    encoder = NetworkEncoder(file, card)
    feeding = Feeding(
        clip_length=1,
        sampling="all-frames",
        image_size=encoder.image_size,
        normalization=card.normalization,
        colour_order="BGR" if card.colour == "bgr" else "RGB",
        needs_platform=False,
    )
    if card.check is not None:
        _check(encoder, feeding, card.check, path)
    return encoder, feeding, file.sha256


def _declared(text: str) -> tuple[Path, EncoderCard]:
    """Read what is declared of a file: by the text, and for what the text leaves open by the card."""
    name, settings = file_and_settings(text, tuple(_READERS), "an encoder", example=EXAMPLE)
    path = Path(name).expanduser()
    if not path.exists():
        raise CheckpointError(f"{path}: there is no such file")
    card_path = path.with_suffix(".json")
    card = _read_card(card_path) if card_path.is_file() else {}
    given = {key: _READERS[key](value, f"{text!r}: {key}") for key, value in settings.items()}
    usual = {field.name: to_json(field.default) for field in fields(EncoderCard) if field.default is not MISSING}
    for key, choice in (("colour", "rgb or bgr"), ("scale", "255 or 1: what pixels of 0 to 255 are divided by")):
        if key not in card and key not in given:
            raise SettingError(
                f"{text!r}: a network's file does not tell how its pictures must come; {key} is missing ({choice}), as "
                f"in {EXAMPLE}, or in a card beside it, {card_path.name}"
            )
    return path, from_json(EncoderCard, usual | card | given, where=str(card_path) if card else repr(text))


def _read_card(path: Path) -> dict[str, Json]:
    try:
        told = read_json(path)
    except ValueError as error:
        raise CheckpointError(f"{path}: the card of an encoder is JSON: {error}") from error
    if not isinstance(told, dict):
        raise CheckpointError(f"{path}: the card of an encoder is a JSON object; got {told!r:.80}")
    return told


def _sides(value: str, where: str) -> Json:
    if not re.fullmatch(r"[1-9]\d{0,4}x[1-9]\d{0,4}", value, re.ASCII):
        raise SettingError(f"{where} is height x width, such as 256x128; got {value!r}")
    return [int(side) for side in value.split("x")]


def _number(value: str, where: str) -> Json:
    try:
        return float(value)
    except ValueError:
        raise SettingError(f"{where} is a number; got {value!r}") from None


def _three(value: str, where: str) -> Json:
    if len(parts := value.split("/")) != 3:
        raise SettingError(
            f"{where} is three numbers with slashes between them, such as 0.485/0.456/0.406; got {value!r}"
        )
    return [_number(part, where) for part in parts]


def _word(value: str, where: str) -> Json:
    if not value:
        raise SettingError(f"{where} is empty")
    return value


_READERS: dict[str, Callable[[str, str], Json]] = {
    "size": _sides,
    "colour": _word,
    "scale": _number,
    "mean": _three,
    "std": _three,
    "output": _word,
}
"""From a setting's text, and its name for messages, to what a card would hold."""


def _picture_input(file: GraphFile) -> Port:
    """The one input, if it is a single picture."""
    port = file.inputs[0]
    fits = len(file.inputs) == 1 and len(port.shape) in (0, 4) and port.type in ("float32", "float16")
    if not fits or (port.shape and (port.shape[0] not in (1, None) or port.shape[1] not in (3, None))):
        shown = ", ".join(map(str, file.inputs))
        raise CheckpointError(
            f"{file.path}: an encoder takes one picture, float32[1, 3, height, width], the first side open or 1; this "
            f"one takes {shown}"
        )
    return port


def _vector_output(file: GraphFile, asked: str | None) -> str:
    names = [port.name for port in file.outputs]
    if asked is not None and asked not in names:
        raise CheckpointError(f"{file.path}: has no output {asked!r}; its outputs: {', '.join(map(str, file.outputs))}")
    if asked is None and len(names) > 1:
        raise CheckpointError(
            f"{file.path}: has several outputs, {', '.join(map(str, file.outputs))}; say which is the embedding "
            f"(output={names[0]})"
        )
    return names[0] if asked is None else asked


def _image_size(file: GraphFile, port: Port, asked: tuple[int, int] | None) -> tuple[int, int]:
    height, width = port.shape[2:] or (None, None)
    if height is None or width is None:
        if asked is None:
            raise SettingError(f"{file.path}: takes pictures of any size; say which one (size=256x128)")
        return asked
    if asked not in (None, (height, width)):
        raise CheckpointError(
            f"{file.path}: takes pictures of {height}x{width}, height x width; size={asked[0]}x{asked[1]} was asked for"
        )
    return height, width


def _check(encoder: NetworkEncoder, feeding: Feeding, stored: StoredOutput, path: Path) -> None:
    """Hold a declaration against what the network's own program gave."""
    if Path(stored.picture).name != stored.picture:
        raise CheckpointError(f"{path}: the picture of its card must lie beside it; got {stored.picture!r}")
    try:
        frame = resize(np.asarray(read_picture(path.with_name(stored.picture))), feeding.image_size)
    except MissingFrameError as error:
        raise CheckpointError(f"{path}: the picture of its card cannot be read: {error}") from error
    clip = rearrange(torch.from_numpy(frame.copy()), "height width channel -> 1 1 channel height width")
    ours = encoder.embed(normalize(clip, feeding.normalization), torch.tensor([UNKNOWN_PLATFORM]))[0].numpy()
    theirs = np.array(stored.embedding, np.float32)
    if len(theirs) != len(ours):
        raise CheckpointError(f"{path}: gives {len(ours)} numbers; its card holds {len(theirs)}")
    agreement = float(ours @ theirs / max(float(np.linalg.norm(theirs)), 1e-12))
    if not agreement >= MIN_AGREEMENT:
        raise CheckpointError(
            f"{path}: gives another embedding of {stored.picture} than its card holds (cosine {agreement:.3f}, "
            f"{MIN_AGREEMENT} at least): its size, colour, scale, mean or std is declared wrong"
        )
