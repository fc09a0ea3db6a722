"""Fixtures that run real nodes in processes, in ROS domains of their own."""

import fcntl
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from liquid_control.export import model_graphs
from liquid_control.graph import GraphFlight, GraphPlan, fly_through_graph
from liquid_control.graph.processes import (
    Process,
    free_domain,
    node_command,
    node_environment,
    ros_variables,
    start_process,
    wait_for_end,
)
from liquid_control.liquid import auto_ncp, random_weights
from liquid_control.perception.cnn import PerceptionCNN
from liquid_control.policy import ModelSettings, save_model
from liquid_control.stall_timer import StallTimer, cpu_time_s
from liquid_control_sim.warm_up import warm_up

LIMIT_S = 30.0
"""A wait fails without any progress for so long, by the rule of `stall_timer`."""


SHARED_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session", autouse=True)
def freed_shared_memory() -> Iterator[None]:
    """Remove the shared memory of nodes that were killed, 17 MB each; Fast DDS leaves it behind.

    A segment in use has a locked file `_el`.
    """
    before = set(SHARED_MEMORY.glob("fastrtps_*_el"))
    yield
    for lock in set(SHARED_MEMORY.glob("fastrtps_*_el")) - before:
        with suppress(OSError), lock.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lock.with_name(lock.name.removesuffix("_el")).unlink(missing_ok=True)
            lock.unlink(missing_ok=True)


@pytest.fixture(scope="session", autouse=True)
def compiled() -> None:
    """Compile the simulator once, so that not every node does it."""
    warm_up()


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    """Return a small model with random weights; its commands are not zero."""
    settings = ModelSettings(name="random", core={"wiring": auto_ncp(34, 19, 4)})
    weights = random_weights(settings.core.circuit, np.random.default_rng(0))
    arrays = {**weights.arrays(), **PerceptionCNN(seed=1).arrays()}
    path = tmp_path_factory.mktemp("models") / "random"
    save_model(path, settings, arrays, model_graphs(settings, arrays), "# random\n")
    return path


SEED = 3
PLAIN = ("time_limit_s=3",)
HARD = (
    "time_limit_s=3",
    "camera.rate_hz=30",
    "camera.drop_rate=0.4",
    "wind.mean_mps=4",
    "wind.gust_mps=6",
)
"""With seed 3 there are gaps between frames after which the guard hovers."""
FLIGHTS: dict[str, dict[str, Any]] = {
    "plain": {"overrides": PLAIN},
    "hard": {"overrides": HARD},
    "hard, composed": {"overrides": HARD, "composed": True},
    "hard, PNG": {"overrides": HARD, "image": "png", "compression": "zstd"},
}


class Flown(NamedTuple):
    """A flight through the graph with its progress events."""

    flight: GraphFlight
    events: list[dict[str, Any]]


@pytest.fixture(scope="session")
def flown(model, tmp_path_factory) -> Callable[[str], Flown]:
    """Return a function that flies one of `FLIGHTS` in lockstep, once a session."""
    flights: dict[str, Flown] = {}

    def fly_once(name: str) -> Flown:
        if name not in flights:
            events: list[dict[str, Any]] = []
            folder = tmp_path_factory.mktemp("flight")
            plan = GraphPlan("trail", SEED, model, folder, **FLIGHTS[name])
            flights[name] = Flown(fly_through_graph(plan, events.append), events)
        return flights[name]

    return fly_once


class Launcher:
    """Starts nodes in a ROS domain; kills those that still run at the end.

    Calling it starts `liquid_control.nodes.<name>`, or a module with dots in its name.
    """

    def __init__(self, domain: int, folder: Path) -> None:
        self.processes: list[Process] = []
        self._domain = domain
        self._folder = folder

    def __call__(
        self,
        name: str,
        pipe_stdout: bool = False,
        file: Path | None = None,
        without: tuple[str, ...] = (),
        wrapper: tuple[str, ...] = (),
        namespace: str = "",
        **parameters: object,
    ) -> Process:
        module = name if "." in name else f"liquid_control.nodes.{name}"
        command = node_command(module, parameters, file)
        command += ["-r", f"__ns:={namespace}"] if namespace else []
        environment = node_environment(self._domain)
        for variable in without:
            del environment[variable]
        log = self._folder / f"{name}-{len(self.processes)}.log"
        command = [command[0], *wrapper, *command[2 if wrapper else 1 :]]
        self.processes.append(start_process(name, command, environment, log, pipe_stdout))
        return self.processes[-1]

    def cpu_time_s(self) -> float:
        return cpu_time_s(process.child.pid for process in self.processes)

    def close(self) -> None:
        for process in self.processes:
            if process.child.poll() is None:
                process.child.kill()
            process.child.wait()
            if process.child.stdout:
                process.child.stdout.close()


