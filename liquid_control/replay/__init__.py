"""Recorded flights: writing bags without ROS, and reading them back as arrays."""

from liquid_control.replay.bag import BagWriter
from liquid_control.replay.reading import FlightBag, read_bag

__all__ = ["BagWriter", "FlightBag", "read_bag"]
