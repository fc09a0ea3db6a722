"""Parameters of the nodes as settings models: types, ranges, defaults and descriptions."""

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from liquid_control import topics as names
from liquid_control.command import Envelope, GuardRules
from liquid_control.config import Scenario, Settings, load_scenario, parse_settings
from liquid_control.config.disturbances import joined_overrides, parse_disturbances
from liquid_control.config.driver_faults import DriverFaultKind
from liquid_control.config.overrides import preset_overrides
from liquid_control.perception.encodings import PICTURE_ENCODINGS
from liquid_control.publishers import SecondPublisher
from liquid_control.seeding import MAX_SEED

Mode = Literal["lockstep", "realtime"]
_MODE = "lockstep: every tick waits for its answer; realtime: no tick waits"


class NodeSettings(Settings):
    """Parameters of a node; those not in `changeable` are read-only once it runs."""

    changeable: ClassVar[frozenset[str]] = frozenset()


class BoundSettings(NodeSettings):
    """Parameters of nodes that use one publisher of each topic."""

    second_publisher: SecondPublisher = Field(
        "hover",
        description="while a topic has another publisher: hover; same_name: hover unless its "
        "node has the same name; accept: use the messages of all",
    )
    publishers: list[str] = Field(
        [], description="nodes that must publish a topic, each as topic=node; others: any node"
    )


class LifecycleSettings(NodeSettings):
    """Parameters that all lifecycle nodes share."""

    model: str = Field("", description="model folder")
    mode: Mode = Field("realtime", description=_MODE)
    autostart: bool = Field(
        False, description="configure and activate at the start, without a lifecycle manager"
    )


class ModelNodeSettings(LifecycleSettings, BoundSettings):
    """Parameters that perception_node and controller_node share."""


class PerceptionSettings(ModelNodeSettings):
    """Parameters of perception_node."""

    changeable = frozenset({"cruise_speed_mps"})

    cruise_speed_mps: float | None = Field(
        None,
        gt=0.0,
        le=15.0,
        description="speed that the policy is asked to hold, m/s; needed by models with the input "
        "cruise_speed",
    )
    camera_pitch_down_deg: float | None = Field(
        None,
        ge=-45.0,
        le=90.0,
        description="optical axis of the camera below the body's x axis, degrees; needed by "
        "models with the input mount",
    )
    imu_timeout_s: float = Field(
        0.02,
        ge=0.0,
        le=1.0,
        description="a frame waits this long for the IMU to reach its stamp, and for a range "
        "where the model needs it, s; real time only",
    )
    camera_timeout_s: float = Field(
        0.5,
        ge=0.05,
        le=10.0,
        description="time without a frame that is reported, s; real time only",
    )
    transport: Literal["raw", "compressed"] = Field(
        "raw", description="raw: camera/image_raw; compressed: camera/image_raw/compressed"
    )
    encoding: str = Field(
        "",
        description="encoding of the pictures in place of the one that they state, as bgr8 or "
        "bayer_rggb8; empty: as they state",
    )
    crop: bool = Field(
        True, description="cut the model's view out of a larger or wider camera's picture"
    )
    horizontal_fov_deg: float = Field(
        0.0,
        ge=0.0,
        le=170.0,
        description="the camera's field of view, degrees; 0: as camera_info says",
    )
    picture_health: bool = Field(
        False, description="publish perception/picture, which the guard's picture rules need"
    )
    imu_max_rate_radps: float = Field(
        40.0,
        gt=0.0,
        le=1000.0,
        description="frames with a faster rotation about an axis are refused, rad/s; of a gyro of "
        "2000 degrees/s with margin",
    )
    imu_max_accel_mps2: float = Field(
        200.0,
        gt=0.0,
        le=10000.0,
        description="frames with a larger specific force along an axis are refused, m/s^2; of an "
        "accelerometer of 16 g with margin",
    )

    @field_validator("encoding")
    @classmethod
    def _known(cls, value: str) -> str:
        if value and value not in PICTURE_ENCODINGS:
            raise ValueError(f"expected one of {', '.join(PICTURE_ENCODINGS)}, got {value!r}")
        return value


class ControllerSettings(ModelNodeSettings):
    """Parameters of controller_node."""

    max_image_feature: float = Field(
        1.0,
        gt=0.0,
        le=1e6,
        description="frames with a larger feature of the picture are refused; tanh gives 1",
    )
    online_adaptation: str = Field(
        "",
        description="adapt the read-out in flight by odometry: certified, in the box of the "
        "model's certificate; GAIN,OFFSET, in a smaller one; empty: off",
    )


