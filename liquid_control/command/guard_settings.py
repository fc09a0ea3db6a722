"""Events, actions and settings of the guard's rules."""

from collections.abc import Mapping
from enum import Enum, IntEnum
from pathlib import Path
from typing import Literal

from pydantic import Field, PrivateAttr, model_validator

from liquid_control.command.geofence import Fence
from liquid_control.config import Settings, node_parameters, validate
from liquid_control.errors import ConfigError


class GuardAction(IntEnum):
    """Answers of the guard, from the least to the most conservative; the largest one wins."""

    NONE = 0
    CLAMP = 1
    SLOW = 2
    HOVER = 3
    LAND = 4
    HAND_BACK = 5


class GuardEvent(str, Enum):
    """Events that the guard counts; the values are the names of its counters in diagnostics."""

    NOT_FINITE = "not_finite"
    IMPOSSIBLE = "impossible"
    CLAMPED = "clamped"
    SLEWED = "slewed"
    STALE = "stale"
    STAMP_BACKWARDS = "stamp_backwards"
    STAMP_AHEAD = "stamp_ahead"
    LATE = "late"
    FENCE_NEAR = "fence_near"
    FENCE_LEFT = "fence_left"
    BARRIER = "barrier"
    BARRIER_BRAKED = "barrier_braked"
    RANGE_FORWARD = "range_forward"
    RANGE_GROUND = "range_ground"
    CAMERA_STALE = "camera_stale"
    IMU_STALE = "imu_stale"
    ODOMETRY_STALE = "odometry_stale"
    PICTURE_FROZEN = "picture_frozen"
    PICTURE_DARK = "picture_dark"
    PICTURE_BRIGHT = "picture_bright"
    PICTURE_UNKNOWN = "picture_unknown"
    STALL = "stall"
    LINK_LOST = "link_lost"
    BATTERY_LOW = "battery_low"
    OTHER_MODE = "other_mode"


Stop = Literal["hover", "land", "hand_back"]
ACTIONS: Mapping[str, GuardAction] = {
    "off": GuardAction.NONE,
    "slow": GuardAction.SLOW,
    "hover": GuardAction.HOVER,
    "land": GuardAction.LAND,
    "hand_back": GuardAction.HAND_BACK,
}


