"""Architecture searches: proposals, conditions, resumption, refusals, hypervolumes, a training."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import toy_search
from toy_flight import ToyExpert
from toy_flight import window as toy_window
from toy_search import HIDDEN, KIND, NEURONS, SPACE, SPARSITY, computed, deadly_fly, result_of, run
from toy_search import toy_search as settings_in

from liquid_control.config import project_file
from liquid_control.dependencies import require_search
from liquid_control.errors import CellError, ConfigError, DependencyError, OutputError
from liquid_control.policy import Policy, load_model
from liquid_control.training import Actors
from liquid_control.training.run_folder import load_progress
from liquid_control.training.search_report import Finding, hypervolume, losses, outcome
from liquid_control.training.search_settings import load_search
from liquid_control.training.search_trial import TrialResult, policy_latency_ms
from liquid_control.training.start import check_network
from liquid_control.types import Observation

pytestmark = [pytest.mark.unit, pytest.mark.timeout(300)]


def document(out: Path) -> dict:
    return json.loads((out / "search.json").read_text())


def trials_of(out: Path, search: str) -> list[dict]:
    return [trial for trial in document(out)["trials"] if trial["search"] == search]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """Return the folder of a finished search of three generations with computed results."""
    folder = tmp_path_factory.mktemp("search")
    assert run(settings_in(folder), folder / "out", evaluate=computed) == folder / "out/search.md"
    return folder / "out"


def test_both_searches_have_equal_budgets_and_first_generations(finished):
    nsga2, random = (trials_of(finished, name) for name in ("nsga2", "random"))
    assert [trial["trial"] for trial in nsga2] == [f"nsga2-{slot:04d}" for slot in range(11)]
    assert [trial["trial"] for trial in random] == [f"random-{slot:04d}" for slot in range(11)]
    parameters = [[trial["parameters"] for trial in found] for found in (nsga2, random)]
    assert parameters[0][:4] == parameters[1][:4]
    assert parameters[0][4:] != parameters[1][4:]
    assert [trial["same_as"] for trial in random[:4]] == [f"nsga2-{slot:04d}" for slot in range(4)]


def test_later_generations_combine_parameters_of_earlier_ones(finished):
    """A child takes each parameter from one of its parents, but for a mutation in five."""
    trials = trials_of(finished, "nsga2")
    inherited = [
        any(earlier["parameters"].get(key) == value for earlier in trials[:slot])
        for slot in range(4, 11)
        for key, value in trials[slot]["parameters"].items()
        if key in (NEURONS, SPARSITY, HIDDEN)
    ]
    assert sum(inherited) >= len(inherited) / 2
    drawn = trials_of(finished, "random")
    by_chance = [
        any(
            earlier["parameters"].get(SPARSITY) == trial["parameters"][SPARSITY]
            for earlier in drawn[:slot]
        )
        for slot, trial in enumerate(drawn)
        if SPARSITY in trial["parameters"]
    ]
    assert by_chance
    assert not any(by_chance)


def test_conditions_and_ranges_are_respected(finished):
    kinds = set()
    for trial in document(finished)["trials"]:
        values = trial["parameters"]
        kinds.add(values[KIND])
        assert (NEURONS in values) == (values[KIND] in ("cfc_wired", "ltc"))
        assert (SPARSITY in values) == (values[KIND] == "cfc_wired")
        assert (HIDDEN in values) == (values[KIND] == "gru")
        assert values.get(NEURONS, 9) in range(9, 31)
        assert 0.1 <= values.get(SPARSITY, 0.5) <= 0.9
    assert len(kinds) >= 2


def test_equal_parameters_are_measured_once(finished):
    measured = [
        json.dumps(trial["parameters"], sort_keys=True)
        for trial in document(finished)["trials"]
        if not trial["same_as"]
    ]
    assert len(set(measured)) == len(measured)
    by_name = {trial["trial"]: trial for trial in document(finished)["trials"]}
    for trial in by_name.values():
        if trial["same_as"]:
            assert trial["parameters"] == by_name[trial["same_as"]]["parameters"]
            assert trial["success"] == by_name[trial["same_as"]]["success"]


def test_the_same_seed_gives_the_same_trials_and_another_seed_others(finished, tmp_path):
    run(settings_in(tmp_path), tmp_path / "out", evaluate=computed)
    assert document(tmp_path / "out")["trials"] == document(finished)["trials"]
    run(settings_in(tmp_path, seed=6, trials=4), tmp_path / "other", evaluate=computed)
    assert (
        trials_of(tmp_path / "other", "random")[0]["parameters"]
        != trials_of(finished, "random")[0]["parameters"]
    )


def test_killed_at_three_points_it_ends_with_the_same_trials(finished, tmp_path):
    """Killed after a result is in its file and before the study has it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, toy_search.__file__, str(tmp_path), "3", "2", "5"]
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    assert [int(line) for line in ended.stdout.split()] == [-signal.SIGKILL] * 3 + [0]
    assert document(tmp_path / "out")["trials"] == document(finished)["trials"]
    assert document(tmp_path / "out")["hypervolume"] == document(finished)["hypervolume"]


