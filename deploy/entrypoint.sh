#!/bin/bash
# Runs a command with ROS 2 and liquid_control sourced.
set -e
source /opt/ros/jazzy/setup.bash
source /opt/liquid_control/venv/bin/activate
exec "$@"
