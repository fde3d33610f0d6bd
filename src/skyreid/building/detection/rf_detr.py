"""RF-DETR (Roboflow 2025; Apache-2.0), as its `export()` writes it.

The picture is stretched, RGB, 0 to 1, normalised as ImageNet's, resized without averaging. The raw outputs
are told apart by name, since with three classes `dets` and `labels` have the same shape. The official COCO
weights use COCO's own class numbers, in which a person is 1; weights trained on a set of one's own usually
count from 0 (person=0).
"""

from skyreid.building.detection.family import Declared, Export, Family
from skyreid.building.detection.input_picture import IMAGENET, Preprocessing
from skyreid.building.detection.rt_detr import decode_normalised

RF_DETR = Family(
    preprocessing=Preprocessing(fit="stretch", channels="rgb", divisor=255.0, mean_and_deviation=IMAGENET),
    exports=(
        Export(
            picture=Declared(name="input", shape=(1, 3, None, None)),
            outputs={
                "logits": Declared(name="labels", shape=(1, None, None)),
                "boxes": Declared(name="dets", shape=(1, None, 4)),
            },
            decode=decode_normalised,
        ),
    ),
    person=1,
)