class Probe:
    """A node of the test: it publishes, subscribes and calls services."""

    def __init__(self, domain: int, work_s: Callable[[], float] = lambda: 0.0) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = rclpy.create_node("probe", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._publishers: dict[str, object] = {}
        self._clients: dict[str, object] = {}
        self._work_s = work_s

    def listen(self, topic: str, mode: str) -> list:
        """Return a list that grows by a topic's messages, as (time of arrival in s, message)."""
        from liquid_control.nodes.qos import CLASSES, profile

        received: list = []
        self.node.create_subscription(
            CLASSES[topic],
            topic,
            lambda message: received.append((time.time(), message)),
            profile(topic, mode),
        )
        return received

    def advertise(self, topic: str, mode: str) -> None:
        from liquid_control.nodes.qos import CLASSES, profile

        self._publishers[topic] = self.node.create_publisher(
            CLASSES[topic], topic, profile(topic, mode)
        )

    def publish(self, topic: str, message: object) -> None:
        self._publishers[topic].publish(message)

    def matched(self) -> bool:
        """Return whether every topic that the probe advertises has a subscriber."""
        return all(p.get_subscription_count() > 0 for p in self._publishers.values())

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    def until(self, condition: Callable[[], object], description: str):
        """Spin until a condition holds; return its value."""
        timer = StallTimer(LIMIT_S, self._work_s)
        while not (result := condition()):
            assert not timer.expired(), f"waited for {description}: no progress for {LIMIT_S:g} s"
            self._executor.spin_once(timeout_sec=0.02)
        return result

    def call(self, kind: type, service: str, request: object):
        from liquid_control.nodes.service_calls import ServiceCalls

        if service not in self._clients:
            self._clients[service] = self.node.create_client(kind, service)
        client = self._clients[service]
        self.until(client.service_is_ready, service)
        calls, responses = ServiceCalls(), []
        calls.send(service, client, request, responses.append)
        self.until(lambda: calls.repeat_overdue() or responses, f"a response of {service}")
        return responses[0]

    def events(self, diagnostics: list, name: str) -> Counter[str]:
        """Return a node's counted events from its newest diagnostics; 0 for the others."""
        for _, message in reversed(diagnostics):
            if message.status[0].name == name:
                return Counter({pair.key: int(pair.value) for pair in message.status[0].values})
        return Counter()

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        self.context.shutdown()


@contextmanager
def ros_domain() -> Iterator[int]:
    """Reserve a ROS domain, and set this process's environment to it."""
    with free_domain() as number, pytest.MonkeyPatch.context() as patch:
        for name, value in ros_variables(number).items():
            patch.setenv(name, value)
        yield number


@contextmanager
def running_nodes(domain: int, folder: Path) -> Iterator[Launcher]:
    launcher = Launcher(domain, folder)
    try:
        yield launcher
    finally:
        launcher.close()


@contextmanager
def running_probe(domain: int, launcher: Launcher) -> Iterator[Probe]:
    probe = Probe(domain, launcher.cpu_time_s)
    try:
        yield probe
    finally:
        probe.close()


@pytest.fixture
def domain() -> Iterator[int]:
    with ros_domain() as number:
        yield number


@pytest.fixture
def launch(domain, tmp_path) -> Iterator[Launcher]:
    with running_nodes(domain, tmp_path) as launcher:
        yield launcher


@pytest.fixture
def probe(domain, launch) -> Iterator[Probe]:
    with running_probe(domain, launch) as probe:
        yield probe


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Iterator[tuple[Launcher, Probe]]:
    """Return a launcher and a probe that all tests of a module share."""
    folder = tmp_path_factory.mktemp("shared")
    with (
        ros_domain() as number,
        running_nodes(number, folder) as launcher,
        running_probe(number, launcher) as probe,
    ):
        yield launcher, probe


def exit_status(process: Process) -> int:
    """Wait for a process to end by itself; return its status."""
    assert wait_for_end([process], LIMIT_S), f"{process.name}: no progress for {LIMIT_S:g} s"
    return process.child.returncode


def error_line(process: Process) -> str:
    """Wait for a process to fail with status 2 and one line in its log; return the line."""
    assert exit_status(process) == 2
    lines = [line for line in process.log.read_text().splitlines() if "[ERROR]" in line]
    assert len(lines) == 1
    return lines[0]


STARTS = """
import importlib, json, sys
from liquid_control.graph.processes import node_command
from liquid_control.nodes.shutdown import run
module = importlib.import_module(f"liquid_control.nodes.{sys.argv[1]}")
module.main_of = lambda build: print("START", run(build), file=sys.stderr, flush=True)
for parameters in json.loads(sys.argv[2]):
    sys.argv = ["node", *node_command("", parameters)[3:]]
    module.main()
"""


def failed_starts(node: str, parameters: list[dict[str, object]]) -> list[tuple[int, list[str]]]:
    """Run a node with one set of parameters after another, in one process.

    Args:
        node: module in `liquid_control.nodes`.
        parameters: the sets; with each the node must end by itself.

    Returns:
        Exit status and error lines of each run.
    """
    command = [sys.executable, "-c", STARTS, node, json.dumps(parameters)]
    with ros_domain() as domain:
        environment = node_environment(domain)
        done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, check=True)
    results, errors = [], []
    for line in done.stderr.decode().splitlines():
        if line.startswith("START "):
            results.append((int(line.split()[1]), errors))
            errors = []
        elif "[ERROR]" in line:
            errors.append(line)
    return results
