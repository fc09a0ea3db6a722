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
from liquid_control.policy.pilot import PolicyPilot
from liquid_control.policy.policy import Policy
from liquid_control.policy.session import Elapsed, FrameClock, PolicySession

__all__ = [
    "BACKENDS",
    "WIRED",
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
    "Policy",
    "PolicyPilot",
    "PolicySession",
    "Thresholds",
    "find_models",
    "load_model",
    "save_model",
]
