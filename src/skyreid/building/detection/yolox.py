"""YOLOX (Ge et al. 2021; Apache-2.0), as its tools/export_onnx.py writes it, without --decode_in_inference.

Its picture is letterboxed at the top left with 114, BGR, 0 to 255, as the ONNX Runtime demo of the repository
feeds it; weights from before release 0.1.1 (`legacy`) want another one and find little. Its rows are the
cells of grids of stride 8, 16, 32 (and 64 in the P6 models), row by row: offset of the centre in cells, log of
the size in cells, then objectness and classes, both after the sigmoid.
"""

import numpy as np

from skyreid.building.detection.family import Arrays, Boxes, Declared, Export, Family, Scores, from_centres, of_class
from skyreid.building.detection.input_picture import Preprocessing

STRIDES = ((8, 16, 32), (8, 16, 32, 64))
MAX_LOG_SIZE = 15.0
"""e^15 cells are no box: these are pixels, from a file that decodes by itself."""


def _decode(arrays: Arrays, size: tuple[int, int], person: int) -> tuple[Boxes, Scores]:
    rows = arrays["rows"][0]
    grids = {sum((size[0] // s) * (size[1] // s) for s in strides): strides for strides in STRIDES}
    if len(rows) not in grids:
        raise ValueError(f"gives {len(rows)} rows for a picture of {size[1]}x{size[0]}; {sorted(grids)} are possible")
    if rows[:, 2:4].max() > MAX_LOG_SIZE:
        raise ValueError("gives boxes in pixels already; export it without --decode_in_inference")
    corners, strides = zip(*(_cells(size, stride) for stride in grids[len(rows)]), strict=True)
    corner, stride = np.concatenate(corners), np.concatenate(strides)[:, None]
    boxes = np.concatenate([(rows[:, :2] + corner) * stride, np.exp(rows[:, 2:4]) * stride], axis=1)
    return from_centres(boxes), rows[:, 4] * of_class(rows[:, 5:], person)


def _cells(size: tuple[int, int], stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Corner of each cell of a grid, counted in cells, and its stride."""
    y, x = np.mgrid[: size[0] // stride, : size[1] // stride]
    return np.stack([x.ravel(), y.ravel()], axis=1), np.full(x.size, stride)


YOLOX = Family(
    preprocessing=Preprocessing(fit="letterbox", padding=114, channels="bgr", divisor=1.0),
    exports=(
        Export(
            picture=Declared(shape=(1, 3, None, None)),
            outputs={"rows": Declared(shape=(1, None, None))},
            decode=_decode,
        ),
    ),
    person=0,
    default_size=640,
    overlap=0.45,
)
