"""`skyreid model import`: a file of somebody's weights becomes a checkpoint folder of ours."""

from dataclasses import asdict, dataclass
from importlib.metadata import version
from os import PathLike
from pathlib import Path

import torch

from skyreid.arguments import find_named, path_of
from skyreid.checkpoint import write_checkpoint
from skyreid.errors import CheckpointError, UnsafeFileError
from skyreid.feeding import PAPER_CLIP_LENGTH, Feeding
from skyreid.files.config_json import to_json
from skyreid.files.file_kinds import CHECKPOINT, kind_at
from skyreid.files.regular_file import file_sha256
from skyreid.files.strict_json import Json
from skyreid.models.tower_pair import TowerPair
from skyreid.models.transformer import Activation
from skyreid.models.vsla_clip import VslaClip
from skyreid.pretrained import huggingface, openai, release, vifi
from skyreid.pretrained.foreign_state import read_untrusted_state
from skyreid.pretrained.importer import Adapters, Importer, ImportOptions

FORMATS: dict[str, Importer] = {
    "openai": openai.read_openai,
    "huggingface": huggingface.read,
    "open_clip": openai.read_open_clip,
    "vifi": vifi.read,
    "release": release.read,
}
"""What `skyreid model import` reads, by the name it goes by there."""
_LANDMARKS = {
    "openai": openai.LANDMARK,
    "huggingface": huggingface.LANDMARK,
    "open_clip": openai.LANDMARK,
    "release": release.LANDMARK,
    "vifi": vifi.LANDMARK,
}
"""A name by which a file of the format is known. The release's, which no other has, comes before ViFi-CLIP's: those
towers have the same names."""


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What was read, what was left out and why, and what stands in the checkpoint now."""

    format: str
    file: str
    sha256: str
    """Of the file, so that a result can be traced to the very weights."""
    kind: str
    """"clip-pair" (start of a training) or "vsla-clip" (a trained model)."""
    mapped: int
    """Tensors of the file that are in the checkpoint."""
    dropped: dict[str, str]
    """Keys left out on purpose, each with the reason."""
    assumed: tuple[str, ...]
    """What the file does not tell and nobody said."""
    feeding: Feeding
    """How the checkpoint says that it wants to be fed."""
    sizes: dict[str, int | str]
    out_dir: str

    def lines(self) -> list[str]:
        """Say it to a reader."""
        reasons = sorted(set(self.dropped.values()))
        return [
            f"{self.file}: {self.mapped} tensors read as {self.format}, {len(self.dropped)} keys left out",
            *(f"  left out: {self._keys(reason)} ({reason})" for reason in reasons),
            *(f"  assumed: {assumption}" for assumption in self.assumed),
            *(f"  {name}: {size}" for name, size in self.sizes.items()),
            f"  fed with: {self.feeding.in_words()}",
            f"  sha256: {self.sha256}",
            f"{self.kind} written to {self.out_dir}",
        ]

    def to_json(self) -> dict[str, Json]:
        """Say it to a program."""
        return asdict(self)

    def _keys(self, reason: str) -> str:
        keys = [key for key, why in self.dropped.items() if why == reason]
        return keys[0] if len(keys) == 1 else f"{keys[0]} and {len(keys) - 1} more"


def import_weights(
    format: str,
    file: str | PathLike[str],
    out_dir: str | PathLike[str],
    *,
    image_size: tuple[int, int] | None = None,
    inside: str | None = None,
    token_embedding: str | PathLike[str] | None = None,
    activation: Activation | None = None,
    adapters: Adapters = "used",
) -> ImportReport:
    """Read a weights file of one of the FORMATS and write it as a checkpoint folder.

    Args:
        format: a name in FORMATS.
        file: the weights; nothing in it is executed.
        out_dir: the folder to make; it must not exist.
        image_size: (height, width) of frames that a pretrained pair is made ready for; None = 256 x 128.
        inside: what stands around the weights that are meant, where the file holds several.
        token_embedding: an OpenAI or Hugging Face file, for the formats that lack the table.
        activation: what an open_clip file was trained with; None = "quick-gelu".
        adapters: "unused" for FT-CLIP and stage-1 checkpoints of the release.

    Raises:
        UnsafeFileError: the file would run code, or claims what it does not hold.
        CheckpointError: an unknown format, a folder that exists, an option that the format does not
            read, keys or shapes that do not add up.
    """
    read = find_named(format, FORMATS, "weights format", error=CheckpointError)
    file, out_dir = path_of(file, "a file of weights"), path_of(out_dir, "the folder of a checkpoint")
    token_embedding = None if token_embedding is None else path_of(token_embedding, "a token embedding")
    if out_dir.exists():
        raise CheckpointError(f"{out_dir} exists; name a folder that does not, or remove it")
    options = ImportOptions(
        image_size=image_size, inside=inside, token_embedding=token_embedding, activation=activation, adapters=adapters
    )
    try:
        imported = read(file, options)
    except UnsafeFileError:
        raise
    except CheckpointError as error:
        if hint := _other_importer(format, file):
            raise CheckpointError(f"{file} is no file of {format!r}: {hint}") from error
        raise
    module = imported.module
    sources = {"file": file} | ({"token_embedding": token_embedding} if token_embedding else {})
    hashes = {role: file_sha256(source) for role, source in sources.items()}
    if isinstance(module, VslaClip):
        kind, count = "vsla-clip", {"num_identities": module.num_identities}
    else:
        kind, count = "clip-pair", {"vocabulary": module.token_embedding.num_embeddings}
    feeding = Feeding(
        clip_length=PAPER_CLIP_LENGTH,
        image_size=module.config.image.image_size,
        normalization=imported.normalization,
        needs_platform=module.config.platform_prompt.depth > 0,
    )
    write_checkpoint(
        out_dir,
        weights=module.state_dict(),
        config={"kind": kind, "model": to_json(module.config), "feeding": to_json(feeding), **count},
        provenance={
            "skyreid": version("skyreid"),
            "torch": torch.__version__,
            "imported": {
                "format": format,
                "sources": {role: {"name": source.name, "sha256": hashes[role]} for role, source in sources.items()},
                "dropped": dict(imported.dropped),
                "assumed": list(imported.assumed),
            },
        },
    )
    return ImportReport(
        format=format,
        file=str(file),
        sha256=hashes["file"],
        kind=kind,
        mapped=imported.mapped,
        dropped=imported.dropped,
        assumed=imported.assumed,
        feeding=feeding,
        sizes={**_sizes(module), **count},
        out_dir=str(out_dir),
    )


def _other_importer(format: str, file: Path) -> str | None:
    """Say what reads a file that `format` does not; None where nobody knows, or `format` should."""
    if kind_at(file.parent) is CHECKPOINT:
        return f"it is the weights of {file.parent}, a checkpoint that needs no import: name that folder"
    try:
        names = read_untrusted_state(file).tensors
    except CheckpointError:
        return None
    fitting = [other for other, mark in _LANDMARKS.items() if any(name.endswith(mark) for name in names)]
    if "release" in fitting:
        fitting.remove("vifi")
    if fitting and format not in fitting:
        commands = " or ".join(f"'skyreid model import {other}'" for other in fitting)
        return f"its names are those that {commands} reads"
    if any(name.endswith(("layer4.2.conv3.weight", "blocks.11.attn.qkv.weight")) for name in names):
        return "it is a backbone trained on ImageNet, which 'skyreid train METHOD --pretrained FILE' starts from"
    return None


def _sizes(module: TowerPair | VslaClip) -> dict[str, int | str]:
    config = module.config
    image, adapters, prompt = config.image, config.image.adapters, config.platform_prompt
    height, width = image.image_size
    sizes: dict[str, int | str] = {
        "frames": f"{height} x {width}, patches of {image.patch_size}",
        "image tower": f"{image.layers} blocks, {image.width} wide",
        "text tower": f"{config.text.layers} blocks, {config.text.width} wide",
        "shared space": config.embed_dim,
    }
    if isinstance(module, VslaClip):
        sizes["intra-frame adapters"] = adapters.intra_frame or "none"
        sizes["cross-frame adapters"] = adapters.cross_frame or "none"
        sizes["platform prompt"] = f"{prompt.depth} x {prompt.length}" if prompt.depth else "none"
        sizes["sentence"] = config.identity_prompt.sentence
    return sizes | {"parameters": sum(parameter.numel() for parameter in module.parameters())}
