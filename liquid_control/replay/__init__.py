"""Replay: a recorded flight through a policy, and the comparison of the commands.

Example:
    >>> request = ReplayRequest.for_bag("flight.mcap", model="models/trail_cfc19")
    >>> result = evaluate_replay(request)
    >>> print(verdict(result))
    >>> write_replay_files("runs/replay", request, result)
"""

from liquid_control.policy import BACKENDS, Controller
from liquid_control.replay.coverage import MIN_COVERAGE, Coverage, CoverageError
from liquid_control.replay.feature_extractor import FeatureExtractor
from liquid_control.replay.output_files import write_replay_files
from liquid_control.replay.player import Player, replay
from liquid_control.replay.replay_evaluation import evaluate_replay
from liquid_control.replay.request import ReplayRequest
from liquid_control.replay.result import (
    ReplayResult,
    compare_tracks,
    exceeded,
    parse_limits,
    verdict,
)
from liquid_control.replay.tracks import Recorded, RecordingCollector, Replayed, Series, Track

__all__ = [
    "BACKENDS",
    "MIN_COVERAGE",
    "Controller",
    "Coverage",
    "CoverageError",
    "FeatureExtractor",
    "Player",
    "Recorded",
    "RecordingCollector",
    "ReplayRequest",
    "ReplayResult",
    "Replayed",
    "Series",
    "Track",
    "compare_tracks",
    "evaluate_replay",
    "exceeded",
    "parse_limits",
    "replay",
    "verdict",
    "write_replay_files",
]
