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
from liquid_control.perception.imu_window import (
    IMU_FEATURES,
    IMU_LIMIT,
    MIRRORED_IMU,
    imu_features,
)
from liquid_control.perception.inputs import (
    INPUTS,
    MIRRORED_INPUTS,
    input_columns,
    input_size,
    input_values,
    known_inputs,
    readings_of,
    with_readings,
)
from liquid_control.perception.network_spec import (
    DEFAULT_CONVOLUTIONS,
    MOUNT_SIZE,
    Convolution,
    PerceptionSpec,
)
from liquid_control.perception.picture_distribution import PictureDistribution, picture_statistics
from liquid_control.perception.picture_health import PictureMemory, picture_health
from liquid_control.perception.sensor_sync import READING_AGE_NS, RESTART_NS, SensorSync
from liquid_control.perception.viewfinder import Framing, Viewfinder

__all__ = [
    "CONTRAST_FLOOR",
    "DEFAULT_CONVOLUTIONS",
    "IMU_FEATURES",
    "IMU_LIMIT",
    "INPUTS",
    "MIRRORED_IMU",
    "MIRRORED_INPUTS",
    "MOUNT_SIZE",
    "READING_AGE_NS",
    "RESTART_NS",
    "CameraModel",
    "CameraModelError",
    "CameraView",
    "Convolution",
    "Encoder",
    "Framing",
    "PerceptionSpec",
    "PictureDistribution",
    "PictureMemory",
    "SensorSync",
    "Viewfinder",
    "decode_picture",
    "fit",
    "imu_features",
    "input_columns",
    "input_size",
    "input_values",
    "known_inputs",
    "moments",
    "picture_health",
    "picture_statistics",
    "readings_of",
    "standardise",
    "with_readings",
]
