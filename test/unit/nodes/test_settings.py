import pytest

from liquid_control.command import Envelope
from liquid_control.config import load_yaml, project_file, validate
from liquid_control.config.loading import Settings
from liquid_control.nodes.node_settings import (
    GuardSettings,
    PerceptionSettings,
    ReplaySettings,
    SimulatorSettings,
)

pytestmark = pytest.mark.unit

MODELS: dict[str, type[Settings]] = {
    "guard": GuardSettings,
    "perception": PerceptionSettings,
    "replay": ReplaySettings,
    "simulator": SimulatorSettings,
}


@pytest.mark.parametrize("name", MODELS)
def test_the_parameter_files_hold_the_defaults_that_the_code_has(name):
    content = load_yaml(project_file(f"config/nodes/{name}.yaml"))
    values = content[f"/**/{name}_node"]["ros__parameters"]
    assert validate(MODELS[name], values, name) == MODELS[name]()
    assert values


def test_every_field_says_what_it_is():
    for model in MODELS.values():
        assert all(field.description for field in model.model_fields.values())


def test_the_guards_envelope_is_the_one_flown_in_process():
    assert GuardSettings().envelope == Envelope()
    assert GuardSettings(max_up_mps=0.5).envelope == Envelope(max_up_mps=0.5)
