"""The families of detectors by the name that a user gives."""

from skyreid.building.detection.rf_detr import RF_DETR
from skyreid.building.detection.rt_detr import RT_DETR
from skyreid.building.detection.torchvision_export import TORCHVISION
from skyreid.building.detection.yolox import YOLOX

FAMILIES = {"yolox": YOLOX, "rt-detr": RT_DETR, "rf-detr": RF_DETR, "torchvision": TORCHVISION}
