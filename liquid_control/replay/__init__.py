"""Replay: a recorded flight through the policy again, and how its commands differ."""

from liquid_control.replay.backends import BACKENDS, Controller
from liquid_control.replay.feature_extractor import FeatureExtractor
from liquid_control.replay.player import Player, replay
from liquid_control.replay.tracks import Recorded, RecordingCollector, Replayed, Series, Track

__all__ = [
    "BACKENDS",
    "Controller",
    "FeatureExtractor",
    "Player",
    "Recorded",
    "RecordingCollector",
    "Replayed",
    "Series",
    "Track",
    "replay",
]
