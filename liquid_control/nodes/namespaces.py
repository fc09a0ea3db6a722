"""Names of nodes within a namespace: the graph of one vehicle among several in a ROS domain."""

from collections.abc import Iterable

from rclpy.node import Node


def relative_name(full: str, namespace: str) -> str:
    """Return a node's name within a namespace; empty for a node that is not in it.

    Args:
        full: name with namespace, such as `/drone/guard_node`.
        namespace: such as `/drone`; `/` holds every node.
    """
    prefix = f"{namespace.rstrip('/')}/"
    return full.removeprefix(prefix) if full.startswith(prefix) else ""


def names_within(namespace: str, found: Iterable[tuple[str, str]]) -> set[str]:
    """Return the names of nodes within a namespace and those below it.

    Args:
        namespace: as for `relative_name`.
        found: name and namespace of each node.
    """
    full = (f"{space.rstrip('/')}/{name}" for name, space in found)
    return {relative for name in full if (relative := relative_name(name, namespace))}


def graph_nodes(node: Node) -> set[str]:
    """Return the names of the nodes of a node's own graph, relative to its namespace."""
    return names_within(node.get_namespace(), node.get_node_names_and_namespaces())
