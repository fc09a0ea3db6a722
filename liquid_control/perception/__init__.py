"""Convert camera pictures and IMU samples to features; `perception.cnn` holds the torch module."""

from liquid_control.perception.camera_model import CameraModel, CameraModelError
from liquid_control.perception.camera_view import (
    CONTRAST_FLOOR,
    CameraView,
    fit,
    moments,
    standardise,
)
from liquid_control.perception.decoding import decode_picture
from liquid_control.perception.encoder import Encoder
from liquid_control.perception.imu_window import IMU_FEATURES, IMU_LIMIT, imu_features
from liquid_control.perception.network_spec import Convolution, PerceptionSpec
from liquid_control.perception.picture_distribution import PictureDistribution, picture_statistics
from liquid_control.perception.sensor_sync import RESTART_NS, SensorSync
from liquid_control.perception.viewfinder import Framing, Viewfinder

__all__ = [
    "CONTRAST_FLOOR",
    "IMU_FEATURES",
    "IMU_LIMIT",
    "RESTART_NS",
    "CameraModel",
    "CameraModelError",
    "CameraView",
    "Convolution",
    "Encoder",
    "Framing",
    "PerceptionSpec",
    "PictureDistribution",
    "SensorSync",
    "Viewfinder",
    "decode_picture",
    "fit",
    "imu_features",
    "moments",
    "picture_statistics",
    "standardise",
]
