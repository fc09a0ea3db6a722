"""ROS 2 nodes: they declare parameters, convert messages, call the library and publish."""