def test_a_torn_line_and_a_lock_of_a_killed_process_are_no_obstacle(finished, tmp_path):
    settings, out = settings_in(tmp_path, trials=4), tmp_path / "out"
    run(settings, out, evaluate=computed)
    with (out / "studies.log").open("ab") as stream:
        stream.write(b'{"op_code": 4, "worker')
    (out / "studies.log.lock").symlink_to("studies.log")
    run(settings_in(tmp_path), out, resume=True, evaluate=computed)
    assert document(out)["trials"] == document(finished)["trials"]


def test_a_failed_trial_is_counted_and_its_generation_filled(tmp_path):
    def evaluate(trials, done):
        for index, trial in enumerate(trials):
            failed = trial.folder.name == "nsga2-0001"
            done(index, TrialResult(failure="NaN") if failed else result_of(trial.settings))

    run(settings_in(tmp_path, trials=6), tmp_path / "out", evaluate=evaluate)
    found = trials_of(tmp_path / "out", "nsga2")
    assert [trial["state"] for trial in found] == ["complete", "failed"] + ["complete"] * 4
    assert not found[1]["on_front"]
    volumes = document(tmp_path / "out")["hypervolume"]["nsga2"]
    assert len(volumes) == 6
    assert volumes[1] == volumes[0]
    # Slot 4 fills the first generation, so it is drawn as the random search draws it.
    assert found[4]["parameters"] == trials_of(tmp_path / "out", "random")[4]["parameters"]


def test_the_front_is_not_dominated_and_the_report_names_it(finished):
    content = document(finished)
    values = {
        trial["trial"]: (-trial["success"], trial["latency_ms"], trial["weights"])
        for trial in content["trials"]
    }
    front = content["front"]
    assert front
    for name in front:
        assert not any(
            all(a <= b for a, b in zip(other, values[name], strict=True)) and other != values[name]
            for other in values.values()
        )
    for name, value in values.items():
        if value not in [values[each] for each in front]:
            assert any(
                all(a <= b for a, b in zip(values[each], value, strict=True)) for each in front
            ), name
    page = (finished / "search.md").read_text()
    assert all(f"[{name}](trials/{name})" in page for name in front)
    assert "22 of 22 trials have ended" in page
    assert "measure\nthem afresh" in page
    assert (finished / "front.png").read_bytes().startswith(b"\x89PNG")


def test_hypervolume_equals_known_values():
    """The reference point is at 1.1 in each objective, scaled from 0 at the best to 1."""
    box = np.zeros(3), np.ones(3)
    assert hypervolume(np.array([[0.1, 0.1, 0.1]]), *box) == pytest.approx(1.0 / 1.1**3)
    assert hypervolume(np.array([[0.0, 0.0, 0.0]]), *box) == pytest.approx(1.0)
    assert hypervolume(np.empty((0, 3)), *box) == 0.0
    two = np.array([[10.0, 3.0], [15.0, 2.0], [15.0, 3.0]])
    best, worst = np.array([10.0, 2.0]), np.array([20.0, 4.0])
    # Scaled to (0, 0.5), (0.5, 0) and a dominated point.
    expected = (2 * 1.1 * 0.6 - 0.6**2) / 1.1**2
    assert hypervolume(two, best, worst) == pytest.approx(expected)


