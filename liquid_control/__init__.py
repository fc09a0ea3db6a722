"""Drone autonomy on ROS 2: camera and IMU to velocity commands through a liquid network."""

import os

__version__ = "0.1.0"

# ONNX Runtime reads this when it is imported: no look-up of a telemetry host, no id in the cache.
# Child processes inherit it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
