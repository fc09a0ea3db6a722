"""Bags: written without ROS, read whatever their state, understood whoever recorded them."""

from liquid_control.bags.flight_arrays import FlightBag, read_bag
from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.writing.mcap_writer import BagWriter

__all__ = ["BagWriter", "FlightBag", "Loss", "Losses", "read_bag"]
