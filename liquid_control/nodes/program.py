"""Programs of the nodes, which end without a traceback while they start.

To import ROS 2, NumPy and ONNX Runtime takes a second or more. Until `nodes.shutdown` handles
signals, SIGINT and SIGTERM end the process here, with status 0.
"""

import os
import signal
from functools import partial
from importlib import import_module
from types import FrameType


def end_process(number: int, frame: FrameType | None) -> None:
    """Handle a signal before the node exists: nothing has to be closed."""
    os._exit(0)


def run_node(name: str) -> None:
    """Run the node of a module of this package."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end_process)
    import_module(f"liquid_control.nodes.{name}").main()


betaflight_node = partial(run_node, "betaflight_node")
controller_node = partial(run_node, "controller_node")
foxglove_node = partial(run_node, "foxglove_node")
guard_node = partial(run_node, "guard_node")
guard_standby = partial(run_node, "guard_standby")
lifecycle_manager = partial(run_node, "lifecycle_manager")
mavlink_node = partial(run_node, "mavlink_node")
mavros_setpoint_node = partial(run_node, "mavros_setpoint_node")
perception_node = partial(run_node, "perception_node")
policy_node = partial(run_node, "policy_node")
px4_node = partial(run_node, "px4_node")
recorder_node = partial(run_node, "recorder_node")
replay_node = partial(run_node, "replay_node")
simulator_node = partial(run_node, "simulator_node")
