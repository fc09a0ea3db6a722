"""A reduced model of trail_cfc19 for tests, and flights of it: constants by hand, no simulator."""

import numpy as np

from liquid_control.certification import CertifiedCell
from liquid_control.certification.flight_rows import FlightRows
from liquid_control.certification.model_fit import lagged_commands
from liquid_control.certification.reduced_model import ReducedModel, commands, features, step
from liquid_control.certification.shaped_set import ShapedSet


def model_by_hand(cell: CertifiedCell, size: float = 1.0) -> ReducedModel:
    """Return a reduced model with small errors, times `size`."""
    rng = np.random.default_rng(7)
    count = len(cell.limits)
    gain = rng.normal(0.0, 0.1, (count, 15))
    gain[:, 2:] = 0.0
    return ReducedModel(
        dt_s=(0.05, 0.1),
        lags_s=np.array([0.15, 0.15, 0.05, 0.15, 0.15, 0.05, 0.25, 0.12, 0.07]),
        disturbance=ShapedSet(np.zeros(2), size * np.diag([0.02, 0.02]), 2),
        curvature=0.02 * size,
        offset=rng.uniform(-0.3, 0.3, count),
        gain=gain,
        perception=ShapedSet(np.zeros(3), size * np.diag([0.05, 0.05, 0.1]), 3),
    )


def flights_by_hand(cell: CertifiedCell, seed: int, frames: int = 700) -> FlightRows:
    """Return a flight of the model by hand at 20 Hz, with small errors.

    The commands answered are those of the core and a perception error. Those given swing around
    the trail.
    """
    model, rng = model_by_hand(cell), np.random.default_rng(seed)
    states, rows, dt_s = np.zeros((1, 11 + cell.neurons)), [], np.full(1, 0.05)
    phases = rng.uniform(0.0, 6.0, 3)
    given = np.zeros((1, 3))
    for frame in range(frames):
        curvature = np.full(1, model.curvature * np.sin(0.05 * frame))
        if frame:
            d = rng.uniform(-1.0, 1.0, (1, 2)) * np.diag(model.disturbance.map)
            # The step's own commands are replaced by those given, pushes included.
            error = given - commands(cell, states[:, 11:])
            states = step(model, cell, states, dt_s, (curvature, d, error))
        seen = features(model, states[:, :11], given, curvature)
        own = commands(cell, states[:, 11:])
        own = own + rng.uniform(-1.0, 1.0, (1, 3)) * np.diag(model.perception.map)
        swing = np.array([0.4, 0.3, 0.3]) * np.sin(np.array([0.11, 0.23, 0.31]) * frame + phases)
        offset, heading = states[0, :2]
        given = np.array([[2.0, -0.5 * offset, -heading]]) + swing
        pair = [np.insert(row[0], 2, 0.0) for row in (own, given)]
        rows.append((states[0, :2], seen[0], states[0, 11:], *pair, curvature[0]))
    place, seen, core, own, given, curvature = (np.array(part) for part in zip(*rows, strict=True))
    none, vehicle = np.zeros(frames), np.zeros((frames, 5))
    times = np.full(frames, 0.05)
    flight = FlightRows(none, times, vehicle, seen, core, own, given, curvature, none)
    vehicle[:, :2] = place
    vehicle[:, 2:] = lagged_commands(flight, model.lags_s[:, None])[:, 6:9, 0]
    return flight
