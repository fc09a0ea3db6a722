"""The parameters of every node, as models: types, ranges, defaults and descriptions."""

from typing import ClassVar, Literal

from pydantic import Field

from liquid_control.command.guard import Envelope
from liquid_control.config.loading import Settings

Mode = Literal["lockstep", "realtime"]
_MODE = "lockstep: every tick waits for its answer; realtime: nobody waits"


class NodeSettings(Settings):
    """Parameters of a node; those that are not changeable are read-only once it runs."""

    changeable: ClassVar[frozenset[str]] = frozenset()


class ModelNodeSettings(NodeSettings):
    """What perception and controller have in common."""

    model: str = Field("", description="model folder")
    mode: Mode = Field("realtime", description=_MODE)
    autostart: bool = Field(
        False, description="configure and activate once up, without a lifecycle manager"
    )


class PerceptionSettings(ModelNodeSettings):
    """Parameters of perception_node."""

    imu_timeout_s: float = Field(
        0.02,
        ge=0.0,
        le=1.0,
        description="a frame waits this long for the IMU to reach its stamp, s; real time only",
    )
    camera_timeout_s: float = Field(
        0.5, ge=0.05, le=10.0, description="no frame for this long is an event, s; real time only"
    )
    transport: Literal["raw", "compressed"] = Field(
        "raw", description="raw: camera/image_raw; compressed: camera/image_raw/compressed"
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


class ControllerSettings(ModelNodeSettings):
    """Parameters of controller_node."""


class GuardSettings(NodeSettings, Envelope):
    """Parameters of guard_node: the envelope, which may be changed in flight, and the mode."""

    changeable = frozenset(Envelope.model_fields) - {"period_s"}

    mode: Mode = Field("realtime", description=_MODE)

    @property
    def envelope(self) -> Envelope:
        """The envelope alone."""
        return Envelope(**{name: getattr(self, name) for name in Envelope.model_fields})


class RecorderSettings(NodeSettings):
    """Parameters of recorder_node."""

    path: str = Field(
        "flight.mcap",
        description="bag to write, .mcap or the name of a rosbag2 folder; must not exist",
    )
    mode: Mode = Field("realtime", description=_MODE)
    image: Literal["raw", "png", "jpeg", "compressed"] = Field(
        "raw",
        description="raw: as they come; png (lossless), jpeg: compressed here; compressed: as the "
        "camera's driver publishes them on camera/image_raw/compressed",
    )
    compression: Literal["none", "lz4", "zstd"] = Field(
        "none", description="of the bag's chunks; of messages in a rosbag2 folder"
    )
    topics: list[str] = Field([], description="other topics to record, once they are there")
    model: str = Field("", description="model folder to tell the mark of; empty for none")


class RecordingLoadSettings(NodeSettings):
    """Parameters of recording_load."""

    width: int = Field(640, ge=16, le=1920, description="of pictures, pixels")
    height: int = Field(480, ge=16, le=1080, description="of pictures, pixels")
    seconds: float = Field(20.0, gt=0.0, le=3600.0, description="publish for this long, s")


class SimulatorSettings(NodeSettings):
    """Parameters of simulator_node."""

    scenario: str = Field("trail", description="name of a scenario, or path to a .yaml")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="of every random stream")
    set: list[str] = Field([], description="scenario keys to replace, each as key=value")
    wind: str = Field("", description="wind preset of config/presets.yaml; empty for none")
    lighting: str = Field("", description="lighting preset of config/presets.yaml; empty for none")
    fog: str = Field("", description="fog preset of config/presets.yaml, or extinction in 1/m")
    mode: Mode = Field("lockstep", description=_MODE)
    rate: float = Field(1.0, gt=0.0, le=100.0, description="simulated s in a s; real time only")
    gui: bool = Field(False, description="show PyBullet's window")
    recorder: bool = Field(False, description="wait for recorder_node before the first tick")
    record_path: str = Field("", description=".npz for the flight's record; empty for none")
    progress: bool = Field(False, description="write JSON lines of progress to stdout")
    start_timeout_s: float = Field(
        30.0, gt=0.0, le=600.0, description="wait this long for the graph, s of wall time"
    )
    answer_timeout_s: float = Field(
        10.0, gt=0.0, le=600.0, description="wait this long for a command in lockstep, s"
    )


class ReplaySettings(NodeSettings):
    """Parameters of replay_node."""

    changeable = frozenset({"rate", "loop", "position_s"})

    bag: str = Field("", description=".mcap or .db3 file, or folder, to replay")
    topics: list[str] = Field(
        [], description="topic presets of config/topics by name, or files of that kind"
    )
    topic: list[str] = Field([], description="topics by role, each as role=/name, as camera=/cam")
    mode: Mode = Field("lockstep", description=_MODE)
    rate: float = Field(
        1.0, ge=0.01, le=100.0, description="recorded s in a s; real time only; may be changed"
    )
    loop: bool = Field(False, description="begin again at the end; may be changed")
    paused: bool = Field(False, description="begin paused; ~/pause and ~/step go on")
    start_s: float = Field(0.0, ge=0.0, description="replay from here, s after the bag's start")
    duration_s: float = Field(0.0, ge=0.0, description="replay so much of it, s; 0: to the end")
    position_s: float = Field(
        0.0, ge=0.0, description="where the replay is, s after the bag's start; set it to seek"
    )
    gap_s: float = Field(
        2.0,
        ge=0.5,
        le=120.0,
        description="time that passes at a seek or a loop, s; more than the model's max_gap_s",
    )
    tick_s: float = Field(
        Envelope().period_s,
        ge=0.001,
        le=0.1,
        description="time between two /clock where the bag has none, s",
    )
    wait: bool = Field(
        True, description="begin once perception, controller and guard are there; lockstep does"
    )
    recorder: bool = Field(False, description="wait for recorder_node before the first frame")
    progress: bool = Field(False, description="write JSON lines of progress to stdout")
    start_timeout_s: float = Field(
        30.0, gt=0.0, le=600.0, description="wait this long for the graph, s of wall time"
    )
    answer_timeout_s: float = Field(
        10.0, gt=0.0, le=600.0, description="wait this long for a command in lockstep, s"
    )
