"""Liquid cores wired as neural circuit policies, from their sizes alone."""

from typing import Any

from liquid_control.liquid.auto_ncp import auto_ncp
from liquid_control.liquid.cores.ltc import LTC
from liquid_control.liquid.cores.wired_cfc import WiredCfC


def ltc(input_size: int, output_size: int, *, neurons: int = 19, **options: Any) -> LTC:
    """Return an LTC over `auto_ncp(input_size, neurons, output_size)`."""
    return LTC(auto_ncp(input_size, neurons, output_size), **options)


def wired_cfc(
    input_size: int,
    output_size: int,
    *,
    neurons: int = 19,
    time_unit_s: float = 0.05,
    **options: Any,
) -> WiredCfC:
    """Return a wired CfC over `auto_ncp(input_size, neurons, output_size)`."""
    wiring = auto_ncp(input_size, neurons, output_size)
    return WiredCfC(wiring, time_unit_s=time_unit_s, **options)
