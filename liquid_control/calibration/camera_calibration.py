"""Estimate the field of view, the mount and the delay of a recorded camera from its gyro."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import degrees, exp, sqrt
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from liquid_control.bags import (
    CameraInfoEvent,
    FrameEvent,
    Losses,
    Role,
    TopicRules,
    load_rules,
    open_bag,
    read_flight,
    resolve,
)
from liquid_control.calibration import solver
from liquid_control.calibration.picture import draw_sheet
from liquid_control.calibration.rotation import GyroRotation
from liquid_control.calibration.tracks import FeatureTracker, Matches
from liquid_control.errors import BagError, ObservationError
from liquid_control.files import atomic_write
from liquid_control.perception.camera_model import CameraModel
from liquid_control.types import ImuWindow, Pixels

DOCUMENT = "calibration.json"
SHEET = "calibration.png"
LEAST_PAIRS = 30
LEAST_TURN_DEG = 4.0
"""A quarter of all pairs must turn by more than this."""
MOST_DELAY_S, LEAST_DELAY_S = 0.5, -0.1
UNEXPLAINED = 0.5
"""Largest fraction of the displacements that rotation may leave; more contradicts the gyro."""
PITCHES_DEG, SKEW_DEG = (-45.0, 90.0), 20.0
"""Pitches that a camera may have, and its largest roll and yaw."""
FLOOR_FOCAL = (0.006, 0.5)
"""Systematic error of the focal length: a fraction, and one divided by the width in pixels."""
FLOOR_DEG, FLOOR_DELAY_S = 0.3, 0.002
"""Systematic errors of the mount's angles and of the delay. They come from simulated flights."""
LIMITS = {"field of view": 3.0, "pitch": 2.0, "delay": 0.015}
"""Largest standard deviations that are accepted, degrees and s."""
ADVICE = (
    "turn the camera left and right by 60 degrees within 3 s, then up and down, for 20 s, in view "
    "of objects some metres away"
)


