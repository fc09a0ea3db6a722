"""ROS 2 nodes: shells that declare parameters, convert messages, call the core and publish."""
