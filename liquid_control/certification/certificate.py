"""Certificates of models: the claims of the prover, as a JSON file beside the weights."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control import __version__
from liquid_control.certification.cell import CertifiedCell, Region, feature_names
from liquid_control.certification.checker import METHODS
from liquid_control.certification.fading_memory import (
    Contraction,
    Trap,
    find_trap,
    layer_contractions,
    memory_weights,
    region_of,
)
from liquid_control.certification.intervals import Interval
from liquid_control.certification.search import Found, search
from liquid_control.certification.sensitivity import Sensitivity, local_region, sensitivity
from liquid_control.certification.state_bounds import Effort, commands_of, invariant_box
from liquid_control.command.motors import MOTORS
from liquid_control.files import atomic_write
from liquid_control.policy import CERTIFICATE, Model, ReadoutBox
from liquid_control.types import Floats

LONGEST_S = (0.02, 0.05, 0.1, 0.2, 1.0)
"""Largest elapsed times of the regions with bounds of their own, s."""
LOCAL_RADIUS = 0.02
TRAP_DT_S = 0.02
MEMORY_S = 1.0
"""Time after which the difference of two pasts is made small, s."""


@dataclass(frozen=True, slots=True)
class Proof:
    """How hard the prover works.

    Attributes:
        effort: of branch and bound.
        longest_s: largest elapsed times of the regions, s.
        seed: of the searches.
        rounds: of gradient ascent.
        box: of gains and offsets of the read-out that the commands are bounded for; None for none.
    """

    effort: Effort = field(default_factory=Effort)
    longest_s: tuple[float, ...] = LONGEST_S
    seed: int = 0
    rounds: int = 120
    box: ReadoutBox | None = None


def certify(
    model: Model, proof: Proof | None = None, on_step: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Prove the claims about a model, and search inputs that come close to them.

    Args:
        model: with a wired CfC.
        proof: how hard to work.
        on_step: receives the name of each part when it begins.

    Returns:
        The certificate, ready for JSON.

    Raises:
        CertificateError: the core cannot be certified, or the solver does not converge.
        DependencyError: SciPy is not installed.
    """
    proof = proof or Proof()
    cell = CertifiedCell.of(model)
    on_step("command bounds")
    state = invariant_box(cell, proof.effort)
    regions, found_regions = [], []
    for longest_s in proof.longest_s:
        on_step(f"sensitivity and memory up to {longest_s:g} s")
        region = region_of(cell, state, longest_s)
        regions.append(_region_claim(cell, region, longest_s))
        found = search(cell, proof.seed, (cell.dt_s[0], longest_s), rounds=proof.rounds)
        found_regions.append(_found_region(longest_s, found))
    on_step("inputs that keep two pasts apart")
    forgets = any(claim["memory"] is not None for claim in regions)
    trap = None if forgets else find_trap(cell, TRAP_DT_S, proof.seed)
    bounds = _widened(commands_of(cell, state))
    return {
        "schema": 1,
        "model": model.name,
        "version": __version__,
        "weights_sha256": model.settings.sha256["weights.npz"],
        "method": METHODS,
        "constants": {
            "time_unit_s": cell.time_unit_s,
            "dt_s": list(cell.dt_s),
            "feature_limits": cell.limits.tolist(),
            "commands": model.settings.motors.model_dump(),
        },
        "claims": {
            "state": _ends(state),
            "commands": _by_command(*bounds),
            "box": None if proof.box is None else _box_claim(cell, proof.box, bounds),
            "regions": regions,
            "points": [_point_claim(cell, model.settings.nominal_dt_s)],
            "trap": None if trap is None else _trap_claim(cell, trap),
        },
        "found": {
            "commands": _by_command(found.lowest, found.highest),
            "regions": found_regions,
        },
        "features": feature_names(model),
    }


