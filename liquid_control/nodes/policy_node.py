"""Perception and controller in one process: two lifecycle nodes, one executor.

In real time the controller gets the features of a frame by a call, before they are published: the
command leaves one hop between processes earlier. In lockstep they go over their topic.
"""

from liquid_control.nodes.controller_node import ControllerNode
from liquid_control.nodes.perception_node import PerceptionNode
from liquid_control.nodes.shutdown import Shutdown, main_of


def build(shutdown: Shutdown) -> list[PerceptionNode | ControllerNode]:
    """Return both nodes, connected."""
    perception = PerceptionNode(shutdown)
    called = perception.settings.mode == "realtime"
    controller = ControllerNode(shutdown, subscribes=not called)
    if called:
        perception.controller = controller.take
    return [perception, controller]


def main() -> None:
    """Run perception_node and controller_node in one process."""
    main_of(build)


if __name__ == "__main__":
    main()
