"""The launch files, run by ROS's launch where it is installed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest
from lifecycle_msgs.srv import GetState
from msp_peer import ANGLE, ARM, OVERRIDE, MspPeer, PortPeer
from rcl_interfaces.srv import GetParameters
from rclpy.parameter import parameter_value_to_python
from std_srvs.srv import SetBool

from liquid_control import topics
from liquid_control.bags import metadata_records, open_bag, read_bag
from liquid_control.bags.flight_result import recorded_result
from liquid_control.config import load_scenario, parse_settings, project_file
from liquid_control.config.disturbances import joined_overrides
from liquid_control.graph.processes import clean_environment
from liquid_control.nodes.camera_drivers import DRIVERS
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control.stall_timer import StallTimer, cpu_time_s
from liquid_control_sim.flight import fly

from .conftest import LIMIT_S

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

    def __init__(
        self, folder: Path, file: str, *arguments: str, drivers: tuple[str, ...] = ()
    ) -> None:
        self.folder = folder
        prefix = _installed(folder / "prefix")
        for driver in drivers:
            install_driver(prefix, driver, DRIVERS[driver].executable)
        self._path = folder / "launch.log"
        self._log = self._path.open("w+")
        environment = clean_environment(
            {
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "AMENT_PREFIX_PATH": str(prefix),
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
        timer = StallTimer(LIMIT_S, lambda: cpu_time_s(self._pids()))
        while self.process.poll() is None:
            assert not timer.expired(), f"launch: no progress for {LIMIT_S:g} s"
            time.sleep(0.05)
        return self.process.returncode, self.log()

    def _pids(self) -> list[int]:
        """Return the process ids of the launch and of its nodes."""
        nodes = re.findall(r"process started with pid \[(\d+)\]", self.log())
        return [self.process.pid, *map(int, nodes)]

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
    for name in NODES:
        program = programs / name
        program.write_text(
            f"#!{sys.executable}\nfrom liquid_control.nodes.program import {name}\n{name}()\n"
        )
        program.chmod(0o755)
    return prefix


PIPELINE = (topics.PERCEPTION, topics.CONTROLLER, topics.GUARD)
NODES = (
    *PIPELINE,
    topics.GUARD_STANDBY,
    topics.MANAGER,
    topics.MAVLINK,
    topics.PX4,
    topics.MAVROS,
    topics.BETAFLIGHT,
    topics.RECORDER,
    topics.REPLAY,
    topics.SIMULATOR,
    "policy_node",
)


@pytest.fixture
def launched(domain, tmp_path):
    started: list[Launched] = []

    def start(file: str, *arguments: str, drivers: tuple[str, ...] = ()) -> Launched:
        started.append(Launched(tmp_path, file, *arguments, drivers=drivers))
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


def test_a_simulated_flight_logs_its_course_and_records_its_result(launched, model, tmp_path):
    bag = tmp_path / "flown.mcap"
    arguments = (
        *("seed:=3", "rate:=0", "vehicle:=outdoor", "disturb:=fog=2", "namespace:=drone"),
        *(f"model:={model}", f"record:={bag}", "set:=time_limit_s=1 camera.rate_hz=25"),
    )
    status, log = launched("sim.launch.py", *arguments).exit_status()
    assert status == 0, log
    assert "[drone.simulator_node]: flying: scenario trail, seed 3, 60 m" in log
    assert "[drone.simulator_node]: the flight has ended: failed: timeout after 1.0" in log
    assert "Traceback" not in log
    metadata = metadata_records(open_bag(bag))
    result = recorded_result(metadata["result"])
    assert (result.success, result.reason) == (False, "timeout")
    simulator = metadata["parameters/simulator_node"]
    assert json.loads(simulator["set"]) == ["time_limit_s=1", "camera.rate_hz=25"]
    assert json.loads(simulator["disturb"]) == ["fog=2"]
    assert simulator["vehicle"] == "outdoor"
    overrides = ["time_limit_s=1", "camera.rate_hz=25", "vehicle=outdoor"]
    changed = joined_overrides({"fog": 2}) | parse_settings(overrides)
    flown = fly(load_scenario("trail", changed), 3, PolicyPilot(Policy(load_model(model))))
    np.testing.assert_array_equal(read_bag(bag).commands.values, flown.command)
    assert result == flown.result


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("set:=wind.gust=6",), "ended with status 2: .*unknown key wind.gust; did you mean"),
        (("params_file:=none.yaml",), "params_file: expected a YAML file, none.yaml"),
        (("use_respawn:=true", "rate:=0"), "use_respawn: expected rate above 0"),
    ],
)
def test_a_simulation_that_cannot_start_ends_the_launch_with_the_reason(
    launched, arguments, reason
):
    status, log = launched("sim.launch.py", *arguments).exit_status()
    assert status == 1
    assert re.search(f"Caught exception in launch .*{reason}", log)


def test_a_model_that_does_not_load_ends_the_launch_of_a_flight_with_the_reason(launched):
    arguments = ("model:=/none", "autostart:=true")
    status, log = launched("flight.launch.py", *arguments).exit_status()
    assert status == 1
    assert re.search(r"Caught exception.*_node-\d ended with status 2: .*/none", log)


def install_driver(prefix: Path, package: str, program: str) -> None:
    """Install a program that writes its arguments into its folder and waits."""
    (prefix / "share/ament_index/resource_index/packages" / package).touch()
    path = prefix / "lib" / package / program
    path.parent.mkdir(parents=True)
    path.write_text(
        f"#!{sys.executable}\nimport pathlib, sys, time\n"
        "pathlib.Path(__file__).with_suffix('.arguments').write_text('\\n'.join(sys.argv))\n"
        "time.sleep(600)\n"
    )
    path.chmod(0o755)


def test_a_camera_driver_is_started_with_topics_and_parameters(launched, probe, model, tmp_path):
    file = tmp_path / "front.yaml"
    file.write_text("/**/v4l2_camera:\n  ros__parameters: {video_device: /dev/video7}\n")
    arguments = ("camera_driver:=v4l2_camera", f"camera_params:={file}", "camera:=front/image")
    flight = launched("flight.launch.py", f"model:={model}", *arguments, drivers=("v4l2_camera",))
    program = tmp_path / "prefix/lib/v4l2_camera/v4l2_camera_node"
    written = program.with_suffix(".arguments")
    probe.until(written.exists, "the driver")
    probe.until(lambda: "__node:=v4l2_camera" in written.read_text(), "its arguments")
    given = written.read_text().splitlines()
    for rule in (
        "image_raw:=front/image",
        "image_raw/compressed:=front/image/compressed",
        "camera_info:=camera/camera_info",
    ):
        assert rule in given
    files = [given[i + 1] for i, word in enumerate(given) if word == "--params-file"]
    assert files[-1] == str(file)
    assert any(one.endswith("config/drivers/v4l2_camera.yaml") for one in files)
    assert flight.process.poll() is None


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("camera_driver:=usb_cam", "camera_params:=none.yaml"), "camera_params: expected a YAML"),
        (("camera_driver:=usb_cam",), "package 'usb_cam' not found"),
        (("camera_driver:=webcam",), "camera_driver"),
        (("autopilot:=mavlink", "link:=tcp://127.0.0.1:1"), "tcp://127.0.0.1:1"),
        (("autopilot:=betaflight", "link:=udpin://0.0.0.0:1"), "which carry MSP"),
        (("autopilot:=mavros", "link:=tcp://127.0.0.1:1"), "link: expected autopilot:=mavlink or"),
        (("autopilot:=other",), "autopilot"),
    ],
)
def test_a_driver_or_link_that_cannot_start_ends_the_launch(launched, model, arguments, reason):
    status, log = launched("flight.launch.py", f"model:={model}", *arguments).exit_status()
    assert status == 1
    assert reason in log


def test_betaflight_is_connected_by_its_name_and_link(launched, probe, model):
    port = PortPeer(MspPeer(active={ARM, ANGLE, OVERRIDE}))
    status = probe.listen(topics.AUTOPILOT, "realtime")
    arguments = ("autopilot:=betaflight", f"link:={port.link}")
    flight = launched("flight.launch.py", f"model:={model}", *arguments)
    probe.until(lambda: flight.pid("betaflight_node"), "the node's process")
    probe.until(lambda: status, "the node")
    probe.until(lambda: port.peer.data or port.peer.requests, "the keeper's process")
    expected = "Betaflight, ANGLE + MSP OVERRIDE, armed"
    probe.until(lambda: status and status[-1][1].status[0].message == expected, "its status")
    assert status[-1][1].status[0].name == topics.BETAFLIGHT
    port.close()


def test_topics_of_mavros_are_used_where_none_are_given():
    launch_file = run_path(str(project_file("launch/flight.launch.py")))
    values = dict(launch_file["REMAPPED"]) | {"autopilot": "mavros", "odom": "my/odom"}
    changed = launch_file["_with_mavros"](values)
    assert changed == values | {"imu": "mavros/imu/data", "battery": "mavros/battery"}
    plain = values | {"autopilot": "px4"}
    assert launch_file["_with_mavros"](plain) == plain


@pytest.mark.parametrize("composed", ["false", "true"])
def test_a_params_file_and_the_log_level_reach_the_nodes(
    launched, probe, model, tmp_path, composed
):
    """The standby has the guard's section too; an argument that is changed wins over the file."""
    file = tmp_path / "drone.yaml"
    file.write_text(
        "/**/guard_node:\n  ros__parameters: {max_up_mps: 0.5}\n"
        "/**/perception_node:\n"
        "  ros__parameters: {camera_timeout_s: 0.75, transport: compressed}\n"
    )
    flight = launched(
        "flight.launch.py",
        *(f"model:={model}", f"params_file:={file}", "log_level:=error", "camera_fov_deg:=95"),
        f"composed:={composed}",
    )

    def value(node: str, name: str) -> object:
        request = GetParameters.Request(names=[name])
        response = probe.call(GetParameters, f"/{node}/get_parameters", request)
        return parameter_value_to_python(response.values[0])

    assert value(topics.GUARD, "max_up_mps") == 0.5
    assert value(topics.GUARD_STANDBY, "max_up_mps") == 0.5
    assert value(topics.GUARD_STANDBY, "pair") == "standby"
    assert value(topics.PERCEPTION, "camera_timeout_s") == 0.75
    assert value(topics.PERCEPTION, "transport") == "compressed"
    assert value(topics.PERCEPTION, "horizontal_fov_deg") == 95.0
    assert value(topics.PERCEPTION, "model") == value(topics.CONTROLLER, "model") == str(model)
    assert (flight.pid("policy_node") is None) is (composed == "false")
    response = probe.call(SetBool, f"/{topics.MANAGER}/set_active", SetBool.Request(data=True))
    assert response.success, response.message
    flight.process.send_signal(signal.SIGINT)
    status, log = flight.exit_status()
    assert status == 0, log
    assert "[INFO] [perception_node" not in log.replace("[INFO] [perception_node-", "")
    assert "active; waiting for" not in log


