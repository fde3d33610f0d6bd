"""A file that skyreid exported (`exporting.py`), as an encoder again: it says itself how it wants to be fed."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from skyreid.errors import CheckpointError
from skyreid.feeding import Feeding, read_feeding
from skyreid.graphs.graph_process import GraphFile


def run_exported(file: GraphFile, frames: np.ndarray, platforms: np.ndarray) -> np.ndarray:
    """Embed clips, [clip, frame, 3, height, width] as bytes; platforms go to a file that is told them."""
    given = {"frames": frames, "platforms": platforms}
    (embeddings,) = file.run({port.name: given[port.name] for port in file.inputs}, [file.outputs[0].name])
    return embeddings


class ExportedEncoder:
    """An `Encoder` whose network runs in a process of its own, on the CPU, clip by clip.

    Raises:
        CheckpointError: the file takes or gives something else than it says.
    """

    def __init__(self, file: GraphFile) -> None:
        assert file.feeding is not None
        self._file = file
        self.feeding = self._checked(read_feeding(file.feeding))
        self.image_size = self.feeding.image_size
        frames = np.zeros((1, self.feeding.clip_length, 3, *self.image_size), np.uint8)
        self.embed_dim = self._embed_clip(frames, 0).shape[1]

    def embed(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"]
    ) -> Float[Tensor, "clip embed"]:
        """Embed normalised clips; the program normalises itself, so it gets the bytes that they were made of."""
        by = self.feeding.normalization
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (by.mean, by.std))
        pixels = ((frames.float().cpu() * std + mean) * 255).round().clamp(0, 255).to(torch.uint8).numpy()
        clips = zip(pixels, platforms.tolist(), strict=True)
        return torch.from_numpy(np.concatenate([self._embed_clip(clip[np.newaxis], told) for clip, told in clips]))

    def _embed_clip(self, pixels: np.ndarray, platform: int) -> np.ndarray:
        embedding = run_exported(self._file, pixels, np.array([platform], np.int64))
        if embedding.ndim != 2 or len(embedding) != 1 or embedding.dtype != np.float32:
            raise CheckpointError(
                f"{self._file.path}: gives {embedding.dtype}{list(embedding.shape)} for a clip, where one row of "
                "float32 belongs; export the checkpoint again"
            )
        return embedding

    def _checked(self, feeding: Feeding) -> Feeding:
        told = {port.name: port for port in self._file.inputs}
        names = {"frames", "platforms"} if feeding.needs_platform else {"frames"}
        shape = told["frames"].shape if "frames" in told else ()
        if set(told) != names or len(shape) != 5 or shape[2:] != (3, *feeding.image_size):
            raise CheckpointError(
                f"{self._file.path}: takes {', '.join(map(str, self._file.inputs))}, which contradicts what it says of "
                f"its feeding ({feeding.in_words()}); export the checkpoint again"
            )
        return feeding
