"""Drone autonomy on ROS 2: camera and IMU to velocity commands through a 19-neuron liquid network."""

__version__ = "0.1.0"
