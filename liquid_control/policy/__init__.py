"""The policy: model folders, the step from observation to command, and sessions over frames."""

from liquid_control.policy.controllers import BACKENDS, Controller, Decision
from liquid_control.policy.event_policy import EventPilot, EventPolicy, Thresholds
from liquid_control.policy.model import Model, find_models, load_model, save_model
from liquid_control.policy.model_settings import (
    WIRED,
    ModelCamera,
    ModelCore,
    ModelFeatures,
    ModelSettings,
)
from liquid_control.policy.online_adaptation import (
    AdaptationSettings,
    AdaptationState,
    CommandAdaptation,
    OnlineAdaptation,
)
from liquid_control.policy.pilot import PolicyPilot
from liquid_control.policy.policy import Policy
from liquid_control.policy.readout_box import CERTIFICATE, CERTIFIED, ReadoutBox, certified_box
from liquid_control.policy.session import Elapsed, FrameClock, PolicySession
from liquid_control.policy.velocity_reading import VelocityReading, velocity_reading

__all__ = [
    "BACKENDS",
    "CERTIFICATE",
    "CERTIFIED",
    "WIRED",
    "AdaptationSettings",
    "AdaptationState",
    "CommandAdaptation",
    "Controller",
    "Decision",
    "Elapsed",
    "EventPilot",
    "EventPolicy",
    "FrameClock",
    "Model",
    "ModelCamera",
    "ModelCore",
    "ModelFeatures",
    "ModelSettings",
    "OnlineAdaptation",
    "Policy",
    "PolicyPilot",
    "PolicySession",
    "ReadoutBox",
    "Thresholds",
    "VelocityReading",
    "certified_box",
    "find_models",
    "load_model",
    "save_model",
    "velocity_reading",
]
