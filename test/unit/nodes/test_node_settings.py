import pytest

from liquid_control import topics
from liquid_control.command import Envelope
from liquid_control.config import Settings, load_yaml, project_file, validate
from liquid_control.nodes.autopilot_settings import (
    BetaflightNodeSettings,
    MavlinkNodeSettings,
    MavrosNodeSettings,
    Px4NodeSettings,
)
from liquid_control.nodes.node_settings import (
    FoxgloveSettings,
    GuardSettings,
    PerceptionSettings,
    ReplaySettings,
    SimulatorSettings,
)

pytestmark = pytest.mark.unit

MODELS: dict[str, type[Settings]] = {
    "foxglove": FoxgloveSettings,
    "guard": GuardSettings,
    "betaflight": BetaflightNodeSettings,
    "mavlink": MavlinkNodeSettings,
    "mavros": MavrosNodeSettings,
    "px4": Px4NodeSettings,
    "perception": PerceptionSettings,
    "replay": ReplaySettings,
    "simulator": SimulatorSettings,
}


@pytest.mark.parametrize("name", MODELS)
def test_the_parameter_files_have_the_defaults_of_the_settings(name):
    content = load_yaml(project_file(f"config/nodes/{name}.yaml"))
    node = {"mavros": topics.MAVROS}.get(name, f"{name}_node")
    values = content[f"/**/{node}"]["ros__parameters"]
    assert validate(MODELS[name], values, name) == MODELS[name]()
    assert values


def test_the_rules_for_a_flight_outdoors_are_valid_and_on():
    content = load_yaml(project_file("config/guard_outdoor.yaml"))
    guard = validate(GuardSettings, content["/**/guard_node"]["ros__parameters"], "outdoor")
    perception = content["/**/perception_node"]["ros__parameters"]
    assert guard.rules.fence.contains((0.0, 0.0, 2.0))
    assert guard.rules.checks_pictures
    assert validate(PerceptionSettings, perception, "outdoor").picture_health
    assert not GuardSettings().rules.some


def test_every_field_has_a_description():
    for model in MODELS.values():
        assert all(field.description for field in model.model_fields.values())


def test_the_default_envelope_of_the_guard_node_is_that_of_flights_in_process():
    assert GuardSettings().envelope == Envelope()
    assert GuardSettings(max_up_mps=0.5).envelope == Envelope(max_up_mps=0.5)
