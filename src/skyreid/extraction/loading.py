"""A checkpoint folder, or somebody's network, to something that embeds clips; needs no training data and no GPU."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor, nn

from skyreid.arguments import kind_of, path_of
from skyreid.baselines import BaselineModel, build_baseline
from skyreid.baselines.baseline import Baseline
from skyreid.checkpoint import build_to_fit, read_checkpoint, weights_sha256
from skyreid.clips.clip_loader import normalize
from skyreid.clips.frame_reading import resize
from skyreid.clips.frame_sampling import TEST_CLIPS
from skyreid.clips.given_clips import Clips, clips_of
from skyreid.errors import CheckpointError, SettingError
from skyreid.extraction.embed_tracklets import Encoder, ExtractionConfig, mean_of_clips, needs_platform
from skyreid.extraction.network_encoder import load_network, names_a_network
from skyreid.extraction.precision import PrecisionPolicy, exactly, with_precision
from skyreid.feeding import PAPER_CLIP_LENGTH, Feeding, feeding_differences
from skyreid.files.config_json import from_json
from skyreid.files.strict_json import Json
from skyreid.models.platform_prompt import UNKNOWN_PLATFORM
from skyreid.models.vsla_clip import VideoEncoder, VslaClipConfig
from skyreid.processes.distributed import Precision, Processes
from skyreid.processes.progress import Progress, silent
from skyreid.tracklet import Platform
from skyreid.weights.weights_cache import with_file

logger = logging.getLogger(__name__)
TRAINING_ONLY = {
    "vsla-clip": ("head_final.", "head_joint.", "identity_prompt.", "text_tower.", "token_embedding."),
    "clip-pair": ("text_tower.", "token_embedding."),
}
"""Kinds of checkpoint that hold a CLIP image tower, and their parts that an embedding never touches."""
_CLIPS_AT_A_TIME = 16
"""Bounds the memory that a call takes beside its clips."""
BASELINE = "baseline"
"""The kind of a method of the comparison."""


class ClipEmbedder:
    """An encoder with its preprocessing: bytes in, embeddings out.

    Args:
        encoder: what embeds.
        feeding: how it wants to be fed.
        model: the sha256 of its weights, by which tables name it; None = nobody tells.
        policy: in which numbers and by which code it computes, and why; None = as it was given, in float32.
    """

    def __init__(
        self,
        encoder: Encoder,
        feeding: Feeding,
        *,
        model: str | None = None,
        policy: PrecisionPolicy | None = None,
    ) -> None:
        self.encoder = encoder.eval() if isinstance(encoder, nn.Module) else encoder
        self.feeding = feeding
        self.model = model
        self.policy = policy or exactly("as it was given")

    @property
    def embed_dim(self) -> int:
        """Length of one embedding."""
        return self.encoder.embed_dim

    def embed(
        self, clips: Clips, platforms: Platform | str | Sequence[Platform | str] | None = None
    ) -> Float32[Tensor, "clip embed"]:
        """Embed clips as they are, all of one length; a clip embeds the same whatever stands beside it.

        Args:
            clips: uint8 RGB frames in NumPy or torch, [clip, frame, 3, height, width] or [clip, frame, height, width,
                3], or lists of crops, one list for each clip: Pillow images, paths, arrays, of any size each. A single
                clip (a flat list of crops, or four axes) counts as a list of one. Frames are resized (bicubic) to
                `feeding.image_size`, where they differ.
            platforms: "ground" or "aerial", one for each clip, or one for all; None = nobody knows, and a model that is
                told the platform uses the mean over them (a log message says so).

        Returns:
            Un-normalised embeddings, on the CPU; compare them by cosine, as `search` does.

        Raises:
            SettingError: something else than clips, clips of different lengths, no such platform, or not one for each
                clip.
            MissingFrameError: a path is no picture.

        >>> import numpy as np
        >>> embedder = load("checkpoint")
        >>> embedder.embed(np.zeros((2, 4, 3, 64, 32), dtype=np.uint8), "ground").shape[0]
        2
        """
        frames = clips_of(clips, self.feeding.image_size)
        lengths = sorted({len(clip) for clip in frames})
        if len(lengths) > 1:
            raise SettingError(
                f"clips of one call have one length; got {lengths[0]} to {lengths[-1]} frames (embed_tracklets takes "
                "the model's clips out of tracklets of any length)"
            )
        return self._embed(frames, self._platform_numbers(platforms, len(frames)))

    def embed_tracklets(
        self, tracklets: Clips, platforms: Platform | str | Sequence[Platform | str] | None = None
    ) -> Float32[Tensor, "tracklet embed"]:
        """Embed tracklets of any number of frames as `skyreid embed` does: by the clips that the checkpoint asks for.

        Args:
            tracklets: as the clips of `embed`, but each of its own length, all frames of one person in time order.
            platforms: as for `embed`.

        Raises:
            SettingError: as for `embed`.
            MissingFrameError: a path is no picture.

        >>> import numpy as np
        >>> crop = np.zeros((60, 25, 3), dtype=np.uint8)
        >>> load("checkpoint").embed_tracklets([[crop] * 30, [crop] * 3], ["ground", "aerial"]).shape[0]
        2
        """
        frames = clips_of(tracklets, self.feeding.image_size)
        numbers = self._platform_numbers(platforms, len(frames))
        choose = TEST_CLIPS[self.feeding.sampling]
        chosen = [
            (row, positions)
            for row, tracklet in enumerate(frames)
            for positions in choose(len(tracklet), self.feeding.clip_length)
        ]
        rows = torch.tensor([row for row, _ in chosen])
        embedded = self._embed([frames[row][positions] for row, positions in chosen], numbers[rows])
        return mean_of_clips(embedded, rows, num_tracklets=len(frames))

    def __repr__(self) -> str:
        return f"ClipEmbedder({type(self.encoder).__name__}, {self.feeding.in_words()}, {self.embed_dim} numbers)"

    @torch.inference_mode()
    def _embed(
        self, clips: Sequence[UInt8[np.ndarray, "frame height width 3"]], platforms: Int64[Tensor, " clip"]
    ) -> Float32[Tensor, "clip embed"]:
        encoder = self.encoder
        device = next(encoder.parameters()).device if isinstance(encoder, nn.Module) else torch.device("cpu")
        embedded = []
        for start in range(0, len(clips), _CLIPS_AT_A_TIME):
            batch = torch.from_numpy(np.stack(clips[start : start + _CLIPS_AT_A_TIME]))
            frames = rearrange(batch, "clip frame height width channel -> clip frame channel height width")
            # In the memory order that everything else embeds with: in another one, convolutions round otherwise.
            pixels = normalize(frames.contiguous().to(device), self.feeding.normalization)
            numbers = platforms[start : start + _CLIPS_AT_A_TIME].to(device)
            embedded.append(encoder.embed(pixels, numbers).float().cpu())
        return torch.cat(embedded)

    def _platform_numbers(
        self, platforms: Platform | str | Sequence[Platform | str] | None, clips: int
    ) -> Int64[Tensor, " clip"]:
        if platforms is None:
            if self.feeding.needs_platform:
                logger.warning("platform unknown for %d clips: the mean over the platforms is used", clips)
            return torch.full((clips,), UNKNOWN_PLATFORM)
        if isinstance(platforms, str):
            return torch.full((clips,), Platform(platforms).number)
        if not isinstance(platforms, Sequence | np.ndarray) or len(platforms) != clips:
            raise SettingError(
                f"platforms is 'ground' or 'aerial' for all, or a list with one for each of {clips} clips; "
                f"got {kind_of(platforms)}"
            )
        return torch.tensor([Platform(platform).number for platform in platforms], dtype=torch.long)


def load(
    model: str | PathLike[str],
    *,
    device: torch.device | str = "cpu",
    precision: Precision = "auto",
    progress: Progress = silent,
) -> ClipEmbedder:
    """Load a model for embedding.

    Args:
        model: a checkpoint folder, from training or from `import_weights`; or somebody's network and how its pictures
            must come, such as "osnet.onnx,size=256x128,colour=rgb,scale=255,…" or an OpenVINO .xml (see
            `extraction.network_encoder`); or the name of published weights, such as "person-reid-0277".
        device: where a checkpoint runs, such as "cpu" or "cuda"; embeddings come back on the CPU. Networks of others
            run on the CPU.
        precision: "float32" is the exact path; "auto" computes in fewer bits where that is clearly faster here and
            embeds the same way (cosine at least 0.999), and `policy` of what is returned says so; see
            `extraction.precision`.
        progress: hears of published weights that are fetched, and of the precision that was chosen.

    Raises:
        SettingError: the path is none, there is no such device or precision, or a network's settings are none.
        CheckpointError: not a checkpoint, or keys missing or left over (they are listed); or no network that can be
            used so.
        WeightsError: published weights that cannot be had.
    """
    folder, on = path_of(model, "a checkpoint"), _device(device)
    if not folder.is_dir():
        text = with_file(str(model), "encoder", progress=progress)
        if names_a_network(text):
            network, feeding, sha256 = load_network(text)
            network, policy = with_precision(network, precision)
            return ClipEmbedder(network, feeding, model=sha256, policy=policy)
    encoder, feeding = _load_checkpoint(folder)
    sha256 = weights_sha256(folder)
    computing, policy = with_precision(encoder.to(on).eval(), precision, model=sha256, progress=progress)
    return ClipEmbedder(computing, feeding, model=sha256, policy=policy)


def _load_checkpoint(folder: Path) -> tuple[VideoEncoder | Baseline, Feeding]:
    checkpoint = read_checkpoint(folder)
    kind, clip_length = checkpoint.config.get("kind"), PAPER_CLIP_LENGTH
    if kind == BASELINE:
        model = from_json(BaselineModel, checkpoint.config.get("model"), where=f"{folder}: model")
        encoder = build_to_fit(lambda: build_baseline(model), checkpoint.weights, origin=str(folder))
        clip_length = model.frames
    elif isinstance(kind, str) and kind in TRAINING_ONLY:
        config = from_json(VslaClipConfig, checkpoint.config.get("model"), where=f"{folder}: model")
        wanted = {
            key.removeprefix("encoder."): tensor
            for key, tensor in checkpoint.weights.items()
            if not key.startswith(TRAINING_ONLY[kind])
        }
        encoder = build_to_fit(lambda: VideoEncoder(config), wanted, origin=str(folder))
    else:
        raise CheckpointError(f"{folder}: kind must be one of {', '.join((*TRAINING_ONLY, BASELINE))}; got {kind!r}")
    return encoder, _feeding(checkpoint.config, encoder, clip_length=clip_length, origin=str(folder))


def _device(device: torch.device | str) -> torch.device:
    try:
        torch.zeros(0, device=device)
        return torch.device(device)
    except (RuntimeError, AssertionError, TypeError) as error:  # which of them depends on the kind of device
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SettingError(f"device is 'cpu', or one that PyTorch finds here; got {device!r}: {reason}") from error


def _feeding(config: Mapping[str, Json], encoder: VideoEncoder | Baseline, *, clip_length: int, origin: str) -> Feeding:
    """Read how a checkpoint wants to be fed, or say what is assumed of one that does not tell: `clip_length` frames."""
    if "feeding" in config:
        feeding = from_json(Feeding, config["feeding"], where=f"{origin}: feeding")
        rebuilt = replace(
            feeding, image_size=encoder.image_size, needs_platform=needs_platform(encoder), colour_order="RGB"
        )
        if feeding != rebuilt:
            raise CheckpointError(
                f"{origin}: what it says of its feeding contradicts its model: "
                + "; ".join(feeding_differences(feeding, rebuilt))
            )
        return feeding
    training = config.get("training")
    tested = training.get("extraction") if isinstance(training, dict) else None
    if tested is None:
        extraction = ExtractionConfig(clip_length=clip_length)
    else:
        extraction = from_json(ExtractionConfig, tested, where=f"{origin}: training.extraction")
    feeding = extraction.feeding_of(encoder)
    logger.warning(
        "%s does not say how it wants to be fed, as checkpoints of earlier versions; %s: %s, ImageNet's mean and "
        "standard deviation",
        origin,
        "assumed" if tested is None else "taken from the settings of its training",
        feeding.in_words(),
    )
    return feeding


class CuttingEmbedder:
    """A model that embeds pictures in memory; what it saw reaches no disk.

    Args:
        model: as `load` takes it.
        precision: as `load` takes it.
        progress: hears of published weights that are fetched.

    Raises:
        SkyreidError: as `load`.
    """

    def __init__(
        self, model: str | PathLike[str], *, precision: Precision = "auto", progress: Progress = silent
    ) -> None:
        self._name = str(model)
        self._embedder = load(model, device=Processes().device, precision=precision, progress=progress)

    def __reduce__(self) -> "tuple[Callable[[str, Precision], CuttingEmbedder], tuple[str, Precision]]":
        """Let another process load it by its name, once; the same path is the same file there."""
        return _loaded_once, (self._name, self._embedder.policy.precision)

    @property
    def model(self) -> str:
        """The sha256 of its weights."""
        assert self._embedder.model is not None, "`load` tells it"
        return self._embedder.model

    @property
    def feeding(self) -> Feeding:
        """How the model is fed."""
        return self._embedder.feeding

    @property
    def precision(self) -> str:
        """In which numbers it computes."""
        return self._embedder.policy.precision

    def kept(self, crop: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "tall wide 3"]:
        """Give the crop at the size that the model sees."""
        return resize(crop, self.feeding.image_size)

    def embed(self, crops: Sequence[UInt8[np.ndarray, "height width 3"]], platform: Platform) -> list[float]:
        """Embed all crops of one person by the clips that the model asks for."""
        (embedding,) = self._embedder.embed_tracklets([list(crops)], platform).tolist()
        return embedding


@lru_cache(maxsize=1)
def _loaded_once(model: str, precision: Precision) -> CuttingEmbedder:
    return CuttingEmbedder(model, precision=precision)
