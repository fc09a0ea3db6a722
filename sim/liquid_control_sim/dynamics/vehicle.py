"""Vehicle parameters, validated from one YAML file per vehicle.

The geometry is that of an X quadrotor. Rotors are numbered as in PX4: 1 front right, 2 rear left,
3 front left, 4 rear right; 1 and 2 turn counter-clockwise seen from above, 3 and 4 clockwise.
"""

import math
from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from liquid_control.config import Settings, load_extended, project_file, validate
from liquid_control.errors import ConfigError


class VelocityGains(Settings):
    """Gains of the velocity and altitude loops; the output is an acceleration."""

    horizontal_p: float = Field(gt=0.0, le=50.0, description="MPC_XY_VEL_P_ACC, 1/s")
    horizontal_i: float = Field(ge=0.0, le=50.0, description="MPC_XY_VEL_I_ACC, 1/s^2")
    horizontal_d: float = Field(ge=0.0, le=2.0, description="MPC_XY_VEL_D_ACC, s/s")
    vertical_p: float = Field(gt=0.0, le=50.0, description="MPC_Z_VEL_P_ACC, 1/s")
    vertical_i: float = Field(ge=0.0, le=50.0, description="MPC_Z_VEL_I_ACC, 1/s^2")
    vertical_d: float = Field(ge=0.0, le=2.0, description="MPC_Z_VEL_D_ACC, s/s")
    altitude_p: float = Field(gt=0.0, le=20.0, description="MPC_Z_P, 1/s")
    derivative_cutoff_hz: float = Field(
        gt=0.1, le=100.0, description="MPC_VELD_LP, low pass of the measured acceleration, Hz"
    )
    reference_radps: float = Field(
        gt=0.1, le=50.0, description="bandwidth of the smoothed velocity reference, rad/s"
    )


class AttitudeGains(Settings):
    """Gains of the attitude loop; the output is a body rate."""

    tilt_p: float = Field(gt=0.0, le=50.0, description="MC_ROLL_P and MC_PITCH_P, 1/s")
    yaw_p: float = Field(gt=0.0, le=20.0, description="MC_YAW_P, 1/s")
    yaw_reference_radps: float = Field(
        gt=0.5, le=50.0, description="bandwidth of the smoothed yaw-rate reference, rad/s"
    )


class RateGains(Settings):
    """Gains of the rate loop; the output is an angular acceleration, independent of inertia."""

    p: float = Field(gt=0.0, le=200.0, description="MC_*RATE_P over inertia, 1/s")
    i: float = Field(ge=0.0, le=2000.0, description="MC_*RATE_I over inertia, 1/s^2")
    d: float = Field(ge=0.0, le=2.0, description="MC_*RATE_D over inertia, s/s")
    i_limit_radps2: float = Field(
        ge=0.0, le=200.0, description="MC_*R_INT_LIM over inertia, rad/s^2"
    )
    derivative_cutoff_hz: float = Field(
        30.0, gt=1.0, le=100.0, description="IMU_DGYRO_CUTOFF, low pass of the derivative, Hz"
    )


class Gains(Settings):
    """Gains of the cascade, from the outer to the inner loop."""

    velocity: VelocityGains
    attitude: AttitudeGains
    tilt_rate: RateGains
    yaw_rate: RateGains


class Limits(Settings):
    """Limits of the autopilot, for any command."""

    horizontal_mps: float = Field(gt=0.0, le=40.0, description="MPC_XY_VEL_MAX, m/s")
    up_mps: float = Field(gt=0.0, le=20.0, description="MPC_Z_VEL_MAX_UP, m/s")
    down_mps: float = Field(gt=0.0, le=20.0, description="MPC_Z_VEL_MAX_DN, m/s")
    horizontal_accel_mps2: float = Field(
        gt=0.0, le=50.0, description="MPC_ACC_HOR, of the velocity reference, m/s^2"
    )
    vertical_accel_mps2: float = Field(
        gt=0.0, le=50.0, description="MPC_ACC_UP_MAX and MPC_ACC_DOWN_MAX, of the reference, m/s^2"
    )
    tilt_deg: float = Field(gt=1.0, le=80.0, description="MPC_TILTMAX_AIR, degrees")
    tilt_rate_radps: float = Field(
        gt=0.1, le=50.0, description="MC_ROLLRATE_MAX and MC_PITCHRATE_MAX, rad/s"
    )
    yaw_rate_radps: float = Field(gt=0.05, le=20.0, description="MC_YAWRATE_MAX, rad/s")
    yaw_lead_rad: float = Field(
        gt=0.01, le=1.5, description="largest lead of the heading set-point over the heading, rad"
    )
    min_thrust: float = Field(
        ge=0.01, le=0.5, description="MPC_THR_MIN, fraction of full thrust, 1"
    )
    max_thrust: float = Field(
        gt=0.5, le=1.0, description="MPC_THR_MAX, fraction of full thrust, 1"
    )
    altitude_deadband_mps: float = Field(
        ge=0.0, le=1.0, description="altitude is held below this vertical command, m/s"
    )


GRAVITY_MPS2 = 9.81


