"""Learning in two ranks of torchrun, against the same learning in one process."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ranks_program import STEPS, learn_core, learn_encoder

from liquid_control.errors import ConfigError
from liquid_control.training.learner import CHECKPOINT_FILE
from liquid_control.training.ranks import Ranks, leading

pytestmark = [pytest.mark.unit, pytest.mark.timeout(600)]

PROGRAM = Path(__file__).with_name("ranks_program.py")


def torchrun(ranks, *words):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        [*command, "--nproc-per-node", str(ranks), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=500,
        env=environment,
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return the folder of one process, and that of two ranks, which printed what follows it."""
    alone, ranked = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("ranked")
    learn_encoder(Ranks(), alone)
    learn_core(Ranks(), alone)
    done = torchrun(2, PROGRAM, ranked)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["followed", "toy"]
    return alone, ranked


def weights(folder):
    state = torch.load(folder / CHECKPOINT_FILE, weights_only=True)
    named = {**state["network"], **{f"average.{k}": v for k, v in state["average"].items()}}
    return state["step"], named, state["curve"]


@pytest.mark.parametrize("kind", ["encoder", "core"])
def test_two_ranks_learn_the_weights_of_one_process(folders, kind):
    (steps, one, curve), (again, two, ranked_curve) = (weights(f / kind) for f in folders)
    assert steps == again == STEPS
    assert one.keys() == two.keys()
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < 1e-5
    assert any(not torch.equal(one[name], two[name]) for name in one), "one rank learned alone"
    losses, ranked_losses = ([point[2] for point in points] for points in (curve, ranked_curve))
    assert ranked_losses == pytest.approx(losses, rel=1e-5)


def test_only_rank_0_writes(folders):
    names = [sorted(str(path.relative_to(f)) for path in f.rglob("*")) for f in folders]
    assert names[0] == names[1]


def test_each_rank_takes_its_part_of_the_rows():
    parts = [Ranks(rank, 3).part(np.arange(10)).tolist() for rank in range(3)]
    assert parts == [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_parts_of_one_process_are_added():
    first, second = (torch.tensor([value, 1.0]) for value in (2.0, 3.0))
    (total,), sums = Ranks().add([[first], [second]], 4.0, 5.0)
    assert (total.tolist(), sums) == ([5.0, 2.0], [4.0, 5.0])


def test_more_ranks_than_windows_are_refused(monkeypatch):
    for name, value in (("TORCHELASTIC_RUN_ID", "x"), ("RANK", "0"), ("WORLD_SIZE", "7")):
        monkeypatch.setenv(name, value)
    message = "learner.windows: expected at least one for each of 7 ranks, got 6"
    with pytest.raises(ConfigError, match=message), leading(6):
        pytest.fail("the ranks were joined")
