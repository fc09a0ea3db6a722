"""Our vehicle, wind and camera flown by real autopilot firmware instead of our own cascade.

A `FirmwareBackend` exchanges sensor readings for motor outputs with one firmware:
`ArduPilotJson`, `BetaflightUdp`, `Px4Hil`. `FirmwareFlyer` starts the firmware, takes off, flies
a scenario and lands; it implements `interfaces.Flyer`.
"""

from liquid_control_sim.firmware.ardupilot_json import ArduPilotJson
from liquid_control_sim.firmware.backend import (
    Companion,
    FirmwareBackend,
    FlightStage,
    SensorReadings,
)
from liquid_control_sim.firmware.betaflight_udp import BetaflightUdp
from liquid_control_sim.firmware.flyer import FirmwareFlyer, FirmwareHold, FirmwareSortie
from liquid_control_sim.firmware.px4_hil import Px4Hil
from liquid_control_sim.firmware.vehicle import FirmwareQuadrotor

__all__ = [
    "ArduPilotJson",
    "BetaflightUdp",
    "Companion",
    "FirmwareBackend",
    "FirmwareFlyer",
    "FirmwareHold",
    "FirmwareQuadrotor",
    "FirmwareSortie",
    "FlightStage",
    "Px4Hil",
    "SensorReadings",
]
