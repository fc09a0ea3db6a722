"""Asks every node of the graph for its parameters, and hears when they change."""

import json
from collections.abc import Callable, Mapping
from functools import partial

from rcl_interfaces.msg import ParameterEvent
from rcl_interfaces.srv import GetParameters, ListParameters
from rclpy.client import Client
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from rclpy.qos import qos_profile_parameter_events
from rclpy.task import Future

NOT_SET = "null"
READINGS = frozenset({"position_s"})
"""Parameters that a node keeps true by itself, many times a second: no settings."""
Tell = Callable[[str, Mapping[str, str]], None]
"""Hears a node's name, without the leading slash, and names and values as text."""


class ParameterRecorder:
    """Tells the parameters of each node once it is there, and later those that change.

    Args:
        node: who asks.
        tell: hears all parameters of a node, once.
        tell_change: hears those that changed since.

    Attributes:
        told: parameters of the nodes that have answered, by name.
    """

    def __init__(self, node: Node, tell: Tell, tell_change: Tell) -> None:
        self.told: dict[str, dict[str, str]] = {}
        self._node = node
        self._tell = tell
        self._tell_change = tell_change
        self._asked: dict[str, tuple[Client, Client]] = {}
        self._events = node.create_subscription(
            ParameterEvent, "/parameter_events", self._on_event, qos_profile_parameter_events
        )

    def there(self) -> set[str]:
        """Return the names of the nodes that are in the graph; tools hide theirs with `_`."""
        found = self._node.get_node_names_and_namespaces()
        return {
            f"{space.strip('/')}/{name}".lstrip("/")
            for name, space in found
            if not name.startswith("_")
        }

    def look(self) -> None:
        """Ask those nodes that have not been asked yet."""
        for name in sorted(self.there() - self._asked.keys()):
            self._asked[name] = (
                self._node.create_client(ListParameters, f"/{name}/list_parameters"),
                self._node.create_client(GetParameters, f"/{name}/get_parameters"),
            )
        for name, clients in self._asked.items():
            if name not in self.told and all(client.service_is_ready() for client in clients):
                self.told[name] = {}
                request = ListParameters.Request()
                clients[0].call_async(request).add_done_callback(partial(self._on_names, name))

    def answered(self) -> set[str]:
        """Return the names of the nodes whose parameters were told."""
        return {name for name, values in self.told.items() if values}

    def _on_names(self, name: str, future: Future) -> None:
        self._ask(name, list(future.result().result.names), {})

    def _ask(self, name: str, left: list[str], found: dict[str, str]) -> None:
        """Ask for one after another.

        One that was never set would leave an answer for several empty, and more than a few
        requests at once do not fit a service's queue.
        """
        if not left:
            self.told[name] = found
            self._tell(name, found)
            return
        request = GetParameters.Request(names=left[:1])
        done = partial(self._on_value, name, left, found)
        self._asked[name][1].call_async(request).add_done_callback(done)

    def _on_value(self, name: str, left: list[str], found: dict[str, str], future: Future) -> None:
        values = future.result().values
        found[left[0]] = _text(values[0]) if values else NOT_SET
        self._ask(name, left[1:], found)

    def _on_event(self, event: ParameterEvent) -> None:
        name = event.node.lstrip("/")
        if not self.told.get(name):
            return
        said = (*event.new_parameters, *event.changed_parameters)
        values = {one.name: _text(one.value) for one in said if one.name not in READINGS}
        changed = dict(values.items() - self.told[name].items())
        if changed:
            self.told[name].update(changed)
            self._tell_change(name, changed)


def _text(value: object) -> str:
    """Return a parameter's value as text: strings as they are, all else as JSON."""
    plain = parameter_value_to_python(value)
    return plain if isinstance(plain, str) else json.dumps(plain, default=_plain)


def _plain(values: object) -> list[object]:
    return [one[0] if isinstance(one, bytes) else one for one in values]
