"""Liquid networks: wirings as data, the NumPy CfC that specifies the rest, the flight step.

The torch twin for training is in `liquid.torch_cell`, which imports torch; reading ncps weights
is in `liquid.ncps`.
"""

from liquid_control.liquid.auto_ncp import auto_ncp, ncp
from liquid_control.liquid.flight import FlightCfC
from liquid_control.liquid.masks import MAPS, Masking, Mode, layer_masks, weight_count
from liquid_control.liquid.reference import CfC
from liquid_control.liquid.unstructured import fully_connected, random_wiring
from liquid_control.liquid.weights import CfCWeights, LayerWeights, random_weights
from liquid_control.liquid.wiring import Layer, Wiring

__all__ = [
    "MAPS",
    "CfC",
    "CfCWeights",
    "FlightCfC",
    "Layer",
    "LayerWeights",
    "Masking",
    "Mode",
    "Wiring",
    "auto_ncp",
    "fully_connected",
    "layer_masks",
    "ncp",
    "random_weights",
    "random_wiring",
    "weight_count",
]
