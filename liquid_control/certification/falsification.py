"""Flights of the full simulator that try to leave the tubes of a closed-loop certificate.

Each flight is kept in a file of its own, so an interrupted run goes on where it stopped.
The flights are those of the certificate's domain with seeds that were not fitted on.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control.certification.cell import CertifiedCell
from liquid_control.certification.closed_loop import FLOWN, fly_seed, read_tube
from liquid_control.certification.flight_rows import FlightRows
from liquid_control.certification.model_fit import coverage
from liquid_control.certification.tube_search import flight_windows
from liquid_control.errors import CertificateError, OutputError
from liquid_control.files import atomic_write
from liquid_control.interfaces import Flyer
from liquid_control.policy import Model, Policy

DOMAIN_FILE = "flights.json"
"""What the flights of a folder are of: weights and domain."""


def fly_held_out(
    flyer: Flyer,
    model: Model,
    content: Mapping[str, Any],
    seeds: Sequence[int],
    folder: Path,
    on_flight: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Fly the seeds that a folder does not hold yet, and return the files of all.

    Args:
        flyer: flies a scenario.
        model: of the certificate.
        content: the closed-loop certificate.
        seeds: of the flights; none of those that were fitted on.
        folder: of the flights; made if there is none.
        on_flight: receives the seed of each flight when it begins.

    Raises:
        CertificateError: a seed was fitted on.
        OutputError: the folder holds flights of other weights or of another domain, or cannot be
            written.
    """
    fitted = {seed for kind in ("pushed", "plain") for seed in FLOWN[kind]}
    if used := sorted(fitted & set(seeds)):
        raise CertificateError(f"expected seeds that were not fitted on, got {used[0]}")
    folder.mkdir(parents=True, exist_ok=True)
    domain = {key: content["domain"][key] for key in ("scenario", "settings", "wind_mean_mps")}
    own = {key: content[key] for key in ("weights_sha256", "perception_sha256")} | domain
    path = folder / DOMAIN_FILE
    if not path.exists():
        atomic_write(path, (json.dumps(own) + "\n").encode())
    elif json.loads(path.read_text(encoding="utf-8")) != own:
        raise OutputError(f"{folder}: holds flights of other weights or of another domain")
    policy, files = Policy(model), []
    for seed in seeds:
        file = folder / f"flight-{seed}.npz"
        on_flight(f"seed {seed}")
        if not file.exists():
            part = folder / f"flight-{seed}.part.npz"
            fly_seed(flyer, policy, seed).save(part)
            os.replace(part, file)
        files.append(file)
    return files


def falsify(
    model: Model,
    content: Mapping[str, Any],
    files: Sequence[Path],
    on_flight: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Compare every window of flights with the tubes that begin in the set of flown states.

    A window that leaves a tube although it lies within the assumptions refutes the certificate.

    Args:
        model: of the certificate.
        content: the closed-loop certificate.
        files: of flights.
        on_flight: receives the name of each file.
    """
    cell = CertifiedCell.of(model)
    names = [c["name"] for c in content["claims"]["tubes"] if c["initial_set"] == "flown"]
    tubes = {name: read_tube(content, name) for name in names}
    counts: dict[str, dict[str, float]] = {name: {} for name in names}
    shares = []
    for file in files:
        on_flight(file.name)
        rows = FlightRows.load(file)
        found = coverage(tubes[names[0]][0], cell, rows)
        shares.append([found["steps"], found["vehicle_within"], found["features_within"]])
        for name, (loop, start, tube) in tubes.items():
            for key, value in flight_windows(loop, cell, rows, start, tube).items():
                past = counts[name].get(key, 0)
                largest = key == "largest_share_of_offset"
                counts[name][key] = max(past, value) if largest else past + value
    steps, vehicle, seen = np.array(shares, float).T
    return {
        "flights": len(files),
        "steps": int(steps.sum()),
        "vehicle_within": float((vehicle * steps).sum() / steps.sum()),
        "features_within": float((seen * steps).sum() / steps.sum()),
        "tubes": counts,
    }
