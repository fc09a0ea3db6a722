"""Run the ROS 2 graph in child processes: simulated flights and replays of bags.

The package itself imports no rclpy: nodes run in processes that it starts.
"""

from liquid_control.graph.flight_graph import (
    GraphFlight,
    GraphPlan,
    flight_progress_text,
    fly_through_graph,
    load_graph_flight,
)
from liquid_control.graph.node_graph import NodeGraph
from liquid_control.graph.replay_graph import (
    GraphReplay,
    ReplayPlan,
    compare_with_offline,
    replay_through_graph,
)

__all__ = [
    "GraphFlight",
    "GraphPlan",
    "GraphReplay",
    "NodeGraph",
    "ReplayPlan",
    "compare_with_offline",
    "flight_progress_text",
    "fly_through_graph",
    "load_graph_flight",
    "replay_through_graph",
]
