"""Parameters of the nodes that connect autopilots, as settings models."""

from typing import Literal

from pydantic import Field

from liquid_control import topics as names
from liquid_control.autopilots import (
    AngleModeSettings,
    BetaflightOptions,
    MavlinkOptions,
    MavlinkSettings,
    OnStale,
    SetpointRules,
)
from liquid_control.autopilots.bridge_session import BridgeRules
from liquid_control.nodes.node_settings import NodeSettings


class AutopilotNodeSettings(NodeSettings):
    """Parameters that all of these nodes share."""

    connect_timeout_s: float = Field(
        30.0,
        ge=0.0,
        le=600.0,
        description="end with an error when no autopilot was found for so long, s; 0: never",
    )
    timeout_s: float = Field(
        0.15,
        gt=0.02,
        le=0.15,
        description="a set-point is in force no longer than this after its command's stamp, s",
    )
    setpoint_rate_hz: float = Field(
        20.0, ge=5.0, le=100.0, description="set-points while no command arrives, 1/s"
    )
    on_stale: OnStale = Field(
        "hover",
        description="without a fresh command: hover sends zero velocity, stop sends it once and "
        "then nothing",
    )
    hover_limit_s: float = Field(
        0.0,
        ge=0.0,
        le=3600.0,
        description="set-points stop after so long without a command other than hover, s; "
        "0: never, else at least 1",
    )
    guards: list[str] = Field(
        [names.GUARD, names.GUARD_STANDBY],
        max_length=2,
        description="nodes that may publish cmd_vel, relative to the namespace, two at most; "
        "hover while another one does; empty: any node",
    )

    @property
    def setpoints(self) -> SetpointRules:
        """Rules of the set-point stream.

        Raises:
            ConfigError: `hover_limit_s` is neither 0 nor at least 1.
        """
        return SetpointRules(
            self.timeout_s, 1.0 / self.setpoint_rate_hz, self.on_stale, self.hover_limit_s
        )


class MavlinkNodeSettings(AutopilotNodeSettings):
    """Parameters of mavlink_node."""

    link: str = Field(
        "udpin://0.0.0.0:14540",
        description="udpin://ADDRESS:PORT (listen), udpout://ADDRESS:PORT (send to), "
        "tcp://ADDRESS:PORT or serial:///dev/NAME:BAUD",
    )
    target_system: int = Field(
        0, ge=0, le=255, description="system id of the autopilot; 0: the only one on the link"
    )
    system_id: int = Field(
        0, ge=0, le=255, description="of this companion computer; 0: that of the autopilot"
    )
    component_id: int = Field(191, ge=1, le=255, description="of this companion computer")
    imu_rate_hz: float = Field(
        200.0, ge=0.0, le=1000.0, description="IMU samples to request, 1/s; 0: none"
    )
    odometry_rate_hz: float = Field(
        50.0, ge=0.0, le=200.0, description="attitudes and positions to request, 1/s; 0: none"
    )
    allow_arm: bool = Field(
        False,
        description="request flight mode and arming, for simulation only: refused unless the link "
        "is on this machine",
    )

    @property
    def mavlink(self) -> MavlinkSettings:
        """Settings of the connection.

        Raises:
            ConfigError: the link has no known form, or `allow_arm` is set for a link that leaves
                this machine.
        """
        options = MavlinkOptions(
            self.target_system,
            self.system_id,
            self.component_id,
            self.imu_rate_hz,
            self.odometry_rate_hz,
            self.allow_arm,
            self.setpoints,
        )
        return MavlinkSettings(self.link, options)


class Px4NodeSettings(AutopilotNodeSettings):
    """Parameters of px4_node."""

    target_system: int = Field(
        0, ge=0, le=255, description="MAVLink system id that PX4 must state; 0: any"
    )
    check_formats: bool = Field(
        True,
        description="ask PX4 for the formats of its messages, and send nothing where they differ "
        "from those of px4_msgs",
    )

    @property
    def rules(self) -> BridgeRules:
        """Rules of the bridge."""
        return BridgeRules(
            self.setpoints,
            "OFFBOARD",
            self.target_system,
            needs_heading=True,
            separation="give each a namespace of its own (uxrce_dds_client start -n NAME)",
        )


class MavrosNodeSettings(AutopilotNodeSettings):
    """Parameters of mavros_setpoint_node."""

    mavros: str = Field("mavros", description="namespace of MAVROS")
    mav_frame: Literal["BODY_NED", "LOCAL_NED"] = Field(
        "BODY_NED",
        description="parameter mav_frame of MAVROS's plugin setpoint_velocity, which is checked; "
        "LOCAL_NED needs odom",
    )

    @property
    def rules(self) -> BridgeRules:
        """Rules of the bridge."""
        needs_heading = self.mav_frame == "LOCAL_NED"
        return BridgeRules(self.setpoints, "GUIDED or OFFBOARD", needs_heading=needs_heading)


class BetaflightNodeSettings(AutopilotNodeSettings):
    """Parameters of betaflight_node."""

    link: str = Field(
        "serial:///dev/ttyAMA0:115200",
        description="MSP: serial:///dev/NAME:BAUD or tcp://ADDRESS:PORT",
    )
    neutral_s: float = Field(
        2.0,
        ge=0.5,
        le=60.0,
        description="level sticks for so long when commands end, before the link is released, s",
    )
    odometry_timeout_s: float = Field(
        0.2,
        ge=0.05,
        le=1.0,
        description="level sticks without odometry for so long, s",
    )
    hover_throttle: float = Field(
        AngleModeSettings().hover_throttle,
        ge=0.05,
        le=0.9,
        description="throttle that hovers, of 1",
    )
    thrust_expo: float = Field(
        AngleModeSettings().thrust_expo,
        ge=0.0,
        le=1.0,
        description="e of the thrust over throttle u: (1 - e) u + e u^2",
    )
    angle_limit_deg: float = Field(
        AngleModeSettings().angle_limit_deg,
        ge=10.0,
        le=80.0,
        description="`angle_limit` of the firmware: angle of a full stick",
    )
    tilt_deg: float = Field(
        AngleModeSettings().tilt_deg, ge=5.0, le=60.0, description="largest angle commanded"
    )
    yaw_rate_limit_radps: float = Field(
        AngleModeSettings().yaw_rate_limit_radps,
        ge=0.5,
        le=20.0,
        description="yaw rate of a full stick in the firmware, which must be linear, rad/s",
    )

    @property
    def angle_mode(self) -> AngleModeSettings:
        """Vehicle of the velocity loop.

        Raises:
            ConfigError: the largest angle is more than that of a full stick.
        """
        return AngleModeSettings(
            hover_throttle=self.hover_throttle,
            thrust_expo=self.thrust_expo,
            angle_limit_deg=self.angle_limit_deg,
            yaw_rate_limit_radps=self.yaw_rate_limit_radps,
            tilt_deg=self.tilt_deg,
        )

    @property
    def betaflight(self) -> BetaflightOptions:
        """Options of the connection.

        Raises:
            ConfigError: the link has another form.
        """
        rules = BridgeRules(
            self.setpoints, "angle mode and the MSP override", fallback="level sticks"
        )
        return BetaflightOptions(
            self.link, rules, self.angle_mode, self.neutral_s, self.odometry_timeout_s
        )
