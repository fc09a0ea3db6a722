"""Commands killed with SIGKILL at random moments and resumed end with the files of unbroken ones.

`KILLS=20 pytest test/sim/test_killed_commands.py -s` kills each command at 20 moments, which takes
half an hour to an hour, and prints what each kill left. By default there are two of each.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml

pytestmark = [pytest.mark.sim, pytest.mark.slow, pytest.mark.timeout(7200)]

KILLS = int(os.environ.get("KILLS", "2"))
SEED = 11
BAG = Path(__file__).parents[1] / "golden" / "flight.mcap"

FREQUENT = """
import sys
from liquid_control.cli.main import main
from liquid_control.replay.checkpoint import Checkpoint
Checkpoint.__init__.__defaults__ = (0.1,)
sys.exit(main(sys.argv[1:]))
"""
"""The command line with a checkpoint every 0.1 s: the replay takes only seconds."""

FLIGHTS = 40
CAMPAIGN = [
    *("evaluate", "--model", "expert", "--scenario", "trail", "--seeds", f"0:{FLIGHTS}"),
    *("--set", "camera.width=16", "--set", "camera.height=16", "--set", "forest.trees=3"),
    *("--set", "trail.length_m=6", "--set", "time_limit_s=2", "--record", "all"),
]
REPLAY = [
    *("replay", str(BAG), "--disturb", "noise", "--disturb", "drops"),
    *("--model", "trail_cfc19", "--model", "trail_from_bags"),
]
TRAINING = {
    "name": "tiny",
    "seed": 3,
    "overrides": {
        **{"trail.length_m": 6.0, "time_limit_s": 2.0, "forest.trees": 3},
        **{"camera.width": 32, "camera.height": 18},
    },
    "flights": {"cloning": 4, "dagger": 2, "rounds": 1, "expert_share": [0.5]},
    "learner": {
        **{"cloning_steps": 80, "dagger_steps": 40, "windows": 6, "window_steps": 12},
        **{"burn_in_steps": 3, "held_out": 4, "save_every_s": 0.05},
    },
    "validation": {"flights": 1, "final_flights": 1, "conditions": {"calm": {}}},
    "jobs": 1,
}


def rows(folder: Path) -> list[str]:
    """Return the complete lines of rows.jsonl after its header."""
    with suppress(OSError):
        return (folder / "rows.jsonl").read_text().split("\n")[1:-1]
    return []


def flown(folder: Path) -> dict[str, object]:
    """Return the rows, and bags as bytes, of a campaign; each flight occurs once."""
    document = json.loads((folder / "results.json").read_text())
    written = [json.loads(row) for row in rows(folder)]
    flights = {(row["model"], row["entry"], row["seed"]) for row in written}
    assert len(flights) == len(written) == FLIGHTS
    assert document["complete"]
    kept = {key: document[key] for key in ("schema", "config", "rows", "summary")}
    return {"results.json": kept, **contents(folder, ".mcap"), "files": names(folder)}


def replayed(folder: Path) -> dict[str, object]:
    """Return the files of a replay as bytes, except the measured times."""
    return {**contents(folder, ".json", ".html", ".npz"), "files": names(folder)}


def trained(folder: Path) -> dict[str, object]:
    """Return the files of a training run as bytes; command, date and times are left out.

    The checkpoint holds no result: its weights are those of the candidates.
    """
    progress = json.loads((folder / "progress.json").read_text())
    model = yaml.safe_load((folder / "tiny" / "model.yaml").read_text())
    for key in ("command", "began_utc", "seconds"):
        del model["provenance"][key]
    card = (folder / "tiny" / "README.md").read_text()
    card = re.sub(r"^- (Command|Time): .*$", "", card, flags=re.MULTILINE)
    steps = [line.split(",")[:2] for line in (folder / "curves.csv").read_text().splitlines()]
    assert len({tuple(step) for step in steps}) == len(steps)
    kept = {
        "progress.json": [progress[key] for key in ("scores", "datasets")],
        "steps": list(progress["done"]),
        "tiny/model.yaml": model,
        "tiny/README.md": card,
    }
    found = contents(folder, ".json", ".npz", ".onnx", ".csv", ".png", ".yaml")
    return {**found, **kept, "files": names(folder)}


def contents(folder: Path, *endings: str) -> dict[str, object]:
    found = sorted(path for path in folder.rglob("*") if path.name.endswith(endings))
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in found
        if path.name not in ("timing.json", "results.json")
    }


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def kept_flights(folder: Path) -> dict[str, int]:
    """Return the times at which the flights of a training run were written, by file."""
    files = [path for part in ("dataset", "validation") for path in (folder / part).rglob("*.*")]
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in files
        if path.suffix in (".npz", ".json") and not path.name.startswith(".")
    }


@dataclass(frozen=True)
class Command:
    """A command to kill.

    Attributes:
        words: of its command line.
        outcome: its result, without times.
        progress: what an interrupted run holds; a resumed run keeps it.
        begun: file from whose existence on the moments are counted; empty for the start.
    """

    words: list[str]
    outcome: Callable[[Path], dict[str, object]]
    progress: Callable[[Path], list[str] | dict[str, int]]
    begun: str = ""

    def start(self, out: Path, resume: bool = False) -> subprocess.Popen[str]:
        words = [*self.words, "--out", str(out), *(["--resume"] if resume else [])]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        return subprocess.Popen(
            [sys.executable, "-c", FREQUENT, *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def finish(self, out: Path) -> str:
        """Resume a killed run to its end, or begin it again if nothing was kept."""
        process = self.start(out, resume=True)
        _, errors = process.communicate()
        if process.returncode == 2 and "nothing to resume" in errors:
            assert not self.progress(out)
            process = self.start(out)
            _, errors = process.communicate()
        assert process.returncode == 0, errors
        return errors


def killed_after(command: Command, out: Path, seconds: float) -> bool:
    """Run a command and kill it after a time; return whether it still ran."""
    process = command.start(out)
    while process.poll() is None and not (out / command.begun).exists():
        time.sleep(0.02)
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=seconds)
    process.kill()
    process.communicate()
    return process.returncode == -signal.SIGKILL


def frames(folder: Path) -> dict[str, int]:
    """Return the number of frames that the checkpoint of a replay covers."""
    with suppress(OSError):
        partial = json.loads((folder / "disturbed.partial.json").read_text())
        return {"frames": partial["frames"]}
    return {}


def config_of(folder: Path) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(TRAINING))
    return path


COMMANDS = {
    "evaluate": lambda folder: Command(CAMPAIGN, flown, rows),
    "replay": lambda folder: Command(REPLAY, replayed, frames),
    "train": lambda folder: Command(
        ["train", str(config_of(folder))], trained, kept_flights, "progress.json"
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_at_random_moments_and_resumed_it_ends_with_the_same_files(tmp_path, name):
    command, unbroken = COMMANDS[name](tmp_path), tmp_path / "unbroken"
    process = command.start(unbroken)
    while process.poll() is None and not (unbroken / command.begun).exists():
        time.sleep(0.02)
    began_s = time.monotonic()
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    length_s = time.monotonic() - began_s
    expected = command.outcome(unbroken)
    assert len(expected) > 3
    left = []
    for number, share in enumerate(np.random.default_rng(SEED).uniform(0.05, 0.95, KILLS)):
        out = tmp_path / "killed" / str(number)
        moment_s = length_s * float(share)
        while not killed_after(command, out, moment_s):
            out, moment_s = out.with_name(f"{out.name}+"), 0.7 * moment_s
        before = command.progress(out)
        left.append(len(before) if name != "replay" else dict(before).get("frames", 0))
        errors = command.finish(out)
        found = command.outcome(out)
        assert list(found) == list(expected)
        assert [key for key in found if found[key] != expected[key]] == [], (number, moment_s)
        _check_kept(name, before, command.progress(out), errors)
    print(f"{name}: killed {KILLS} times, unbroken {length_s:.1f} s; each kill left {left}")
    assert KILLS < 20 or len(set(left)) > 2


def _check_kept(name: str, before, after, errors: str) -> None:
    """Check that what a killed run held was not made again."""
    if name == "evaluate":
        assert after[: len(before)] == before
        assert f"--resume: {len(before)} of {FLIGHTS} flights are in" in errors
    elif name == "train":
        assert before.items() <= after.items()
    elif before:
        # The checkpoint is written first, so a kill between the two files leaves it ahead.
        resumed = re.search(r"--resume: (\d+) frames are in", errors)
        assert resumed is not None, errors
        assert int(resumed[1]) >= before["frames"] > 0
