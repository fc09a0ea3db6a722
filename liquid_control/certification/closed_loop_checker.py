"""Independent check of a closed-loop certificate: every tube is derived again in exact integers.

It shares no code with the prover: `liquid_control.certification.exact_tube` has its sets. The file
states the cell itself, so that other tools need no other file; it must be that of the model.
docs/certificates.md states the claims and their theorems.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control.certification.exact_step import ONE, ExactCell, P, units
from liquid_control.certification.exact_tube import SIZE, ExactLoop, ExactRows, whole
from liquid_control.errors import CertificateError

SYMBOLS = 3000
"""Largest number of symbols of a set."""
AXES = ("forward", "left", "yaw_rate")
STATES = (
    "offset",
    "heading",
    *(f"{kind}{axis}" for kind in ("filtered_", "smoothed_", "") for axis in AXES),
)
DISTURBED = ("heading", "offset")
FILES = {"weights.npz": "weights_sha256", "perception.onnx": "perception_sha256"}
"""Files of the weights of core and perception network, and the key that states their checksum."""

Need = Callable[[bool, str], None]
"""Raises an error with a text unless a condition holds."""


def check_closed_loop(
    folder: Path, frames: int | None = None, on_frame: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Check every tube of a model's closed-loop certificate, and return the certificate.

    Args:
        folder: of the model.
        frames: number of frames of each tube to check; None for all.
        on_frame: receives the name of each tube and frame.

    Raises:
        CertificateError: the certificate is missing, is not of these weights and constants, or a
            bound could not be derived.
    """
    path = folder / "closed_loop.json"

    def need(holds: bool, what: str) -> None:
        if not holds:
            raise CertificateError(f"{path}: {what}")

    need(path.is_file(), "is missing; make it with liquid-control certify --closed-loop")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        need(content["schema"] == 2, f"expected schema 2, got {content['schema']!r}")
        for name, key in FILES.items():
            digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
            stated = str(content[key])
            need(
                stated == digest,
                f"is of other weights: expected {name} of sha256 {stated[:12]}…, got "
                f"{digest[:12]}…; make it again with liquid-control certify --closed-loop",
            )
        cell = ExactCell(folder)
        _check_problem(cell, content["problem"], need)
        for claim in content["claims"]["tubes"]:
            _check_tube(cell, content["problem"], claim, frames, need, on_frame)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        text = f"expected a closed-loop certificate ({type(error).__name__}: {error})"
        raise CertificateError(f"{path}: {text}") from error
    return dict(content)


def _check_problem(cell: ExactCell, problem: Mapping[str, Any], need: Need) -> None:
    """Check that the stated cell is the model's, and that the sets have the shapes they need."""
    stated = problem["cell"]
    need(stated["time_unit_s"] == cell.constants["time_unit_s"], "its time unit is another one")
    need(len(stated["layers"]) == len(cell.layers), "its cell has other layers")
    for given, layer in zip(stated["layers"], cell.layers, strict=True):
        weight, bias = np.array(given["weight"]), np.array(given["bias"])
        need(weight.shape[:2] == bias.shape == (4, len(layer)), "its cell has other layers")
        for index, neuron in enumerate(layer):
            same = [
                [units(value) for value in row] == own
                for row, own in zip(weight[:, index].tolist(), neuron.rows, strict=True)
            ]
            same.append([units(value) for value in bias[:, index].tolist()] == neuron.bias)
            need(all(same), "its cell has other weights than the model")
    dynamics, neurons = problem["dynamics"], sum(len(layer) for layer in cell.layers)
    need(tuple(problem["states"][:SIZE]) == STATES, "its states are others")
    need(len(problem["states"]) == SIZE + neurons, "its states are others")
    need(tuple(dynamics["lags_s"]) == STATES[2:], "its lags are others")
    for key, own, names in (
        ("disturbance", "states", DISTURBED),
        ("perception_error", "commands", AXES),
    ):
        given = dynamics[key]
        need(tuple(given[own]) == names, f"the {own} of its {key} are others")
        shape = np.array(given["map"]).shape
        need(shape == (len(names), len(names)), f"its {key} has another size")
        need(len(given["centre"]) == len(names), f"its {key} has another size")
    need(dynamics["curvature_per_m"] >= 0.0, "expected a curvature that is not negative")
    need(min(dynamics["lags_s"].values()) > 0.0, "expected positive lags")