class GuardRules(Settings):
    """Thresholds and answers of the rules; by default every rule is off."""

    fence_corners: list[float] = Field(
        [],
        description="corners of the fence in order, x1, y1, x2, y2 and so on, m, map; empty: no "
        "polygon; needs odom",
    )
    fence_floor_m: float | None = Field(
        None, ge=-10000.0, le=10000.0, description="lowest height inside the fence, m, map"
    )
    fence_ceiling_m: float | None = Field(
        None, ge=-10000.0, le=10000.0, description="largest height inside the fence, m, map"
    )
    fence_margin_m: float = Field(
        1.0, ge=0.0, le=100.0, description="the vehicle stops this far inside the fence, m"
    )
    fence_action: Stop = Field(
        "hover", description="outside of the fence, and without odometry of the last 0.5 s"
    )
    brake_decel_mps2: float = Field(
        2.0, gt=0.0, le=20.0, description="deceleration before the fence and obstacles, m/s^2"
    )
    brake_reaction_s: float = Field(
        0.3, ge=0.0, le=2.0, description="time before the vehicle brakes, s"
    )
    barrier: bool = Field(
        False,
        description="filter commands by control barrier functions, instead of slowing down before "
        "the fence and at a range; needs odom",
    )
    barrier_rate_per_s: float = Field(
        1.5,
        gt=0.0,
        le=5.0,
        description="the distance from a bound shrinks by at most this fraction a second, 1/s",
    )
    barrier_delay_s: float = Field(
        0.15, ge=0.0, le=1.0, description="dead time from a command to the vehicle's answer, s"
    )
    barrier_speed_mps: float = Field(
        0.0,
        ge=0.0,
        le=20.0,
        description="largest horizontal speed, m/s; 0: that of the envelope alone",
    )
    min_forward_m: float = Field(
        0.0,
        ge=0.0,
        le=50.0,
        description="least distance of range/forward, m; 0: not checked",
    )
    min_ground_m: float = Field(
        0.0, ge=0.0, le=50.0, description="least distance of range, m; 0: not checked"
    )
    range_action: Literal["slow", "hover", "land", "hand_back"] = Field(
        "slow",
        description="at the least distance; slow: no motion towards it; before it the vehicle "
        "slows down",
    )
    camera_max_age_s: float = Field(
        0.0, ge=0.0, le=10.0, description="age of the newest camera_info, s; 0: not checked"
    )
    imu_max_age_s: float = Field(
        0.0, ge=0.0, le=10.0, description="age of the newest IMU sample, s; 0: not checked"
    )
    odometry_max_age_s: float = Field(
        0.0, ge=0.0, le=10.0, description="age of the newest odometry, s; 0: not checked"
    )
    sensor_action: Stop = Field(
        "hover", description="with a camera, IMU, odometry or range sensor that is silent"
    )
    picture_min_brightness: float = Field(
        0.0, ge=0.0, le=255.0, description="darker pictures are refused, mean of 255; 0: none"
    )
    picture_max_brightness: float = Field(
        255.0,
        ge=0.0,
        le=255.0,
        description="brighter pictures are refused, mean of 255; 255: none",
    )
    picture_max_score: float = Field(
        0.0,
        ge=0.0,
        le=1000.0,
        description="largest distance from the training pictures, standard deviations; 0: not "
        "checked",
    )
    picture_frames: int = Field(
        3, ge=1, le=1000, description="so many refused pictures in succession cause the action"
    )
    picture_max_repeats: int = Field(
        0,
        ge=0,
        le=1000,
        description="so many pictures equal to the one before cause the action; 0: not checked",
    )
    picture_action: Stop = Field("hover", description="with refused or repeated pictures")
    stall_s: float = Field(
        0.0,
        ge=0.0,
        le=10.0,
        description="longest time between two runs of the guard, s; 0: not checked",
    )
    stall_action: Stop = Field("hover", description="after a stall, until the next command")
    link_timeout_s: float = Field(
        0.0, ge=0.0, le=60.0, description="age of the autopilot's status, s; 0: not checked"
    )
    link_action: Stop = Field("hover", description="without a link to the autopilot")
    min_battery: float = Field(
        0.0, ge=0.0, le=1.0, description="least charge of the battery, of 1; 0: not checked"
    )
    battery_action: Stop = Field("land", description="below the least charge")
    mode_action: Literal["off", "hover", "hand_back"] = Field(
        "off", description="while the autopilot is in a mode that does not follow set-points"
    )
    land_speed_mps: float = Field(0.5, gt=0.0, le=5.0, description="sink speed of land, m/s")

    _fence: Fence = PrivateAttr(default_factory=Fence)

    @model_validator(mode="after")
    def _check_fence(self) -> "GuardRules":
        self._fence = Fence.of(self.fence_corners, self.fence_floor_m, self.fence_ceiling_m)
        numbers = (self.barrier_speed_mps, self.min_forward_m, self.min_ground_m)
        if self.barrier and not (self.fence.exists or any(numbers)):
            raise ValueError(
                "barrier: expected a fence, a height, barrier_speed_mps, min_forward_m or "
                "min_ground_m too, got nothing to keep"
            )
        if self.picture_min_brightness >= self.picture_max_brightness:
            raise ValueError(
                "expected picture_min_brightness below picture_max_brightness, got "
                f"{self.picture_min_brightness:g} and {self.picture_max_brightness:g}"
            )
        return self

    @property
    def fence(self) -> Fence:
        """The fence; it limits nothing by default."""
        return self._fence

    @property
    def some(self) -> bool:
        """Whether any rule is on."""
        ages = self.camera_max_age_s + self.imu_max_age_s + self.odometry_max_age_s
        numbers = (
            ages,
            self.min_forward_m,
            self.min_ground_m,
            self.stall_s,
            self.link_timeout_s,
            self.min_battery,
        )
        named = self.fence.exists or self.barrier or self.checks_pictures
        named = named or self.mode_action != "off"
        return named or any(number > 0.0 for number in numbers)

    def simulated(self) -> "tuple[GuardRules, list[str]]":
        """Return the rules that a simulated flight has readings for, and names of the others.

        The simulator has no autopilot with a state of its own, no battery and no range sensor that
        looks forward.
        """
        off: dict[str, float | str] = dict.fromkeys(
            ("link_timeout_s", "min_battery", "min_forward_m"), 0.0
        )
        off["mode_action"] = "off"
        names = [name for name, value in off.items() if getattr(self, name) != value]
        return self.model_copy(update={name: off[name] for name in names}), names

    @property
    def checks_pictures(self) -> bool:
        """Whether a rule needs the health of pictures."""
        named = self.picture_min_brightness > 0.0 or self.picture_max_brightness < 255.0
        return named or self.picture_max_score > 0.0 or self.picture_max_repeats > 0


def load_guard_rules(path: Path) -> GuardRules:
    """Return the rules in the section `guard_node` of a ROS parameter file.

    Raises:
        ConfigError: the file does not exist, has no such section, or a value does not fit.
    """
    values = node_parameters(path, "guard_node")
    if not values:
        raise ConfigError(f"{path}: expected a section /**/guard_node with ros__parameters")
    return validate(GuardRules, values, str(path))
