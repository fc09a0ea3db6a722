"""Perception and controller in one process: two lifecycle nodes, one executor."""

from liquid_control.nodes.controller_node import ControllerNode
from liquid_control.nodes.perception_node import PerceptionNode
from liquid_control.nodes.shutdown import main_of


def main() -> None:
    """Run perception_node and controller_node in one process."""
    main_of(lambda shutdown: [PerceptionNode(shutdown), ControllerNode(shutdown)])


if __name__ == "__main__":
    main()
