"""Text of certificates: what is proven, what search found, and how they are made and checked."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control.certification.certificate import LONGEST_S, Proof, certify, write_certificate
from liquid_control.certification.checker import check_certificate
from liquid_control.certification.closed_loop import (
    CLOSED_LOOP,
    FLOWN,
    PLANS,
    certify_closed_loop,
    fly_domain,
    write_closed_loop,
)
from liquid_control.certification.closed_loop_checker import check_closed_loop
from liquid_control.certification.falsification import falsify, fly_held_out
from liquid_control.errors import CertificateError
from liquid_control.interfaces import Flyer
from liquid_control.policy import CERTIFICATE, Model, ReadoutBox
from liquid_control.progress import progress_bar

LAYERS = ("inter", "command", "motor")
UNITS = {"forward": "m/s", "left": "m/s", "up": "m/s", "yaw_rate": "rad/s"}


def certificate_lines(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that describe a certificate."""
    claims, found = content["claims"], content["found"]
    yield f"{content['model']}: weights {content['weights_sha256'][:12]}…"
    for name, (low, high) in claims["commands"].items():
        least, most = found["commands"][name]
        gap = max(least - low, high - most)
        yield (
            f"  {name:8s} within {low:+.3f} to {high:+.3f} {UNITS[name]}, found "
            f"{least:+.3f} to {most:+.3f}, gap {gap:.3f}"
        )
    if (box := claims.get("box")) is not None:
        for name, (low, high) in box["commands"].items():
            (g0, g1), (b0, b1) = (box["readout"][name][key] for key in ("gain", "offset"))
            yield (
                f"  {name:8s} within {low:+.3f} to {high:+.3f} {UNITS[name]} for gains {g0:g} to "
                f"{g1:g} and offsets {b0:+.3f} to {b1:+.3f} {UNITS[name]} of the read-out"
            )
    for claim, attained in zip(claims["regions"], found["regions"], strict=True):
        yield f"  elapsed times up to {claim['longest_s'] * 1e3:g} ms"
        for key, what in (("feature", "one feature"), ("elapsed_per_s", "1 s of elapsed time")):
            pairs = zip(UNITS, claim[key], attained[key], strict=True)
            text = ", ".join(f"{name} {bound:.3g} ({value:.3g})" for name, bound, value in pairs)
            yield f"    change for {what}: {text}"
        rates = ", ".join(
            f"{name} {layer['rate']:.3f}"
            for name, layer in zip(LAYERS, claim["layers"], strict=False)
        )
        yield f"    rate of a step: {rates}; {_memory_text(claim['memory'])}"
    if (trap := claims["trap"]) is not None:
        gaps = ", ".join(
            f"{name} {gap:.2f} {UNITS[name]}"
            for name, gap in zip(UNITS, trap["difference"], strict=True)
            if gap > 0.0
        )
        yield (
            f"  no fading memory for all inputs: with one constant input every "
            f"{trap['dt_s'] * 1e3:g} ms two pasts differ for ever, by {gaps} or more"
        )


def _memory_text(memory: Mapping[str, Any] | None) -> str:
    if memory is None:
        return "no rate below 1 for the whole cell"
    text = ", ".join(
        f"{name} {value:.3g}" for name, value in zip(UNITS, memory["difference"], strict=True)
    )
    return f"two pasts differ after n steps by at most {memory['rate']:.3f}^n times {text}"


def certified_lines(
    model: Model,
    check: bool,
    seed: int,
    box: ReadoutBox | None = None,
    closed_loop: bool = False,
    flyer: Flyer | None = None,
) -> Iterator[str]:
    """Certify a model unless it is only to be checked, check its file, and yield the text.

    Args:
        model: with a wired CfC.
        check: whether to only check the file that is there.
        seed: of the searches.
        box: of read-outs that are adapted in flight; the closed loop is that without them.
        closed_loop: whether the closed loop is certified, not the controller.
        flyer: flies the model, for the closed loop.

    Raises:
        CertificateError: the core cannot be certified, or a claim could not be derived.
    """
    if closed_loop:
        yield from _closed_loop_lines(model, check, seed, flyer)
        return
    if not check:
        with progress_bar(f"certify {model.name}", len(LONGEST_S) + 2, transient=True) as bar:
            content = certify(model, Proof(seed=seed, box=box), bar.advance)
        write_certificate(model.path, content)
    yield from certificate_lines(check_certificate(model.path))
    yield f"  checked: {model.path / CERTIFICATE}"


