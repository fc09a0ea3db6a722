"""From camera pictures and IMU samples to features. The torch twin is in `perception.cnn`."""

from liquid_control.perception.camera_view import CameraView, fit, standardise
from liquid_control.perception.encoder import Encoder
from liquid_control.perception.imu_features import imu_features
from liquid_control.perception.network_spec import Convolution, PerceptionSpec

__all__ = [
    "CameraView",
    "Convolution",
    "Encoder",
    "PerceptionSpec",
    "fit",
    "imu_features",
    "standardise",
]
