"""Settings of the network and of its optimisation: keys of `config/train/*.yaml`."""

from typing import Any, Literal

from pydantic import Field, model_validator

from liquid_control.command.motors import MotorScaling
from liquid_control.config import Settings


class CoreChoice(Settings):
    """The recurrent core of a policy."""

    kind: str = Field("cfc_wired", description="a key of `liquid_control.cores.CORES`")
    size: Literal["small", "base"] = Field(
        "small",
        description="small: about as many parameters as 19 liquid neurons; base: as in its paper",
    )
    options: dict[str, Any] = Field(
        {}, description="keyword arguments of the core; they override those of the size"
    )


class NetworkSettings(Settings):
    """Size of the policy."""

    encoder: str | None = Field(
        None,
        description="folder of a trained encoder or of a model; its layers and weights are used, "
        "and the keys features, hidden, mount and channels are not; a run that trains an encoder "
        "continues from it",
    )
    frozen: bool = Field(
        True, description="keep a trained encoder as it is; its features are computed once"
    )
    features: int = Field(28, ge=4, le=256, description="image features of the encoder")
    hidden: int = Field(
        0, ge=0, le=1024, description="units of the encoder's hidden layer; 0 for none"
    )
    mount: bool = Field(
        False, description="whether pitch and field of view of the camera enter the encoder"
    )
    channels: tuple[int, ...] = Field(
        (16, 32, 48, 48), min_length=4, max_length=4, description="of the four convolutions"
    )
    strides: tuple[int, ...] = Field(
        (3, 2, 2, 1), min_length=4, max_length=4, description="of the four convolutions"
    )
    inputs: tuple[Literal["cruise_speed", "range", "attitude", "mount"], ...] = Field(
        (), description="optional inputs of the core besides features and IMU"
    )
    core: CoreChoice = CoreChoice()
    motors: MotorScaling = MotorScaling()


class ContractionSettings(Settings):
    """Penalty that makes a wired CfC forget its past at a rate that can be certified."""

    weight: float = Field(
        0.0, ge=0.0, le=1000.0, description="of the penalty in the loss; 0 for none"
    )
    rate: float = Field(
        0.9, gt=0.0, lt=1.0, description="largest rate of a step that is not penalised"
    )
    dt_s: float = Field(
        0.1, gt=0.0, le=1.0, description="largest elapsed time for which the rate holds, s"
    )


class LearnerSettings(Settings):
    """Optimisation."""

    cloning_steps: int = Field(1500, ge=1, description="optimiser steps on the expert's flights")
    dagger_steps: int = Field(800, ge=1, description="optimiser steps of each DAgger round")
    windows: int = Field(12, ge=1, le=256, description="windows in a batch")
    window_steps: int = Field(40, ge=4, le=512, description="frames in a window")
    burn_in_steps: int = Field(
        6, ge=0, le=256, description="first frames of a window, which do not count"
    )
    burn_in_s: float = Field(
        0.0,
        ge=0.0,
        le=60.0,
        description="first seconds of a window, which do not count either; at least as long as "
        "what the policy has to remember, at any camera rate",
    )
    mirror: bool = Field(
        True,
        description="mirror half of the windows left to right; false for tasks with a handed "
        "rule, such as the search for a target, which turns left",
    )
    encoder_rate: float = Field(1e-3, gt=0.0, le=0.1, description="peak learning rate of the CNN")
    cell_rate: float = Field(4e-3, gt=0.0, le=0.1, description="peak learning rate of the cell")
    weight_decay: float = Field(1e-4, ge=0.0, le=1.0, description="AdamW's decoupled decay")
    clip: float = Field(1.0, gt=0.0, le=100.0, description="largest norm of the gradient")
    average_decay: float = Field(
        0.995, ge=0.0, lt=1.0, description="decay of the averaged weights, which fly"
    )
    huber_delta: float = Field(
        0.3, gt=0.0, le=10.0, description="error above which the loss is linear, in motor ranges"
    )
    weights: tuple[float, float, float, float] = Field(
        (1.0, 2.0, 1.0, 2.0), description="of forward, left, up and yaw rate in the loss"
    )
    held_out: int = Field(
        20, ge=2, description="every held_out-th flight only measures the offline loss"
    )
    contraction: ContractionSettings = ContractionSettings()
    threads: int = Field(2, ge=1, le=64, description="torch threads of the learner")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="where encoders learn and compute features; auto takes a GPU if there is one",
    )
    save_every_s: float = Field(60.0, gt=0.0, description="time between two checkpoints, s")

    @model_validator(mode="after")
    def _burn_in_within_window(self) -> "LearnerSettings":
        if self.burn_in_steps >= self.window_steps:
            raise ValueError(f"burn_in_steps must be below window_steps ({self.window_steps})")
        return self


class EncoderLearning(Settings):
    """Optimisation of an encoder alone, on single frames with auxiliary targets."""

    steps: int = Field(20_000, ge=1, description="optimiser steps")
    batch: int = Field(256, ge=2, le=4096, description="frames of a step")
    rate: float = Field(2e-3, gt=0.0, le=0.1, description="peak learning rate")
    weight_decay: float = Field(1e-4, ge=0.0, le=1.0, description="AdamW's decoupled decay")
    clip: float = Field(1.0, gt=0.0, le=100.0, description="largest norm of the gradient")
    average_decay: float = Field(
        0.999, ge=0.0, lt=1.0, description="decay of the averaged weights"
    )
    colour: float = Field(
        0.1, ge=0.0, le=1.0, description="deviation of the logarithm of each channel's factor"
    )
    tone_curves: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="share of the pictures without targets that pass a random tone curve",
    )
    width: int = Field(96, ge=16, le=1920, description="columns of the fitted pictures")
    height: int = Field(54, ge=16, le=1080, description="rows of the fitted pictures")
