"""Lossless conversions between ROS messages and the types of this package.

`msg.data` is set to an `array.array("B")` and read through `np.frombuffer`: rclpy copies these at
once, but checks a list or a NumPy array element by element (milliseconds per picture).
"""

from array import array
from collections.abc import Mapping
from math import inf, radians, tan
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TwistStamped, Vector3Stamped
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, Imu, JointState, Range

from liquid_control import frames
from liquid_control.command import GuardChange
from liquid_control.config import CameraSettings
from liquid_control.errors import ObservationError
from liquid_control.perception import CameraModel, decode_picture
from liquid_control.plausibility import NOT_MEASURED, measured_orientation, measured_range
from liquid_control.policy import AdaptationState, VelocityReading
from liquid_control.policy.velocity_reading import reading_of_twist
from liquid_control.types import (
    NANOSECONDS,
    SIMULATED_REACH_M,
    TRUTH_VARIANCE,
    Command,
    Floats,
    Pixels,
    VehicleState,
)

_ZEROS = np.zeros(3)
UNIT_TOLERANCE = 1e-6
"""Norm of a quaternion that is used as it is."""


def time_message(stamp_ns: int) -> Time:
    """Return a stamp in ns as a message."""
    return Time(sec=stamp_ns // NANOSECONDS, nanosec=stamp_ns % NANOSECONDS)


def stamp_of(time: Time) -> int:
    """Return the time of a message in ns."""
    return int(time.sec) * NANOSECONDS + int(time.nanosec)


def clock_message(stamp_ns: int) -> Clock:
    """Return simulated time as a message."""
    return Clock(clock=time_message(stamp_ns))


def _bytes(values: NDArray[np.generic]) -> array:
    data = array("B")
    data.frombytes(memoryview(np.ascontiguousarray(values)).cast("B"))
    return data


def image_message(image: Pixels, stamp_ns: int) -> Image:
    """Return an RGB picture, uint8 [H, W, 3], as `rgb8`."""
    message = Image(height=image.shape[0], width=image.shape[1], encoding="rgb8")
    message.header.stamp = time_message(stamp_ns)
    message.header.frame_id = frames.CAMERA_OPTICAL
    message.step = image.shape[1] * 3
    message.data = _bytes(image)
    return message


def image_from(message: Image) -> Pixels:
    """Return the picture of a message, uint8 [H, W, 3], RGB, without row padding.

    Raises:
        ObservationError: the encoding is not rgb8, or the data does not fill the picture.
    """
    if message.encoding != "rgb8":
        raise ObservationError(f"expected images in encoding rgb8, got {message.encoding!r}")
    height, width, step = message.height, message.width, message.step
    if step < width * 3 or len(message.data) != height * step or height * width == 0:
        raise ObservationError(
            f"expected {height} rows of {step} bytes for {width}x{height} rgb8, "
            f"got {len(message.data)} bytes"
        )
    rows = np.frombuffer(message.data, np.uint8).reshape(height, step)
    return rows[:, : width * 3].reshape(height, width, 3)


def features_message(features: NDArray[np.float32], stamp_ns: int) -> Image:
    """Return features, float32 [F], as an image of one row with the frame's stamp."""
    message = Image(height=1, width=len(features), encoding="32FC1", step=4 * len(features))
    message.header.stamp = time_message(stamp_ns)
    message.header.frame_id = frames.CAMERA_OPTICAL
    message.data = _bytes(np.asarray(features, np.float32))
    return message


def features_from(message: Image) -> NDArray[np.float32]:
    """Return the features of a message, float32 [F].

    Raises:
        ObservationError: the message is not one row of 32FC1.
    """
    expected = 4 * message.width
    if (message.encoding, message.height, len(message.data)) != ("32FC1", 1, expected):
        raise ObservationError(
            f"expected features as one row of 32FC1, {expected} bytes, got {message.height} of "
            f"{message.encoding!r}, {len(message.data)} bytes"
        )
    return np.frombuffer(message.data, np.float32)


def camera_info_message(camera: CameraSettings, stamp_ns: int) -> CameraInfo:
    """Return the intrinsics of an undistorted pinhole camera."""
    undistorted = [0.0] * 5
    return intrinsics_message(camera.width, camera.height, camera.focal_px, undistorted, stamp_ns)


def intrinsics_message(
    width: int, height: int, f: float, distortion: list[float], stamp_ns: int
) -> CameraInfo:
    """Return the intrinsics of a camera with its principal point at the picture's centre.

    Args:
        width: pixels.
        height: pixels.
        f: focal length, pixels.
        distortion: coefficients of `sensor_msgs/CameraInfo`, 5 or 8.
        stamp_ns: of the picture.
    """
    cx, cy = 0.5 * (width - 1), 0.5 * (height - 1)
    model = "plumb_bob" if len(distortion) == 5 else "rational_polynomial"
    message = CameraInfo(height=height, width=width, distortion_model=model)
    message.header.stamp = time_message(stamp_ns)
    message.header.frame_id = frames.CAMERA_OPTICAL
    message.d = distortion
    message.k = [f, 0.0, cx, 0.0, f, cy, 0.0, 0.0, 1.0]
    message.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    message.p = [f, 0.0, cx, 0.0, 0.0, f, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    return message


def focal_length_px(width: int, horizontal_fov_deg: float) -> float:
    """Return the focal length, pixels, of a camera with a field of view in degrees."""
    return 0.5 * width / tan(radians(0.5 * horizontal_fov_deg))


def camera_model(message: CameraInfo) -> CameraModel:
    """Return the camera model of the intrinsics, with region of interest and binning.

    Raises:
        CameraModelError: the distortion model is unknown, or the region is outside the picture.
        ObservationError: the camera is not calibrated (its focal length is not positive).
    """
    roi = message.roi
    return CameraModel.of(
        (message.width, message.height),
        message.k,
        message.distortion_model,
        message.d,
        (message.binning_x, message.binning_y),
        (roi.x_offset, roi.y_offset, roi.width, roi.height),
    )


def camera_model_message(model: CameraModel, stamp_ns: int) -> CameraInfo:
    """Return the intrinsics of a camera model, without region of interest and binning."""
    message = intrinsics_message(model.width, model.height, model.fx, [0.0] * 5, stamp_ns)
    if model.coefficients:
        message.d = list(model.coefficients)
        message.distortion_model = model.distortion
    message.k[2], message.k[4], message.k[5] = model.cx, model.fy, model.cy
    message.p[2], message.p[5], message.p[6] = model.cx, model.fy, model.cy
    return message


def imu_message(
    rate: Floats, force: Floats, stamp_ns: int, orientation: Floats | None = None
) -> Imu:
    """Return one IMU sample; without an orientation it is marked as not measured (REP 145)."""
    message = Imu()
    message.header.stamp = time_message(stamp_ns)
    message.header.frame_id = frames.BASE_LINK
    if orientation is None:
        message.orientation_covariance[0] = NOT_MEASURED
    else:
        q = message.orientation
        q.x, q.y, q.z, q.w = map(float, orientation)
    w, a = message.angular_velocity, message.linear_acceleration
    w.x, w.y, w.z = map(float, rate)
    a.x, a.y, a.z = map(float, force)
    return message


def imu_from(message: Imu) -> tuple[int, tuple[float, float, float], tuple[float, float, float]]:
    """Return (stamp in ns, angular velocity in rad/s, specific force in m/s^2), base_link."""
    w, a = message.angular_velocity, message.linear_acceleration
    return stamp_of(message.header.stamp), (w.x, w.y, w.z), (a.x, a.y, a.z)


def orientation_from(message: Imu) -> Floats | None:
    """Return the orientation of an IMU, float64 [4], (x, y, z, w); None if it is not measured."""
    q = message.orientation
    return measured_orientation((q.x, q.y, q.z, q.w), message.orientation_covariance[0])


def imu_mark(stamp_ns: int, orientation: Floats | None = None) -> Imu:
    """Return a message without rates and forces: all samples up to its stamp have been published.

    `sensor_msgs/Imu` marks a quantity as not measured by -1 as the first covariance element.
    """
    message = imu_message(_ZEROS, _ZEROS, stamp_ns, orientation)
    message.angular_velocity_covariance[0] = NOT_MEASURED
    message.linear_acceleration_covariance[0] = NOT_MEASURED
    return message


def is_imu_mark(message: Imu) -> bool:
    """Return whether a message has neither angular velocity nor specific force."""
    rate, force = message.angular_velocity_covariance, message.linear_acceleration_covariance
    return bool(rate[0] == NOT_MEASURED and force[0] == NOT_MEASURED)


def range_message(range_m: float | None, stamp_ns: int) -> Range:
    """Return a height above ground; None as infinite, which is no detection (REP 117)."""
    message = Range(radiation_type=Range.INFRARED, max_range=SIMULATED_REACH_M)
    message.header.stamp = time_message(stamp_ns)
    message.header.frame_id = frames.RANGE_BEAM
    message.range = inf if range_m is None else float(range_m)
    return message


def range_from(message: Range) -> tuple[int, float | None]:
    """Return (stamp in ns, distance in m); None outside of the limits that the sensor states."""
    range_m = measured_range(message.range, message.min_range, message.max_range)
    return stamp_of(message.header.stamp), range_m


def inputs_message(readings: Mapping[str, float], stamp_ns: int) -> JointState:
    """Return the readings that a policy was given for a frame, by name, with its stamp."""
    message = JointState(name=list(readings))
    message.header.stamp = time_message(stamp_ns)
    message.position = list(readings.values())
    return message


def odometry_message(
    truth: VehicleState, stamp_ns: int, variance: float = TRUTH_VARIANCE
) -> Odometry:
    """Return the vehicle's state: pose in the map, twist in base_link.

    Args:
        truth: the state.
        stamp_ns: its time.
        variance: of each component, in its unit squared; 0 where it is not known.
    """
    message = Odometry(child_frame_id=frames.BASE_LINK)
    message.header.stamp = time_message(stamp_ns)
    message.header.frame_id = frames.MAP
    position, orientation = message.pose.pose.position, message.pose.pose.orientation
    position.x, position.y, position.z = map(float, truth.position)
    orientation.x, orientation.y, orientation.z, orientation.w = map(float, truth.quaternion)
    body = frames.rotation_from_quaternion(truth.quaternion).T @ truth.velocity
    linear, angular = message.twist.twist.linear, message.twist.twist.angular
    linear.x, linear.y, linear.z = map(float, body)
    angular.x, angular.y, angular.z = map(float, truth.angular_velocity)
    for covariance in (message.pose.covariance, message.twist.covariance):
        covariance[::7] = variance
    return message


def vehicle_state_from(message: Odometry) -> VehicleState | None:
    """Return the state of odometry: pose in the map, twist in base_link; None if not finite."""
    p, q = message.pose.pose.position, message.pose.pose.orientation
    linear, angular = message.twist.twist.linear, message.twist.twist.angular
    quaternion = np.array([q.x, q.y, q.z, q.w])
    norm = float(np.linalg.norm(quaternion))
    numbers = (p.x, p.y, p.z, linear.x, linear.y, linear.z, angular.x, angular.y, angular.z)
    if not (np.isfinite(numbers).all() and 0.5 < norm < inf):
        return None
    quaternion /= norm
    turn = frames.rotation_from_quaternion(quaternion)
    velocity = turn @ np.array([linear.x, linear.y, linear.z])
    rates = np.array([angular.x, angular.y, angular.z])
    return VehicleState(np.array([p.x, p.y, p.z]), quaternion, velocity, rates)


def wind_message(wind: Floats, stamp_ns: int) -> Vector3Stamped:
    """Return the velocity of the air, float64 [3], m/s in the map."""
    message = Vector3Stamped()
    message.header.stamp = time_message(stamp_ns)
    message.header.frame_id = frames.MAP
    message.vector.x, message.vector.y, message.vector.z = map(float, wind)
    return message


def command_message(command: Command, stamp_ns: int) -> TwistStamped:
    """Return a command, heading frame, as a twist."""
    message = TwistStamped()
    message.header.stamp = time_message(stamp_ns)
    message.header.frame_id = frames.BASE_LINK
    linear = message.twist.linear
    linear.x, linear.y, linear.z = map(float, command.values[:3])
    message.twist.angular.z = float(command.yaw_rate_radps)
    return message


def command_from(message: TwistStamped) -> tuple[Command, int]:
    """Return a twist as a command with its stamp in ns."""
    linear = message.twist.linear
    command = Command(linear.x, linear.y, linear.z, message.twist.angular.z)
    return command, stamp_of(message.header.stamp)


def neurons_message(
    names: list[str], states: NDArray[Any], gates: NDArray[Any], stamp_ns: int
) -> JointState:
    """Return the network's state: `position` is a neuron's state, `velocity` its time gate."""
    message = JointState(name=names)
    message.header.stamp = time_message(stamp_ns)
    message.position = states.tolist()
    message.velocity = gates.tolist()
    return message


def guard_message(change: GuardChange) -> JointState:
    """Return the rules that act: `name` has their events, `position` the numbers of actions."""
    message = JointState(name=[one.event.value for one in change.acting])
    message.header.stamp = time_message(change.stamp_ns)
    message.position = [float(one.action) for one in change.acting]
    return message


def velocity_reading_from(message: Odometry) -> VelocityReading | None:
    """Return the motion of odometry, pose in the map and twist in base_link; None if not finite.

    A unit quaternion is used as it is, so a simulated vehicle's odometry gives the bits of its
    state.
    """
    q, twist = message.pose.pose.orientation, message.twist.twist
    linear, angular = twist.linear, twist.angular
    quaternion = np.array([q.x, q.y, q.z, q.w])
    body = np.array([linear.x, linear.y, linear.z])
    rates = np.array([angular.x, angular.y, angular.z])
    norm = float(np.linalg.norm(quaternion))
    if not (np.isfinite([*body, *rates]).all() and 0.5 < norm < inf):
        return None
    if abs(norm - 1.0) > UNIT_TOLERANCE:
        quaternion = quaternion / norm
    return reading_of_twist(quaternion, body, rates, stamp_of(message.header.stamp))


def adaptation_message(state: AdaptationState, stamp_ns: int) -> JointState:
    """Return the state of an adaptation: gain, offset and innovation of each command, counters."""
    rows = state.rows
    message = JointState(name=list(rows))
    message.header.stamp = time_message(stamp_ns)
    message.position, message.velocity, message.effort = map(
        list, zip(*rows.values(), strict=True)
    )
    return message


def picture_from(message: Image | CompressedImage, read_as: str | None = None) -> Pixels:
    """Return the picture of a message, uint8 [H, W, 3], RGB; `rgb8` without copying.

    Args:
        message: the picture.
        read_as: encoding that replaces the message's, as for `decode_picture`; None to follow it.

    Raises:
        ObservationError: the encoding is unknown, or the data is incomplete.
    """
    if isinstance(message, Image) and message.encoding == "rgb8" and read_as in (None, "rgb8"):
        return image_from(message)
    data = np.frombuffer(message.data, np.uint8)
    if isinstance(message, CompressedImage):
        return decode_picture(message.format, data, read_as=read_as)
    layout = message.height, message.width, message.step, bool(message.is_bigendian)
    return decode_picture(message.encoding, data, *layout, read_as=read_as)