@dataclass(frozen=True, slots=True)
class CalibratedValue:
    """An estimate with its standard deviation.

    Attributes:
        value: the estimate.
        sigma: its standard deviation, with the systematic error of the method.
    """

    value: float
    sigma: float


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Result of a calibration.

    Attributes:
        bag: name of the recording.
        topic: of the camera.
        size: width and height of its pictures, pixels.
        horizontal_fov_deg: horizontal field of view.
        focal_px: focal length in the direction of rows.
        pitch_down_deg: optical axis below the body's x axis.
        roll_deg: about the body's x axis.
        yaw_deg: about the body's z axis, counter-clockwise.
        delay_s: stamp of a picture minus the time of its exposure in the gyro's clock.
        stated_fov_deg: field of view that camera_info states; None without one.
        pairs: number of pairs of pictures.
        points: number of matched points.
        residual_px: median distance of a point from its prediction, pixels.
        sheet: uint8 [H, W, 3] RGB, matched points and their predictions.
    """

    bag: str
    topic: str
    size: tuple[int, int]
    horizontal_fov_deg: CalibratedValue
    focal_px: CalibratedValue
    pitch_down_deg: CalibratedValue
    roll_deg: CalibratedValue
    yaw_deg: CalibratedValue
    delay_s: CalibratedValue
    stated_fov_deg: float | None
    pairs: int
    points: int
    residual_px: float
    sheet: Pixels

    @property
    def flags(self) -> dict[str, str]:
        """Options and arguments that use the result, by program."""
        fov, pitch = self.horizontal_fov_deg.value, self.pitch_down_deg.value
        camera = f"--topic camera={self.topic},{fov:.1f},shift={-self.delay_s.value:.4f}"
        return {
            "flight.launch.py": f"camera_fov_deg:={fov:.1f} camera_pitch_down_deg:={pitch:.1f}",
            "liquid-control replay": f"{camera} --input camera_pitch_down_deg={pitch:.1f}",
        }

    @property
    def lines(self) -> list[str]:
        """The result in words."""
        stated = self.stated_fov_deg
        known = "" if stated is None else f" (camera_info states {stated:.1f})"
        rows = [
            ("field of view", self.horizontal_fov_deg, 1.0, f"degrees{known}"),
            ("pitch down", self.pitch_down_deg, 1.0, "degrees"),
            ("roll", self.roll_deg, 1.0, "degrees"),
            ("yaw", self.yaw_deg, 1.0, "degrees, counter-clockwise"),
            ("delay", self.delay_s, 1e3, "ms from exposure to stamp"),
        ]
        text = [
            f"{name:14s} {one.value * unit:7.2f} ± {one.sigma * unit:.2f} {tail}"
            for name, one, unit, tail in rows
        ]
        text.append(
            f"from {self.points} points in {self.pairs} pairs of pictures, median residual "
            f"{self.residual_px:.2f} px"
        )
        return [*text, *(f"{program}: {words}" for program, words in self.flags.items())]

    def to_dict(self) -> dict[str, Any]:
        """Return the content of calibration.json."""
        names = ("horizontal_fov_deg", "focal_px", "pitch_down_deg", "roll_deg", "yaw_deg")
        found: dict[str, CalibratedValue] = {
            name: getattr(self, name) for name in (*names, "delay_s")
        }
        return {
            "schema": 1,
            "bag": self.bag,
            "topic": self.topic,
            "size": list(self.size),
            "estimates": {n: {"value": e.value, "sigma": e.sigma} for n, e in found.items()},
            "stated_fov_deg": self.stated_fov_deg,
            "pairs": self.pairs,
            "points": self.points,
            "residual_px": self.residual_px,
            "flags": self.flags,
        }


def calibrate(
    bag: Path | str | Sequence[Path | str],
    rules: TopicRules | None = None,
    advance: Callable[[int], None] = lambda size: None,
) -> Calibration:
    """Estimate field of view, mount and delay of the camera of a recording.

    The camera must turn, by hand or in hover, among objects that stand still.

    Args:
        bag: an MCAP or `.db3` file, a rosbag2 folder, or the parts of one recording.
        rules: which topics play which role; None for those of this package.
        advance: is called with the number of bytes of each picture.

    Raises:
        BagError: the bag cannot be read, lacks a camera or an IMU, the camera turns too little, or
            the gyro contradicts the pictures.
    """
    opened = open_bag([Path(path) for path in ([bag] if isinstance(bag, Path | str) else bag)])
    topics = resolve(opened, rules or load_rules(), needed=(Role.CAMERA, Role.IMU))
    tracker, windows, stated = FeatureTracker(), [], None
    for event in read_flight(opened, topics, Losses()):
        if isinstance(event, FrameEvent):
            tracker.add(event.observation.stamp_ns, event.observation.image)
            windows.append(event.observation.imu)
            advance(event.observation.image.nbytes)
        elif isinstance(event, CameraInfoEvent):
            stated = event
    name = str(opened.path)
    if tracker.size is None:
        raise BagError(f"{name}: expected pictures of the camera, got none that can be decoded")
    gyro = GyroRotation.of(ImuWindow.joined(windows), tracker.origin_ns)
    lens = _lens(tracker.size, stated)
    problem = solver.CalibrationProblem(_usable(name, tracker.matches(), gyro), gyro, lens)
    solution = solver.solve(problem)
    _check_explained(name, problem, solution)
    found = _result(problem, solution, stated)
    sheet = draw_sheet(tracker.example(), problem, solution)
    _check_certain(name, found)
    topic = topics.topic(Role.CAMERA) or ""
    return replace(found, bag=opened.path.name, topic=topic, sheet=sheet)


def _lens(size: tuple[int, int], stated: CameraInfoEvent | None) -> CameraModel:
    """Return the calibrated lens, or one without distortion and with its axis in the middle."""
    width, height = size
    if stated is not None and stated.model is not None and (stated.width, stated.height) == size:
        return stated.model
    return CameraModel(width, height, width, width, 0.5 * (width - 1), 0.5 * (height - 1))


def _usable(name: str, matches: Matches, gyro: GyroRotation) -> Matches:
    """Return the matches of the pairs that have gyro samples.

    Raises:
        BagError: there are too few, or the camera hardly turns.
    """
    if len(gyro.stamps_s) < 2:
        raise BagError(
            f"{name}: expected samples of the IMU at the time of the pictures, got none"
        )
    first, last = matches.times_s[:, 0] - MOST_DELAY_S, matches.times_s[:, 1]
    kept = matches.of_pairs(gyro.covers(first, last))
    if len(kept.times_s) < LEAST_PAIRS:
        raise BagError(
            f"{name}: expected {LEAST_PAIRS} pairs of pictures with tracked points and IMU "
            f"samples, got {len(kept.times_s)} of {len(matches.times_s)}; {ADVICE}"
        )
    body = gyro.integrated(np.zeros(3)).at(kept.times_s.ravel()).reshape(-1, 2, 3, 3)
    cosines = 0.5 * (np.einsum("pij,pij->p", body[:, 0], body[:, 1]) - 1.0)
    turns_deg = np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))
    turn_deg = float(np.quantile(turns_deg, 0.75))
    if turn_deg < LEAST_TURN_DEG:
        raise BagError(
            f"{name}: not enough motion: expected turns of more than {LEAST_TURN_DEG:g} degrees "
            f"in a quarter of a second, got {turn_deg:.1f}; {ADVICE}"
        )
    return kept


def _check_explained(
    name: str, problem: solver.CalibrationProblem, solution: solver.Solution
) -> None:
    """Check that rotation explains most of the displacements, with a mount that is possible."""
    moved = np.linalg.norm(problem.matches.last - problem.matches.first, axis=1)
    left = np.linalg.norm(problem.residuals(solution.values)[0], axis=1)
    share = float(np.median(left) / max(np.median(moved), 1e-9))
    pitch, roll, yaw = np.degrees(solution.values[solver.PITCH : solver.YAW + 1])
    possible = PITCHES_DEG[0] <= pitch <= PITCHES_DEG[1] and max(abs(roll), abs(yaw)) <= SKEW_DEG
    if share > UNEXPLAINED or not possible:
        raise BagError(
            f"{name}: the gyro does not explain the pictures: {share:.0%} of the displacements "
            f"are left (expected at most {UNEXPLAINED:.0%}) with a camera pitched {pitch:.0f}, "
            f"rolled {roll:.0f} and yawed {yaw:.0f} degrees; check topic and axes of the IMU "
            "(--topic imu=/NAME,optical), its clock, and that the camera turns more than it moves"
        )


def _result(
    problem: solver.CalibrationProblem, solution: solver.Solution, stated: CameraInfoEvent | None
) -> Calibration:
    values, sigmas, lens = solution.values, solution.sigmas, problem.lens
    width = lens.width
    share = sqrt(sigmas[solver.FOCAL] ** 2 + (FLOOR_FOCAL[0] + FLOOR_FOCAL[1] / width) ** 2)
    focal_px = exp(values[solver.FOCAL])
    fov_deg = _fov_deg(lens, focal_px)
    slope_deg = abs(_fov_deg(lens, focal_px * 1.01) - fov_deg) / 0.01

    def angle(index: int) -> CalibratedValue:
        return CalibratedValue(
            degrees(values[index]), sqrt(degrees(sigmas[index]) ** 2 + FLOOR_DEG**2)
        )

    known = stated is not None and np.isfinite(stated.horizontal_fov_deg)
    return Calibration(
        "",
        "",
        (lens.width, lens.height),
        CalibratedValue(fov_deg, share * slope_deg),
        CalibratedValue(focal_px, share * focal_px),
        angle(solver.PITCH),
        angle(solver.ROLL),
        angle(solver.YAW),
        CalibratedValue(
            float(values[solver.DELAY]), sqrt(sigmas[solver.DELAY] ** 2 + FLOOR_DELAY_S**2)
        ),
        stated.horizontal_fov_deg if known and stated is not None else None,
        len(problem.matches.times_s),
        len(problem.matches.pair),
        float(np.median(np.abs(solution.residuals_px))),
        np.empty((0, 0, 3), np.uint8),
    )


def _fov_deg(lens: CameraModel, focal_px: float) -> float:
    """Return the field of view of a lens with another focal length; NaN where it has none."""
    try:
        return replace(lens, fx=focal_px, fy=focal_px * lens.fy / lens.fx).horizontal_fov_deg
    except ObservationError:
        return float("nan")


def _check_certain(name: str, found: Calibration) -> None:
    """Check that the estimates are certain enough and within their ranges."""
    sigmas = {
        "field of view": found.horizontal_fov_deg.sigma,
        "pitch": found.pitch_down_deg.sigma,
        "delay": found.delay_s.sigma,
    }
    for what, sigma in sigmas.items():
        if not sigma <= LIMITS[what]:
            unit = "s" if what == "delay" else "degrees"
            raise BagError(
                f"{name}: not enough motion for the {what}: its standard deviation is {sigma:.3g} "
                f"{unit}, expected at most {LIMITS[what]:g}; {ADVICE}"
            )
    if not LEAST_DELAY_S <= found.delay_s.value <= MOST_DELAY_S:
        raise BagError(
            f"{name}: expected a delay from {LEAST_DELAY_S:g} to {MOST_DELAY_S:g} s, got "
            f"{found.delay_s.value:.2f} s; check that the camera's stamps have the IMU's clock, "
            "and the axes of the IMU (--topic imu=/NAME,optical)"
        )


def write_calibration(folder: Path | str, calibration: Calibration, command: str = "") -> Path:
    """Write calibration.json and calibration.png; return the path of the first.

    Args:
        folder: it must exist.
        calibration: the result.
        command: command line that led to it.

    Raises:
        OutputError: a file cannot be written.
    """
    picture = cv2.cvtColor(calibration.sheet, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".png", picture)
    atomic_write(Path(folder) / SHEET, np.asarray(encoded).tobytes())
    document = calibration.to_dict() | {"command": command}
    return atomic_write(Path(folder) / DOCUMENT, json.dumps(document, indent=1))