def _check_tube(
    cell: ExactCell,
    problem: Mapping[str, Any],
    claim: Mapping[str, Any],
    frames: int | None,
    need: Need,
    on_frame: Callable[[str], None],
) -> None:
    name, given = claim["name"], problem["initial_sets"][claim["initial_set"]]
    low, high = claim["dt_s"]
    limits = cell.constants["dt_s"]
    need(
        limits[0] <= low < high <= limits[1], f"the times of tube {name} are outside of the cell's"
    )
    need(
        min(claim["perception"], claim["disturbance"]) >= 0.0, f"tube {name} has a negative factor"
    )
    loop = ExactLoop(cell, problem["dynamics"], claim)
    rows, boxes = _initial(given), int(given["boxes"])
    need(0 < boxes <= rows.symbols.shape[1], f"the initial set of tube {name} has no intervals")
    lower, upper = (np.array(claim[key]) for key in ("lower", "upper"))
    need(
        lower.shape == upper.shape == (len(lower), len(rows.centre)),
        f"the bounds of tube {name} have another shape",
    )
    for frame in range(len(lower) if frames is None else min(len(lower), frames + 1)):
        on_frame(f"{name}, frame {frame}")
        if frame:
            rows = loop.step(rows).reduced(SYMBOLS)
        ends = zip(rows.ends(), whole(lower[frame], True), whole(upper[frame]), strict=True)
        for index, (found, least, most) in enumerate(ends):
            holds = least <= found[0] and found[1] <= most
            state = problem["states"][index]
            need(holds, f"tube {name}: {state} after {frame} frames could not be derived")
    if claim.get("returns") and (frames is None or frames >= len(lower) - 1):
        need(_lies_in(rows, given), f"tube {name}: its return could not be derived")


def _lies_in(rows: ExactRows, goal: Mapping[str, Any]) -> bool:
    """Return whether a set lies in a parallelotope c + T s of intervals.

    With any V near the inverse of T and R = I - V T, s = V (x - c) + R s: no |s| exceeds the range
    of V (x - c) by more than a factor 1 / (1 - share), where share bounds the row sums of |R|
    (Horn, Johnson 2013, corollary 5.6.16). c and T are rounded down to units, at most one off.
    """
    map_, size = np.array(goal["map"]), len(goal["centre"])
    if map_.shape != (size, size) or int(goal["boxes"]) != size:
        return False
    inverse = whole(np.linalg.inv(map_))
    off = (abs(inverse).sum(axis=1) >> P) + 2
    identity = np.array([[ONE * (k == j) for j in range(size)] for k in range(size)], object)
    rest = abs(identity - ((inverse @ whole(map_)) >> P)) + off[:, None]
    share = Fraction(max(rest.sum(axis=1)), ONE)
    moved = rows.mapped(inverse, -((inverse @ whole(goal["centre"])) >> P))
    reach = max(
        max(-low, high) + wider for (low, high), wider in zip(moved.ends(), off, strict=True)
    )
    return share < 1 and Fraction(reach, ONE) <= 1 - share


def _initial(given: Mapping[str, Any]) -> ExactRows:
    """Return the initial set: c + T s, the first symbols intervals, the rest one ball."""
    map_ = np.array(given["map"])
    boxes = int(given["boxes"])
    rest = [boxes] if map_.shape[1] > boxes else []
    count = np.array([0] * len(map_), object)
    return ExactRows(
        whole(given["centre"]), whole(map_), count + 1 + map_.shape[1], [*range(boxes), *rest]
    )
