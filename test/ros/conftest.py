"""Real nodes in real processes, each test in a ROS domain of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from liquid_control.config import project_file
from liquid_control.export import model_graphs
from liquid_control.graph.processes import Process, clean_environment, free_domain, start
from liquid_control.liquid import auto_ncp, random_weights
from liquid_control.perception.cnn import PerceptionCNN
from liquid_control.policy import ModelSettings, save_model
from liquid_control_sim.warm_up import warm_up

TIMEOUT_S = 60.0
"""For whatever must happen some time: the machine may be busy."""


@pytest.fixture(scope="session", autouse=True)
def compiled() -> None:
    """Compile the simulator before nodes have to be there in time."""
    warm_up()


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    """Return a small model with random weights: it steers, if nowhere in particular."""
    settings = ModelSettings(name="random", wiring=auto_ncp(34, 19, 4).to_dict())
    weights = random_weights(settings.circuit, np.random.default_rng(0))
    arrays = {**weights.arrays(), **PerceptionCNN(seed=1).arrays()}
    path = tmp_path_factory.mktemp("models") / "random"
    save_model(path, settings, arrays, model_graphs(settings, arrays), "# random\n")
    return path


@pytest.fixture
def domain(monkeypatch) -> Iterator[int]:
    with free_domain() as number:
        monkeypatch.setenv("ROS_DOMAIN_ID", str(number))
        monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        profiles = str(project_file("config/fastdds.xml"))
        monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", profiles)
        monkeypatch.setenv("FASTDDS_DEFAULT_PROFILES_FILE", profiles)
        yield number


@pytest.fixture
def launch(domain, tmp_path) -> Iterator[Callable[..., Process]]:
    """Start nodes; those that still run at the end of the test are killed."""
    started: list[Process] = []

    def launch_node(
        name: str, heard: bool = False, file: Path | None = None, **parameters: object
    ) -> Process:
        words = [sys.executable, "-m", f"liquid_control.nodes.{name}", "--ros-args"]
        words += ["--params-file", str(file)] if file else []
        for key, value in parameters.items():
            words += ["-p", f"{key}:={json.dumps(value)}"]
        environment = clean_environment({"PYTHONPATH": os.pathsep.join(filter(None, sys.path))})
        log = tmp_path / f"{name}-{len(started)}.log"
        started.append(start(name, words, environment, log, heard))
        return started[-1]

    yield launch_node
    for process in started:
        if process.child.poll() is None:
            process.child.kill()
        process.child.wait()
        if process.child.stdout:
            process.child.stdout.close()


class Probe:
    """A node of the test's own: it publishes, listens and asks."""

    def __init__(self, domain: int) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = rclpy.create_node("probe", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._publishers: dict[str, object] = {}

    def listen(self, topic: str, mode: str) -> list:
        """Return a list that grows by what comes on a topic, each with the time it came at, s."""
        from liquid_control.nodes.qos import CLASSES, profile

        heard: list = []
        self.node.create_subscription(
            CLASSES[topic],
            topic,
            lambda message: heard.append((time.time(), message)),
            profile(topic, mode),
        )
        return heard

    def advertise(self, topic: str, mode: str) -> None:
        from liquid_control.nodes.qos import CLASSES, profile

        self._publishers[topic] = self.node.create_publisher(
            CLASSES[topic], topic, profile(topic, mode)
        )

    def publish(self, topic: str, message: object) -> None:
        self._publishers[topic].publish(message)

    def matched(self, *names: str) -> bool:
        """Return whether every topic that the probe advertises is heard."""
        return all(p.get_subscription_count() > 0 for p in self._publishers.values())

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    def until(self, condition: Callable[[], object], what: str, timeout_s: float = TIMEOUT_S):
        end = time.monotonic() + timeout_s
        while not (result := condition()):
            assert time.monotonic() < end, f"waited {timeout_s} s for {what}"
            self._executor.spin_once(timeout_sec=0.02)
        return result

    def call(self, kind: type, service: str, request: object):
        client = self.node.create_client(kind, service)
        self.until(client.service_is_ready, service)
        future = client.call_async(request)
        self.until(future.done, f"an answer of {service}")
        return future.result()

    def events(self, heard: list, name: str) -> dict[str, int]:
        """Return a node's counted events, as its newest diagnostics tell them."""
        for _, message in reversed(heard):
            if message.status[0].name == name:
                return {pair.key: int(pair.value) for pair in message.status[0].values}
        return {}

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        self.context.shutdown()


@pytest.fixture
def probe(domain) -> Iterator[Probe]:
    probe = Probe(domain)
    yield probe
    probe.close()


def ends(process: Process, timeout_s: float = TIMEOUT_S) -> int:
    """Wait for a process to end by itself; return its status."""
    try:
        return process.child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.child.send_signal(signal.SIGABRT)
        raise
