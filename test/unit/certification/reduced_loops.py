"""A reduced model of trail_cfc19 for tests, and flights of it: constants by hand, no simulator."""

import numpy as np

from liquid_control.certification import CertifiedCell
from liquid_control.certification.flight_rows import FlightRows
from liquid_control.certification.reduced_model import ReducedModel, advance, features, step


def model_by_hand(cell: CertifiedCell, size: float = 1.0) -> ReducedModel:
    """Return a reduced model with small errors, times `size`."""
    rng = np.random.default_rng(7)
    count = len(cell.limits)
    gain = rng.normal(0.0, 0.1, (count, 15))
    gain[:, 2:8] = 0.0
    return ReducedModel(
        dt_s=(0.05, 0.1),
        lags_s=np.array([0.15, 0.15, 0.05, 0.15, 0.15, 0.05, 0.25, 0.12, 0.07]),
        disturbance=size * np.array([0.3, 0.3, 0.2, 0.02, 0.02]),
        curvature=0.02 * size,
        offset=rng.uniform(-0.3, 0.3, count),
        gain=gain,
        moved=np.full((3, cell.layers[0].size), 0.1 * size),
    )


def flights_by_hand(cell: CertifiedCell, seed: int, frames: int = 700) -> FlightRows:
    """Return a flight of the model by hand at 20 Hz, with swinging commands and small errors."""
    model, rng = model_by_hand(cell), np.random.default_rng(seed)
    states, rows, dt_s = np.zeros((1, 11 + cell.neurons)), [], np.full(1, 0.05)
    phases = rng.uniform(0.0, 6.0, 6)
    given = np.zeros((1, 3))
    for frame in range(frames):
        d = rng.uniform(-1.0, 1.0, (1, 5)) * model.disturbance
        curvature = np.full(1, model.curvature * np.sin(0.05 * frame))
        x = advance(model, states[:, :11], given, dt_s, curvature, d)
        seen = features(model, x, given, curvature) + rng.normal(0.0, 0.005, cell.limits.shape)
        shifts = np.zeros((1, *model.moved.shape))
        states = step(model, cell, states, dt_s, (curvature, d, shifts))
        states[:, :11] = x
        row = np.zeros(4)
        swing = np.sin(np.array([0.11, 0.23, 0.31]) * frame + phases[:3])
        row[[0, 1, 3]] = np.array([2.0, 0.0, 0.0]) + np.array([0.4, 0.3, 0.3]) * swing
        rows.append((x[0, [0, 1, 8, 9, 10]], seen[0], states[0, 11:], row, curvature[0]))
        given = row[[0, 1, 3]][None]
    vehicle, seen, core, commands, curvature = (np.array(part) for part in zip(*rows, strict=True))
    none = np.zeros(frames)
    return FlightRows(
        none, np.full(frames, 0.05), vehicle, seen, core, commands, commands, curvature, none
    )
