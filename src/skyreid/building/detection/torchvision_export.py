"""torchvision's detectors (BSD-3-Clause): Faster and Mask R-CNN, RetinaNet, FCOS, SSD, through torch.onnx.export.

They normalise and resize inside the file, so the picture is the frame itself, RGB, 0 to 1; a file that was
exported for one fixed size gets the frame letterboxed into it. Boxes come in pixels of the picture, after
suppression of overlaps. The order and the names of the outputs differ from model to model: they are
told apart by type and shape. Class 0 is the background; in the COCO weights a person is 1.
"""

import numpy as np

from skyreid.building.detection.family import Arrays, Boxes, Declared, Export, Family, Scores, same_length
from skyreid.building.detection.input_picture import Preprocessing


def _decode(arrays: Arrays, size: tuple[int, int], person: int) -> tuple[Boxes, Scores]:
    labels, boxes, scores = arrays["labels"], arrays["boxes"], arrays["scores"]
    same_length(labels=labels, boxes=boxes, scores=scores)
    is_person = labels == person
    return boxes[is_person].astype(np.float64), scores[is_person].astype(np.float64)


_OUTPUTS = {
    "boxes": Declared(shape=(None, 4)),
    "labels": Declared(types=("int64",), shape=(None,)),
    "scores": Declared(shape=(None,)),
}

TORCHVISION = Family(
    preprocessing=Preprocessing(fit="letterbox", channels="rgb", divisor=255.0),
    exports=(
        Export(picture=Declared(shape=(3, None, None)), outputs=_OUTPUTS, decode=_decode),
        Export(picture=Declared(shape=(1, 3, None, None)), outputs=_OUTPUTS, decode=_decode),
    ),
    person=1,
    takes_frames=True,
)
