"""Schema of `model.yaml`: the settings of a model, without its weights."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from liquid_control.command.motors import MOTORS, MotorScaling
from liquid_control.config import Settings
from liquid_control.errors import CellError, ModelError
from liquid_control.liquid.weights import Masking
from liquid_control.liquid.wiring import Wiring
from liquid_control.perception import CameraView, PerceptionSpec, input_size

SCHEMA = 2
WIRED = "cfc_wired"
"""The core that flies without ONNX Runtime: its step in NumPy is faster."""


class ModelCamera(Settings):
    """The camera a model was trained with."""

    width: int = Field(96, ge=16, le=1920, description="pixels")
    height: int = Field(54, ge=16, le=1080, description="pixels")
    horizontal_fov_deg: float = Field(90.0, ge=20.0, le=140.0, description="degrees")
    pitch_down_deg: float = Field(
        15.0, ge=-45.0, le=90.0, description="optical axis below the body's x axis, degrees"
    )
    fov_range_deg: tuple[float, float] | None = Field(
        None, description="smallest and largest field of view in training, degrees"
    )
    pitch_range_deg: tuple[float, float] | None = Field(
        None, description="smallest and largest pitch in training, degrees"
    )

    @property
    def view(self) -> CameraView:
        """The camera as a `CameraView`."""
        return CameraView(
            self.width,
            self.height,
            self.horizontal_fov_deg,
            self.pitch_down_deg,
            self.fov_range_deg,
            self.pitch_range_deg,
        )

    @property
    def text(self) -> str:
        """Size, field of view and pitch with their ranges, as part of a sentence."""
        fov, pitch = (
            f"{value:g}" if limits is None else f"{limits[0]:g} to {limits[1]:g}"
            for value, limits in (
                (self.horizontal_fov_deg, self.fov_range_deg),
                (self.pitch_down_deg, self.pitch_range_deg),
            )
        )
        return f"{self.width}×{self.height} RGB ({fov}° wide, {pitch}° down)"


class ModelFeatures(Settings):
    """Numbers of the controller's inputs by source, in this order."""

    image: int = Field(28, ge=1, le=1024, description="features of the picture")
    imu: Literal[6] = Field(6, description="features of the IMU window")
    inputs: tuple[Literal["cruise_speed", "range", "attitude", "mount"], ...] = Field(
        (), description="optional inputs that the model needs, in this order"
    )

    @property
    def total(self) -> int:
        """Number of inputs of the controller."""
        return self.image + self.imu + input_size(self.inputs)


class ModelCore(Settings):
    """The recurrent core of a model: its kind, its size and its state."""

    kind: str = Field(
        WIRED, pattern=r"^[a-z][a-z0-9_]*$", description="a key of `liquid_control.cores.CORES`"
    )
    options: dict[str, Any] = Field({}, description="keyword arguments of its constructor")
    state_size: int = Field(
        0, ge=0, le=10**6, description="numbers in a state; 0 for the wiring's"
    )
    wiring: dict[str, Any] | None = Field(
        None, description="cfc_wired only: layers, sensory and recurrent synapses"
    )
    masking: Masking = Field(
        Masking.SYNAPSES, description="cfc_wired only: how the wiring masks the maps"
    )
    time_unit_s: float = Field(0.05, gt=0.0, le=100.0, description="dt is divided by it, s")

    @field_validator("wiring", mode="before")
    @classmethod
    def _plain(cls, value: object) -> object:
        return value.to_dict() if isinstance(value, Wiring) else value

    @model_validator(mode="after")
    def _wired_or_sized(self) -> "ModelCore":
        if (self.kind == WIRED) != (self.wiring is not None):
            raise ValueError(f"expected a wiring for {WIRED} and for no other core")
        if self.wiring is not None:
            try:
                Wiring.from_dict(self.wiring)
            except CellError as error:
                raise ValueError(str(error)) from error
        return self

    @property
    def circuit(self) -> Wiring:
        """The wiring, built from `wiring`.

        Raises:
            ModelError: the core has no wiring.
        """
        if self.wiring is None:
            raise ModelError(f"expected a model with core {WIRED}, got {self.kind}")
        return Wiring.from_dict(self.wiring)

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the numbers in a state: those of the neurons where there is a wiring."""
        if self.wiring is not None:
            return self.circuit.names
        return tuple(f"state_{index}" for index in range(self.state_size))


class ModelSettings(Settings):
    """Settings of a model: camera, perception network, core, time, motors and provenance."""

    version: Literal[2] = Field(2, alias="schema", description="version of this layout")
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="the model's name")
    camera: ModelCamera = ModelCamera()
    perception: PerceptionSpec = PerceptionSpec()
    features: ModelFeatures = ModelFeatures()
    core: ModelCore
    nominal_dt_s: float = Field(0.05, gt=0.0, le=1.0, description="dt of a first frame, s")
    max_gap_s: float = Field(
        1.0, gt=0.0, le=60.0, description="frames farther apart start from a fresh state, s"
    )
    motors: MotorScaling = MotorScaling()
    provenance: dict[str, Any] = Field({}, description="command, seeds, versions, data")
    sha256: dict[str, str] = Field({}, description="checksum of every file of the model")

    @property
    def needed_inputs(self) -> tuple[str, ...]:
        """Optional inputs that encoder or core take, keys of `perception.INPUTS`."""
        declared = self.features.inputs
        mounted = self.perception.mount and "mount" not in declared
        return (*declared, "mount") if mounted else declared

    @model_validator(mode="after")
    def _parts_fit(self) -> "ModelSettings":
        pairs: list[tuple[str, int, str, int]] = [
            (
                "features.image",
                self.features.image,
                "perception.features",
                self.perception.features,
            ),
            ("camera.width", self.camera.width, "perception.width", self.perception.width),
            ("camera.height", self.camera.height, "perception.height", self.perception.height),
        ]
        if self.core.wiring is not None:
            wiring = self.core.circuit
            pairs += [
                ("the wiring's inputs", wiring.inputs, "all features", self.features.total),
                ("the wiring's outputs", wiring.outputs, "the motors", len(MOTORS)),
            ]
        for one, left, other, right in pairs:
            if left != right:
                raise ValueError(f"{one} must equal {other}, {right}, got {left}")
        return self
