"""Parameters of the guard that publishes, copied by its standby."""

from collections.abc import Iterable

from rcl_interfaces.srv import GetParameters
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python

from liquid_control.nodes.service_calls import ServiceCalls

PERIOD_S = 0.5


class ParameterMirror:
    """Sets a node's parameters to those of another node, as long as it is not stopped.

    So a guard that takes over has the limits that were changed in flight, and a restarted guard
    has those of its standby.

    Args:
        node: whose parameters are set.
        source: full name of the other node.
        names: of the parameters.
    """

    def __init__(self, node: Node, source: str, names: Iterable[str]) -> None:
        self._node = node
        self._source = source
        self._names = sorted(names)
        self._client = node.create_client(GetParameters, f"{source}/get_parameters")
        self._calls = ServiceCalls()
        self._timer = node.create_timer(
            PERIOD_S, self._request, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def stop(self) -> None:
        """Copy no more."""
        self._timer.cancel()

    def _request(self) -> None:
        self._calls.repeat_overdue()
        if self._source not in self._calls and self._client.service_is_ready():
            request = GetParameters.Request(names=self._names)
            self._calls.send(self._source, self._client, request, self._on_values)

    def _on_values(self, response: GetParameters.Response) -> None:
        if self._timer.is_canceled():
            return
        pairs = zip(self._names, response.values, strict=False)
        values = {name: parameter_value_to_python(value) for name, value in pairs}
        changed = [
            Parameter(name, value=value)
            for name, value in values.items()
            if value is not None and value != self._node.get_parameter(name).value
        ]
        if changed:
            self._node.set_parameters(changed)
