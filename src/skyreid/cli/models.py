"""`skyreid model`: sizes, other people's weights, a small CLIP of our own, and programs of one file."""

import os
from pathlib import Path
from typing import Annotated, Literal

import tyro

from skyreid.cli.arguments import find_recipe
from skyreid.cli.terminal import Bars, File, Name, Note, show_result


def model_info(recipe: Name, *, json: bool = False) -> None:
    """Count a recipe's parameters, beside the paper's Tables 3 and 4.

    By component; of a method of the comparison, in all, without heads, and trained.

    Args:
        recipe: one of the recipes.
        json: print JSON.
    """
    from skyreid.datasets.benchmarks import BENCHMARKS
    from skyreid.experiments.cost import count_baseline_parameters
    from skyreid.experiments.parameter_report import count_parameters
    from skyreid.training.two_stage import TwoStageConfig

    config = find_recipe(recipe)()
    identities = BENCHMARKS[config.benchmark].published.train_identities or 930
    if isinstance(config, TwoStageConfig):
        report = count_parameters(config, num_identities=identities)
    else:
        report = count_baseline_parameters(config.model_of(identities))
    show_result(report, json=json)


def model_import(
    format: Annotated[Literal["openai", "huggingface", "open_clip", "vifi", "release"], tyro.conf.Positional],
    file: File,
    out: Path,
    *,
    image_size: tuple[int, int] | None = None,
    inside: str | None = None,
    token_embedding: Path | None = None,
    activation: Literal["quick-gelu", "gelu"] | None = None,
    adapters: Literal["used", "unused"] = "used",
    json: bool = False,
) -> None:
    """Turn someone's weights into a checkpoint; nothing in it is executed.

    Args:
        format: who wrote the file; "release" is the authors' VSLA-CLIP program.
        file: the weights, or their name (clip-vit-b-16, clip-vit-l-14: fetched on first use).
        out: folder to write.
        image_size: height and width that the position table of a CLIP model is resized to; None = 256 x 128.
        inside: what stands around the weights that are meant, where the file holds several: --inside state_dict_ema.
        token_embedding: file of OpenAI's CLIP, for "vifi", which does not carry its token embedding.
        activation: of an open_clip file; None = "quick-gelu", as OpenAI's.
        adapters: "unused" for FT-CLIP files of the release, whose adapters never ran.
        json: print JSON.
    """
    from skyreid.pretrained.untrusted_file import read_claims
    from skyreid.weights.weights_cache import with_file

    with Bars() as bars:
        file = Path(with_file(str(file), "start of a training", progress=bars))
    read_claims(file)  # a hostile file is refused in a tenth of the time that PyTorch, which comes next, takes to load
    from skyreid.pretrained.importing import import_weights

    report = import_weights(
        format,
        file,
        out,
        image_size=image_size,
        inside=inside,
        token_embedding=token_embedding,
        activation=activation,
        adapters=adapters,
    )
    show_result(report, json=json)


def model_export(
    checkpoint: File,
    out: Path,
    *,
    format: Literal["torch", "onnx", "openvino"] = "torch",
    json: bool = False,
) -> None:
    """Write a checkpoint's encoder as a file that runs without skyreid.

    The file is held against the model first.

    Args:
        checkpoint: folder of the model.
        out: file to write: .onnx, .xml (OpenVINO; a .bin comes beside it), or .pt2 for PyTorch.
        format: of PyTorch, ONNX or OpenVINO.
        json: print JSON.
    """
    from skyreid.extraction.exporting import export_checkpoint

    report = export_checkpoint(checkpoint, out, format=format)
    show_result(report, json=json)


def model_pretrain(
    out: Path,
    *,
    people: int = 6000,
    epochs: int = 20,
    seed: int = 0,
    workers: int = os.cpu_count() or 1,
    json: bool = False,
) -> None:
    """Make the small CLIP of the package again.

    From photos of simulated people.

    Args:
        out: checkpoint folder to write.
        people: simulated; none of them is in any benchmark.
        epochs: passes over their photos.
        seed: of the training.
        workers: processes that draw the photos.
        json: print JSON.
    """
    from skyreid.simulation.pretraining import PretrainingConfig, pretrain

    with Bars() as bars:
        config = PretrainingConfig(people=people, epochs=epochs, seed=seed)
        metrics = pretrain(config, out, num_workers=workers, progress=bars)
    said = ["   ".join(f"{name} {value:.3f}" for name, value in metrics.items()), f"clip-pair written to {out}"]
    show_result(Note(said, {"metrics": dict(metrics), "checkpoint": str(out)}), json=json)
