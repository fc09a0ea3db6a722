"""Bridges between the velocity commands of this package and real autopilots.

`AutopilotBridge` is the interface of all of them, with frames FLU and ENU. `MavlinkAutopilot`
connects ArduPilot Copter and PX4 over serial ports, UDP and TCP; `BetaflightAutopilot` connects
Betaflight over MSP, and `AngleMode` flies any firmware that follows angles and throttle only.
`BridgeSession` has the rules for bridges over ROS topics, which are nodes. Arming, flight modes
and take-off are the pilot's. Set-points follow the age of the policy's command: `SetpointRules`.
"""

from liquid_control.autopilots.angle_mode import AngleMode, AngleModeSettings, AngleState, Sticks
from liquid_control.autopilots.betaflight_autopilot import BetaflightAutopilot, BetaflightOptions
from liquid_control.autopilots.interface import (
    ArmCheck,
    AutopilotBridge,
    AutopilotStatus,
    BatteryStatus,
    Firmware,
    ImuSample,
    LinkEvent,
    LinkHealth,
    LinkNotice,
    OdometrySample,
    StreamPhase,
)
from liquid_control.autopilots.mavlink_autopilot import MavlinkAutopilot, MavlinkSettings
from liquid_control.autopilots.mavlink_session import MavlinkOptions, MavlinkSession
from liquid_control.autopilots.setpoint_stream import OnStale, SetpointRules, SetpointStream

__all__ = [
    "AngleMode",
    "AngleModeSettings",
    "AngleState",
    "ArmCheck",
    "AutopilotBridge",
    "AutopilotStatus",
    "BatteryStatus",
    "BetaflightAutopilot",
    "BetaflightOptions",
    "Firmware",
    "ImuSample",
    "LinkEvent",
    "LinkHealth",
    "LinkNotice",
    "MavlinkAutopilot",
    "MavlinkOptions",
    "MavlinkSession",
    "MavlinkSettings",
    "OdometrySample",
    "OnStale",
    "SetpointRules",
    "SetpointStream",
    "Sticks",
    "StreamPhase",
]
