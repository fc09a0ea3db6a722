"""Run the ROS 2 graph in child processes: flights and replays."""