class GuardSettings(BoundSettings, Envelope, GuardRules):
    """Parameters of guard_node: the envelope, changeable in flight, the rules, and the mode."""

    changeable = frozenset(Envelope.model_fields) - {"period_s"}

    mode: Mode = Field("realtime", description=_MODE)
    pair: Literal["single", "first", "standby"] = Field(
        "single",
        description="single: publish always; first: at once, unless another guard of a pair on "
        "this machine publishes; standby: when the first one has ended",
    )

    @property
    def envelope(self) -> Envelope:
        """The envelope alone."""
        return Envelope(**{name: getattr(self, name) for name in Envelope.model_fields})

    @property
    def rules(self) -> GuardRules:
        """The rules alone."""
        return GuardRules(**{name: getattr(self, name) for name in GuardRules.model_fields})


class RecorderSettings(NodeSettings):
    """Parameters of recorder_node."""

    path: str = Field(
        "flight.mcap",
        description="bag to write, .mcap or the name of a rosbag2 folder; must not exist",
    )
    mode: Mode = Field("realtime", description=_MODE)
    image: Literal["raw", "png", "jpeg", "compressed"] = Field(
        "raw",
        description="raw: as received; png (lossless), jpeg: compressed by the recorder; "
        "compressed: as the camera's driver publishes them on camera/image_raw/compressed",
    )
    compression: Literal["none", "lz4", "zstd"] = Field(
        "none", description="of the bag's chunks; of messages in a rosbag2 folder"
    )
    topics: list[str] = Field([], description="further topics to record once they are published")
    model: str = Field("", description="model folder to record the fingerprint of; empty: none")


class FoxgloveSettings(LifecycleSettings):
    """Parameters of foxglove_node."""

    model: str = Field(
        "",
        description="model folder whose saliency, time constants and wiring are shown; empty: "
        "none",
    )
    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="address to listen on; 0.0.0.0: every network of this computer, without a "
        "password",
    )
    port: int = Field(8765, ge=1, le=65535, description="TCP port to listen on")
    transport: Literal["raw", "compressed"] = Field(
        "raw", description="raw: camera/image_raw; compressed: camera/image_raw/compressed"
    )
    encoding: str = Field(
        "", description="encoding of the pictures in place of the one that they state"
    )
    camera_pitch_down_deg: float = Field(
        0.0,
        ge=-45.0,
        le=90.0,
        description="optical axis of the camera below the body's x axis, degrees, for the scene",
    )
    camera_rate_hz: float = Field(
        10.0, gt=0.0, le=120.0, description="largest rate of pictures, 1/s"
    )
    saliency_rate_hz: float = Field(
        4.0,
        gt=0.0,
        le=60.0,
        description="largest rate of saliency maps, 1/s; they take a fifth of a core at most",
    )
    numbers_rate_hz: float = Field(
        50.0, gt=0.0, le=1000.0, description="largest rate of each topic of numbers, 1/s"
    )
    scene_rate_hz: float = Field(
        10.0, gt=0.0, le=120.0, description="largest rate of path, pose and transforms, 1/s"
    )
    wiring_rate_hz: float = Field(
        4.0, gt=0.0, le=30.0, description="largest rate of pictures of the wiring, 1/s"
    )
    jpeg_quality: int = Field(80, ge=10, le=100, description="of pictures that this node encodes")
    queue_kib: int = Field(
        256,
        ge=16,
        le=16384,
        description="unsent KiB of a viewer beyond which messages are dropped; half of it for "
        "pictures",
    )


class SourceSettings(NodeSettings):
    """Parameters that simulator_node and replay_node share."""

    mode: Mode = Field("lockstep", description=_MODE)
    recorder: bool = Field(False, description="wait for recorder_node before the first tick")
    progress: bool = Field(False, description="write JSON lines of progress to stdout")
    start_timeout_s: float = Field(
        30.0,
        gt=0.0,
        le=600.0,
        description="end when the incomplete graph makes no progress for so long, s of wall time",
    )
    answer_timeout_s: float = Field(
        10.0,
        gt=0.0,
        le=600.0,
        description="end when a command in lockstep is missing and the graph makes no progress "
        "for so long, s of wall time",
    )


