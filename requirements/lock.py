"""Write the lock files in this folder from the extras in setup.py; run it as `make lock`.

Each file is complete in itself, so that pip can check every hash with --require-hashes. All are
solved under one set of pins, so that installing one after another never changes a version.
`make lock ONLY=docs` solves one file under the versions that the other files have today.

    flight.txt      what `make fly` needs besides ROS, and what installs the project itself
    pybullet.txt    PyBullet alone: it may be compiled locally, with flight.txt's NumPy
    ros.txt         rclpy, messages and Fast DDS as wheels, for a machine without ROS
    mavlink.txt     what `mavlink_node` needs: pymavlink and pyserial
    test.txt        what `make test` adds, and the pure-Python packages that PyTorch needs
    browser.txt     what `make browser` adds: Playwright
    docs.txt        what `make docs` adds
    torch-cpu.txt   PyTorch without CUDA, used where pip's settings lead to it
    torch.txt       PyTorch as the registry has it, alone
    torch-cuda.txt  the CUDA libraries that the registry's build for x86-64 Linux needs
    numpy1/         flight.txt and test.txt for an installed ROS that was built with NumPy 1
"""

import re
import runpy
import subprocess
import sys
from pathlib import Path
from unittest import mock

HERE = Path(__file__).resolve().parent
WORK = HERE.parent / "build" / "lock"
HEADER = "# Written by `make lock` from setup.py. Do not edit.\n"

INSTALLER = ["setuptools<80", "wheel"]
"""What builds the project and pybullet; colcon-core needs setuptools older than 80."""

EITHER_MACHINE = (
    "((platform_machine == 'aarch64' and sys_platform == 'linux')"
    " or (platform_machine == 'x86_64' and sys_platform == 'linux'))"
)
"""How uv writes that a package is for both machines that pyproject.toml names."""

TORCH = "torch==2.13.0"
TORCH_PURE = ["filelock", "fsspec", "jinja2", "networkx", "sympy", "typing-extensions"]
TORCH_WITHOUT_CUDA = (
    "torch==2.13.0+cpu \\\n"
    "    --hash=sha256:6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b\n"
)
"""torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl, which the registry does not list.

In a lock of its own, because pip prefers a build whose hash its index states to any other.
"""


ON_TORCH = ("torchdiffeq", "stable-baselines3", "captum")
"""Locked without dependencies: with them, test.txt would contain PyTorch and its CUDA libraries.

Their other dependencies are among the requirements of the tests.
"""

ALONE = ("docs", "ros", "mavlink", "browser")
"""Locks that `ONLY` can name: no other file depends on them."""


def extras() -> dict[str, list[str]]:
    """Return the requirements that setup.py states, the base under its own name."""
    with mock.patch("setuptools.setup") as setup:
        runpy.run_path(str(HERE.parent / "setup.py"))
    stated = setup.call_args.kwargs
    return {"base": stated["install_requires"], **stated["extras_require"]}


def on_torch(line: str) -> bool:
    """Return whether a requirement brings PyTorch along."""
    return line.startswith(ON_TORCH)


def solve(
    name: str, wanted: list[str], pins: str | None = None, options: tuple[str, ...] = ()
) -> str:
    """Return a lock of `wanted` for every supported Python, under the pins of an earlier one.

    Args:
        name: name of the lock, which names its work files.
        wanted: requirements, one a line.
        pins: name of the lock whose versions constrain this one.
        options: further options of `uv pip compile`.

    Returns:
        Content of the lock file.
    """
    source, target = WORK / f"{name}.in", WORK / f"{name}.txt"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text("\n".join(wanted) + "\n", encoding="utf-8")
    target.unlink(missing_ok=True)
    command = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "-q", str(source)]
    command += ["--universal", "--python-version", "3.10", "--generate-hashes", "--no-header"]
    command += ["--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "-o", str(target)]
    if pins:
        command += ["-c", str(WORK / f"{pins}.txt")]
    command += options
    subprocess.run(command, check=True, cwd=HERE.parent)
    return target.read_text(encoding="utf-8")


def split_torch(lock: str, elsewhere: str) -> tuple[str, str]:
    """Return (PyTorch alone, the compiled libraries it needs) from a lock of both.

    Packages that `elsewhere` locks already, the pure-Python ones, are omitted.
    """
    blocks = re.split(r"^(?=\S)", lock, flags=re.MULTILINE)
    alone = [block for block in blocks if block.startswith("torch==")]
    known = {block.split("==")[0] for block in re.split(r"^(?=\S)", elsewhere, flags=re.MULTILINE)}
    rest = [b for b in blocks if b.split("==")[0] not in known and not b.startswith("torch==")]
    return alone[0], "".join(rest)


def store(name: str, lock: str) -> None:
    """Write one lock file into this folder."""
    path = HERE / f"{name}.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEADER + lock.replace(EITHER_MACHINE, "sys_platform == 'linux'"), "utf-8")
    print(f"requirements/{name}.txt: {len(re.findall('^[a-z]', lock, re.MULTILINE))} packages")


def requirements() -> dict[str, list[str]]:
    """Return the requirements of each lock that is solved with its dependencies."""
    stated = extras()
    pybullet = [line for line in stated["sim"] if line.startswith("pybullet")]
    compiled = [line for line in stated["sim"] if line not in pybullet]
    return {
        "flight": [*stated["base"], *stated["report"], *compiled, *INSTALLER],
        "pybullet": pybullet,
        "ros": [f"{line} ; platform_machine == 'x86_64'" for line in stated["ros"]],
        "mavlink": stated["mavlink"],
        "test": [
            *(line for line in stated["test"] if not on_torch(line)),
            *TORCH_PURE,
            *INSTALLER,
        ],
        "browser": stated["browser"],
        "docs": stated["docs"],
        "torch": [TORCH],
    }


def lock_one(name: str) -> None:
    """Solve one lock under the versions that the files in this folder have."""
    if name not in ALONE:
        raise SystemExit(f"ONLY={name}: expected one of {', '.join(ALONE)}")
    present = [HERE / f"{other}.txt" for other in ("flight", "test")]
    options = tuple(word for path in present for word in ("-c", str(path)))
    store(name, solve(name, requirements()[name], options=options))


def lock_all() -> None:
    """Solve everything once, then each file under the pins found."""
    wanted = requirements()
    solve("all", [line for lines in wanted.values() for line in lines])
    locks = {name: solve(name, lines, pins="all") for name, lines in wanted.items()}
    without_torch = [line for line in extras()["test"] if on_torch(line)]
    alone = solve("on-torch", without_torch, options=("--no-deps",))
    torch, cuda = split_torch(locks.pop("torch"), locks["test"])
    locks["test"] += alone
    locks |= {"torch": torch, "torch-cuda": cuda, "torch-cpu": TORCH_WITHOUT_CUDA}
    for name, lock in locks.items():
        store(name, lock)
    solve("numpy1/all", [*wanted["flight"], *wanted["test"], "numpy<2"])
    for name, more in (("flight", ""), ("test", alone)):
        lock = solve(f"numpy1/{name}", wanted[name], pins="numpy1/all")
        store(f"numpy1/{name}", lock + more)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        lock_one(sys.argv[1])
    else:
        lock_all()
