"""A recorded flight through a policy, frame by frame: the data that all inspections read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control import bags, replay
from liquid_control.config import Scenario, load_scenario, parse_settings
from liquid_control.config.disturbances import joined_overrides, parse_disturbances
from liquid_control.config.overrides import preset_overrides
from liquid_control.errors import BagError, ConfigError, LiquidControlError
from liquid_control.frames import heading_of
from liquid_control.liquid.time_constants import gate_slopes
from liquid_control.perception import INPUTS, input_values
from liquid_control.policy import FrameClock, ModelSettings, Policy, PolicySession
from liquid_control.types import NANOSECONDS, Floats, Observation, Pixels

Array = NDArray[np.float32]

AXES = ("forward", "left", "up", "yaw")
"""Names of the command axes, in the order of `Command.values`."""
UNITS = ("m/s", "m/s", "m/s", "rad/s")
IMU_NAMES = ("rate_x", "rate_y", "rate_z", "force_x", "force_y", "force_z")
PRESETS = ("wind", "lighting", "fog")
"""Parameters of `simulator_node` that name presets."""
INPUT_NAMES = {"attitude": ("roll", "pitch"), "mount": ("mount_pitch", "mount_fov")}
"""Names of the numbers of an optional input; of others the name of the input."""


@dataclass(frozen=True, slots=True, eq=False)
class InspectedFlight:
    """Every frame of a flight that a policy answered, in order; T frames.

    Attributes:
        name: of the recording.
        stamp_ns: int64 [T].
        elapsed_s: float64 [T], the dt that the policy received, s.
        fresh: bool [T], whether the frame started from a fresh state.
        pictures: uint8 [T, H, W, 3] RGB, at the model's size.
        mounts: float32 [T, 2], scaled pitch and field of view of the camera; None for a network
            that does not receive them.
        features: float32 [T, F].
        feature_names: F names.
        before: float32 [T, S], states before the frames.
        states: float32 [T, S], states after the frames.
        state_names: S names.
        gates: float32 [T, S], time gates; None for a core without them.
        commands: float64 [T, 4], as `Command.values`, of the policy.
        recorded: float64 [T, 4], the recorded commands of the policy that flew; NaN without.
        poses: float64 [T, 4], x, y, z in m, map, and heading in rad; NaN where not recorded.
        refused: number of frames that were refused by reason.
        metadata: records of the bag by name.
        quantities: float64 [T] by name, what `quantities` measured.
    """

    name: str
    stamp_ns: NDArray[np.int64]
    elapsed_s: Floats
    fresh: NDArray[np.bool_]
    pictures: Pixels
    mounts: Array | None
    features: Array
    feature_names: tuple[str, ...]
    before: Array
    states: Array
    state_names: tuple[str, ...]
    gates: Array | None
    commands: Floats
    recorded: Floats
    poses: Floats
    refused: Mapping[str, int] = field(default_factory=dict)
    metadata: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    quantities: Mapping[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.stamp_ns)

    @property
    def seconds(self) -> Floats:
        """Time since the first frame, float64 [T], s."""
        seconds: Floats = (self.stamp_ns - self.stamp_ns[0]) / NANOSECONDS
        return seconds

    def frame_at(self, moment_s: float) -> int:
        """Return the index of the last frame at or before a moment, s from the first frame.

        Raises:
            ConfigError: the moment is outside the flight.
        """
        seconds = self.seconds
        if not 0.0 <= moment_s <= seconds[-1] + 1e-9:
            raise ConfigError(
                f"--at: expected a moment from 0 to {seconds[-1]:.2f} s, the length of "
                f"{self.name}, got {moment_s:g} s"
            )
        return int(np.searchsorted(seconds, moment_s + 1e-9, side="right")) - 1


def feature_names(settings: ModelSettings) -> tuple[str, ...]:
    """Return the names of a model's features: `image_0` and so on, IMU, optional inputs."""
    names = [f"image_{index}" for index in range(settings.features.image)] + list(IMU_NAMES)
    for name in settings.features.inputs:
        parts = INPUT_NAMES.get(name, (name,))
        names += parts if len(parts) == INPUTS[name].size else [name]
    return tuple(names)


