"""From camera pictures and IMU samples to features. The torch twin is in `perception.cnn`."""

from liquid_control.perception.encoder import Encoder
from liquid_control.perception.image import CameraView, fit, standardise
from liquid_control.perception.imu import imu_features
from liquid_control.perception.spec import Convolution, PerceptionSpec

__all__ = [
    "CameraView",
    "Convolution",
    "Encoder",
    "PerceptionSpec",
    "fit",
    "imu_features",
    "standardise",
]
