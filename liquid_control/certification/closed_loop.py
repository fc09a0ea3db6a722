"""Certificate of the closed loop: tubes of the reduced model, as a problem with its result."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control import __version__
from liquid_control.certification.cell import CertifiedCell
from liquid_control.certification.flight_rows import FlightRows, fly_rows
from liquid_control.certification.model_fit import (
    coverage,
    fit_reduced_model,
    followed,
    initial_set,
)
from liquid_control.certification.reach_tube import Tube, equilibrium, find_corridor, reach_tube
from liquid_control.certification.reduced_model import VEHICLE, ReducedModel
from liquid_control.certification.shaped_set import ShapedSet
from liquid_control.certification.tube_search import flight_windows, search_rollouts
from liquid_control.config import load_scenario
from liquid_control.files import atomic_write
from liquid_control.interfaces import Flyer
from liquid_control.policy import Model, Policy

CLOSED_LOOP = "closed_loop.json"
EQUATIONS = (
    "u = offset + scale * h[motor] + e, motor = forward, left, yaw_rate; a(T) = 1 - exp(-t / T)",
    "w' = w + a(T_filtered) (u - w); p' = p + a(T_smoothed) ((w + w') / 2 - p)",
    "v' = v + a(T) ((p + p') / 2 - v) + t d, v = (forward, left, yaw_rate)",
    "heading' = heading + t ((yaw_rate + yaw_rate') / 2 - k forward + d)",
    "offset' = offset + t (forward (heading + heading') / 2 + (left + left') / 2 + d)",
    "f' = features.offset + features.gain (x', u, k)",
    "z = (f' or the layer before, own h); ff1, ff2, ta, tb = W z + b; gate = ta t / unit + tb",
    "h' = tanh(ff1) (1 - s) + tanh(ff2) s, s = 1 / (1 + exp(-gate)); float32 errors are included",
    "e is of the set perception_error, d of the set disturbance, |k| <= curvature_per_m",
    "a set: centre + map s, each of the first `boxes` of s in [-1, 1], the rest in a unit ball",
)
"""The step of the reduced model, as the published problem states it."""
PROPERTY = (
    "after k frames every state is within lower[k] and upper[k] of its tube; the last set of a "
    "tube that returns lies in its initial set, so no state ever leaves the sets of that tube"
)


@dataclass(frozen=True, slots=True)
class TubePlan:
    """One tube to prove.

    Attributes:
        name: of the claim.
        perception: factor on the perception errors.
        disturbance: factor on disturbances and curvature.
        dt_s: smallest and largest time between frames, s.
        frames: number of steps.
        flown: whether it begins in the set of flown states; otherwise at the equilibrium.
        rollouts: number of rollouts that try to leave it.
    """

    name: str
    perception: float
    disturbance: float
    dt_s: tuple[float, float]
    frames: int
    flown: bool
    rollouts: int


STEADY_S, LOST_S = (0.049, 0.051), (0.05, 0.1)
"""Times between frames at 20 Hz: with 1 ms of jitter, and with single frames lost, s."""
PLANS = (
    TubePlan("measured", 1.0, 1.0, STEADY_S, 40, True, 1_000_000),
    TubePlan("lost_frames", 1.0, 1.0, LOST_S, 10, True, 100_000),
    TubePlan("settled", 1.0, 1.0, STEADY_S, 40, False, 100_000),
    TubePlan("half", 0.5, 0.5, STEADY_S, 40, False, 100_000),
)
START_HALF = (0.1, 0.05)
"""Half widths of offset and heading in the set of flown states, m and rad."""
CORRIDOR = tuple(
    TubePlan("corridor", factor, factor, STEADY_S, 80, False, 100_000)
    for factor in (0.1, 0.05, 0.04, 0.03, 0.02)
)
"""Tubes that may return into their initial set; the first that does is the corridor."""
_GOLDEN = 0.6180339887
AT_REST = 1e-3
"""Half width of every state around the equilibrium."""


DOMAIN = {"trail.difficulty": 0.0, "trail.length_m": 30.0, "camera.drop_rate": 0.1}
"""Settings of the scenario `trail` that is flown: 20 Hz, calm light, no fog."""
WIND_MPS = 3.0
"""Largest mean wind; it is spread evenly over the seeds by the golden ratio."""
PUSH = (0.2, 0.35, 0.25)
"""Deviations of the pushes forward and left, m/s, and of the yaw rate, rad/s."""
FLOWN = {
    "pushed": range(610_000, 610_010),
    "plain": range(630_000, 630_024),
    "held": range(630_024, 630_047),
}
"""Seeds of the flights to fit, to bound, and held out."""


@dataclass(frozen=True, slots=True, eq=False)
class LoopFlights:
    """LoopFlights of a closed-loop certificate.

    Attributes:
        pushed: with pushes, to fit lags and features.
        plain: of the policy alone, to fit the bounds.
        held: of the policy alone, not fitted on.
        domain: what was flown: scenario, settings, seeds.
    """

    pushed: FlightRows
    plain: FlightRows
    held: FlightRows
    domain: Mapping[str, Any]


def fly_domain(
    flyer: Flyer,
    model: Model,
    on_flight: Callable[[str], None] = lambda _: None,
    flown: Mapping[str, range] = FLOWN,
) -> LoopFlights:
    """Fly the flights of a closed-loop certificate.

    Args:
        flyer: flies a scenario.
        model: with a wired CfC.
        on_flight: receives the seed of each flight when it begins.
        flown: seeds of the flights `pushed`, `plain` and `held`.
    """
    CertifiedCell.of(model)
    policy, parts = Policy(model), {}
    for kind, seeds in flown.items():
        push = PUSH if kind == "pushed" else (0.0, 0.0, 0.0)
        rows = []
        for seed in seeds:
            on_flight(f"seed {seed}")
            rows.append(fly_seed(flyer, policy, seed, push))
        parts[kind] = FlightRows.joined(rows)
    domain = {
        "scenario": "trail",
        "settings": DOMAIN,
        "wind_mean_mps": [0.0, WIND_MPS],
        "seeds": {kind: [seeds.start, seeds.stop] for kind, seeds in flown.items()},
    }
    return LoopFlights(parts["pushed"], parts["plain"], parts["held"], domain)


def fly_seed(
    flyer: Flyer, policy: Policy, seed: int, push: Sequence[float] = (0.0, 0.0, 0.0)
) -> FlightRows:
    """Return the rows of one flight of the domain; the seed also chooses its wind.

    Args:
        flyer: flies a scenario.
        policy: with a wired CfC.
        seed: of the flight.
        push: deviations of pushes forward, left (m/s) and yaw (rad/s).
    """
    wind = round(WIND_MPS * (seed * _GOLDEN % 1.0), 3)
    scenario = load_scenario("trail", {**DOMAIN, "wind.mean_mps": wind})
    return fly_rows(flyer, policy, scenario, [seed], push)[0]


def certify_closed_loop(
    model: Model,
    flights: LoopFlights,
    plans: tuple[TubePlan, ...] = PLANS,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
    corridor: tuple[TubePlan, ...] = CORRIDOR,
) -> dict[str, Any]:
    """Fit the reduced model, prove its tubes, and search rollouts and flights that leave them.

    Args:
        model: with a wired CfC.
        flights: of the model.
        plans: the tubes.
        seed: of the rollouts.
        on_step: receives the name of each part when it begins.
        corridor: of which the first that returns is a corridor; its initial set is searched.

    Returns:
        The problem and its result, ready for JSON.

    Raises:
        CertificateError: the core cannot be certified, or there are too few flights.
    """
    cell = CertifiedCell.of(model)
    on_step("reduced model")
    fitted = fit_reduced_model(cell, flights.pushed, flights.plain, STEADY_S)
    flown = initial_set(fitted, followed(fitted, cell, flights.plain), START_HALF)
    rest = equilibrium(fitted, cell, float(np.mean(STEADY_S)))
    settled = ShapedSet(rest, AT_REST * np.eye(len(rest)), len(rest))
    sets = {"flown": flown, "equilibrium": settled}
    tubes, found = [], []
    for plan in plans:
        on_step(f"tube {plan.name}")
        start = sets["flown" if plan.flown else "equilibrium"]
        loop = _scaled(fitted, plan)
        tube = reach_tube(loop, cell, start.form(), plan.frames)
        tubes.append(_tube_claim(plan, tube, "flown" if plan.flown else "equilibrium"))
        found.append(_found(plan, loop, cell, flights.held, start, tube, seed))
    for plan in corridor:
        on_step(f"corridor with {plan.perception:g} of the sets")
        loop = _scaled(fitted, plan)
        if (returned := find_corridor(loop, cell, rest, plan.frames)) is not None:
            sets["corridor"] = returned.start
            tubes.append(_tube_claim(plan, returned.tube, "corridor") | {"returns": True})
            found.append(
                _found(plan, loop, cell, flights.held, returned.start, returned.tube, seed)
            )
            break
    return {
        "schema": 2,
        "model": model.name,
        "version": __version__,
        "weights_sha256": model.settings.sha256["weights.npz"],
        "perception_sha256": model.settings.sha256["perception.onnx"],
        "domain": dict(flights.domain),
        "problem": {
            "equations": list(EQUATIONS),
            "states": [*VEHICLE, *(f"h_{index}" for index in range(cell.neurons))],
            "cell": _cell_document(cell),
            "dynamics": fitted.document(),
            "initial_sets": {name: one.document() for name, one in sets.items()},
            "property": PROPERTY,
        },
        "claims": {"tubes": tubes},
        "found": found,
        "coverage": {
            "fitted": coverage(fitted, cell, flights.plain),
            "held_out": coverage(fitted, cell, flights.held),
        },
    }


def _scaled(fitted: ReducedModel, plan: TubePlan) -> ReducedModel:
    return replace(fitted, dt_s=plan.dt_s).scaled(plan.perception, plan.disturbance)


def _tube_claim(plan: TubePlan, tube: Tube, initial_set: str) -> dict[str, Any]:
    margin = 1e-5 * (1.0 + np.maximum(np.abs(tube.lower), np.abs(tube.upper)))
    return {
        "name": plan.name,
        "initial_set": initial_set,
        "perception": plan.perception,
        "disturbance": plan.disturbance,
        "dt_s": list(plan.dt_s),
        "lower": (tube.lower - margin).tolist(),
        "upper": (tube.upper + margin).tolist(),
    }


def _found(
    plan: TubePlan,
    loop: ReducedModel,
    cell: CertifiedCell,
    held: FlightRows,
    start: ShapedSet,
    tube: Tube,
    seed: int,
) -> dict[str, Any]:
    attained = search_rollouts(loop, cell, start, tube, plan.rollouts, seed)
    result = {
        "name": plan.name,
        "rollouts": attained.rollouts,
        "outside": attained.outside,
        "lower": attained.lower[:, :2].tolist(),
        "upper": attained.upper[:, :2].tolist(),
    }
    if plan.flown:
        result["flights"] = flight_windows(loop, cell, held, start, tube)
    return result


def _cell_document(cell: CertifiedCell) -> dict[str, Any]:
    return {
        "time_unit_s": cell.time_unit_s,
        "layers": [
            {"weight": layer.weight.tolist(), "bias": layer.bias.tolist()} for layer in cell.layers
        ],
        "commands": {"offset": cell.offsets.tolist(), "scale": cell.scales.tolist()},
    }


def write_closed_loop(folder: Path, content: Mapping[str, Any]) -> Path:
    """Write a closed-loop certificate into a model folder and return its path.

    Raises:
        OutputError: it cannot be written.
    """
    path = folder / CLOSED_LOOP
    atomic_write(path, (json.dumps(content) + "\n").encode())
    return path


def read_tube(content: Mapping[str, Any], name: str) -> tuple[ReducedModel, ShapedSet, Tube]:
    """Return the reduced model with the sets of a tube, its initial set, and the tube."""
    claim = next(claim for claim in content["claims"]["tubes"] if claim["name"] == name)
    problem = content["problem"]
    model = ReducedModel.of(problem["dynamics"] | {"dt_s": claim["dt_s"]})
    start = ShapedSet.of(problem["initial_sets"][claim["initial_set"]])
    tube = Tube(np.array(claim["lower"]), np.array(claim["upper"]), start.form())
    return model.scaled(claim["perception"], claim["disturbance"]), start, tube
