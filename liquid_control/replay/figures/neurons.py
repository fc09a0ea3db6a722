"""What the neurons did over a replay, and where they left what was recorded."""

import numpy as np

from liquid_control.pages.heat import Heat, neurons_over_time
from liquid_control.pages.panels import Timeline
from liquid_control.replay.backends import BACKENDS
from liquid_control.replay.comparison import pair
from liquid_control.replay.judgement import Judgement
from liquid_control.types import Floats

RECORDED = "recorded"
"""What a recorded track is called."""


def neuron_figure(judgement: Judgement) -> Timeline | None:
    """Return states and gates as heat maps, and a third one where states differ."""
    track = judgement.replayed.track
    if not len(track.states):
        return None
    states = track.states.values.astype(np.float64)
    gates = track.gates.values.astype(np.float64)
    heats = [
        Heat.of_states("state", states),
        Heat.of_gates("time gate: 0 where a neuron stays, 1 where it has settled", gates),
    ]
    difference = _difference(judgement)
    if difference is not None and np.any(difference):
        heats.append(Heat.of_states("state, replayed less the other", difference))
    seconds = judgement.seconds(track.states.stamp_ns)
    order = np.argsort(seconds, kind="stable")
    heats = [Heat(h.title, h.values[order], h.colours, h.limits) for h in heats]
    label = "The neurons over time"
    return neurons_over_time(seconds[order], track.neuron_names, heats, label)


def _difference(judgement: Judgement) -> Floats | None:
    """Return how the states differ, float64 [F, N], zero where the other has none.

    None where they are another model's: neurons of two trainings have nothing but names in common.
    """
    ours, other = judgement.replayed.track.states, judgement.other
    if other is None or other.label not in (RECORDED, *BACKENDS):
        return None
    theirs = other.states
    if not len(theirs) or theirs.values.shape[1] != ours.values.shape[1]:
        return None
    pairing = pair(ours.stamp_ns, theirs.stamp_ns)
    difference = np.zeros(ours.values.shape)
    difference[pairing.ours] = ours.values[pairing.ours] - theirs.values[pairing.theirs]
    return difference
