"""Reduced model of trail following: vehicle, features and wired CfC as one step of 30 numbers.

The vehicle's state x is offset y and heading error psi to the trail, and what the commands alone
would make of forward and left velocity in the heading frame and of the rate of the heading,
v = (vf, vl, r), with two filtered commands w and p before each. The commands are those of the
core's state h and a perception error,

    u = offset + scale h + e

Between two frames that are t apart they are constant, and with a(T) = 1 - exp(-t / T), element by
element,

    w' = w + a(T1) (u - w)
    p' = p + a(T2) ((w + w') / 2 - p)
    v' = v + a(T3) ((p + p') / 2 - v)
    psi' = psi + t ((r + r') / 2 - k vf + d)
    y' = y + t (vf (psi + psi') / 2 + (vl + vl') / 2 + d)

k is the trail's curvature, |k| <= K, and the disturbances d of both equations any of a set: what
wind, the guard, altitude, the autopilot and errors of the lags make the vehicle move besides. At
the frame the core steps with the same t and the features

    f' = f0 + G (x', u, k)

The perception error e, any of a set, is what a flight's commands differ by from those of the same
core that receives these features: it has the errors of all features at once, and what they leave
in the core's state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from liquid_control.certification.affine_forms import Form, joined
from liquid_control.certification.cell import CertifiedCell, mixed
from liquid_control.certification.gate_plane import neuron
from liquid_control.certification.intervals import Interval, outward, tanh
from liquid_control.certification.shaped_set import ShapedSet
from liquid_control.types import Floats

AXES = ("forward", "left", "yaw_rate")
VEHICLE = (
    "offset",
    "heading",
    *(f"filtered_{name}" for name in AXES),
    *(f"smoothed_{name}" for name in AXES),
    *AXES,
)
"""Names of the vehicle's states: m, rad, m/s and rad/s."""
DISTURBED = ("heading", "offset")
"""States with a disturbance, in the order of its bounds."""
LAGS = VEHICLE[2:]
MOTORS_USED = (0, 1, 3)
"""Commands of the core that the vehicle obeys here: forward, left, yaw rate."""
SIZE = len(VEHICLE)


@dataclass(frozen=True, slots=True, eq=False)
class ReducedModel:
    """Constants of the reduced model.

    Attributes:
        dt_s: smallest and largest time between frames, s.
        lags_s: time constants in the order of `LAGS`, s, [9].
        disturbance: set of d in the order of `DISTURBED`, rad/s and m/s.
        curvature: bound of the trail's curvature, 1/m.
        offset: f0, [F].
        gain: G, [F, 15], columns x', u and k.
        perception: set of e, forward, left (m/s) and yaw rate (rad/s).
    """

    dt_s: tuple[float, float]
    lags_s: Floats
    disturbance: ShapedSet
    curvature: float
    offset: Floats
    gain: Floats
    perception: ShapedSet

    def scaled(self, perception: float, disturbance: float = 1.0) -> "ReducedModel":
        """Return the model with its sets of errors and disturbances scaled."""
        return replace(
            self,
            perception=self.perception.scaled(perception),
            disturbance=self.disturbance.scaled(disturbance),
            curvature=self.curvature * disturbance,
        )

    def document(self) -> dict[str, Any]:
        """Return the constants, ready for JSON."""
        return {
            "dt_s": list(self.dt_s),
            "lags_s": dict(zip(LAGS, self.lags_s.tolist(), strict=True)),
            "disturbance": {"states": list(DISTURBED), **self.disturbance.document()},
            "curvature_per_m": self.curvature,
            "features": {"offset": self.offset.tolist(), "gain": self.gain.tolist()},
            "perception_error": {"commands": list(AXES), **self.perception.document()},
        }

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "ReducedModel":
        """Return the model of a document that `document` made."""
        low, high = content["dt_s"]
        return cls(
            (float(low), float(high)),
            np.array([content["lags_s"][name] for name in LAGS]),
            ShapedSet.of(content["disturbance"]),
            float(content["curvature_per_m"]),
            np.array(content["features"]["offset"]),
            np.array(content["features"]["gain"]),
            ShapedSet.of(content["perception_error"]),
        )


def commands(cell: CertifiedCell, state: Floats) -> Floats:
    """Return the commands forward, left and yaw rate of states [B, N], [B, 3]."""
    motors = state[:, cell.layers[-1].own][:, list(MOTORS_USED)]
    used = list(MOTORS_USED)
    return np.asarray(motors * cell.scales[used] + cell.offsets[used])