def test_simulated_time_of_another_simulator_reaches_a_namespace(launched, probe, model):
    arguments = ("namespace:=drone", "use_sim_time:=true", "clock:=/clock")
    launched("flight.launch.py", f"model:={model}", *arguments)
    nodes = (*PIPELINE, topics.GUARD_STANDBY, topics.MANAGER)

    def subscribers(topic: str) -> set[str]:
        infos = probe.node.get_subscriptions_info_by_topic(topic)
        return {f"{info.node_namespace}/{info.node_name}" for info in infos}

    expected = {f"/drone/{name}" for name in nodes}
    probe.until(lambda: subscribers("/clock") == expected, "all nodes")
    assert subscribers("/drone/clock") == set()


def test_use_respawn_brings_the_policy_back_without_the_launch_ending(launched, probe, model):
    flight = launched(
        "flight.launch.py", f"model:={model}", "use_respawn:=true", "autostart:=true"
    )

    def state() -> str:
        service = f"/{topics.CONTROLLER}/get_state"
        return probe.call(GetState, service, GetState.Request()).current_state.label

    probe.until(lambda: state() == "active", "the controller")
    os.kill(flight.pid(topics.CONTROLLER), signal.SIGKILL)
    probe.until(lambda: flight.pid(topics.CONTROLLER, 1), "another controller")
    probe.until(lambda: state() == "active", "the new controller")
    waits = "active; waiting for imu/data (0 publishers)"
    probe.until(lambda: waits in flight.log(), "what perception waits for")
    assert flight.process.poll() is None


def imports_rclpy(pid: int | None) -> bool:
    """Return whether a process has begun to load ROS, which takes longer than all before it."""
    return pid is not None and "rclpy" in Path(f"/proc/{pid}/maps").read_text()


@pytest.mark.parametrize("delay_s", [0.0, 0.2, 0.6, 1.6])
def test_an_interrupt_while_nodes_start_ends_them_without_a_traceback(launched, model, delay_s):
    flight = launched("flight.launch.py", f"model:={model}", "autostart:=true")
    names = (*PIPELINE, topics.GUARD_STANDBY, topics.MANAGER)
    deadline = time.monotonic() + LIMIT_S
    while not all(imports_rclpy(flight.pid(name)) for name in names):
        assert time.monotonic() < deadline, flight.log()
        time.sleep(0.02)
    time.sleep(delay_s)
    os.killpg(flight.process.pid, signal.SIGINT)
    status, log = flight.exit_status()
    assert status == 0, log
    assert "Traceback" not in log
    assert "KeyboardInterrupt" not in log
    assert "process has died" not in log
