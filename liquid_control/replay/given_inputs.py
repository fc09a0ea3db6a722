"""Inputs of a policy that a recording may lack: cruise speed and pitch of the camera."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import isfinite

from liquid_control.bags import Bag, Losses, Role, TopicMap
from liquid_control.bags.decoding.sensors import readings_of
from liquid_control.bags.topics import Axes
from liquid_control.config import Scenario
from liquid_control.errors import BagError, ConfigError, ObservationError
from liquid_control.message_types import IMU
from liquid_control.perception import INPUTS
from liquid_control.policy import Model
from liquid_control.topics import PERCEPTION
from liquid_control.types import Observation

OPTION = "--input"
CRUISE, PITCH = "cruise_speed_mps", "camera_pitch_down_deg"
"""Names of the parameters of perception_node, and of the values of `--input`."""
_LIMITS = {CRUISE: (0.0, 15.0), PITCH: (-45.0, 90.0)}
_SIMULATED = "flight"
"""Metadata record with the scenario of a flight that was recorded in process."""


@dataclass(frozen=True, slots=True)
class GivenInputs:
    """Values for every frame of a replay; None if not known.

    Attributes:
        cruise_mps: cruise speed, m/s.
        pitch_down_deg: optical axis of the camera below the body's x axis, degrees.
        wins: names of the values that replace recorded readings.
    """

    cruise_mps: float | None = None
    pitch_down_deg: float | None = None
    wins: frozenset[str] = frozenset()

    @property
    def parameters(self) -> dict[str, float]:
        """The known values as parameters of perception_node."""
        values = {CRUISE: self.cruise_mps, PITCH: self.pitch_down_deg}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def words(self) -> list[str]:
        """The values of `--input`."""
        return [f"{name}={self.parameters[name]!r}" for name in sorted(self.wins)]

    def completed(self, observation: Observation, fov_deg: float | None) -> Observation:
        """Return an observation with cruise speed and mount.

        A recorded reading, also a missing one, is kept unless an option replaces it.

        Args:
            observation: from a recording.
            fov_deg: field of view of the picture's part that the model receives, degrees; None
                if unknown.
        """
        cruise_mps, mount = observation.cruise_mps, observation.mount
        if cruise_mps is None or CRUISE in self.wins:
            cruise_mps = self.cruise_mps
        recorded = mount is not None
        pitch_deg = self.pitch_down_deg if mount is None or PITCH in self.wins else mount[1]
        if mount is not None and (fov_deg is None or not isfinite(mount[0])):
            fov_deg = mount[0]
        if fov_deg is not None and pitch_deg is not None:
            mount = fov_deg, pitch_deg
        elif not recorded:
            mount = None
        return replace(observation, cruise_mps=cruise_mps, mount=mount)


def given_inputs(words: Sequence[str], metadata: Mapping[str, Mapping[str, str]]) -> GivenInputs:
    """Return the values of `--input`, else those of the recorded flight.

    Args:
        words: values of the option, each as name=number.
        metadata: of the bag.

    Raises:
        ConfigError: a word is not one of these names with a number in its range.
    """
    options = dict(_option(word) for word in words)
    values = _recorded(metadata) | options
    return GivenInputs(values.get(CRUISE), values.get(PITCH), frozenset(options))


def _option(word: str) -> tuple[str, float]:
    name, _, text = word.partition("=")
    try:
        low, high = _LIMITS[name]
        value = float(text)
        if low <= value <= high and not (name == CRUISE and value == 0.0):
            return name, value
    except (KeyError, ValueError):
        pass
    raise ConfigError(
        f"{OPTION}: expected {CRUISE}=NUMBER above 0, at most 15, or {PITCH}=NUMBER from -45 to "
        f"90, got {word!r}"
    )


def _recorded(metadata: Mapping[str, Mapping[str, str]]) -> dict[str, float]:
    """Return the parameters of perception_node, or the values of a simulated flight."""
    parameters = metadata.get(f"parameters/{PERCEPTION}", {})
    found = {}
    for name in _LIMITS:
        with suppress(ValueError):  # a parameter that is not set
            found[name] = float(parameters.get(name, ""))
    settings = metadata.get(_SIMULATED, {}).get("settings")
    if found or settings is None:
        return found
    try:
        scenario = Scenario.model_validate_json(settings)
    except ValueError:  # of another version
        return found
    return {CRUISE: scenario.cruise_mps, PITCH: scenario.camera.pitch_down_deg}


def changes_in_flight(metadata: Mapping[str, Mapping[str, str]]) -> bool:
    """Return whether the cruise speed was changed during the recorded flight."""
    return any(
        record.startswith("parameters_changed/")
        and values.get("node") == PERCEPTION
        and CRUISE in values
        for record, values in metadata.items()
    )


def check_inputs(model: Model, bag: Bag, topics: TopicMap, given: GivenInputs) -> None:
    """Check that a bag, with the given values, has every input that a model needs.

    Raises:
        ConfigError: it does not; the message names the option that supplies the input.
    """
    needed = model.settings.needed_inputs
    recorded = _recorded_names(bag, topics) if needed else frozenset()
    for name in needed:
        problem = "" if recorded >= set(INPUTS[name].readings) else _problem(name, topics, given)
        if problem:
            raise ConfigError(
                f"{bag.path}: the model {model.name} needs the input {name}, and {problem}"
            )


def _recorded_names(bag: Bag, topics: TopicMap) -> frozenset[str]:
    """Return the names of the readings in the first message of `policy/inputs`."""
    source = topics.sources.get(Role.INPUTS)
    if source is None:
        return frozenset()
    first = next(bag.messages([source.topic], Losses()), None)
    try:
        return frozenset() if first is None else frozenset(readings_of(bag.decode(first)))
    except (BagError, ObservationError):
        return frozenset()


def _problem(name: str, topics: TopicMap, given: GivenInputs) -> str:
    """Return what is missing for an input, and the option for it; empty for nothing."""
    if name == "cruise_speed" and given.cruise_mps is None:
        return f"no cruise speed is recorded; add {OPTION} {CRUISE}=NUMBER"
    if name == "mount" and given.pitch_down_deg is None:
        return f"the camera's pitch is not recorded; add {OPTION} {PITCH}=NUMBER"
    camera = topics.sources.get(Role.CAMERA)
    calibrated = camera is not None and camera.horizontal_fov_deg is not None
    if name == "mount" and not calibrated and Role.CAMERA_INFO not in topics:
        return "there is no camera_info; add --topic camera=/NAME,DEGREES"
    if name == "range" and Role.RANGE not in topics:
        return "there is no range; add --topic range=/NAME"
    imu = topics.sources.get(Role.IMU)
    if name == "attitude" and (imu is None or imu.type != IMU or imu.axes is not Axes.FLU):
        return "there is no sensor_msgs/Imu in flu axes; add --topic imu=/NAME,flu"
    return ""