def advance(
    model: ReducedModel, x: Floats, u: Floats, dt_s: Floats, curvature: Floats, d: Floats
) -> Floats:
    """Return the vehicle's states after a step, [B, 11].

    Args:
        model: the constants.
        x: [B, 11].
        u: commands, [B, 3].
        dt_s: [B].
        curvature: [B].
        d: disturbances in the order of `DISTURBED`, [B, 2].
    """
    a = 1.0 - np.exp(-dt_s[:, None] / model.lags_s)
    w, p, v = x[:, 2:5], x[:, 5:8], x[:, 8:11]
    w1 = w + a[:, 0:3] * (u - w)
    p1 = p + a[:, 3:6] * (0.5 * (w + w1) - p)
    v1 = v + a[:, 6:9] * (0.5 * (p + p1) - v)
    mean = 0.5 * (v + v1)
    psi1 = x[:, 1] + dt_s * (mean[:, 2] - curvature * v[:, 0] + d[:, 0])
    y1 = x[:, 0] + dt_s * (v[:, 0] * 0.5 * (x[:, 1] + psi1) + mean[:, 1] + d[:, 1])
    return np.concatenate([y1[:, None], psi1[:, None], w1, p1, v1], axis=1)


def features(model: ReducedModel, x: Floats, u: Floats, curvature: Floats) -> Floats:
    """Return the features of a frame without a perception error, [B, F]."""
    known = np.concatenate([x, u, curvature[:, None]], axis=1)
    return np.asarray(model.offset + known @ model.gain.T)


@dataclass(frozen=True, slots=True, eq=False)
class SetStep:
    """One step of a set of closed-loop states as affine forms."""

    model: ReducedModel
    cell: CertifiedCell

    def __call__(self, before: Form) -> Form:
        """Return the states after a step.

        Args:
            before: rows x then h, [B, 11 + N].
        """
        model, first = self.model, before.symbols.shape[2]
        sets = model.disturbance, model.perception
        form = before.with_blocks([1, 1, *sets[0].blocks, *sets[1].blocks])
        low, high = model.dt_s
        middle = 0.5 * (low + high)
        # The half width has a margin for the rounding of the middle.
        elapsed = _symbol(form, first, middle, (high - middle) * (1.0 + 1e-12) + 1e-15)
        curvature = _symbol(form, first + 1, 0.0, model.curvature)
        d = sets[0].placed(form, first + 2)
        e = sets[1].placed(form, first + 2 + sets[0].map.shape[1])
        x, h = form.rows(slice(0, SIZE)), form.rows(slice(SIZE, None))
        u = self._commands(h) + e
        x = self._advance(x, u, elapsed, curvature, d).settled()
        h, u, elapsed, curvature = (
            form.with_blocks([1] * SIZE) for form in (h, u, elapsed, curvature)
        )
        known = joined(x, u, curvature)
        seen = known.mapped(model.gain).shifted(model.offset)
        return self._core(x, seen, h, elapsed)

    def _commands(self, h: Form) -> Form:
        used, own = list(MOTORS_USED), self.cell.layers[-1].own
        motors = h.rows([own.start + index for index in used])
        return motors.scaled(self.cell.scales[used]).shifted(self.cell.offsets[used])

    def _advance(self, x: Form, u: Form, elapsed: Form, curvature: Form, d: Form) -> Form:
        y, psi = x.rows([0]), x.rows([1])
        w, p, v = (x.rows(slice(start, start + 3)) for start in (2, 5, 8))
        share = joined(*(self._lag(elapsed, float(lag)) for lag in self.model.lags_s))
        w1 = _towards(w, u, share.rows(slice(0, 3)))
        p1 = _towards(p, (w + w1).scaled(0.5), share.rows(slice(3, 6)))
        v1 = _towards(v, (p + p1).scaled(0.5), share.rows(slice(6, 9)))
        mean, forward = (v + v1).scaled(0.5), v.rows([0])
        psi1 = psi + elapsed.times(mean.rows([2]) - curvature.times(forward) + d.rows([0]))
        drift = forward.times((psi + psi1).scaled(0.5)) + mean.rows([1]) + d.rows([1])
        return joined(y + elapsed.times(drift), psi1, w1, p1, v1)

    def _lag(self, elapsed: Form, lag_s: float) -> Form:
        """Return 1 - exp(-t / T): concave in t, so its chord is the lower bound on the range."""
        low, high = self.model.dt_s
        ends = -np.expm1(-low / lag_s), -np.expm1(-high / lag_s)
        slope = (ends[1] - ends[0]) / (high - low) if high > low else 0.0
        top = min(max(-lag_s * np.log(max(lag_s * slope, 1e-300)), low), high)
        above = -np.expm1(-top / lag_s) - (ends[0] + slope * (top - low)) if high > low else 0.0
        line = elapsed.scaled(slope).shifted(ends[0] - slope * low + 0.5 * above)
        return Form(line.centre, line.symbols, line.error + 0.5 * above + 1e-12, line.starts)

    def _core(self, x: Form, seen: Form, h: Form, elapsed: Form) -> Form:
        """Return the vehicle's and the core's states after the core's step."""
        ticks = elapsed.scaled(1.0 / self.cell.time_unit_s)
        bounds, before, known = self.cell.ticks(self.model.dt_s), seen, x
        for layer in self.cell.layers:
            inputs = joined(before, h.rows(layer.own))
            weight = layer.weight.reshape(-1, layer.weight.shape[2])
            maps = inputs.mapped(weight).shifted(layer.bias.ravel())
            size, ends = layer.size, inputs.interval
            a, c, ta, tb = (maps.rows(slice(k * size, (k + 1) * size)) for k in range(4))
            v = (ta.times(_repeated(ticks, size)) + tb).scaled(0.5)
            ranges = [form.interval for form in (a, c, v)]
            opened = outward(*(0.5 * (1.0 + end) for end in tanh(ranges[2])))
            state = mixed(tanh(ranges[0]), tanh(ranges[1]), opened)
            after = neuron(a, c, v).within(state)
            hull = Interval(ends.lower.min(axis=0), ends.upper.max(axis=0))
            error = layer.rounding(hull, float(bounds.upper[0, 0]))
            before = after.widened(error).settled()
            h, ticks, known = (form.with_blocks([1] * size) for form in (h, ticks, known))
            known = joined(known, before)
        return known


