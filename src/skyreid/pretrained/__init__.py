"""Other people's weights to our names, every key accounted for; nothing in their files is executed."""

from skyreid.pretrained import huggingface, open_clip, openai, release, vifi
from skyreid.pretrained.importer import Importer

FORMATS: dict[str, Importer] = {
    "openai": openai.read,
    "huggingface": huggingface.read,
    "open_clip": open_clip.read,
    "vifi": vifi.read,
    "release": release.read,
}
"""What `skyreid model import` reads, by the name it goes by there."""
LANDMARKS = {
    "openai": openai.LANDMARK,
    "huggingface": huggingface.LANDMARK,
    "open_clip": openai.LANDMARK,
    "release": release.LANDMARK,
    "vifi": vifi.LANDMARK,
}
"""A name by which a file of the format is known. The release's, which no other has, comes before ViFi-CLIP's: those
towers have the same names."""
