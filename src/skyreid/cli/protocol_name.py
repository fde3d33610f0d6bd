"""The names of `skyreid.datasets.protocol.PROTOCOLS`, written out so that `--help` needs no import."""

from typing import Literal

ProtocolName = Literal[
    "cross-camera",
    "mars",
    "cross-platform",
    "ground-to-aerial",
    "aerial-to-ground",
    "aerial-to-aerial",
    "ground-to-ground",
    "ag-vpreid",
]
