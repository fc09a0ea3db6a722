"""Liquid networks without PyTorch: wirings, weights, the reference CfC and the flight step.

The trainable cell is `liquid_control.cores.WiredCfC`; `liquid_control.liquid.ncps_wiring` reads
wirings and weights of ncps.
"""

from liquid_control.liquid.flight_step import FlightCfC
from liquid_control.liquid.reference import CfC
from liquid_control.liquid.weights import (
    MAPS,
    CfCWeights,
    LayerWeights,
    Masking,
    Mode,
    layer_masks,
    random_weights,
    weight_count,
)
from liquid_control.liquid.wiring import Layer, Wiring
from liquid_control.liquid.wiring_generators import auto_ncp, fully_connected, ncp, random_wiring

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