def write_certificate(folder: Path, content: Mapping[str, Any]) -> Path:
    """Write a certificate into a model folder and return its path.

    Raises:
        OutputError: it cannot be written.
    """
    path = folder / CERTIFICATE
    atomic_write(path, (json.dumps(content, indent=1) + "\n").encode())
    return path


def _by_command(lower: Floats, upper: Floats) -> dict[str, list[float]]:
    ends = zip(MOTORS, lower, upper, strict=True)
    return {name: [float(low), float(high)] for name, low, high in ends}


def _box_claim(cell: CertifiedCell, box: ReadoutBox, bounds: Interval) -> dict[str, Any]:
    ranges = box.commands(bounds.lower, bounds.upper, cell.offsets)
    return {"readout": box.to_claim(), "commands": _by_command(*ranges)}


def _above(values: Floats) -> Floats:
    """Return bounds with a margin for the rounding of the last operations."""
    return np.asarray(values, np.float64) * (1.0 + 1e-9) + 1e-12


def _widened(values: Interval) -> Interval:
    margin = 1e-9 * (1.0 + values.magnitude)
    return Interval(values.lower - margin, values.upper + margin)


def _ends(box: Interval) -> dict[str, list[float]]:
    return {"lower": box.lower.tolist(), "upper": box.upper.tolist()}


def _sensitivity_claim(found: Sensitivity) -> dict[str, list[float]]:
    return {
        "feature": _above(found.features.max(axis=1)).tolist(),
        "all_features": _above(found.features.sum(axis=1)).tolist(),
        "elapsed_per_s": _above(found.elapsed).tolist(),
    }


def _region_claim(cell: CertifiedCell, region: Region, longest_s: float) -> dict[str, Any]:
    found = sensitivity(cell, region)
    layers = layer_contractions(cell, found.states)
    widths = region.state.upper - region.state.lower
    rate = max(layer.rate for layer in layers)
    memory = memory_weights(found.states, widths, cell.scales, rate, MEMORY_S / longest_s)
    return {
        "longest_s": longest_s,
        **_sensitivity_claim(found),
        "layers": [_contraction_claim(layer) for layer in layers],
        "memory": None if memory is None else _memory_claim(cell, memory, widths),
    }


def _contraction_claim(found: Contraction) -> dict[str, Any]:
    return {"rate": float(_above(np.array(found.rate))), "weights": found.weights.tolist()}


def _memory_claim(cell: CertifiedCell, found: Contraction, widths: Floats) -> dict[str, Any]:
    own = cell.layers[-1].own
    reach = cell.scales * found.weights[own] * (widths / found.weights).max()
    return {**_contraction_claim(found), "difference": _above(reach).tolist()}


def _point_claim(cell: CertifiedCell, dt_s: float) -> dict[str, Any]:
    """Return bounds around the state at rest with features of zero."""
    features, state = np.zeros(len(cell.limits)), np.zeros(cell.neurons)
    region = local_region(cell, features, state, dt_s, LOCAL_RADIUS)
    return {
        "features": features.tolist(),
        "state": state.tolist(),
        "dt_s": dt_s,
        "radius": LOCAL_RADIUS,
        **_sensitivity_claim(sensitivity(cell, region)),
    }


def _trap_claim(cell: CertifiedCell, trap: Trap) -> dict[str, Any]:
    own = cell.layers[-1].own
    one, other = (Interval(box.lower[own], box.upper[own]) for box in trap.boxes)
    gap = np.maximum(one.lower - other.upper, other.lower - one.upper)
    difference = np.maximum(cell.scales * gap * (1.0 - 1e-9) - 1e-12, 0.0)
    return {
        "features": trap.features.tolist(),
        "dt_s": trap.dt_s,
        "boxes": [_ends(box) for box in trap.boxes],
        "difference": difference.tolist(),
    }


def _found_region(longest_s: float, found: Found) -> dict[str, Any]:
    return {
        "longest_s": longest_s,
        "feature": found.feature.tolist(),
        "all_features": found.all_features.tolist(),
        "elapsed_per_s": found.elapsed.tolist(),
    }