def time_constants(policy: Policy, flight: InspectedFlight) -> Floats | None:
    """Return the effective time constant of every neuron at every frame, float64 [T, S], s.

    It is the inverse of the gate's rate (`liquid.time_constants`), and infinite at rate 0. None
    for a core other than the wired CfC.
    """
    if policy.model.settings.core.wiring is None:
        return None
    rows = zip(flight.features, flight.before, flight.states, strict=True)
    slopes = np.array([gate_slopes(policy.model.weights, *row) for row in rows])
    with np.errstate(divide="ignore"):
        constants: Floats = 1.0 / np.abs(slopes)
    return constants


class FrameCollector:
    """Runs a policy over observations and keeps everything about every frame.

    Args:
        policy: the policy.
        keep_pictures: whether pictures are kept.
    """

    def __init__(self, policy: Policy, keep_pictures: bool = True) -> None:
        self.policy = policy
        settings = policy.model.settings
        self._session = PolicySession(policy)
        self._clock = FrameClock(settings.nominal_dt_s, settings.max_gap_s)
        self._keep = keep_pictures
        self._mounted = settings.perception.mount
        self._rows: list[dict[str, Any]] = []

    def add(self, observation: Observation, picture: Pixels, features: Array) -> None:
        """Answer a frame; a refused one is counted and leaves state and clock unchanged.

        Args:
            observation: the readings.
            picture: uint8 [H, W, 3], at the model's size.
            features: float32 [F].
        """
        stamp_ns, state = observation.stamp_ns, self._session.state()
        try:
            decision = self._session.answer(features, stamp_ns)
        except LiquidControlError:
            return
        elapsed = self._clock.elapsed(stamp_ns, state["stamp_ns"])
        self._rows.append(
            {
                "stamp_ns": stamp_ns,
                "elapsed_s": elapsed.dt_s,
                "fresh": elapsed.fresh,
                "pictures": picture.copy() if self._keep else np.zeros((0, 0, 3), np.uint8),
                "mounts": input_values(("mount",), observation) if self._mounted else (),
                "features": features,
                "before": self.policy.init_state() if elapsed.fresh else state["state"],
                "states": decision.state,
                "gates": decision.gates,
                "commands": decision.command.values,
            }
        )

    def refuse(self, error: LiquidControlError) -> None:
        """Count a frame without features."""
        self._session.refuse(error)

    def flight(
        self,
        name: str,
        poses: Mapping[int, Floats] | None = None,
        recorded: Mapping[int, Sequence[float]] | None = None,
        metadata: Mapping[str, Mapping[str, str]] | None = None,
    ) -> InspectedFlight:
        """Return the flight so far.

        Args:
            name: of the recording.
            poses: x, y, z and heading by stamp; None where they are not known.
            recorded: commands of the policy that flew, by stamp.
            metadata: of the bag.

        Raises:
            BagError: no frame was answered.
        """
        refused = dict(self._session.refusals)
        if not self._rows:
            raise BagError(
                f"{name}: no frame could be used: {next(iter(refused), 'none was recorded')}"
            )
        columns: dict[str, Any] = {
            key: np.array([row[key] for row in self._rows]) for key in self._rows[0]
        }
        gated = columns["gates"].shape == columns["states"].shape
        stamps, unknown = columns["stamp_ns"].tolist(), np.full(4, np.nan)

        def by_stamp(known: Mapping[int, Any] | None) -> Floats:
            return np.array([(known or {}).get(stamp, unknown) for stamp in stamps])

        return InspectedFlight(
            **{**columns, "gates": columns["gates"] if gated else None}
            | {"mounts": columns["mounts"] if self._mounted else None},
            name=name,
            feature_names=feature_names(self.policy.model.settings),
            state_names=self.policy.state_names,
            poses=by_stamp(poses),
            recorded=by_stamp(recorded),
            refused=refused,
            metadata={name: dict(record) for name, record in (metadata or {}).items()},
        )


