import fnmatch
import importlib
import re
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any
from unittest import mock
from xml.etree import ElementTree

import pytest

import liquid_control

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").rglob("*.txt"))


def tracked() -> list[Path]:
    """Return every file of the project as git knows it, relative to its root."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = {Path(name) for name in listing.split("\0") if name}
    return sorted(name for name in names if (ROOT / name).is_file())


@pytest.fixture(scope="module")
def stated() -> dict[str, Any]:
    """What setup.py states."""
    with mock.patch("setuptools.setup") as setup, pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        runpy.run_path("setup.py")
    return dict(setup.call_args.kwargs)


@pytest.fixture(scope="module")
def manifest() -> ElementTree.Element:
    return ElementTree.parse(ROOT / "package.xml").getroot()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in a wheel, built from a copy of the tracked files without a network."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--no-index", "-w", str(built), str(source)], check=True)
    (archive,) = built.glob("*.whl")
    return set(zipfile.ZipFile(archive).namelist())


@pytest.mark.unit
def test_versions_agree(stated: dict[str, Any], manifest: ElementTree.Element) -> None:
    assert manifest.findtext("version") == liquid_control.__version__ == stated["version"]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {liquid_control.__version__}" in changes


@pytest.mark.unit
def test_package_xml_is_what_colcon_and_rosdep_expect(manifest: ElementTree.Element) -> None:
    assert manifest.get("format") == "3"
    assert manifest.findtext("name") == "liquid_control"
    assert manifest.findtext("export/build_type") == "ament_python"
    assert manifest.findtext("license") == "Apache-2.0"
    maintainer = manifest.find("maintainer")
    assert maintainer is not None
    assert re.fullmatch(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", maintainer.get("email", ""))


@pytest.mark.unit
def test_every_folder_of_code_is_packaged(stated: dict[str, Any]) -> None:
    code = {
        path.parent
        for path in tracked()
        if path.suffix == ".py" and path.parts[0] in {"liquid_control", "sim"}
    }
    folders = {str(p.relative_to("sim") if p.parts[0] == "sim" else p) for p in code}
    assert {folder.replace("/", ".") for folder in folders} == set(stated["packages"])


@pytest.mark.unit
def test_wheel_holds_every_file_of_the_project(wheel: set[str]) -> None:
    shared = re.compile(r"liquid_control-[^/]+\.data/data/share/liquid_control/")
    held = {shared.sub("share/", name) for name in wheel}
    wanted = set()
    for path in tracked():
        if path.parts[0] in {"launch", "config", "models"} or path.parts[:2] == ("sim", "assets"):
            wanted.add(f"share/{path}")
        elif path.parts[:2] == ("sim", "liquid_control_sim"):
            wanted.add(str(path.relative_to("sim")))
        elif path.parts[0] == "liquid_control":
            wanted.add(str(path))
    assert "liquid_control/py.typed" in wanted
    assert "share/config/scenarios/trail.yaml" in wanted
    assert wanted - held == set()


@pytest.mark.ros
def test_executables_can_be_called(stated: dict[str, Any]) -> None:
    scripts = stated["entry_points"]["console_scripts"]
    for script in scripts:
        module, function = script.split(" = ")[1].split(":")
        assert callable(getattr(importlib.import_module(module), function)), script
    modules = (ROOT / "liquid_control" / "nodes").glob("*.py")
    nodes = {path.stem for path in modules if "\ndef main()" in path.read_text("utf-8")}
    assert nodes | {"liquid-control"} == {script.split(" = ")[0] for script in scripts}


@pytest.mark.unit
@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_lock_pins_every_package_with_hashes_and_no_place(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    joined = text.replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.match(
            r"[a-z0-9][a-z0-9-]*==\S+( ; .+?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*$", line
        )
    assert not re.search(r"://|--(index|extra|find|trusted)|(^|\s)/", text)


@pytest.mark.unit
def test_locks_hold_what_setup_states(stated: dict[str, Any]) -> None:
    def names(lock: str) -> set[str]:
        text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
        return set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))

    def wanted(requirements: list[str]) -> set[str]:
        return {re.split(r"[<>=~!;\[ ]", line)[0].lower() for line in requirements}

    extras = stated["extras_require"]
    pybullet = [line for line in extras["sim"] if line.startswith("pybullet")]
    compiled = [line for line in extras["sim"] if line not in pybullet]
    flying = [*stated["install_requires"], *extras["report"], *compiled]
    for folder in ("", "numpy1/"):
        assert wanted(flying) <= names(f"{folder}flight.txt")
        assert wanted(extras["test"]) <= names(f"{folder}test.txt")
    assert wanted(extras["ros"]) <= names("ros.txt")
    assert wanted(extras["docs"]) <= names("docs.txt")
    assert wanted(extras["mavlink"]) <= names("mavlink.txt")
    assert wanted(extras["browser"]) <= names("browser.txt")
    assert wanted(pybullet) == names("pybullet.txt")
    assert wanted(extras["gym"]) <= names("test.txt")
    assert wanted(extras["search"]) <= names("test.txt")
    assert wanted(extras["train"]) <= names("test.txt") | names("torch.txt")


@pytest.mark.unit
def test_no_file_names_a_place_on_its_author_s_machine() -> None:
    home = re.compile(rb"(?<![\w.])/(?:home|Users|root|work)/\w")
    found = []
    for path in tracked():
        content = (ROOT / path).read_bytes()
        binary = b"\0" in content[:4096]
        if not binary and home.search(content):
            found.append(str(path))
    assert found == []


@pytest.mark.unit
def test_nothing_generated_is_tracked() -> None:
    generated = [
        "*.pyc",
        "*.so",
        "*.egg-info/*",
        "build/*",
        "site/*",
        "install/*",
        "log/*",
        "runs/*",
    ]
    names = [str(path) for path in tracked()]
    assert [n for n in names if any(fnmatch.fnmatch(n, pattern) for pattern in generated)] == []