class RotorSettings(Settings):
    """Parameters of four equal rotors."""

    thrust_coefficient: float = Field(
        gt=0.0, le=1.0, description="thrust over speed^2, N s^2/rad^2"
    )
    torque_coefficient: float = Field(
        gt=0.0, le=1.0, description="reaction torque over speed^2, N m s^2/rad^2"
    )
    max_speed_radps: float = Field(gt=0.0, le=1e5, description="fastest rotor speed, rad/s")
    spin_up_s: float = Field(
        ge=0.0, le=1.0, description="time constant of speeding up, s; 0 for no lag"
    )
    spin_down_s: float = Field(
        ge=0.0, le=1.0, description="time constant of slowing down, s; 0 for no lag"
    )

    @property
    def max_thrust_n(self) -> float:
        """Thrust of one rotor at full speed, N."""
        return self.thrust_coefficient * self.max_speed_radps**2


class DragSettings(Settings):
    """Translational drag in base_link: linear in airspeed by the rotors, quadratic by the body."""

    rotor_xy: float = Field(
        ge=0.0,
        le=1.0,
        description="force over airspeed and sum of rotor speeds, x and y, N s^2/(m rad)",
    )
    rotor_z: float = Field(ge=0.0, le=1.0, description="the same along z, N s^2/(m rad)")
    area_xy_m2: float = Field(
        ge=0.0, le=10.0, description="drag coefficient times area, along x and y, m^2"
    )
    area_z_m2: float = Field(
        ge=0.0, le=10.0, description="drag coefficient times area, along z, m^2"
    )


class EngineSettings(Settings):
    """Properties of the physics engine; the defaults are plain rigid-body mechanics.

    Other values reproduce the simulator that a vehicle's parameters come from, so that flights
    can be compared.
    """

    gravity_mps2: float = Field(
        GRAVITY_MPS2, ge=9.7, le=9.9, description="acceleration of free fall, m/s^2"
    )
    linear_damping: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="PyBullet's k: deceleration k (1 + |v|) v in addition to drag, 1/s",
    )
    angular_damping: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="PyBullet's k: angular deceleration k (1 + |w|) w, 1/s",
    )
    thrust_axis_lags: bool = Field(
        False,
        description="thrust and reaction torque point along z of base_link one step ago, as "
        "forces on the links of a PyBullet body do",
    )


class Vehicle(Settings):
    """An X quadrotor and its autopilot."""

    description: str = Field(description="description in one line")
    mass_kg: float = Field(gt=0.001, le=100.0, description="all-up mass, kg")
    arm_m: float = Field(gt=0.005, le=5.0, description="centre of mass to a rotor's axis, m")
    radius_m: float = Field(
        gt=0.005, le=5.0, description="radius of the sphere that counts in collisions, m"
    )
    inertia_kgm2: tuple[float, float, float] = Field(
        description="principal moments about x, y, z of base_link, kg m^2"
    )
    engine: EngineSettings = EngineSettings()
    rotors: RotorSettings
    drag: DragSettings
    gains: Gains
    limits: Limits

    @field_validator("radius_m")
    @classmethod
    def _covers_rotors(cls, radius_m: float, info: ValidationInfo) -> float:
        if radius_m < info.data.get("arm_m", 0.0):
            raise ValueError(f"must reach the rotors, arm_m = {info.data['arm_m']:g}")
        return radius_m

    @field_validator("inertia_kgm2")
    @classmethod
    def _is_a_rigid_body(cls, inertia: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(inertia) <= 0.0 or 2.0 * max(inertia) > sum(inertia):
            raise ValueError("must be positive, none larger than the sum of the other two")
        return inertia

    @field_validator("rotors")
    @classmethod
    def _can_hover(cls, rotors: RotorSettings, info: ValidationInfo) -> RotorSettings:
        ratio = 4.0 * rotors.max_thrust_n / (info.data.get("mass_kg", 1.0) * GRAVITY_MPS2)
        if not 1.2 <= ratio <= 20.0:
            raise ValueError(f"thrust to weight must be in [1.2, 20], is {ratio:.3g}")
        return rotors

    @property
    def rotor_radius_m(self) -> float:
        """Radius of a propeller: the sphere extends by it beyond the rotor axes, m."""
        return self.radius_m - self.arm_m

    @property
    def weight_n(self) -> float:
        """Weight, N."""
        return self.mass_kg * self.engine.gravity_mps2

    @property
    def thrust_to_weight(self) -> float:
        """Full thrust over weight, 1."""
        return 4.0 * self.rotors.max_thrust_n / self.weight_n

    @property
    def hover_speed_radps(self) -> float:
        """Rotor speed at which the thrust equals the weight, rad/s."""
        return math.sqrt(self.weight_n / (4.0 * self.rotors.thrust_coefficient))


def vehicle_names() -> list[str]:
    """Return the names of the vehicles of this package."""
    return sorted(path.stem for path in project_file("config/vehicles").glob("*.yaml"))


def load_vehicle(name_or_path: str | Path) -> Vehicle:
    """Load a vehicle by name or by the path of a YAML file.

    Raises:
        ConfigError: the vehicle does not exist, or a key or value is invalid.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        if str(name_or_path) not in vehicle_names():
            choices = ", ".join(vehicle_names())
            raise ConfigError(
                f"unknown vehicle {str(name_or_path)!r}; there are: {choices}, "
                "or a path to a .yaml"
            )
        path = project_file("config/vehicles") / f"{name_or_path}.yaml"
    return validate(Vehicle, load_extended(path, project_file("config/vehicles")), str(path))
