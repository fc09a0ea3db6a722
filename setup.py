"""Make liquid_control installable by pip, by colcon and by `colcon build --symlink-install`."""

import re
from pathlib import Path

from setuptools import find_packages, setup

NAME = "liquid_control"
ROOT = Path(__file__).parent
SHARED_FOLDERS = ("launch", "config", "models", "sim/assets")
"""What goes to share/liquid_control as it lies here, where `project_file` looks for it."""

NODES = (
    "simulator_node",
    "perception_node",
    "controller_node",
    "policy_node",
    "guard_node",
    "guard_standby",
    "recorder_node",
    "replay_node",
    "mavlink_node",
    "px4_node",
    "mavros_setpoint_node",
    "betaflight_node",
    "foxglove_node",
    "lifecycle_manager",
)


def version() -> str:
    """Return the version that the package states; package.xml repeats it, and a test compares."""
    text = (ROOT / NAME / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE).group(1)


def shared_files() -> list[tuple[str, list[str]]]:
    """Return (folder under the prefix, files) for everything that is found there at run time."""
    share = Path("share") / NAME
    folders: dict[str, list[str]] = {
        "share/ament_index/resource_index/packages": [f"resource/{NAME}"],
        str(share): ["package.xml"],
    }
    for shared in SHARED_FOLDERS:
        for path in sorted((ROOT / shared).rglob("*")):
            relative = path.relative_to(ROOT)
            if path.is_file() and "__pycache__" not in relative.parts:
                folders.setdefault(str(share / relative.parent), []).append(str(relative))
    return list(folders.items())


BASE = [
    "numpy>=1.26",
    "opencv-python-headless>=4.8",
    "onnxruntime>=1.18",
    "protobuf>=4.25",
    "pyyaml>=6.0",
    "pydantic>=2.5",
    "rosbags>=0.10",
    "mcap>=1.6",
    "zstandard>=0.21",
    "lz4>=4.3",
    "rich>=13",
    "typer>=0.12",
]
EXTRAS = {
    "sim": ["pybullet>=3.2.6", "numba>=0.60"],
    "gym": ["gymnasium>=1.0"],
    "report": ["matplotlib>=3.8", "jinja2>=3.1", "av>=12"],
    "benchmark": ["scipy>=1.11"],
    "certify": ["scipy>=1.11"],
    "inspect": ["captum>=0.8", "scikit-learn>=1.4", "scipy>=1.14"],
    "nir": ["nir>=1.0.6"],
    "search": ["optuna>=4.2", "moocore>=0.2"],
    "train": ["torch>=2.2", "torchdiffeq>=0.2.4", "onnx>=1.16"],
    "ray": ["ray>=2.40"],
    "lerobot": ["pyarrow>=14", "av>=12"],
    "hub": ["huggingface-hub>=0.34", "safetensors>=0.4"],
    "ros": [
        "ros-jazzy-rclpy",
        "ros-jazzy-rmw-fastrtps-cpp",
        "ros-jazzy-common-interfaces",
        "ros-jazzy-lifecycle-msgs",
        "ros-jazzy-rosgraph-msgs",
    ],
    "foxglove": ["foxglove-sdk>=0.30"],
    "rerun": ["rerun-sdk>=0.41"],
    "mavlink": ["pymavlink>=2.4.41", "pyserial>=3.5"],
    "browser": ["playwright>=1.50"],
    "docs": [
        "mkdocs>=1.6,<2",
        "mkdocs-material>=9.5",
        "mkdocstrings[python]>=1.0",
        "griffe-pydantic>=1.1",
        "ruff==0.17.6",
        # mkdocstrings for Python 3.10 does not work with later versions.
        "pymdown-extensions<12; python_version < '3.11'",
    ],
    "test": [
        "pytest>=8",
        "pytest-timeout>=2.3",
        "hypothesis>=6.100",
        "ruff==0.17.6",
        "mypy==2.4.1",
        "import-linter>=2.3",
        "types-PyYAML",
        "mcap-ros2-support>=0.5",
        "ncps==1.0.1",
        "scipy>=1.14",
        "torchdiffeq>=0.2.4",
        "gymnasium>=1.0",
        "stable-baselines3>=2.7",
        "onnx>=1.16",
        "captum>=0.8",
        "scikit-learn>=1.4",
        "optuna>=4.2",
        "moocore>=0.2",
        "ray>=2.40",
        "websockets>=13",
        "foxglove-sdk>=0.30",
        "pyarrow>=14",
        "huggingface-hub>=0.34",
        "safetensors>=0.4",
        "nir>=1.0.6",
        "colcon-core",
        "colcon-bash",
        "colcon-library-path",
        "colcon-metadata",
        "colcon-output",
        "colcon-package-selection",
        "colcon-parallel-executor",
        "colcon-python-setup-py",
        "colcon-recursive-crawl",
        "colcon-ros",
        "colcon-test-result",
    ],
}

setup(
    name=NAME,
    version=version(),
    description="Drone autonomy on ROS 2 through a 19-neuron liquid network",
    maintainer="liquid_control maintainers",
    maintainer_email="maintainers@users.noreply.github.com",
    license="Apache-2.0",
    python_requires=">=3.10,<3.13",
    packages=[
        *find_packages(include=[NAME, f"{NAME}.*"]),
        *find_packages("sim", include=["liquid_control_sim", "liquid_control_sim.*"]),
    ],
    package_dir={"liquid_control_sim": "sim/liquid_control_sim"},
    package_data={
        NAME: [
            "py.typed",
            "pages/templates/*",
            "pages/templates/recorder/*",
            "pages/vendor/uplot/*",
            "evaluation/templates/*",
            "replay/templates/*",
            "export/templates/*",
        ],
        "liquid_control_sim": ["py.typed", "firmware/*.c"],
    },
    data_files=shared_files(),
    install_requires=BASE,
    extras_require=EXTRAS,
    entry_points={
        "console_scripts": [
            "liquid-control = liquid_control.cli.main:main",
            *(f"{node} = liquid_control.nodes.program:{node}" for node in NODES),
        ],
    },
    zip_safe=False,
)
