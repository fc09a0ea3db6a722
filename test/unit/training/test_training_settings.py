import pytest
import yaml

from liquid_control.config import project_file
from liquid_control.config.disturbances import disturbances
from liquid_control.errors import ConfigError
from liquid_control.training.training_settings import TrainingSettings, load_training

pytestmark = pytest.mark.unit


def written(tmp_path, **content):
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump({"name": "toy", **content}))
    return path


@pytest.mark.parametrize("name", ["trail_cfc19", "smoke"])
def test_shipped_settings_load(name):
    settings = load_training(project_file(f"config/train/{name}.yaml"))
    assert settings.name == name
    assert settings.network.core.kind == "cfc_wired"


def test_shipped_settings_for_bags_fly_only_for_validation():
    settings = load_training(project_file("config/train/from_bags.yaml"))
    assert (settings.flights.cloning, settings.flights.rounds) == (0, 0)
    assert (settings.validation.flights, settings.flies) == (0, True)
    settings.check_data(30)
    with pytest.raises(ConfigError, match=r"trail_from_bags: flights\.cloning is 0"):
        settings.check_data(0)
    alone = settings.validation.model_copy(update={"final_flights": 0})
    assert not settings.model_copy(update={"validation": alone}).flies


@pytest.mark.parametrize(
    "name",
    ["encoder", "encoder_refined", "trail_core", "trail_cfc19", "target_cfc19", "hike_cfc19"],
)
def test_no_training_flight_shows_what_is_held_out_for_evaluation(name):
    settings = load_training(project_file(f"config/train/{name}.yaml"))
    assert settings.randomise["forest.season"].choices == ("summer", "late summer", "autumn")
    assert max(settings.disturb.severities) < 5
    published = {name for name in disturbances() if name.startswith("delta_")}
    reserved = {"snowfall", "season", *published}
    assert not reserved & set(settings.disturb.names)
    assert settings.camera_ranges == ((70.0, 110.0), (5.0, 30.0))


def test_keys_of_a_training_file_can_be_replaced():
    path = project_file("config/train/trail_core.yaml")
    settings = load_training(path, {"network.core.kind": "gru", "seed": 7})
    assert (settings.network.core.kind, settings.seed) == ("gru", 7)
    with pytest.raises(ConfigError, match=r"unknown key network\.cell; "):
        load_training(path, {"network.cell": "gru"})


def test_shipped_core_trainings_share_their_data_and_updates():
    names = ("trail_core", "trail_cfc19", "target_cfc19", "hike_cfc19")
    runs = [load_training(project_file(f"config/train/{name}.yaml")) for name in names]
    assert len({(run.flights.data_runs, run.network.encoder) for run in runs}) == 1
    assert len({run.learner for run in runs[:3]}) == 1
    changed = {"mirror": False, "burn_in_s": 0.3, "dagger_steps": 3000}
    assert runs[3].learner == runs[0].learner.model_copy(update=changed)
    assert [run.flights.tasks for run in runs] == [
        ("trail", "obstacles"),
        ("trail", "obstacles"),
        ("target", "occlusion", "rotation"),
        ("hike", "occlusion", "rotation"),
    ]


def test_tasks_are_flown_by_their_shares():
    settings = load_training(project_file("config/train/encoder.yaml"))
    names = [settings.task_of(index) for index in range(1000)]
    assert abs(names.count("trail") - 486) <= 3
    assert abs(names.count("obstacles") - 306) <= 3
    assert abs(names.count("target") - 104) <= 3
    chosen = settings.model_copy(
        update={"flights": settings.flights.model_copy(update={"tasks": ("hike", "rotation")})}
    )
    names = [chosen.task_of(index) for index in range(110)]
    assert abs(names.count("hike") - 70) <= 2
    assert set(names) == {"hike", "rotation"}
    assert chosen.flight_scenario(names.index("hike"), 5).task.kind == "hike"


def test_an_unknown_task_is_refused():
    with pytest.raises(ConfigError, match=r"flights\.tasks: unknown task 'hyke'; .*hike"):
        load_training(project_file("config/train/hike_cfc19.yaml"), {"flights.tasks": ["hyke"]})