class _BagReader:
    """Consumer of a bag's events; pictures pass through the same extractor as in a replay."""

    def __init__(self, policy: Policy, given: Any) -> None:
        self.collector = FrameCollector(policy)
        self.poses: dict[int, Floats] = {}
        self.recorded: dict[int, tuple[float, ...]] = {}
        self._extractor = replay.FeatureExtractor(policy, given=given)

    def consume(self, event: bags.Event) -> None:
        if isinstance(event, bags.CameraInfoEvent):
            self._extractor.set_camera(event)
        elif isinstance(event, bags.OdometryEvent):
            pose = (*event.state.position, heading_of(event.state.quaternion))
            self.poses[event.stamp_ns] = np.array(pose)
        elif isinstance(event, bags.CommandEvent):
            if event.source is bags.CommandSource.POLICY:
                self.recorded[event.stamp_ns] = event.command.values
        elif isinstance(event, bags.FrameEvent):
            found = self._extractor.extract(event)
            if found is None or found.features is None or found.picture is None:
                reason = None if found is None else found.error
                self.collector.refuse(reason or BagError("the frame was not usable"))
            else:
                observation = self._extractor.completed(event.observation)
                self.collector.add(observation, found.picture, found.features)


def open_flight(
    path: Path | str,
    model: Path | str | None = None,
    *,
    policy: Policy | None = None,
    rules: bags.TopicRules | None = None,
    inputs: Sequence[str] = (),
) -> tuple[Policy, InspectedFlight]:
    """Run a policy over a recording and return both.

    Args:
        path: a bag, or the folder of results of a `fly` or `evaluate` with one bag.
        model: model folder; None for the one that the bag was recorded with.
        policy: a loaded policy, instead of `model`.
        rules: which topics play which role; None for those of this package.
        inputs: values of inputs that the bag lacks, each as name=number.

    Raises:
        BagError: the bag cannot be read, has no pictures, or no frame could be used.
        ConfigError: a value is not accepted, or the model needs an input that is not recorded.
        ModelError: the model is missing or damaged.
    """
    bag = recording_of(Path(path))
    folder = model if policy is None else policy.model.path
    request = replay.ReplayRequest.for_bag(bag, folder, against="none", rules=rules, inputs=inputs)
    choice = request.choice
    if folder is None and choice.recorded is not None and choice.warning:
        raise BagError(
            f"{bag}: was recorded with {choice.recorded['name']} (weights "
            f"{choice.recorded['sha256'][:12]}…), which is not among the shipped models; give its "
            "folder as --model"
        )
    policy = policy or Policy(choice.model)
    reader = _BagReader(policy, request.given)
    losses = bags.Losses()
    replay.replay(bags.read_flight(request.bag, request.topics, losses), [reader])
    known = reader.poses, reader.recorded, request.bag.metadata
    return policy, reader.collector.flight(bag.name, *known)


def recording_of(path: Path) -> Path:
    """Return the bag at a path: the path itself, or the only one in a folder of results.

    Raises:
        BagError: a folder of results holds no bag, or several.
    """
    if not path.is_dir() or (path / "metadata.yaml").is_file():
        return path
    found = sorted({*path.glob("*.mcap"), *path.glob("*/*.mcap")})
    if len(found) != 1:
        names = ", ".join(str(bag.relative_to(path)) for bag in found[:5]) or "none"
        raise BagError(f"{path}: expected one bag, got {len(found)}: {names}; name one of them")
    return found[0]


def recorded_scenario(flight: InspectedFlight) -> tuple[Scenario, int]:
    """Return scenario and seed of a flight in our simulator.

    Raises:
        ConfigError: the recording does not state them.
    """
    known, node = flight.metadata.get("flight", {}), "parameters/simulator_node"
    if "settings" in known and "seed" in known:
        return Scenario.model_validate_json(known["settings"]), int(known["seed"])
    stated = {key: _json(text) for key, text in flight.metadata.get(node, {}).items()}
    if "scenario" not in stated or "seed" not in stated:
        raise ConfigError(
            f"{flight.name}: its scenario and seed are not recorded, so it cannot be flown or "
            "rendered again"
        )
    presets = preset_overrides(*(str(stated.get(key) or "") for key in PRESETS))
    vehicle = {"vehicle": stated["vehicle"]} if stated.get("vehicle") else {}
    disturbed = joined_overrides(parse_disturbances(stated.get("disturb") or []))
    overrides = presets | disturbed | vehicle | parse_settings(stated.get("set") or [])
    return load_scenario(str(stated["scenario"]), overrides), int(stated["seed"])


def with_quantities(flight: InspectedFlight, measured: Mapping[str, Floats]) -> InspectedFlight:
    """Return the flight with further quantities, float64 [T] by name."""
    return replace(flight, quantities={**flight.quantities, **measured})


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
