"""Disturbed replays that were interrupted: the result is that of an unbroken one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from liquid_control.cli.main import main
from liquid_control.config.recorded_pictures import overlaid_disturbances
from liquid_control.errors import ConfigError, OutputError
from liquid_control.replay import FeatureExtractor, ReplayRequest, evaluate_replay
from liquid_control.replay.checkpoint import (
    CHECKPOINT_FILE,
    PARTIAL_FILE,
    Checkpoint,
    CheckpointedReplay,
    load_state,
    replay_plan,
    save_state,
)
from liquid_control.replay.disturbance_variants import disturbed_variants
from liquid_control.replay.disturbed import DisturbedReplay
from liquid_control.replay.output_files import replay_document
from liquid_control.replay.request import replay_metadata

pytestmark = pytest.mark.unit

BAG = Path(__file__).parents[2] / "golden" / "flight.mcap"
PLAN = {"bag": "flight.mcap"}
FRAMES = 12


def new_replay(policy, names=None):
    """Return a replay of disturbances, all by default, at their highest severities."""
    pytest.importorskip("liquid_control_sim")
    words = [f"{name}=5" for name in names or overlaid_disturbances()]
    variants = disturbed_variants(words, duration_s=4.0)
    return DisturbedReplay({"one": FeatureExtractor(policy)}, variants)


def outcome(replay):
    result = replay.result()
    examples = [
        (e.disturbance, e.stamp_ns, {s: None if p is None else p.tobytes() for s, p in pictures})
        for e in result.examples
        for pictures in (e.pictures.items(),)
    ]
    return json.dumps([row.to_dict() for row in result.rows]), examples


def test_every_disturbance_goes_on_bit_for_bit(tmp_path, policy, frames):
    events = frames(FRAMES)
    unbroken = new_replay(policy)
    for event in events:
        unbroken.consume(event)
    for end in (1, 7, FRAMES):
        checkpoint = Checkpoint(tmp_path, PLAN)
        checkpoint.load()
        replay = new_replay(policy)
        kept = CheckpointedReplay(replay, checkpoint)
        for event in events[:end]:
            kept.consume(event)
        kept.save()
        assert checkpoint.frames == end
    assert outcome(replay) == outcome(unbroken)
    partial = json.loads((tmp_path / PARTIAL_FILE).read_text())
    assert (partial["complete"], partial["frames"]) == (False, FRAMES)
    assert partial["rows"][0]["model"] == "one"
    checkpoint.remove()
    assert list(tmp_path.iterdir()) == []


def test_another_plan_is_refused(tmp_path, policy):
    Checkpoint(tmp_path, PLAN).save(new_replay(policy, ["noise"]), 3)
    with pytest.raises(
        ConfigError, match=r"begun with bag: flight\.mcap, this command has b\.mcap"
    ):
        Checkpoint(tmp_path, {"bag": "b.mcap"}).load()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", None])
def test_a_damaged_checkpoint_is_named(tmp_path, policy, content):
    path = tmp_path / CHECKPOINT_FILE
    if content is None:
        np.savez(path, state=np.array("{"))
    else:
        path.write_bytes(content)
    with pytest.raises(OutputError, match=r"checkpoint\.npz: is not a checkpoint"):
        Checkpoint(tmp_path, PLAN).load()


def test_states_are_read_back_as_they_were(tmp_path):
    state = {
        "a": [np.arange(6, dtype=np.uint8).reshape(2, 3), None, "text", 0.1 + 0.2, 1 << 100],
        "b": {"array": {3: np.float32(0.5)}, "map": []},
    }
    read = load_state(save_state(tmp_path / "s.npz", state))
    np.testing.assert_array_equal(read["a"].pop(0), state["a"].pop(0))
    assert read == state


KILLED = """
import os, signal, sys
from liquid_control.cli.main import main
from liquid_control.replay import checkpoint
save, left = checkpoint.Checkpoint.save, int(sys.argv.pop(1))
def save_and_die(self, replay, frames):
    global left
    save(self, replay, frames)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
checkpoint.Checkpoint.__init__.__defaults__ = (0.0,)
checkpoint.Checkpoint.save = save_and_die
sys.exit(main(sys.argv[1:]))
"""


def test_a_killed_command_goes_on_and_ends_as_an_unbroken_one(tmp_path, capsys):
    words = ["--disturb", "freeze=5", "--disturb", "exposure_lag=3", "--duration", "2.5"]
    command = ["replay", str(BAG), *words, "--out", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    program = [sys.executable, "-c", KILLED, "31", *command]
    assert subprocess.run(program, check=False, env=environment).returncode == -9
    assert main(command) == 2
    assert "holds disturbed.partial.json of an earlier command" in capsys.readouterr().err
    disturb = ("freeze=5", "exposure_lag=3")
    request = ReplayRequest.for_bag(BAG, disturb=disturb, duration_s=2.5)
    checkpoint = Checkpoint(tmp_path, replay_plan(request))
    checkpoint.load()
    assert checkpoint.frames == 31
    resumed = evaluate_replay(request, checkpoint=checkpoint)
    assert json.loads((tmp_path / PARTIAL_FILE).read_text())["frames"] == resumed.replayed.frames
    metadata = replay_metadata(request, ())
    assert replay_document(metadata, resumed) == replay_document(
        metadata, evaluate_replay(request)
    )
    other = Checkpoint(tmp_path, replay_plan(ReplayRequest.for_bag(BAG, disturb=disturb)))
    with pytest.raises(ConfigError, match=r"begun with --duration: 2\.5, this command has none"):
        other.load()


def test_a_complete_replay_is_not_resumed(tmp_path):
    (tmp_path / "replay.json").write_text("{}")
    with pytest.raises(OutputError, match=r"--resume: the replay in .* is complete"):
        Checkpoint(tmp_path, PLAN).load()


def test_resume_is_for_disturbed_replays(tmp_path, capsys):
    assert main(["replay", str(BAG), "--resume", "--out", str(tmp_path / "x")]) == 2
    assert "--resume: expected --disturb too" in capsys.readouterr().err
