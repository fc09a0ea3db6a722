"""The launch files, run by ROS's launch where it is installed."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from lifecycle_msgs.srv import GetState

from liquid_control import topics
from liquid_control.bags import read_bag
from liquid_control.config import project_file
from liquid_control.graph.processes import Process, clean_environment

from .conftest import LIMIT_S, exit_status

pytest.importorskip("launch_ros")

pytestmark = [pytest.mark.ros, pytest.mark.slow]

RUN = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
source = PythonLaunchDescriptionSource(sys.argv[1])
arguments = [tuple(word.split(":=", 1)) for word in sys.argv[2:]]
service = LaunchService(argv=sys.argv[2:])
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)])
)
sys.exit(service.run())
"""


@pytest.fixture(scope="module")
def flight(flown):
    return flown("plain").flight.bag


class Launched:
    """A launch file that runs in a folder of its own, with the nodes as they are installed."""

    def __init__(self, folder: Path, file: str, *arguments: str) -> None:
        self.folder = folder
        self._path = folder / "launch.log"
        self._log = self._path.open("w+")
        environment = clean_environment(
            {
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "AMENT_PREFIX_PATH": str(_installed(folder / "prefix")),
                "ROS_LOG_DIR": str(folder / "log"),
            }
        )
        path = str(project_file(f"launch/{file}"))
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, path, *arguments],
            cwd=folder,
            env=environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def exit_status(self) -> tuple[int, str]:
        """Wait for the end; return the status and the log."""
        return exit_status(Process("launch", self.process, self._path)), self.log()

    def log(self) -> str:
        return self._path.read_text()

    def pid(self, name: str, number: int = 0) -> int | None:
        """Return the process id of a node: of its first process, or of a later one."""
        found = re.findall(rf"\[{name}-\d+\]: process started with pid \[(\d+)\]", self.log())
        return int(found[number]) if len(found) > number else None

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._log.close()


def _installed(prefix: Path) -> Path:
    """Create the folders in which launch looks for this package's executables."""
    index = prefix / "share/ament_index/resource_index/packages"
    programs = prefix / "lib/liquid_control"
    for folder in (index, programs):
        folder.mkdir(parents=True)
    (index / "liquid_control").touch()
    for name in (*PIPELINE, topics.RECORDER, topics.REPLAY):
        program = programs / name
        program.write_text(
            f"#!{sys.executable}\nfrom liquid_control.nodes.{name} import main\nmain()\n"
        )
        program.chmod(0o755)
    return prefix


PIPELINE = (topics.PERCEPTION, topics.CONTROLLER, topics.GUARD)


@pytest.fixture
def launched(domain, tmp_path):
    started: list[Launched] = []

    def start(file: str, *arguments: str) -> Launched:
        started.append(Launched(tmp_path, file, *arguments))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_a_bag_is_replayed_to_its_end_and_the_launch_succeeds(launched, flight, model, tmp_path):
    arguments = (f"bag:={flight}", f"model:={model}", f"record:={tmp_path}/again.mcap")
    status, log = launched("replay.launch.py", *arguments).exit_status()
    assert status == 0, log
    flown, replayed = read_bag(flight).commands, read_bag(tmp_path / "again.mcap").commands
    np.testing.assert_array_equal(replayed.stamp_ns, flown.stamp_ns)
    np.testing.assert_array_equal(replayed.values, flown.values)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "expected a bag, as bag:=flight.mcap"),
        (("bag:=nothing.mcap",), "nothing.mcap"),
        (("bag:=nothing.mcap", "rate:=fast"), "rate: expected a number"),
    ],
)
def test_a_replay_that_cannot_start_fails_the_launch(launched, arguments, reason):
    status, log = launched("replay.launch.py", *arguments).exit_status()
    assert status != 0
    assert reason in log


def test_a_flight_starts_inactive_and_survives_the_death_of_recorder_and_guard(
    launched, probe, model, tmp_path
):
    flight = launched(
        "flight.launch.py", f"model:={model}", "record:=true", "bag:=flown.mcap", "cmd_vel:=fcu"
    )
    for name in PIPELINE[:2]:
        state = probe.call(GetState, f"/{name}/get_state", GetState.Request())
        assert state.current_state.label == "unconfigured"
    probe.until(lambda: probe.node.count_publishers("fcu"), "the guard")
    first = tmp_path / "flown.mcap.partial"
    probe.until(first.exists, "a bag")
    probe.spin(1.5)
    for name in (topics.RECORDER, topics.GUARD):
        os.kill(flight.pid(name), signal.SIGKILL)
        probe.until(lambda name=name: flight.pid(name, 1), f"another {name}")
    probe.until((tmp_path / "flown-2.mcap.partial").exists, "another bag")
    before = first.read_bytes()
    probe.spin(1.5)
    assert flight.process.poll() is None
    flight.process.send_signal(signal.SIGINT)
    status, log = flight.exit_status()
    assert status == 0, log
    assert first.read_bytes() == before
    assert (tmp_path / "flown-2.mcap").stat().st_size > 1000
    deadline = time.monotonic() + LIMIT_S
    while any(Path(f"/proc/{flight.pid(name, n)}").exists() for name in PIPELINE for n in (0, 1)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