class ManagerSettings(NodeSettings):
    """Parameters of lifecycle_manager."""

    node_names: list[str] = Field(
        [names.PERCEPTION, names.CONTROLLER],
        description="nodes to manage, relative to the namespace, in the order of activation",
    )
    autostart: bool = Field(False, description="configure and activate all nodes at the start")
    timeout_s: float = Field(
        30.0,
        gt=0.0,
        le=600.0,
        description="a request fails without progress for so long, s of wall time",
    )


class SimulatorSettings(SourceSettings):
    """Parameters of simulator_node."""

    scenario: str = Field("trail", description="name of a scenario, or path to a .yaml")
    seed: int = Field(0, ge=0, le=MAX_SEED, description="of every random stream")
    set: list[str] = Field([], description="scenario keys to replace, each as key=value")
    disturb: list[str] = Field(
        [], description="disturbances, each as name=severity, as fog=3; set wins over them"
    )
    vehicle: str = Field(
        "", description="name of a vehicle, or path to a .yaml; empty: as in the scenario"
    )
    wind: str = Field("", description="wind preset of config/presets.yaml; empty: none")
    lighting: str = Field("", description="lighting preset of config/presets.yaml; empty: none")
    fog: str = Field("", description="fog preset of config/presets.yaml, or extinction in 1/m")
    rate: float = Field(
        1.0, gt=0.0, le=100.0, description="simulated seconds per second; real time only"
    )
    gui: bool = Field(False, description="show PyBullet's window")
    record_path: str = Field("", description=".npz for the flight's record; empty: none")
    command_timeout_s: float = Field(
        0.0,
        ge=0.0,
        le=10.0,
        description="the vehicle hovers so long after the last cmd_vel, as an autopilot does, s "
        "of wall time; 0: never; real time only",
    )
    firmware: str = Field(
        "",
        description="program of a PX4 built for SITL that flies the vehicle, with set-points of "
        "mavlink_node, real time only; empty: our own cascade obeys cmd_vel",
    )
    stand_limit_s: float = Field(
        0.0,
        ge=0.0,
        le=600.0,
        description="end when the vehicle has stood for so long after it flew, s; 0: never",
    )
    driver_faults: list[str] = Field(
        [],
        description="faults of the drivers, each as topic:kind:start:duration, as "
        "imu/data:frozen:5:2 (s of ROS time); kinds: "
        + ", ".join(k.value for k in DriverFaultKind),
    )

    def load_scenario(self) -> Scenario:
        """Return the scenario with presets, disturbances, vehicle and keys replaced.

        Raises:
            ConfigError: a name, a key or a value is not known.
        """
        presets = preset_overrides(self.wind, self.lighting, self.fog)
        disturbed = joined_overrides(parse_disturbances(self.disturb))
        vehicle = {"vehicle": self.vehicle} if self.vehicle else {}
        replaced = presets | disturbed | vehicle | parse_settings(self.set)
        return load_scenario(self.scenario, replaced)


class ReplaySettings(SourceSettings):
    """Parameters of replay_node."""

    changeable = frozenset({"rate", "loop", "position_s"})

    bag: str = Field("", description=".mcap or .db3 file, or folder, to replay")
    topics: list[str] = Field(
        [], description="topic presets of config/topics by name, or files of that kind"
    )
    topic: list[str] = Field([], description="topics by role, each as role=/name, as camera=/cam")
    rate: float = Field(
        1.0,
        ge=0.01,
        le=100.0,
        description="recorded seconds per second; real time only; may be changed",
    )
    loop: bool = Field(False, description="begin again at the end; may be changed")
    paused: bool = Field(False, description="begin paused; ~/pause and ~/step continue")
    start_s: float = Field(0.0, ge=0.0, description="begin here, s after the bag's start")
    duration_s: float = Field(0.0, ge=0.0, description="length to replay, s; 0: to the end")
    position_s: float = Field(
        0.0, ge=0.0, description="position of the replay, s after the bag's start; set it to seek"
    )
    gap_s: float = Field(
        2.0,
        ge=0.5,
        le=120.0,
        description="ROS time that passes at a seek or a loop, s; more than the model's max_gap_s",
    )
    tick_s: float = Field(
        Envelope().period_s,
        ge=0.001,
        le=0.1,
        description="time between two /clock where the bag has none, s",
    )
    wait: bool = Field(
        True,
        description="begin once perception, controller and guard are ready; always in lockstep",
    )
