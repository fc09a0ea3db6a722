"""Independent check of a certificate: every claim is derived again in exact integers.

It shares no code with the prover: `liquid_control.certification.exact_step` has its arithmetic.
docs/certificates.md states the claims and their theorems.
"""

import hashlib
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from liquid_control.certification.exact_step import (
    COMMANDS,
    ONE,
    ExactCell,
    ExactNeuron,
    ExactStep,
    Matrix,
    Pair,
    apply,
    state_is_below,
    units,
)
from liquid_control.errors import CertificateError

METHODS = {
    "state": "invariant box: intervals, mean value form, branch and bound",
    "sensitivity": "products of derivative bounds, 64 pieces of each gate",
    "memory": "weighted maximum norm of derivative bounds; two trapped boxes refute it",
    "rounding": "float32: gamma_n, tanh within 2^-21; proof rounded outwards",
}

Need = Callable[[bool, str], None]
"""Raises an error with a text unless a condition holds."""


def check_certificate(folder: Path) -> dict[str, Any]:
    """Check every claim of a model's certificate, and return the certificate.

    Raises:
        CertificateError: the certificate is missing, is not of these weights, constants and
            methods, or a claim could not be derived.
    """
    path = folder / "certificate.json"

    def need(holds: bool, what: str) -> None:
        if not holds:
            raise CertificateError(f"{path}: {what}")

    need(path.is_file(), "is missing; make it with liquid-control certify")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        digest = hashlib.sha256((folder / "weights.npz").read_bytes()).hexdigest()
        stated = str(content["weights_sha256"])
        need(
            stated == digest,
            f"is of other weights: expected sha256 {digest[:12]}…, got {stated[:12]}…; make it "
            "again with liquid-control certify",
        )
        need(content["schema"] == 1, f"expected schema 1, got {content['schema']!r}")
        need(content["method"] == METHODS, "expected the methods of this version; make it again")
        cell = ExactCell(folder)
        need(content["constants"] == cell.constants, "its constants are not those of model.yaml")
        _check_claims(cell, content["claims"], need)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        text = f"expected a certificate ({type(error).__name__}: {error})"
        raise CertificateError(f"{path}: {text}") from error
    return dict(content)


def _check_claims(cell: ExactCell, claims: dict[str, Any], need: Need) -> None:
    limits = cell.constants["feature_limits"]
    everything = [(units(-limit), units(limit)) for limit in limits]
    state = _box(claims["state"])
    need(all(low <= 0 <= high for low, high in state), "the state at rest is not in its box")
    _check_invariance(cell, everything, state, need)
    ranges: dict[str, tuple[Fraction, Fraction]] = {}
    for name, ends in zip(COMMANDS, state[-4:], strict=True):
        motor, claim = cell.constants["commands"][name], claims["commands"][name]
        offset, scale = (Fraction(motor[key]) for key in ("offset", "scale"))
        error = (abs(offset) + 2 * scale) / 2**22
        low, high = (offset + scale * Fraction(end, ONE) for end in ends)
        ranges[name] = low - error, high + error
        inside = claim[0] <= low - error and high + error <= claim[1]
        need(inside, f"the bound of command {name} could not be derived")
    if (box := claims.get("box")) is not None:
        _check_box(cell, box, ranges, need)
    for claim in claims["regions"]:
        dt_s = (cell.constants["dt_s"][0], claim["longest_s"])
        step = cell.step(everything, state, dt_s)
        where = f"for elapsed times up to {claim['longest_s']:g} s"
        _check_sensitivity(cell, step, claim, need, where)
        _check_memory(cell, step, state, claim, need, where)
    for claim in claims["points"]:
        radius = Fraction(claim["radius"])
        boxes = [
            [(units(Fraction(v) - radius), units(Fraction(v) + radius, True)) for v in claim[key]]
            for key in ("features", "state")
        ]
        step = cell.step(boxes[0], boxes[1], (claim["dt_s"], claim["dt_s"]))
        _check_sensitivity(cell, step, claim, need, "around a point")
    if (trap := claims["trap"]) is not None:
        _check_trap(cell, trap, limits, need)


def _check_box(
    cell: ExactCell, box: dict[str, Any], ranges: dict[str, tuple[Fraction, Fraction]], need: Need
) -> None:
    """Check the commands c + (g - 1) (c - offset) + b in float64, for all g and b of the box."""
    for name, ends in ranges.items():
        gain, shift = ([*map(Fraction, box["readout"][name][k])] for k in ("gain", "offset"))
        nominal = 0 < gain[0] <= 1 <= gain[1] and shift[0] <= 0 <= shift[1]
        need(nominal, f"the box of command {name} does not hold gain 1 and offset 0")
        o = Fraction(cell.constants["commands"][name]["offset"])
        low, high = box["commands"][name]
        reach = [c + (g - 1) * (c - o) + b for c in ends for g in gain for b in shift]
        error = (1 + abs(o) + max(map(abs, reach))) / 2**40
        inside = low <= min(reach) - error and max(reach) + error <= high
        need(inside, f"the bound of command {name} in the box could not be derived")


