"""Replay: a recorded flight through the policy again, and how its commands differ."""

from liquid_control.replay.backends import BACKENDS, Controller
from liquid_control.replay.perceiver import Perceiver
from liquid_control.replay.player import Player, replay
from liquid_control.replay.recorded import RecordedTape
from liquid_control.replay.track import Recorded, Replayed, Series, Track

__all__ = [
    "BACKENDS",
    "Controller",
    "Perceiver",
    "Player",
    "Recorded",
    "RecordedTape",
    "Replayed",
    "Series",
    "Track",
    "replay",
]
