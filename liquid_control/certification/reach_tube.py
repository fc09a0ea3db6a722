"""Reach tubes of the reduced closed loop, and corridors that it never leaves.

A tube is a sequence of sets: set k holds every state of vehicle and core after k frames, for all
times between frames, curvatures, disturbances and perception errors of the model, from every state
of the initial set. By induction it holds as `SetStep` encloses the image of each set.

A parallelotope P = {c + T s, |s_i| <= 1} is a corridor of K frames if set K of the tube from P
lies within P: by induction no other sets than 0 to K - 1 are then visited (a survey of such sets
is Blanchini 1999, Set invariance in control, doi 10.1016/S0005-1098(99)00113-2).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import schur

from liquid_control.certification.affine_forms import Form
from liquid_control.certification.cell import CertifiedCell
from liquid_control.certification.intervals import Interval
from liquid_control.certification.reduced_model import SIZE, ReducedModel, SetStep, step
from liquid_control.certification.shaped_set import ShapedSet
from liquid_control.types import Floats

_DIFFERENCE = 1e-6
_RESPONSES = 400
SYMBOLS = 3000
"""Largest number of symbols of a set."""
RETURNED = 0.995
"""Largest coordinate of a set that returned: the checker's own enclosure may be a little wider."""
_SLOW = 0.9
"""Modes of the loop whose eigenvalue exceeds it come first in the coordinates of a corridor."""
_AHEAD = 1.04
"""Widths exceed those of the last set by it: a wider corridor has a wider last set."""
_LEAST_WIDTH = 1e-7
_LOST_M = 10.0
"""A tube whose offset is so uncertain does not return."""


@dataclass(frozen=True, slots=True, eq=False)
class Tube:
    """Bounds of the states after each number of frames.

    Attributes:
        lower: [K + 1, 11 + N]; `upper`: likewise.
        upper: see `lower`.
        last: the last set.
    """

    lower: Floats
    upper: Floats
    last: Form

    def holds(self, states: Floats) -> bool:
        """Return whether the states after 0 to K frames, [K + 1, 11 + N], lie in the tube."""
        return bool(np.all(states >= self.lower) and np.all(states <= self.upper))


def reach_tube(
    model: ReducedModel,
    cell: CertifiedCell,
    start: Form,
    frames: int,
    symbols: int = SYMBOLS,
    on_frame: Callable[[str], None] = lambda _: None,
) -> Tube:
    """Return the tube from a set.

    Args:
        model: dynamics and sets.
        cell: the core.
        start: initial set, B parts.
        frames: number of steps.
        symbols: largest number of symbols of a set.
        on_frame: receives the number of each frame.
    """
    form, take = start, SetStep(model, cell)
    ends = [_hull(form)]
    for number in range(frames):
        on_frame(f"frame {number + 1}")
        form = take(form).reduced(symbols)
        ends.append(_hull(form))
    lower, upper = (np.stack(end) for end in zip(*ends, strict=True))
    return Tube(lower, upper, form)


def _hull(form: Form) -> Interval:
    ends = form.interval
    return Interval(ends.lower.min(axis=0), ends.upper.max(axis=0))


def excess(form: Form, goal: ShapedSet) -> Floats:
    """Return the largest |s_i| of a set in the coordinates of a parallelotope, [M].

    The set lies within the parallelotope if all are at most 1. The inverse of T is computed in
    float64; its defect bounds the error of the coordinates by a Neumann series (Horn, Johnson
    2013, corollary 5.6.16).
    """
    inverse = np.asarray(np.linalg.inv(goal.map), np.float64)
    moved = form.shifted(-goal.centre).mapped(inverse)
    ends = moved.interval
    reach = np.maximum(np.abs(ends.lower), np.abs(ends.upper)).max(axis=0)
    # s = (I - R)^-1 (inverse @ x) with R = I - inverse @ T, so |s| <= reach + |R| |s|.
    defect = np.abs(np.eye(len(reach)) - inverse @ goal.map)
    defect = defect + 2.0**-44 * (np.abs(inverse) @ np.abs(goal.map))
    share = float(defect.sum(axis=1).max())
    if share >= 0.5:
        return np.full(len(reach), np.inf)
    return np.asarray(reach + 2.0 * share * reach.max())