def _symbol(form: Form, index: int, centre: float, radius: float) -> Form:
    """Return a row that is a centre and a symbol times a radius."""
    batch, _, count = form.symbols.shape
    symbols = np.zeros((batch, 1, count))
    symbols[:, 0, index] = radius
    return Form(np.full((batch, 1), centre), symbols, np.zeros((batch, 1)), form.starts)


def _towards(before: Form, goal: Form, share: Form) -> Form:
    """Return before + share (goal - before), also bounded as a mean of both, share in [0, 1]."""
    start, end, part = before.interval, goal.interval, share.interval
    lows = [(1.0 - a) * start.lower + a * end.lower for a in part]
    highs = [(1.0 - a) * start.upper + a * end.upper for a in part]
    mean = outward(np.minimum(*lows), np.maximum(*highs))
    return (before + share.times(goal - before)).within(mean)


def _repeated(form: Form, count: int) -> Form:
    return form.rows([0] * count)


def core_step(cell: CertifiedCell, seen: Floats, h: Floats, dt_s: Floats) -> Floats:
    """Return the core's states after a step in float64, [B, N].

    Args:
        cell: the core.
        seen: features, [B, F].
        h: states, [B, N].
        dt_s: [B].
    """
    before, parts, ticks = seen, [], (dt_s / cell.time_unit_s)[:, None]
    for layer in cell.layers:
        inputs = np.concatenate([before, h[:, layer.own]], axis=1)
        maps = inputs @ layer.weight.reshape(-1, layer.weight.shape[2]).T + layer.bias.ravel()
        a, c, ta, tb = np.split(maps, 4, axis=1)
        gate = 0.5 * (1.0 + np.tanh(0.5 * (ta * ticks + tb)))
        before = np.tanh(a) * (1.0 - gate) + np.tanh(c) * gate
        parts.append(before)
    return np.concatenate(parts, axis=1)


def step(
    model: ReducedModel,
    cell: CertifiedCell,
    states: Floats,
    dt_s: Floats,
    draws: tuple[Floats, Floats, Floats],
) -> Floats:
    """Return the states after a step in float64, [B, 11 + N].

    Args:
        model: the constants.
        cell: the core.
        states: x then h, [B, 11 + N].
        dt_s: [B].
        draws: curvature [B], disturbances [B, 2], and perception errors [B, 3].
    """
    curvature, d, e = draws
    x, h = states[:, :SIZE], states[:, SIZE:]
    u = commands(cell, h) + e
    x = advance(model, x, u, dt_s, curvature, d)
    seen = features(model, x, u, curvature)
    return np.concatenate([x, core_step(cell, seen, h, dt_s)], axis=1)