def test_outcome_of_known_trials():
    def finding(name, success, latency_ms, parameters=1):
        result = TrialResult(success, latency_ms, parameters)
        return Finding(name, {"a": name[-1]}, result)

    nsga2 = [finding("nsga2-0", 0.5, 2.0), finding("nsga2-1", 0.9, 2.0)]
    random = [finding("random-0", 0.5, 2.0), finding("random-2", 0.4, 1.0)]
    random.append(Finding("random-3", {"a": "3"}, None))
    found = outcome({"nsga2": nsga2, "random": random}, ("success", "latency_ms"))
    assert [each.trial for each in found.front] == ["nsga2-1", "random-2"]
    assert found.best == pytest.approx([0.1, 1.0])
    assert found.worst == pytest.approx([0.6, 2.0])
    # (0.8, 1), then (0, 1): the first dominates 0.3 * 0.1, the second 1.1 * 0.1 of 1.21.
    assert found.volumes["nsga2"] == pytest.approx((0.03 / 1.21, 0.11 / 1.21))
    # (0.8, 1), then (1, 0) too: 0.03 + 0.1 * 1.1 - 0.1 * 0.1.
    assert found.volumes["random"] == pytest.approx((0.03 / 1.21, 0.13 / 1.21))
    assert losses(random, ("success",)) == pytest.approx(np.array([[0.5], [0.6]]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": {}}, "space: .*at least 1 item"),
        ({"speed": 1}, "unknown key speed"),
        ({"objectives": ["success"]}, "objectives: .*at least 2 items"),
        ({"objectives": ["success", "success"]}, "objectives: expected each once"),
        ({"objectives": ["success", "beauty"]}, "objectives.1: .*'beauty'"),
        ({"space": {KIND: {"choices": ["gru"]}}}, "a parameter with at least two values"),
        ({"space": {KIND: {"choices": []}}}, "expected either choices, at least one, or low"),
        ({"space": {KIND: {"choices": ["gru"], "low": 1, "high": 2}}}, "expected either choices"),
        ({"space": {KIND: {"choices": ["gru", "gru"]}}}, "expected choices that differ"),
        ({"space": {NEURONS: {"low": 9, "high": 8}}}, r"low must not exceed high \(8\)"),
        ({"space": {NEURONS: {"low": 0, "high": 8, "logarithmic": True}}}, "needs low above 0"),
        ({"space": {NEURONS: {"low": 8.5, "high": 9, "whole": True}}}, "whole low and high"),
        (
            {"space": {NEURONS: {**SPACE[NEURONS], "when": {"core": ["gru"]}}}},
            "space.network.core.options.neurons.when: expected an earlier parameter, got core",
        ),
        (
            {"space": {**SPACE, NEURONS: {**SPACE[NEURONS], "when": {KIND: ["lstm"]}}}},
            "when.network.core.kind: expected choices of it, got 'lstm'; there are: cfc_wired",
        ),
    ],
)
def test_settings_that_are_wrong_are_refused(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        settings_in(tmp_path, **changes)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (
            {KIND: {"choices": ["gru", "gruu"]}},
            "kind=gruu: network.core: unknown core 'gruu'; did",
        ),
        ({"network.feathers": {"low": 4, "high": 8}}, "unknown key network.feathers"),
        (
            {
                KIND: {"choices": ["gru", "cfc_wired"]},
                NEURONS: {"low": 9, "high": 19, "whole": True},
            },
            "kind=gru, .*neurons=9: network.core: gru: .*unexpected keyword argument 'neurons'",
        ),
        (
            {NEURONS: {"low": 6, "high": 19, "whole": True}},
            "neurons=6: network.core: cfc_wired: outputs must be between 1 and units - 3 = 3",
        ),
        (
            {"network.encoder": {"choices": ["here", "there"]}},
            "encoder=here: here: expected an enc",
        ),
        ({"validation.flights": {"low": 0, "high": 1, "whole": True}}, "validation.flights is 0"),
    ],
)
def test_a_space_whose_corners_cannot_be_trained_is_refused(tmp_path, space, message):
    with pytest.raises(ConfigError, match=message):
        run(settings_in(tmp_path, space=space), tmp_path / "out", evaluate=computed)
    assert not (tmp_path / "out").exists()


def test_a_search_is_resumed_with_equal_settings_only(tmp_path):
    settings, out = settings_in(tmp_path, trials=4), tmp_path / "out"
    with pytest.raises(OutputError, match=r"cannot be read .*nothing to resume"):
        run(settings, out, resume=True)
    run(settings, out, evaluate=computed)
    with pytest.raises(OutputError, match="already holds a search; pass --resume"):
        run(settings, out, evaluate=computed)
    with pytest.raises(ConfigError, match=r"--resume: .*begun with search seed: 5, .*has 6"):
        run(settings_in(tmp_path, seed=6), out, resume=True)
    changed = settings_in(tmp_path, overrides={"learner.cloning_steps": 41})
    with pytest.raises(ConfigError, match="--resume"):
        run(changed, out, resume=True)