def _box(claim: dict[str, list[float]]) -> list[Pair]:
    ends = zip(claim["lower"], claim["upper"], strict=True)
    return [(units(low), units(high, True)) for low, high in ends]


def _check_invariance(cell: ExactCell, before: list[Pair], state: list[Pair], need: Need) -> None:
    t, start = cell.ticks(cell.constants["dt_s"]), 0
    for layer in cell.layers:
        own = state[start : start + len(layer)]
        z = before + own
        for index, (neuron, (low, high)) in enumerate(zip(layer, own, strict=True)):
            used = [j for j in range(len(z)) if any(row[j] for row in neuron.rows)]
            part = ExactNeuron([[row[j] for j in used] for row in neuron.rows], neuron.bias)
            reach, error = [z[j] for j in used], neuron.rounding(z, t[1])
            for sign, limit in ((1, high - error), (-1, -low - error)):
                text = f"the bound of neuron {start + index} could not be derived"
                need(state_is_below(part, reach, t, sign, limit), text)
        before, start = own, start + len(layer)


def _check_sensitivity(
    cell: ExactCell, step: ExactStep, claim: dict[str, Any], need: Need, where: str
) -> None:
    for k, name in enumerate(COMMANDS):
        scale = Fraction(cell.constants["commands"][name]["scale"])
        row, timed = step.by_features[k - 4], step.by_ticks[k - 4]
        found = {
            "feature": scale * max(row),
            "all_features": scale * sum(row),
            "elapsed_per_s": scale * timed / Fraction(cell.constants["time_unit_s"]),
        }
        for key, value in found.items():
            holds = value <= Fraction(claim[key][k]) * ONE
            need(holds, f"{key} of command {name} {where} could not be derived")


def _check_memory(
    cell: ExactCell,
    step: ExactStep,
    state: list[Pair],
    claim: dict[str, Any],
    need: Need,
    where: str,
) -> None:
    start = 0
    for layer, rate in zip(cell.layers, claim["layers"], strict=True):
        rows = step.by_states[start : start + len(layer)]
        own = [row[start : start + len(layer)] for row in rows]
        need(_contracts(own, rate), f"the rate of a layer {where} could not be derived")
        start += len(layer)
    if (memory := claim["memory"]) is None:
        return
    need(memory["rate"] < 1.0, f"the rate {where} is not below 1")
    need(_contracts(step.by_states, memory), f"the rate {where} could not be derived")
    weights = [Fraction(d) for d in memory["weights"]]
    apart = max((high - low) / d for (low, high), d in zip(state, weights, strict=True))
    for k, name in enumerate(COMMANDS):
        scale = Fraction(cell.constants["commands"][name]["scale"])
        reach = scale * weights[k - 4] * apart
        holds = reach <= Fraction(memory["difference"][k]) * ONE
        need(holds, f"the difference of command {name} {where} could not be derived")


def _contracts(bounds: Matrix, claim: dict[str, Any]) -> bool:
    """Return whether B d <= rho d for positive weights d, in exact arithmetic."""
    d, rho = [Fraction(value) for value in claim["weights"]], Fraction(claim["rate"]) * ONE
    rows = zip(bounds, d, strict=True)
    return min(d) > 0 and all(
        sum(b * v for b, v in zip(row, d, strict=True)) <= rho * own for row, own in rows
    )


def _check_trap(cell: ExactCell, trap: dict[str, Any], limits: list[float], need: Need) -> None:
    x = [(units(v), units(v, True)) for v in trap["features"]]
    inside = all(abs(v) <= limit for v, limit in zip(trap["features"], limits, strict=True))
    low, high = cell.constants["dt_s"]
    need(inside and low <= trap["dt_s"] <= high, "the trap is outside of the inputs")
    dt_s, boxes = (trap["dt_s"], trap["dt_s"]), [_box(one) for one in trap["boxes"]]
    for box in boxes:
        centre = [(low + high) >> 1 for low, high in box]
        at_centre = cell.step(x, [(c, c) for c in centre], dt_s)
        step = cell.step(x, box, dt_s)
        radius = [min(high - c, c - low) for (low, high), c in zip(box, centre, strict=True)]
        widest = [max(high - c, c - low) for (low, high), c in zip(box, centre, strict=True)]
        moved = [
            max(abs(low - c), abs(high - c)) + e
            for (low, high), c, e in zip(at_centre.states, centre, step.errors, strict=True)
        ]
        spread = apply(step.by_states, widest)
        held = all(m + s <= r for m, s, r in zip(moved, spread, radius, strict=True))
        need(held, "a box of the trap does not hold its states")
    pairs = zip(boxes[0], boxes[1], strict=True)
    need(any(a[1] < b[0] or b[1] < a[0] for a, b in pairs), "the boxes of the trap overlap")
    gaps = [
        max(0, a[0] - b[1], b[0] - a[1]) for a, b in zip(boxes[0][-4:], boxes[1][-4:], strict=True)
    ]
    for name, gap, claim in zip(COMMANDS, gaps, trap["difference"], strict=True):
        scale = Fraction(cell.constants["commands"][name]["scale"])
        need(claim * ONE <= scale * gap, f"the difference of {name} in the trap is not derived")
