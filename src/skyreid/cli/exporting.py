"""`skyreid data export`: a built folder in formats of other programs."""

from pathlib import Path
from typing import Literal

from skyreid.cli.terminal import Bars, File, Note, show_result


def data_export(
    folder: File,
    out: Path,
    *,
    format: Literal["mot", "cvat", "g2a", "mars"],
    seed: int | None = None,
    json: bool = False,
) -> None:
    """Write a build as annotations or in a benchmark's layout.

    Args:
        folder: what `skyreid build` made.
        out: folder to write.
        format: mot or cvat, one file of boxes for each video; g2a or mars, crops and split.
        seed: of the split of g2a and mars; 0 when not given.
        json: print JSON.
    """
    with Bars() as bars:
        if format == "mot" or format == "cvat":
            from skyreid.building.annotations.exporting import export_annotations
            from skyreid.errors import SettingError

            if seed is not None:
                raise SettingError(f"--seed means nothing to --format {format}, which splits nobody")
            files = [str(path) for path in export_annotations(folder, out, format, progress=bars)]
            result = Note([f"written: {file}" for file in files], {"format": format, "files": files})
        else:
            from skyreid.building.layout_export import export_layout

            result = export_layout(folder, out, layout=format, seed=seed or 0, progress=bars)
    show_result(result, json=json)
