"""The policy: model folders, the step from observation to command, and sessions over frames."""

from liquid_control.policy.backends import BACKENDS
from liquid_control.policy.model import Model, load_model, save_model
from liquid_control.policy.model_settings import ModelCamera, ModelFeatures, ModelSettings
from liquid_control.policy.pilot import PolicyPilot
from liquid_control.policy.policy import Decision, Policy
from liquid_control.policy.session import Controller, Elapsed, FrameClock, PolicySession

__all__ = [
    "BACKENDS",
    "Controller",
    "Decision",
    "Elapsed",
    "FrameClock",
    "Model",
    "ModelCamera",
    "ModelFeatures",
    "ModelSettings",
    "Policy",
    "PolicyPilot",
    "PolicySession",
    "load_model",
    "save_model",
]
