"""Decode recorded messages of ROS, MAVROS and PX4 into the frames and units of this package."""
