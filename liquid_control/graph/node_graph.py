"""A ROS 2 graph in child processes: start them, read their progress, end them all."""

import json
import os
import select
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from liquid_control import topics
from liquid_control.errors import GraphError
from liquid_control.graph.processes import (
    FLUSH_TIMEOUT_S,
    TERM_TIMEOUT_S,
    Process,
    end_processes,
    free_domain,
    node_command,
    node_environment,
    start_process,
)
from liquid_control.interrupts import check_interrupt

GUARDS = frozenset({topics.GUARD, topics.GUARD_STANDBY})
"""Nodes of which one may die while another one lives."""
GraphEvent = dict[str, Any]
"""A line of JSON from the last node: `event` is `flying`, `replaying`, `progress` or `done`."""
ProgressCallback = Callable[[GraphEvent], None]
CHECK_PERIOD_S = 0.2


class NodePlan(Protocol):
    """Nodes of a graph. The last one reports progress, and the graph ends with it."""

    @property
    def out_dir(self) -> Path:
        """Folder; logs go to `log/`."""
        ...

    @property
    def mode(self) -> str:
        """`lockstep` or `realtime`."""
        ...

    @property
    def nodes(self) -> Mapping[str, Mapping[str, object]]:
        """Parameters of each node, by the name of its module in `liquid_control.nodes`."""
        ...


@dataclass
class NodeGraph:
    """Context manager that starts one process a node, and ends them all on leaving.

    Args:
        plan: the nodes.
        term_timeout_s: longest idle time of a process between SIGTERM and SIGKILL, s.
        remaps: other names of topics, by node.

    Attributes:
        processes: in the order of the plan.
        statuses: exit statuses by name, after leaving.
        replaced: processes that died while their standby lived; the graph went on.
        environment: of the processes, within the context.
    """

    plan: NodePlan
    term_timeout_s: float = TERM_TIMEOUT_S
    remaps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    replaced: list[Process] = field(default_factory=list)
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> "NodeGraph":
        try:
            self.environment = node_environment(self._stack.enter_context(free_domain()))
            self._stack.callback(self._end)
            for name, parameters in self.plan.nodes.items():
                self.processes.append(self._start(name, parameters))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _start(self, name: str, parameters: Mapping[str, object]) -> Process:
        common = {"mode": self.plan.mode, "use_sim_time": True}
        return start_process(
            name,
            node_command(
                f"liquid_control.nodes.{name}",
                common | dict(parameters),
                remaps=self.remaps.get(name, {}),
            ),
            self.environment,
            self.plan.out_dir / "log" / f"{name}.log",
            pipe_stdout=name == list(self.plan.nodes)[-1],
        )

    def _end(self) -> None:
        self.statuses = end_processes(self.processes, self.term_timeout_s)

    def events(self) -> Iterator[GraphEvent]:
        """Yield the events of the last node until it has ended.

        Raises:
            GraphError: a process died; the message has its name and its last error line.
        """
        last = self.processes[-1]
        for line in self._lines(last):
            yield json.loads(line)
        if last.child.wait() != 0:
            raise GraphError(last.exit_message())

    def _lines(self, last: Process) -> Iterator[bytes]:
        """Yield lines of a process's stdout, and check that no other process dies."""
        assert last.child.stdout is not None
        descriptor = last.child.stdout.fileno()
        rest = b""
        while True:
            readable, _, _ = select.select([descriptor], [], [], CHECK_PERIOD_S)
            check_interrupt()
            self._check_alive(last)
            if not readable:
                continue
            chunk = os.read(descriptor, 65536)
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines

    def _check_alive(self, last: Process) -> None:
        dead = [one for one in self.processes if one.child.poll() is not None and one is not last]
        for process in dead:
            if process in self.replaced:
                continue
            if not self._has_living_standby(process, dead):
                raise GraphError(process.exit_message())
            self.replaced.append(process)

    def _has_living_standby(self, process: Process, dead: list[Process]) -> bool:
        names = {one.name for one in self.processes if one not in dead}
        return process.name in GUARDS and bool(names & GUARDS)


def run_graph(plan: NodePlan, on_progress: ProgressCallback | None = None) -> GraphEvent:
    """Run a graph to its end and return the `done` event of its last node.

    The event's `replaced` has a line for each process that died while its standby lived.

    Args:
        plan: the nodes.
        on_progress: receives each `progress` event.

    Raises:
        GraphError: a process did not start, died, stopped answering, or ended with an error.
    """
    done: GraphEvent = {}
    with NodeGraph(plan) as graph:
        for event in graph.events():
            if event["event"] == "progress" and on_progress is not None:
                on_progress(event)
            done = event if event["event"] == "done" else done
        graph.term_timeout_s = FLUSH_TIMEOUT_S
    for process in graph.processes:
        if process.child.returncode != 0 and process not in graph.replaced:
            raise GraphError(process.exit_message())
    return done | {"replaced": [process.exit_message() for process in graph.replaced]}
