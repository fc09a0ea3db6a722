"""Data, training and resumption of the event-based XOR example."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from event_xor.data import BIT_S, LONGEST, SHORTEST, draw_events, encode
from event_xor.training import Recipe, Run, accuracy

from liquid_control.errors import OutputError

pytestmark = pytest.mark.unit
EXAMPLE = Path(__file__).parents[3] / "examples" / "04_event_based_xor.py"


@pytest.mark.parametrize(
    ("bits", "values", "elapsed", "odd"),
    [
        ("11001", [1, 0, 1], [1, 2, 2], True),
        ("11", [1, 1], [1, 1], False),
        ("10", [1, 0], [1, 1], True),
        ("00", [0, 0], [1, 1], False),
        ("1110", [1, 0], [1, 3], True),
        ("000111", [0, 1, 1], [1, 3, 2], True),
        ("0101", [0, 1, 0, 1], [1, 1, 1, 1], False),
        ("1" * 31, [1, 1], [1, 30], True),
    ],
)
def test_encoding_of_known_streams(bits, values, elapsed, odd):
    padded = bits + "10" * 3
    events = encode(np.array([[bit == "1" for bit in padded]]), np.array([len(bits)]))
    assert events.count[0] == len(values)
    assert events.odd[0] == odd
    padding = [0] * (len(padded) - len(values))
    assert events.value[0, :, 0].tolist() == values + padding
    np.testing.assert_allclose(events.dt_s[0] / BIT_S, elapsed + padding, rtol=1e-6)


def test_events_contain_the_stream():
    events = draw_events(3000, seed=1, name="any")
    elapsed = np.rint(events.dt_s / BIT_S).astype(int)
    values = events.value[..., 0].astype(int)
    last = values[np.arange(3000), events.count - 1]
    ones = (values[:, :-1] * elapsed[:, 1:]).sum(axis=1) + last
    assert np.array_equal(ones % 2 == 1, events.odd)
    lengths = elapsed.sum(axis=1)
    assert sorted(set(lengths)) == list(range(SHORTEST, LONGEST + 1))
    assert np.all(elapsed[:, 0] == 1)
    assert np.all((elapsed > 0).sum(axis=1) == events.count)


def test_lengths_and_labels_are_uniform():
    events = draw_events(20_000, seed=0, name="train")
    lengths = np.rint(events.dt_s.sum(axis=1) / BIT_S)
    fractions = np.bincount(lengths.astype(int), minlength=LONGEST + 1)[SHORTEST:] / 20_000
    # Six standard deviations of each fraction: fails by chance less than once in 10^7 seeds.
    assert np.abs(fractions - 1.0 / 30.0).max() < 6.0 * np.sqrt(1 / 30 * 29 / 30 / 20_000)
    assert abs(events.odd.mean() - 0.5) < 6.0 * 0.5 / np.sqrt(20_000)


def test_streams_depend_on_seed_and_name():
    first, again = (draw_events(50, seed=3, name="train") for _ in range(2))
    assert np.array_equal(first.dt_s, again.dt_s)
    assert np.array_equal(first.value, again.value)
    assert not np.array_equal(first.dt_s, draw_events(50, seed=3, name="test").dt_s)
    assert not np.array_equal(first.dt_s, draw_events(50, seed=4, name="train").dt_s)


def test_take_removes_padding():
    events = draw_events(100, seed=0, name="train")
    rows = np.argsort(events.count)[:10]
    part = events.take(rows)
    assert part.value.shape == (10, events.count[rows].max(), 1)
    assert np.array_equal(part.odd, events.odd[rows])


def trained(recipe, epochs):
    torch.set_num_threads(1)
    run = Run.begin(recipe)
    for _ in range(epochs):
        run.epoch(TRAIN, TEST)
    return run


TRAIN = draw_events(1000, seed=0, name="train")
TEST = draw_events(300, seed=0, name="test")


@pytest.mark.parametrize("core", ["lstm", "gru_d", "cfc_wired"])
def test_two_epochs_reduce_the_loss(core):
    torch.set_num_threads(1)
    run = Run.begin(Recipe(core, size="small", ramp=1.0, epochs=100, batch=16, learning_rate=1e-2))
    short = draw_events(20_000, seed=0, name="train")
    for _ in range(2):
        run.epoch(short, TEST)
    assert run.losses[1] < run.losses[0]
    assert run.losses[1] < 0.69
    assert run.accuracies[1] == accuracy(run.model, TEST)


def test_the_longest_stream_grows_and_the_learning_rate_falls():
    recipe = Recipe("lstm", epochs=10, ramp=0.5, learning_rate=1.0)
    assert [recipe.longest(epoch) for epoch in range(10)] == [4, 9, 15, 20, 26, 31, 31, 31, 31, 31]
    assert recipe.rate(0) == 1.0
    assert recipe.rate(10) == pytest.approx(0.03)
    assert Recipe("lstm", ramp=0.0).longest(0) == LONGEST
    assert encode(np.ones((1, 9), bool), np.array([9])).longest_run == 8
    first = list(Run.begin(recipe)._batches(TRAIN))
    assert TRAIN.length[np.concatenate(first)].max() == 4


def test_an_epoch_repeats_streams_with_long_runs():
    run = Run.begin(Recipe("lstm", size="small", ramp=0.0, repeats=3))
    shown = np.bincount(np.concatenate(list(run._batches(TRAIN))), minlength=len(TRAIN.count))
    assert np.array_equal(shown, np.where(TRAIN.longest_run >= 6, 3, 1))


def test_padding_does_not_affect_the_result():
    run = Run.begin(Recipe("lstm", size="small"))
    rows = np.argsort(TEST.count, kind="stable")
    together = run.model(TEST.take(rows)).detach()
    alone = run.model(TEST.take(rows[:20])).detach()
    torch.testing.assert_close(together[:20], alone)


def test_resumed_run_equals_an_uninterrupted_one(tmp_path):
    recipe = Recipe("gru_d", size="small", epochs=3, batch=64)
    whole = trained(recipe, 3)
    trained(recipe, 1).save(tmp_path / "gru_d.pt")
    resumed = Run.begin(recipe)
    resumed.restore(tmp_path / "gru_d.pt")
    for _ in range(2):
        resumed.epoch(TRAIN, TEST)
    assert resumed.losses == whole.losses
    for mine, its in zip(resumed.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(mine, its)


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path):
    Run.begin(Recipe("lstm", size="small")).save(tmp_path / "lstm.pt")
    with pytest.raises(OutputError, match=r"checkpoint of .*'seed': 1.*got one of .*'seed': 0"):
        Run.begin(Recipe("lstm", size="small", seed=1)).restore(tmp_path / "lstm.pt")


def test_the_example_writes_its_results(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("example_04", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    arguments = ["--core", "lstm", "--core", "mlp", "--size", "small", "--streams", "500"]
    arguments += ["--epochs", "1", "--out", str(tmp_path)]
    rows = module.main(arguments)
    written = json.loads((tmp_path / "results.json").read_text())
    assert written["rows"] == rows
    assert [row["model"] for row in rows] == ["lstm", "mlp"]
    assert rows[0]["published_percent"] == 89.71
    assert "lstm epoch 1/1" in capsys.readouterr().out
    assert module.main([*arguments, "--resume"]) == rows