def test_settings_of_a_trial(tmp_path):
    settings = settings_in(tmp_path, overrides={"learner.cloning_steps": 7})
    point = {"encoder": "wide", KIND: "gru", NEURONS: 12, SPARSITY: 0.123456, HIDDEN: 9}
    trial = settings.trial(point, "one")
    assert (trial.name, trial.learner.cloning_steps, trial.network.hidden) == ("one", 7, 12)
    assert trial.network.core.options == {"hidden": 9}
    wired = settings.trial({**point, KIND: "cfc_wired"}, "two")
    assert wired.network.core.options == {"neurons": 12, "sparsity": 0.1235}
    corners = [settings.used(point) for point in settings.corners()]
    # Two encoders, each with two sizes of a GRU, two of an LTC and four of a wired CfC.
    assert len(corners) == 2 * (2 + 2 + 4)
    assert len({json.dumps(corner) for corner in corners}) == len(corners)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_trial_whose_process_is_killed_is_trained_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setenv("TOY_SEARCH_MARK", str(tmp_path / "mark"))
    changes = {
        "trials": 1,
        "space": {KIND: {"choices": ["gru", "cfc_wired"]}},
        "overrides": {
            "flights": {"cloning": 2, "rounds": 0},
            "validation.final_flights": 0,
            "learner.cloning_steps": 10,
        },
    }
    out = tmp_path / "out"
    run(settings_in(tmp_path, **changes), out, actors=Actors(deadly_fly, ToyExpert))
    assert (tmp_path / "mark").exists()
    trial, equal = document(out)["trials"]
    assert (trial["state"], equal["same_as"]) == ("complete", "nsga2-0000")
    folder = out / "trials" / "nsga2-0000"
    model = load_model(folder / "toy_nsga2-0000")
    assert model.settings.core.kind == trial["parameters"][KIND]
    assert trial["weights"] == model.parameters
    assert trial["core_weights"] == model.core_parameters
    assert trial["success"] == load_progress(folder).scores[0].success_rate
    assert trial["flights"] == 2
    assert trial["latency_ms"] > 0.0
    assert not (folder / "dataset").exists()
    assert "round 0: learning: 10 of 10" in (folder / "training.log").read_text()


def test_latency_is_the_cpu_time_of_a_policy_step():
    model = load_model(project_file("models/trail_cfc19"))
    policy, generator = Policy(model), np.random.default_rng(1)
    picture = generator.integers(0, 256, (72, 128, 3), np.uint8)
    level = np.array([0.0, 0.0, 0.0, 1.0])
    inputs = {"cruise_mps": 2.0, "mount": (90.0, 15.0), "orientation": level}
    state, times_ms = policy.init_state(), []
    for step in range(60):
        window = toy_window(step, generator)
        observation = Observation((step + 1) * 50_000_000, picture, window, **inputs)
        begun_s = time.thread_time()
        _, state = policy.step(observation, state, 0.05)
        times_ms.append(1e3 * (time.thread_time() - begun_s))
    assert 0.33 < policy_latency_ms(model, steps=60) / float(np.median(times_ms)) < 3.0


def test_every_core_of_the_shipped_search_can_be_built_at_the_ends_of_its_ranges():
    path = project_file("config/search/trail.yaml")
    shipped = {"choices": {"shipped": {"network.encoder": "models/trail_cfc19"}}}
    settings = load_search(path, {"space.encoder": shipped})
    assert settings.objectives == ("success", "latency_ms", "weights")
    corners = list(settings.corners())
    assert {corner[KIND] for corner in corners} == set(settings.space[KIND].choices)
    for corner in corners:
        trial = settings.trial(corner, "one")
        assert (trial.validation.final_flights, trial.flights.rounds) == (0, 1)
        check_network(trial)
    trial.check_cameras()
    with pytest.raises(ConfigError, match="unknown key trails; did you mean trials"):
        load_search(path, {"trails": 3})


def test_every_core_of_the_small_search_can_be_built_on_the_shipped_encoder():
    shipped = {"choices": {"shipped": {"network.encoder": "models/encoder_96x54"}}}
    path = project_file("config/search/trail_small.yaml")
    settings = load_search(path, {"space.encoder": shipped})
    corners = list(settings.corners())
    assert {corner[KIND] for corner in corners} == set(settings.space[KIND].choices)
    for corner in corners:
        trial = settings.trial(corner, "one")
        assert (trial.validation.flights, trial.flights.rounds) == (6, 0)
        check_network(trial)
    trial.check_cameras()


def test_a_failure_of_numbers_ends_a_trial_and_nothing_else(tmp_path, monkeypatch):
    from liquid_control.training import search_trial

    def diverging(*_, **__):
        raise CellError("expected a finite state, got nan")

    settings = settings_in(tmp_path).trial(
        {"encoder": "wide", KIND: "gru", NEURONS: 9, SPARSITY: 0.5, HIDDEN: 9}, "one"
    )
    trial = search_trial.SearchTrial(settings, tmp_path / "trial", None, None, "test")
    monkeypatch.setattr(search_trial, "train", diverging)
    assert trial.run().failure == "expected a finite state, got nan"
    assert search_trial.read_result(tmp_path / "trial") == TrialResult(
        failure="expected a finite state, got nan"
    )


def test_a_missing_package_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(
        DependencyError, match=r"optuna is not installed and is needed to search .*\[search\]"
    ):
        require_search()