def _closed_loop_lines(model: Model, check: bool, seed: int, flyer: Flyer | None) -> Iterator[str]:
    if not check:
        if flyer is None:
            raise CertificateError(f"{model.path}: expected a simulator to fly the model")
        with progress_bar(f"fly {model.name}", sum(map(len, FLOWN.values()))) as bar:
            flights = fly_domain(flyer, model, bar.advance)
        with progress_bar(f"certify {model.name}", len(PLANS) + 2) as bar:
            content = certify_closed_loop(model, flights, seed=seed, on_step=bar.advance)
        write_closed_loop(model.path, content)
    with progress_bar(f"check {model.name}", sum(plan.frames + 1 for plan in PLANS)) as bar:
        content = check_closed_loop(model.path, on_frame=bar.advance)
    yield from closed_loop_lines(content)
    yield f"  checked: {model.path / CLOSED_LOOP}"


def _windows_text(found: Mapping[str, Any]) -> str:
    return (
        f"{found['windows']} windows, {found['within_assumptions']} within the assumptions to "
        f"their end, {found['frames_within']} frames before the first that is not; outside: "
        f"{found['left_within']} within the assumptions, {found['left_outside']} besides"
    )


def falsification_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that describe what `falsify` found."""
    yield (
        f"  {found['flights']} flights that were not fitted on; of {found['steps']} steps "
        f"{found['vehicle_within']:.1%} are within the vehicle's bounds and "
        f"{found['features_within']:.1%} within those of perception"
    )
    for name, part in found["tubes"].items():
        share = part["largest_share_of_offset"]
        yield f"    {name}: {_windows_text(part)}; offset up to {share:.2f} of the tube"


def falsified_lines(
    model: Model, flyer: Flyer, seeds: Sequence[int], folder: Path
) -> Iterator[str]:
    """Fly seeds that a folder does not hold yet, compare all with the tubes, and yield the text.

    Args:
        model: with a closed-loop certificate, which is checked for the first frames.
        flyer: flies the model.
        seeds: none of those that were fitted on.
        folder: of the flights.

    Raises:
        CertificateError: a window of a flight within the assumptions leaves its tube, the
            certificate does not hold, or a seed was fitted on.
        OutputError: the folder holds other flights.
    """
    content = check_closed_loop(model.path, frames=0)
    with progress_bar(f"fly {model.name}", len(seeds)) as bar:
        files = fly_held_out(flyer, model, content, seeds, folder, bar.advance)
    with progress_bar(f"compare {model.name}", len(files)) as bar:
        found = falsify(model, content, files, bar.advance)
    yield from falsification_lines(found)
    if left := sum(part["left_within"] for part in found["tubes"].values()):
        raise CertificateError(
            f"{model.path / CLOSED_LOOP}: {left} windows of flights within the assumptions left "
            "their tube"
        )


def closed_loop_lines(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that describe a closed-loop certificate."""
    yield f"{content['model']}: weights {content['weights_sha256'][:12]}…"
    held = content["coverage"]["held_out"]
    yield (
        f"  held-out flights: {held['flights']}; of {held['steps']} steps "
        f"{held['vehicle_within']:.1%} are within the vehicle's bounds and "
        f"{held['features_within']:.1%} within those of perception"
    )
    for claim, found in zip(content["claims"]["tubes"], content["found"], strict=True):
        low, high = (value * 1e3 for value in claim["dt_s"])
        yield (
            f"  {claim['name']}: {claim['perception']:g} of the perception errors, "
            f"{claim['disturbance']:g} of the disturbances, a frame every {low:g} to {high:g} ms, "
            f"{found['outside']} of {found['rollouts']} rollouts outside"
        )
        frames = len(claim["lower"]) - 1
        for frame in sorted({*range(0, frames + 1, 10), frames} - {0}):
            ends, reached = (
                np.array([part["lower"][frame][:2], part["upper"][frame][:2]])
                for part in (claim, found)
            )
            yield (
                f"    after {frame} frames offset {ends[0, 0]:+.3f} to {ends[1, 0]:+.3f} m, found "
                f"{reached[0, 0]:+.3f} to {reached[1, 0]:+.3f}; heading {ends[0, 1]:+.3f} to "
                f"{ends[1, 1]:+.3f} rad, found {reached[0, 1]:+.3f} to {reached[1, 1]:+.3f}"
            )
        if (flights := found.get("flights")) is not None:
            yield f"    held-out flights: {_windows_text(flights)}"
        if claim.get("returns"):
            low, high = (
                choose(row[0] for row in claim[key])
                for choose, key in ((min, "lower"), (max, "upper"))
            )
            yield (
                f"    its last set lies in the first: the offset stays within {low:+.3f} to "
                f"{high:+.3f} m for ever"
            )
