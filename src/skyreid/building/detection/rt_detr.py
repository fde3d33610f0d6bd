"""RT-DETR and RT-DETRv2 (Zhao et al. 2023; Apache-2.0).

The picture is stretched, RGB, 0 to 1, not normalised. Two forms: that of the repository's export_onnx.py, which
scales its boxes to `orig_target_sizes` (width, height), and that of the Transformers library, which gives
logits and normalised boxes. In both, the COCO weights count classes from 0 without gaps.
"""

import numpy as np

from skyreid.building.detection.family import (
    Arrays,
    Boxes,
    Declared,
    Export,
    Family,
    Scores,
    from_centres,
    of_class,
    same_length,
    sigmoid,
)
from skyreid.building.detection.input_picture import Preprocessing


def _decode_scaled(arrays: Arrays, size: tuple[int, int], person: int) -> tuple[Boxes, Scores]:
    labels, boxes, scores = arrays["labels"][0], arrays["boxes"][0], arrays["scores"][0]
    same_length(labels=labels, boxes=boxes, scores=scores)
    is_person = labels == person
    return boxes[is_person].astype(np.float64), scores[is_person].astype(np.float64)


def decode_normalised(arrays: Arrays, size: tuple[int, int], person: int) -> tuple[Boxes, Scores]:
    """One box a query, centre and size as shares of the picture, and logits of independent classes."""
    logits, boxes = arrays["logits"][0], arrays["boxes"][0]
    same_length(logits=logits, boxes=boxes)
    height, width = size
    return from_centres(boxes) * (width, height, width, height), of_class(sigmoid(logits), person)


RT_DETR = Family(
    preprocessing=Preprocessing(fit="stretch", channels="rgb", divisor=255.0, antialias=True),
    exports=(
        Export(
            picture=Declared(name="images", shape=(1, 3, None, None)),
            size=Declared(name="orig_target_sizes", types=("int64",), shape=(1, 2)),
            outputs={
                "labels": Declared(name="labels", types=("int64", "int32"), shape=(1, None)),
                "boxes": Declared(name="boxes", shape=(1, None, 4)),
                "scores": Declared(name="scores", shape=(1, None)),
            },
            decode=_decode_scaled,
        ),
        Export(
            picture=Declared(name="pixel_values", shape=(1, 3, None, None)),
            outputs={
                "logits": Declared(name="logits", shape=(1, None, None)),
                "boxes": Declared(name="pred_boxes", shape=(1, None, 4)),
            },
            decode=decode_normalised,
        ),
    ),
    person=0,
    default_size=640,
)
