"""Still pictures through a policy: does it turn the right way on photographs of a trail?

Each picture is held for a while in front of a vehicle at rest. A still has no motion, so the
answers show a tendency and are no evidence of flight.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from liquid_control.errors import ConfigError, ObservationError
from liquid_control.perception.decoding import decode_file
from liquid_control.policy import Policy, PolicySession
from liquid_control.types import NANOSECONDS, Command, ImuWindow, Observation, Pixels

RATE_HZ = 20.0
IMU_HZ = 200.0
HOLD_S = 2.0
AVERAGED_S = 1.0
"""The answer is the mean command over the last second."""
STEADY_RADPS = 0.2
"""Largest yaw rate that counts as straight."""
GREY = "flat grey"
SUFFIXES = (".jpg", ".jpeg", ".png")
MAX_BYTES = 2**26


class Cut(str, Enum):
    """Part of a picture that is kept where its shape is not the model's."""

    MIDDLE = "middle"
    BELOW = "below"


class Direction(str, Enum):
    """Direction in which a trail goes, or in which the vehicle should move."""

    LEFT = "L"
    STRAIGHT = "C"
    RIGHT = "R"


@dataclass(frozen=True, slots=True)
class StillAnswer:
    """A policy's answer to one still picture.

    Attributes:
        name: file name.
        command: mean command over the last second.
        direction: label; None without one.
        agrees: whether the answer fits the label: the sign of the yaw rate, or a steady heading
            for a straight trail; None without a label.
    """

    name: str
    command: Command
    direction: Direction | None
    agrees: bool | None


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Answers of a policy to some still pictures.

    Attributes:
        model: name of the model.
        cut: part of the pictures that was kept.
        answers: one for each picture.
        grey: answer to a flat grey picture.
    """

    model: str
    cut: Cut
    answers: tuple[StillAnswer, ...]
    grey: StillAnswer

    @property
    def bias_radps(self) -> float:
        """Mean yaw rate over all pictures, rad/s; about 0 where left and right are balanced."""
        return fmean(answer.command.yaw_rate_radps for answer in self.answers)

    def agreement(self, straight: bool) -> tuple[int, int]:
        """Return how many labelled pictures agree, and how many there are.

        Args:
            straight: count the pictures with a straight trail, or those with a clear direction.
        """
        labelled = [
            answer.agrees
            for answer in self.answers
            if answer.direction is not None
            and (answer.direction is Direction.STRAIGHT) == straight
        ]
        return sum(map(bool, labelled)), len(labelled)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        clear, straight = self.agreement(False), self.agreement(True)
        return {
            "schema": 1,
            "model": self.model,
            "cut": self.cut.value,
            "hold_s": HOLD_S,
            "rate_hz": RATE_HZ,
            "sign_agrees": {"pictures": clear[1], "right": clear[0]},
            "steady": {"pictures": straight[1], "right": straight[0], "limit": STEADY_RADPS},
            "bias_radps": self.bias_radps,
            "grey": asdict(self.grey),
            "answers": [asdict(answer) for answer in self.answers],
        }


def probe(
    policy: Policy,
    paths: Sequence[Path],
    labels: Mapping[str, Direction] | None = None,
    cut: Cut = Cut.MIDDLE,
    cruise_mps: float = 1.5,
) -> ProbeResult:
    """Show still pictures to a policy.

    Args:
        policy: the policy; its camera is taken to be that of the pictures.
        paths: JPEG or PNG files.
        labels: direction of the trail by file name.
        cut: part that is kept where a picture has another shape than the model's.
        cruise_mps: cruise speed, for models that take one, m/s.

    Raises:
        ConfigError: there is no picture, or a label has none.
        ObservationError: a file is not a picture, or is smaller than the model's view.
    """
    labels = labels or {}
    if not paths:
        raise ConfigError("expected at least one picture, got none")
    if missing := sorted(set(labels) - {path.name for path in paths}):
        raise ConfigError(f"--labels: {missing[0]} is not among the pictures")
    answers = []
    for path in paths:
        picture = cut_to_view(read_picture(path), policy, cut)
        command = _answer(policy, picture, cruise_mps)
        direction = labels.get(path.name)
        answers.append(StillAnswer(path.name, command, direction, agrees(command, direction)))
    camera = policy.model.settings.camera
    grey = np.full((camera.height, camera.width, 3), 128, np.uint8)
    still = StillAnswer(GREY, _answer(policy, grey, cruise_mps), None, None)
    return ProbeResult(policy.model.name, cut, tuple(answers), still)


def agrees(command: Command, direction: Direction | None) -> bool | None:
    """Return whether a yaw rate fits a direction; None without one."""
    if direction is None:
        return None
    if direction is Direction.STRAIGHT:
        return abs(command.yaw_rate_radps) <= STEADY_RADPS
    return (command.yaw_rate_radps > 0.0) == (direction is Direction.LEFT)


def read_picture(path: Path) -> Pixels:
    """Return a picture file as RGB, uint8 [H, W, 3].

    Raises:
        ObservationError: the file cannot be read or is not a JPEG or PNG picture.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ObservationError(f"{path}: cannot be read ({error.strerror})") from error
    if len(content) > MAX_BYTES:
        raise ObservationError(f"{path}: expected at most {MAX_BYTES} bytes, got {len(content)}")
    try:
        return decode_file("jpeg", np.frombuffer(content, np.uint8)).pixels
    except ObservationError as error:
        raise ObservationError(f"{path}: {error}") from error