def test_a_condition_may_name_another_scenario():
    settings = load_training(project_file("config/train/target_cfc19.yaml"))
    assert settings.condition("occlusion").target.hidden_s == 2.0
    assert settings.condition("near").target.range_m == 10.0
    with pytest.raises(ConfigError, match="unknown scenario 'sea'"):
        TrainingSettings(
            name="toy", validation={"conditions": {"wet": {"scenario": "sea"}}}
        ).check_cameras()


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read"):
        load_training(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"flights": {"clonning": 3}}, "unknown key flights.clonning; did you mean"),
        ({"flights": {"cloning": -1}}, "flights.cloning: .*greater than or equal to 0, got -1"),
        ({"flights": {"expert_share": [1.5]}}, "expert_share.* between 0 and 1"),
        ({"seed": -1}, "seed: .*got -1"),
        ({"seed": "three"}, "seed: .*valid integer.*got 'three'"),
        ({"name": "a b"}, "name: .*pattern"),
        ({"scenario": "sea"}, "unknown scenario 'sea'"),
        ({"randomise": {"wind.mean": {"low": 0, "high": 1}}}, "unknown scenario key wind.mean"),
        ({"randomise": {"light.gain": {"low": 0.5, "high": 9}}}, "light.gain: .*got 9"),
        ({"randomise": {"light.gain": {"low": 2, "high": 1}}}, "low must not exceed high"),
        (
            {"randomise": {"fog.extinction_per_m": {"low": 0, "high": 1, "logarithmic": True}}},
            "logarithmic spread needs low above 0",
        ),
        ({"learner": {"window_steps": 8, "burn_in_steps": 8}}, "burn_in_steps must be below"),
        ({"validation": {"conditions": {"calm": {"fog": 3}}}}, "fog"),
        ({"validation": {"conditions": {}}}, "at least 1 item"),
    ],
)
def test_errors_are_one_line(tmp_path, content, message):
    with pytest.raises(ConfigError, match=message) as raised:
        load_training(written(tmp_path, **content))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"validation": {"conditions": {"narrow": {"camera.horizontal_fov_deg": 60.0}}}},
            "validation.conditions.narrow: the model could not fly it: .* got 60",
        ),
        (
            {
                "randomise": {"camera.pitch_down_deg": {"low": 15.0, "high": 25.0}},
                "validation": {"conditions": {"steep": {"camera.pitch_down_deg": 29.0}}},
            },
            r"conditions.steep: the model could not fly it: .* 15 to 25 \+- 3 degrees, got 29",
        ),
        (
            {
                "randomise": {"camera.width": {"low": 128.0, "high": 160.0}},
                "overrides": {"camera.height": 20},
            },
            "randomise.camera.width = 160: the model could not fly it",
        ),
    ],
)
def test_a_camera_that_the_model_could_not_fly_is_refused_before_the_first_flight(
    tmp_path, keys, message
):
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump({"name": "toy", **keys}))
    with pytest.raises(ConfigError, match=message):
        load_training(path)


def test_what_a_simulator_refuses_is_named_with_its_condition():
    conditions = {"calm": {}, "heavy": {"vehicle": "nix"}}
    settings = TrainingSettings(name="toy", validation={"conditions": conditions})

    def check(scenario, seed):
        if scenario.vehicle == "nix":
            raise ConfigError("unknown vehicle 'nix'")

    message = r"^toy: validation\.conditions\.heavy: cannot be flown: unknown vehicle 'nix'$"
    with pytest.raises(ConfigError, match=message):
        settings.check_flights(check)


def test_gust_and_mean_may_both_be_drawn(tmp_path):
    spreads = {
        "wind.mean_mps": {"low": 0.0, "high": 5.0},
        "wind.gust_mps": {"low": 2.0, "high": 7.0},
    }
    assert load_training(written(tmp_path, randomise=spreads)).randomise["wind.gust_mps"].high == 7
