"""Requests the parameters of every node in the graph, and follows their changes."""

import json
from collections.abc import Callable, Mapping
from functools import partial

from rcl_interfaces.msg import ParameterEvent
from rcl_interfaces.srv import GetParameters, ListParameters
from rclpy.client import Client
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from rclpy.qos import qos_profile_parameter_events

from liquid_control.nodes.namespaces import graph_nodes, relative_name
from liquid_control.nodes.service_calls import ServiceCalls

NOT_SET = "null"
MEASURED = frozenset({"position_s"})
"""Parameters that a node updates itself, many times a second: no settings."""
ParametersCallback = Callable[[str, Mapping[str, str]], None]
"""Receives a node's name, relative to the recorder's, and the values of parameters as text."""


class ParameterRecorder:
    """Reports the parameters of each node once it is in the graph, and later their changes.

    Args:
        node: sends the requests.
        on_parameters: receives all parameters of a node, once.
        on_change: receives the parameters that changed since.
    """

    def __init__(
        self, node: Node, on_parameters: ParametersCallback, on_change: ParametersCallback
    ) -> None:
        self._values: dict[str, dict[str, str]] = {}
        self._node = node
        self._on_parameters = on_parameters
        self._on_change = on_change
        self._clients: dict[str, tuple[Client, Client]] = {}
        self._calls = ServiceCalls()
        self._events = node.create_subscription(
            ParameterEvent, "/parameter_events", self._on_event, qos_profile_parameter_events
        )

    def nodes(self) -> set[str]:
        """Return the names of the nodes in the namespace, without hidden ones (`_` in front)."""
        names = graph_nodes(self._node)
        return {name for name in names if not name.rpartition("/")[2].startswith("_")}

    def known(self) -> set[str]:
        """Return the names of the nodes whose parameters were reported."""
        return {name for name, values in self._values.items() if values}

    def request_new(self) -> None:
        """Send requests to the nodes that have not received one, and repeat overdue ones."""
        self._calls.repeat_overdue()
        for name in sorted(self.nodes() - self._clients.keys()):
            self._clients[name] = (
                self._node.create_client(ListParameters, f"{name}/list_parameters"),
                self._node.create_client(GetParameters, f"{name}/get_parameters"),
            )
        for name, clients in self._clients.items():
            if name not in self._values and all(client.service_is_ready() for client in clients):
                self._values[name] = {}
                request = ListParameters.Request()
                self._calls.send(name, clients[0], request, partial(self._on_names, name))

    def _on_names(self, name: str, response: ListParameters.Response) -> None:
        self._request_next(name, list(response.result.names), {})

    def _request_next(self, name: str, left: list[str], values: dict[str, str]) -> None:
        """Request one parameter after another.

        A parameter that was never set would make the answer for several empty, and more than a few
        requests at once do not fit into a service's queue.
        """
        if not left:
            self._values[name] = values
            self._on_parameters(name, values)
            return
        request = GetParameters.Request(names=left[:1])
        on_response = partial(self._on_value, name, left, values)
        self._calls.send(name, self._clients[name][1], request, on_response)

    def _on_value(
        self, name: str, left: list[str], values: dict[str, str], response: GetParameters.Response
    ) -> None:
        values[left[0]] = _text(response.values[0]) if response.values else NOT_SET
        self._request_next(name, left[1:], values)

    def _on_event(self, event: ParameterEvent) -> None:
        name = relative_name(event.node, self._node.get_namespace())
        if not self._values.get(name):
            return
        parameters = (*event.new_parameters, *event.changed_parameters)
        values = {one.name: _text(one.value) for one in parameters if one.name not in MEASURED}
        changed = dict(values.items() - self._values[name].items())
        if changed:
            self._values[name].update(changed)
            self._on_change(name, changed)


def _text(value: object) -> str:
    """Return a parameter's value as text: strings as they are, everything else as JSON."""
    plain = parameter_value_to_python(value)
    return plain if isinstance(plain, str) else json.dumps(plain, default=_plain)


def _plain(values: object) -> list[object]:
    return [one[0] if isinstance(one, bytes) else one for one in values]