def cut_to_view(image: Pixels, policy: Policy, cut: Cut) -> Pixels:
    """Return the largest part of a picture with the shape of the model's view."""
    camera = policy.model.settings.camera
    height, width = image.shape[:2]
    ratio = camera.width / camera.height
    kept_width = min(width, round(height * ratio))
    kept_height = min(height, round(kept_width / ratio))
    left = (width - kept_width) // 2
    spare = height - kept_height
    top = spare if cut is Cut.BELOW else spare // 2
    return image[top : top + kept_height, left : left + kept_width]


def _answer(policy: Policy, picture: Pixels, cruise_mps: float) -> Command:
    """Return the mean command over the last second of a still that is held for `HOLD_S`."""
    session, camera = PolicySession(policy), policy.model.settings.camera
    rows = []
    for index in range(round(HOLD_S * RATE_HZ)):
        stamp_ns = round(index / RATE_HZ * NANOSECONDS)
        observation = Observation(
            stamp_ns,
            picture,
            _resting_imu(stamp_ns),
            range_m=1.5,
            orientation=np.array([0.0, 0.0, 0.0, 1.0]),
            cruise_mps=cruise_mps,
            mount=(camera.horizontal_fov_deg, camera.pitch_down_deg),
        )
        decision = session.answer(policy.features(observation), stamp_ns)
        rows.append(decision.command.values)
    mean = np.mean(rows[-round(AVERAGED_S * RATE_HZ) :], axis=0)
    return Command(*(float(value) for value in mean))


def _resting_imu(stamp_ns: int) -> ImuWindow:
    count = round(IMU_HZ / RATE_HZ)
    step_ns = round(NANOSECONDS / IMU_HZ)
    stamps = stamp_ns - step_ns * np.arange(count - 1, -1, -1, dtype=np.int64)
    return ImuWindow(stamps, np.zeros((count, 3)), np.tile([0.0, 0.0, 9.81], (count, 1)))


def picture_paths(places: Sequence[Path]) -> list[Path]:
    """Return picture files, and those in folders by name.

    Raises:
        ConfigError: a folder has no picture.
    """
    paths: list[Path] = []
    for place in places:
        if not place.is_dir():
            paths.append(place)
            continue
        found = sorted(path for path in place.iterdir() if path.suffix.lower() in SUFFIXES)
        if not found:
            raise ConfigError(f"{place}: expected pictures ({', '.join(SUFFIXES)}), got none")
        paths += found
    return paths


def load_labels(path: Path) -> dict[str, Direction]:
    """Read a CSV file with the columns `file` and `direction` (L, C or R).

    Raises:
        ConfigError: the file cannot be read, or a column or a direction is missing.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    labels = {}
    for number, row in enumerate(rows, start=2):
        name, direction = row.get("file"), row.get("direction")
        if not name or direction not in Direction._value2member_map_:
            raise ConfigError(
                f"{path}: line {number}: expected a file and a direction L, C or R, got "
                f"{name!r} and {direction!r}"
            )
        labels[name] = Direction(direction)
    if not labels:
        raise ConfigError(f"{path}: expected lines of file and direction, got none")
    return labels