@dataclass(frozen=True, slots=True, eq=False)
class InvariantSet:
    """A set that the closed loop maps into itself within K frames, and the tube between.

    Attributes:
        start: the set, a parallelotope.
        tube: from it.
        excess: largest coordinate of its last set; at most 1.
    """

    start: ShapedSet
    tube: Tube
    excess: float


def loop_derivative(
    model: ReducedModel, cell: CertifiedCell, state: Floats, dt_s: float
) -> tuple[Floats, Floats]:
    """Return derivatives of a step by the state, [S, S], and by its inputs, [S, 1 + 2 + 3].

    Inputs are the curvature in units of its bound, and the symbols of the disturbances and of the
    perception errors. The differences of float64 shape sets and searches; they prove nothing.
    """
    sizes = [1, model.disturbance.map.shape[1], model.perception.map.shape[1]]
    count = sum(sizes)
    size = len(state)
    change = _DIFFERENCE * np.eye(size + count)
    sides = []
    for sign in (1.0, -1.0):
        curvature, d, e = np.split(sign * change[:, size:], np.cumsum(sizes)[:-1], axis=1)
        draws = (
            curvature[:, 0] * model.curvature,
            model.disturbance.centre + d @ model.disturbance.map.T,
            model.perception.centre + e @ model.perception.map.T,
        )
        elapsed = np.full(len(change), dt_s)
        sides.append(step(model, cell, state + sign * change[:, :size], elapsed, draws))
    found = (sides[0] - sides[1]).T / (2.0 * _DIFFERENCE)
    return found[:, :size], found[:, size:]


def find_corridor(
    model: ReducedModel,
    cell: CertifiedCell,
    state: Floats,
    frames: int,
    rounds: int = 12,
    on_round: Callable[[str], None] = lambda _: None,
) -> InvariantSet | None:
    """Search a corridor around an equilibrium; None if none is found.

    The parallelotope is a box in the coordinates of an ordered real Schur form of the loop's
    derivative (Golub, Van Loan 2013, Matrix Computations, section 7.4.1). They are orthonormal,
    and those of fast modes do not depend on slow ones. Its widths begin as those of the
    linearised loop and follow the last set of each tube, until a tube returns.

    Args:
        model: dynamics and sets.
        cell: the core.
        state: equilibrium of vehicle and core.
        frames: K.
        rounds: number of tubes tried.
        on_round: receives the largest coordinate of each.
    """
    matrix, inputs = loop_derivative(model, cell, state, float(np.mean(model.dt_s)))
    turned, basis, _ = schur(matrix, output="real", sort=_is_slow)
    widths, power = np.zeros(len(state)), basis.T @ inputs
    for _ in range(_RESPONSES):
        widths, power = widths + np.abs(power).sum(axis=1), turned @ power
    widths = np.maximum(widths, _LEAST_WIDTH)
    for _ in range(rounds):
        start = ShapedSet(state, basis * widths, len(state))
        tube = reach_tube(model, cell, start.form(), frames)
        found = excess(tube.last, start)
        on_round(f"{found.max():.3f}")
        if found.max() <= RETURNED:
            return InvariantSet(start, tube, float(found.max()))
        if not np.isfinite(found).all() or tube.upper[-1, 0] - tube.lower[-1, 0] > _LOST_M:
            return None
        widths = widths * np.maximum(found * _AHEAD, 0.9)
    return None


def _is_slow(real: float, imaginary: float) -> bool:
    return bool(np.hypot(real, imaginary) > _SLOW)


def equilibrium(model: ReducedModel, cell: CertifiedCell, dt_s: float) -> Floats:
    """Return the state to which the model settles at the centres of its sets."""
    states = np.zeros((1, SIZE + cell.neurons))
    middle = np.zeros(1), model.disturbance.centre[None], model.perception.centre[None]
    for _ in range(1200):
        states = step(model, cell, states, np.full(1, dt_s), middle)
    return np.asarray(states[0])
