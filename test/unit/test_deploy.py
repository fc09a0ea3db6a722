"""Units, image and installer of a companion computer."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from liquid_control.nodes.camera_drivers import DRIVERS

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def test_the_flight_starts_inactive_and_comes_back_inactive():
    unit = (DEPLOY / "systemd/liquid-control-flight.service").read_text(encoding="utf-8")
    assert "autostart:=false" in unit
    assert "Restart=always" in unit
    assert "WatchdogSec" not in unit
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    assert "autostart:=false" in compose["services"]["flight"]["command"]


def test_the_bridge_has_a_watchdog_and_is_the_process_that_systemd_watches():
    unit = (DEPLOY / "systemd/liquid-control-mavlink.service").read_text(encoding="utf-8")
    assert "Type=notify" in unit
    assert "WatchdogSec=2" in unit
    assert "&& exec " in unit
    assert "allow_arm" not in unit


def test_no_file_arms_the_vehicle():
    texts = [path.read_text(encoding="utf-8") for path in DEPLOY.rglob("*") if path.is_file()]
    texts += [path.read_text(encoding="utf-8") for path in (ROOT / "config/companion").iterdir()]
    assert not [text for text in texts if "allow_arm" in text]


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_accepts_the_units(unit, tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for path in UNITS:
        shutil.copy(path, tmp_path)
    command = ["systemd-analyze", "verify", str(tmp_path / unit.name)]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_arguments_in_the_files_exist_in_the_launch_file():
    launch = (ROOT / "launch/flight.launch.py").read_text(encoding="utf-8")
    known = set(re.findall(r'argument\(\s*"(\w+)"', launch)) | {"params_file"}
    for path in (*UNITS, DEPLOY / "compose.yaml", DEPLOY / "systemd/environment"):
        assert set(re.findall(r"(\w+):=", path.read_text(encoding="utf-8"))) <= known, path.name


def test_the_image_and_the_compose_file_name_files_that_exist():
    image = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    for name in re.findall(r"deploy/[\w.-]+", image):
        assert (ROOT / name).exists(), name
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    assert (ROOT / compose["services"]["flight"]["build"]["dockerfile"]).is_file()


def test_the_scripts_are_valid_shell():
    subprocess.run(["sh", "-n", str(DEPLOY / "install-flight.sh")], check=True)
    subprocess.run(["bash", "-n", str(DEPLOY / "entrypoint.sh")], check=True)


def test_the_documentation_lists_every_driver():
    text = (ROOT / "docs/companion.md").read_text(encoding="utf-8")
    for driver in DRIVERS:
        assert f"| `{driver}` |" in text
