"""Lifecycle manager: brings the policy's nodes up and down with one service."""

import time
from dataclasses import dataclass
from functools import partial

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import SetBool, Trigger

from liquid_control import topics
from liquid_control.nodes.lifecycle_steps import (
    ACTIVE,
    NOT_ACTIVE,
    UNCONFIGURED,
    LifecycleStep,
    is_reached,
    next_step,
)
from liquid_control.nodes.node_settings import ManagerSettings
from liquid_control.nodes.pace import STEADY
from liquid_control.nodes.parameters import declare
from liquid_control.nodes.service_calls import ServiceCalls
from liquid_control.nodes.shutdown import Shutdown, main_of

PERIOD_S = 0.1
TRANSITIONS = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "cleanup": Transition.TRANSITION_CLEANUP,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
}


@dataclass
class Request:
    """A state that nodes are being brought to.

    Attributes:
        goal: the state.
        names: of the nodes, in their order.
        done: future; its result is empty, or the reason of the failure.
        since_s: time of the last progress.
        step: transition that was sent; None between two.
    """

    goal: str
    names: list[str]
    done: Future
    since_s: float
    step: LifecycleStep | None = None


class LifecycleManager(Node):
    """Manages lifecycle nodes as Nav2's manager does.

    `~/set_active` configures and activates all nodes, or deactivates them; `~/reset` leaves them
    unconfigured; `~/is_active` reports whether all are active. Responses come when the nodes have
    reached the state. A managed node that dies while it is active, and is started again, is
    activated again; one that an operator deactivates stays inactive.
    """

    def __init__(self, shutdown: Shutdown) -> None:
        super().__init__(topics.MANAGER)
        self._shutdown = shutdown
        self._settings = settings = declare(self, ManagerSettings)
        self._names = list(settings.node_names)
        self._states = dict.fromkeys(self._names, "")
        self._changes = dict.fromkeys(self._names, 0)
        self._lost: set[str] = set()
        self._kept = ""
        self._request: Request | None = None
        self._getters = {n: self.create_client(GetState, f"{n}/get_state") for n in self._names}
        self._changers = {
            n: self.create_client(ChangeState, f"{n}/change_state") for n in self._names
        }
        self._calls = ServiceCalls()
        waiting = ReentrantCallbackGroup()  # of services whose responses wait for the timer's work
        self.create_service(SetBool, "~/set_active", self._on_set_active, callback_group=waiting)
        self.create_service(Trigger, "~/reset", self._on_reset, callback_group=waiting)
        self.create_service(Trigger, "~/is_active", self._on_is_active)
        self.create_timer(PERIOD_S, self._on_timer, clock=STEADY)
        if settings.autostart:
            self._bring(ACTIVE, self._names).add_done_callback(self._on_started)

    async def _on_set_active(
        self, request: SetBool.Request, response: SetBool.Response
    ) -> SetBool.Response:
        goal = ACTIVE if request.data else NOT_ACTIVE
        response.message = await self._bring(goal, self._names)
        response.success = not response.message
        return response

    async def _on_reset(
        self, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        response.message = await self._bring(UNCONFIGURED, self._names)
        response.success = not response.message
        return response

    def _on_is_active(
        self, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        response.success = is_reached(ACTIVE, self._states)
        response.message = "; ".join(
            f"{name} is {state or 'not there'}" for name, state in self._states.items()
        )
        return response

    def _on_started(self, done: Future) -> None:
        if done.result():
            self._shutdown.request(2)  # the log has the failure

    def _bring(self, goal: str, names: list[str]) -> Future:
        """Begin to bring nodes to a state, instead of to the one of an earlier request.

        A request that is repeated gets the response of the first.
        """
        if self._request is not None:
            if (self._request.goal, self._request.names) == (goal, names):
                return self._request.done
            self._end("another request came before the end of this one")
        self._kept = ""
        self._request = Request(goal, list(names), Future(), time.monotonic())
        return self._request.done

    def _on_timer(self) -> None:
        self._calls.repeat_overdue()
        for name, client in self._getters.items():
            if not client.service_is_ready():
                self._lose(name)
            elif name not in self._calls:
                on_state = partial(self._on_state, name, self._changes[name])
                self._calls.send(name, client, GetState.Request(), on_state)
        if self._request is not None:
            self._advance(self._request)
        elif self._kept and self._lost and all(self._states[name] for name in self._lost):
            self.get_logger().info(f"{_listed(self._lost)}: started again, is activated again")
            returned = [name for name in self._names if name in self._lost]
            self._bring(self._kept, returned)

    def _lose(self, name: str) -> None:
        if self._states[name] == ACTIVE:
            self.get_logger().warning(f"{name} is gone: the guard hovers")
        self._states[name] = ""
        self._lost.add(name)

    def _on_state(self, name: str, changes: int, response: GetState.Response) -> None:
        """Keep a state, unless it was requested before the newest change."""
        if changes == self._changes[name]:
            self._states[name] = response.current_state.label

    def _advance(self, request: Request) -> None:
        states = {name: self._states[name] for name in request.names}
        if request.step is not None and states[request.step.node] == request.step.result:
            request.step, request.since_s = None, time.monotonic()
        if is_reached(request.goal, states):
            self._end("")
        elif time.monotonic() - request.since_s > self._settings.timeout_s:
            self._end(self._late(request, states))
        elif request.step is None and (step := next_step(request.goal, states)) is not None:
            request.step, request.since_s = step, time.monotonic()
            self._changes[step.node] += 1
            change = ChangeState.Request(transition=Transition(id=TRANSITIONS[step.transition]))
            future = self._changers[step.node].call_async(change)
            future.add_done_callback(partial(self._on_change, request))

    def _late(self, request: Request, states: dict[str, str]) -> str:
        found = (
            f"{name} is {state or 'not there'}"
            for name, state in states.items()
            if not is_reached(request.goal, {name: state})
        )
        return f"no progress for {self._settings.timeout_s:g} s: {'; '.join(found)}"

    def _on_change(self, request: Request, future: Future) -> None:
        step = request.step
        if step is None or request is not self._request or future.result() is None:
            return
        self._changes[step.node] += 1
        if future.result().success:
            self._states[step.node] = step.result
            request.step, request.since_s = None, time.monotonic()
        else:
            self._end(f"{step.node}: {step.transition} failed; its log has the reason")

    def _end(self, failure: str) -> None:
        """End the request; keep the nodes active from now on if that was its goal."""
        request, self._request = self._request, None
        assert request is not None
        if failure:
            self.get_logger().error(failure)
        else:
            self._kept = ACTIVE if request.goal == ACTIVE else ""
            self._lost -= set(request.names)
            self.get_logger().info(f"{_listed(request.names)}: {request.goal}")
        request.done.set_result(failure)


def _listed(names: object) -> str:
    return ", ".join(sorted(names))


def main() -> None:
    """Run lifecycle_manager."""
    main_of(lambda shutdown: [LifecycleManager(shutdown)], executor=SingleThreadedExecutor)


if __name__ == "__main__":
    main()
