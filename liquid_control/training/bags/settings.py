"""How recorded flights become data: the section `bags` of `config/train/*.yaml`."""

from enum import Enum

from pydantic import Field

from liquid_control.config import Settings
from liquid_control.perception.image import CONTRAST_FLOOR


class BagLabel(str, Enum):
    """What of a bag is learned."""

    POLICY_COMMAND = "policy_command"
    COMMAND = "command"
    ODOMETRY = "odometry"


class BagSettings(Settings):
    """What is learned of a bag, and which of its frames."""

    label: BagLabel = Field(
        BagLabel.POLICY_COMMAND,
        description="policy_command: what the pilot asked for; command: what the guard or "
        "autopilot was told; odometry: the measured velocity and yaw rate",
    )
    lookahead_s: float = Field(
        0.0, ge=0.0, le=2.0, description="the label is taken so long after the frame, s"
    )
    max_label_age_s: float = Field(
        0.1,
        ge=0.0,
        le=5.0,
        description="a label of the frame's stamp is taken as it is; else it is interpolated "
        "between the one before and the one after, each this near at most, or the only one is, s",
    )
    rate_hz: float | None = Field(
        None,
        gt=0.0,
        le=200.0,
        description="empty: frames as irregular as they were recorded; else the nearest frame of "
        "each period, each frame once, with the label interpolated at the period's time, Hz",
    )
    min_speed_mps: float = Field(
        0.2, ge=0.0, le=20.0, description="slower is hovering; 0 keeps everything, m/s"
    )
    hover_s: float = Field(3.0, ge=0.0, le=600.0, description="hovering for longer is left out, s")
    min_contrast: float = Field(
        CONTRAST_FLOOR,
        ge=0.0,
        le=255.0,
        description="pictures with a smaller standard deviation are left out, of 255",
    )
    keep_frozen: bool = Field(
        False, description="keep pictures that equal the one before, value by value"
    )
    max_gap_s: float = Field(
        1.0, gt=0.0, le=60.0, description="frames farther apart begin another piece, s"
    )
    min_frames: int = Field(
        16, ge=1, le=100_000, description="pieces with fewer frames are left out"
    )
