"""Drone autonomy on ROS 2: camera and IMU to velocity commands through a liquid network."""

__version__ = "0.1.0"
