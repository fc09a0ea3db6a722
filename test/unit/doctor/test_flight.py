import os

import pytest

from liquid_control.cli.main import main
from liquid_control.config import project_file
from liquid_control.doctor import FLIGHT_PROBES, CheckStatus, Probe, check_flight, run_probes

pytestmark = pytest.mark.unit

PASSED = {name: Probe(True, f"{name} 1.0") for name in FLIGHT_PROBES}
NAMES = [
    *("Python", "flight packages", "ROS 2", "messages", "MAVLink", "lean install"),
    *("Fast DDS profile", "discovery", "models", "serial port", "serial console"),
    *("camera device", "clock", "CPU governor", "memory", "disk"),
]


def checked(root, probes=PASSED):
    return {result.name: result for result in check_flight(probes, root)}


def write(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_every_check_has_a_name_and_every_trouble_a_remedy(tmp_path):
    failed = {name: Probe(False, "ModuleNotFoundError: no") for name in FLIGHT_PROBES}
    results = list(check_flight(failed, tmp_path))
    assert [result.name for result in results] == NAMES
    for result in results:
        assert result.remedy or result.status is CheckStatus.OK


def test_missing_packages_are_errors_but_another_bridge_may_replace_mavlink(tmp_path):
    failed = {name: Probe(False, "ModuleNotFoundError: no") for name in FLIGHT_PROBES}
    results = checked(tmp_path, failed)
    for name in ("flight packages", "ROS 2", "messages"):
        assert results[name].status is CheckStatus.ERROR
    assert results["MAVLink"].status is CheckStatus.WARNING
    assert "[mavlink]" in results["MAVLink"].remedy


def test_the_probes_need_neither_pytorch_nor_pybullet():
    assert not {"torch", "pybullet"} & FLIGHT_PROBES.keys()
    for program in FLIGHT_PROBES.values():
        assert "torch" not in program
        assert "liquid_control_sim" not in program


def test_mavlink_probe_reports_versions():
    pytest.importorskip("pymavlink", reason="the extra [mavlink] is not installed")
    probe = run_probes({"mavlink": FLIGHT_PROBES["mavlink"]})["mavlink"]
    assert probe.ok
    assert probe.message.startswith("pymavlink 2.")


def test_an_empty_machine_has_warnings_for_ports_and_camera(tmp_path):
    results = checked(tmp_path)
    assert results["serial port"].message == "no serial port in /dev"
    assert results["camera device"].message == "no /dev/video*"
    assert results["CPU governor"].message == "no frequency scaling"
    assert results["memory"].message == "unknown"


def test_ports_and_cameras_are_listed(tmp_path):
    for name in ("ttyAMA0", "ttyUSB1", "video0", "video1"):
        write(tmp_path / "dev" / name)
    results = checked(tmp_path)
    assert results["serial port"].message == "ttyAMA0, ttyUSB1: readable and writable"
    assert results["camera device"].message == "video0, video1"


def test_a_port_without_permission_is_an_error(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root has every permission")
    write(tmp_path / "dev" / "ttyAMA0")
    (tmp_path / "dev" / "ttyAMA0").chmod(0)
    result = checked(tmp_path)["serial port"]
    assert result.status is CheckStatus.ERROR
    assert "dialout" in result.remedy


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("console=ttyAMA0,115200 console=tty1", "ttyAMA0 is the kernel's console"),
        ("console=tty1 root=/dev/sda", "no serial port is a console"),
    ],
)
def test_a_console_on_a_serial_port_is_named(tmp_path, line, message):
    write(tmp_path / "proc/cmdline", line)
    assert checked(tmp_path)["serial console"].message == message


@pytest.mark.parametrize(
    ("governors", "status", "message"),
    [
        (["performance"] * 2, CheckStatus.OK, "performance on 2 cores"),
        (["performance", "ondemand"], CheckStatus.WARNING, "ondemand, performance"),
    ],
)
def test_governors(tmp_path, governors, status, message):
    for core, governor in enumerate(governors):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{core}/cpufreq"
        write(folder / "scaling_governor", f"{governor}\n")
    result = checked(tmp_path)["CPU governor"]
    assert (result.status, result.message) == (status, message)


@pytest.mark.parametrize(
    ("kilobytes", "status"), [(1 << 20, CheckStatus.OK), (400 << 10, CheckStatus.WARNING)]
)
def test_memory(tmp_path, kilobytes, status):
    write(tmp_path / "proc/meminfo", f"MemTotal: 1 kB\nMemAvailable:   {kilobytes} kB\n")
    result = checked(tmp_path)["memory"]
    assert (result.status, result.message) == (status, f"{kilobytes >> 10} MiB available")


def test_the_profile_must_have_room_for_pictures(tmp_path, monkeypatch):
    monkeypatch.delenv("RMW_IMPLEMENTATION", raising=False)
    monkeypatch.delenv("FASTRTPS_DEFAULT_PROFILES_FILE", raising=False)

    def profile(path):
        monkeypatch.setenv("FASTDDS_DEFAULT_PROFILES_FILE", str(path))
        return checked(tmp_path)["Fast DDS profile"]

    shipped = project_file("config/fastdds.xml")
    assert profile(shipped).message == f"{shipped}, 16 MiB of shared memory"
    text = shipped.read_text().replace("16777216", "524288")
    write(tmp_path / "small.xml", text)
    assert "no shared memory for pictures of 2 MiB" in profile(tmp_path / "small.xml").message
    write(tmp_path / "broken.xml", "<dds>")
    assert profile(tmp_path / "broken.xml").status is CheckStatus.ERROR
    assert profile(tmp_path / "none.xml").status is CheckStatus.ERROR
    monkeypatch.delenv("FASTDDS_DEFAULT_PROFILES_FILE")
    assert checked(tmp_path)["Fast DDS profile"].message.startswith("not set")


@pytest.mark.parametrize(
    ("reach", "status"), [("LOCALHOST", CheckStatus.OK), ("SUBNET", CheckStatus.WARNING)]
)
def test_discovery(tmp_path, monkeypatch, reach, status):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", reach)
    assert checked(tmp_path)["discovery"].status is status


@pytest.mark.slow
def test_command(capfd):
    """The status is 1 only with an error; every line begins with its status."""
    status = main(["doctor", "--flight"])
    lines = [line.split() for line in capfd.readouterr().out.splitlines() if line[:1].strip()]
    found = [line[0] for line in lines]
    assert len(found) == len(NAMES)
    assert set(found) <= {"ok", "warning", "error"}
    assert status == int("error" in found)
