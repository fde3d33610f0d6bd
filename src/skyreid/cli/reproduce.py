"""`skyreid reproduce`: the paper's tables again."""

import os
from pathlib import Path
from typing import Annotated, Literal

import tyro

from skyreid.cli.terminal import NOTHING_FOUND, Bars, show_result


def reproduce_table2(
    out: Path = Path("comparison"),
    *,
    data: str,
    root: Path,
    methods: tuple[str, ...] = ("all",),
    settings: Literal["common", "native"] = "common",
    seeds: int = 1,
    epochs: int | None = None,
    image_size: tuple[int, int] | None = None,
    batch: tuple[int, int] | None = None,
    imagenet: Path | None = None,
    clip: Path | None = None,
    json: bool = False,
) -> int:
    """Train and score all methods of the paper's Table 2 on a benchmark.

    Nine methods of others and the paper's own, the paper's figures beside ours.

    Args:
        out: folder for runs and table2.json; running again goes on where it stopped.
        data: a benchmark of `skyreid data list`.
        root: its folder.
        methods: names of methods, or all.
        settings: the paper's frames, batches and augmentation for all, or each method's own.
        seeds: trainings of each method.
        epochs: instead of the recipe's.
        image_size: height and width of the frames instead of 256 128; those of the paper's own methods have the size
            of their CLIP pair.
        batch: identities, and clips of each, instead of the recipe's.
        imagenet: folder of resnet50-19c8e357.pth and, for PiT, jx_vit_base_p16_224-80ecf9dd.pth; without it methods
            start from random weights.
        clip: checkpoint folder of a CLIP pair; without it the paper's own methods use the small CLIP of drawn people,
            and TF-CLIP random weights.
        json: print JSON.
    """
    from skyreid.experiments.method_comparison import compare_methods
    from skyreid.experiments.method_settings import METHODS, ComparisonConfig, Reduction

    config = ComparisonConfig(
        benchmark=data,
        data_root=root,
        methods=METHODS if methods == ("all",) else methods,
        settings=settings,
        seeds=seeds,
        reduction=Reduction(image_size=image_size, epochs=epochs, batch=batch),
        imagenet=imagenet,
        clip=clip,
    )
    with Bars() as bars:
        result = compare_methods(config, out, progress=bars)
    show_result(result, json=json)
    return 0 if result.rows else NOTHING_FOUND


def reproduce(
    table: Annotated[Literal["table3", "table4", "table5", "fig4"], tyro.conf.Positional],
    out: Path = Path("ablation"),
    *,
    seeds: int = 3,
    identities: int = 450,
    epochs: int = 60,
    workers: int = os.cpu_count() or 1,
    json: bool = False,
) -> None:
    """Train every row of Table 3, 4, 5 or Fig. 4 on simulated people.

    Ours beside the paper's.

    Args:
        table: of the paper.
        out: folder for worlds, runs and TABLE.json; running again goes on where it stopped.
        seeds: worlds and trainings.
        identities: simulated people of each world; a third of them train.
        epochs: of stage 2.
        workers: trainings at once, one processor each.
        json: print JSON.
    """
    from skyreid.experiments.ablation import AblationConfig, ablate

    config = AblationConfig(identities=identities, epochs=epochs, seeds=seeds)
    with Bars() as bars:
        result = ablate(table, config, out, num_workers=workers, progress=bars)
    show_result(result, json=json)
