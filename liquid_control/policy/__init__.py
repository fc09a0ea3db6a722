"""The policy: model folders, the step from observation to command, the clock between frames."""

from liquid_control.policy.clock import Elapsed, FrameClock
from liquid_control.policy.model import Model, load_model
from liquid_control.policy.pilot import PolicyPilot
from liquid_control.policy.policy import Decision, Policy
from liquid_control.policy.saving import save_model
from liquid_control.policy.settings import ModelCamera, ModelFeatures, ModelSettings

__all__ = [
    "Decision",
    "Elapsed",
    "FrameClock",
    "Model",
    "ModelCamera",
    "ModelFeatures",
    "ModelSettings",
    "Policy",
    "PolicyPilot",
    "load_model",
    "save_model",
]
