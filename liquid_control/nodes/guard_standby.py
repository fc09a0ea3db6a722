"""A second guard process, which publishes once the first has ended."""

from liquid_control import topics
from liquid_control.nodes.guard_node import GuardNode
from liquid_control.nodes.shutdown import main_of


def main() -> None:
    """Run guard_node under the name guard_standby."""
    main_of(lambda shutdown: [GuardNode(topics.GUARD_STANDBY)])


if __name__ == "__main__":
    main()
