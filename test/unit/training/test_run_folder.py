import json

import pytest
from toy_run import toy_settings

from liquid_control.errors import ConfigError, OutputError
from liquid_control.training.run_folder import (
    DatasetFacts,
    RunFolder,
    RunProgress,
    load_progress,
    newest_run,
)
from liquid_control.training.validation import score_flights
from liquid_control.types import FlightResult

pytestmark = pytest.mark.unit


def result(success, cross_track_m=0.2):
    reason = "completed" if success else "left_trail"
    return FlightResult(success, reason, 10.0, cross_track_m, 1.0, 5.0)


def score(successes, flights=4, cross_track_m=0.2):
    return score_flights(
        {"calm": [result(index < successes, cross_track_m) for index in range(flights)]}
    )


def test_score_counts_conditions_by_their_flights():
    both = score_flights({"calm": [result(True)] * 3, "fog": [result(False, 1.0)]})
    assert both.success_rate == 0.75
    assert both.cross_track_rms_m == pytest.approx(0.4)
    assert both.rows[1].reasons == {"left_trail": 1}
    assert (both.rows[0].condition, both.rows[0].flights, both.rows[0].successes) == ("calm", 3, 3)


def test_best_round_is_ranked_by_success_then_by_cross_track_then_later():
    progress = RunProgress("x", "t").scored(0, score(3, cross_track_m=0.1)).scored(1, score(4))
    assert progress.best_round == 1
    assert progress.scored(2, score(4, cross_track_m=0.3)).best_round == 1
    assert progress.scored(2, score(4, cross_track_m=0.1)).best_round == 2
    assert progress.scored(2, score(4)).best_round == 2


def test_progress_is_read_as_it_was_saved(tmp_path):
    progress = (
        RunProgress("liquid-control train x.yaml", "2026-01-01T00:00:00Z", "ab12-dirty")
        .finished("fly 0", 12.5)
        .learned(0, DatasetFacts("ab", 5, 400))
        .finished("learn 0", 2.5)
        .scored(0, score(3))
    )
    progress.save(tmp_path)
    assert load_progress(tmp_path) == progress
    assert progress.elapsed_s == 15.0


def test_damaged_or_missing_progress_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"progress\.json: cannot be read .*nothing to resume"):
        load_progress(tmp_path)
    for text in ("{", "[]", '{"command": 1}'):
        (tmp_path / "progress.json").write_text(text)
        with pytest.raises(OutputError, match=r"progress\.json: is not what training wrote"):
            load_progress(tmp_path)


def begun(folder, **changes):
    run = RunFolder(folder)
    run.keep_settings(toy_settings(**changes))
    RunProgress("x", "t").save(folder)
    return run


def test_resume_refuses_other_settings_and_names_the_first(tmp_path):
    run = begun(tmp_path)
    run.check_settings(toy_settings())
    with pytest.raises(ConfigError, match=r"begun with seed=3, the file now says 4"):
        run.check_settings(toy_settings(seed=4))
    spread = {"camera.rate_hz": {"low": 10.0, "high": 30.0}}
    with pytest.raises(ConfigError, match=r"randomise.camera.rate_hz.high=20.0"):
        run.check_settings(toy_settings(randomise=spread))


def test_resume_accepts_changes_of_speed_and_duration(tmp_path):
    begun(tmp_path).check_settings(toy_settings(jobs=4, time_budget_s=99.0, restart_every=3))


def test_a_begun_folder_is_not_begun_again(tmp_path):
    RunFolder(tmp_path).check_unused()
    with pytest.raises(OutputError, match="already holds a training run; pass --resume"):
        begun(tmp_path).check_unused()


def test_damaged_settings_are_named(tmp_path):
    run = begun(tmp_path)
    (tmp_path / "settings.json").write_text(json.dumps([1])[:2])
    with pytest.raises(OutputError, match=r"settings\.json: is not what training wrote"):
        run.check_settings(toy_settings())


def test_newest_run_of_that_model_is_taken(tmp_path):
    for day in (1, 3):
        begun(tmp_path / f"2026-01-0{day}T00-00-00Z-train")
    begun(tmp_path / "2026-01-04T00-00-00Z-train", name="other")
    assert newest_run(tmp_path, "toy").root.name == "2026-01-03T00-00-00Z-train"
    with pytest.raises(OutputError, match=r"expected a run of third in .*found none"):
        newest_run(tmp_path, "third")
