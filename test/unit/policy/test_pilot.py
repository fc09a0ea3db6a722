import numpy as np
import pytest

from liquid_control.config import Scenario
from liquid_control.errors import ModelError, ObservationError
from liquid_control.policy import Policy, PolicyPilot
from liquid_control.types import Command, ImuWindow, Observation

pytestmark = pytest.mark.unit


@pytest.fixture(scope="session")
def policy(model):
    return Policy(model)


class World:
    trail = None
    trunks = None

    def __init__(self, **camera):
        self.scenario = Scenario.model_validate({"camera": camera})


def test_pilot_is_the_policy_and_the_clock(policy, observe):
    pilot = PolicyPilot(policy)
    pilot.start(World())
    assert pilot.name == "demo"
    assert pilot.decision is None
    state = policy.init_state()
    for stamp_ns, dt in ((1_000_000, 0.05), (41_000_000, 0.04), (141_000_000, 0.1)):
        command, state = policy.step(observe(stamp_ns), state, dt)
        assert pilot.command(observe(stamp_ns), truth=None) == command
        np.testing.assert_array_equal(pilot.decision.state, state)


def test_pilot_starts_afresh_after_a_jump_and_at_a_flight(policy, observe):
    pilot = PolicyPilot(policy)
    pilot.start(World())
    first = pilot.command(observe(0), truth=None)
    later, _ = policy.step(observe(3_000_000_000), policy.init_state(), 0.05)
    assert pilot.command(observe(3_000_000_000), truth=None) == later
    with pytest.raises(
        ObservationError, match="a frame stamped after 3000000000 ns, got 2000000000 ns"
    ):
        pilot.command(observe(2_000_000_000), truth=None)
    assert pilot.session.stamp_ns == 3_000_000_000
    assert pilot.command(observe(0), truth=None) == first
    assert pilot.session.fresh_starts == 2
    pilot.start(World())
    assert pilot.session.fresh_starts == 0
    assert pilot.command(observe(0), truth=None) == first
    assert isinstance(first, Command)


def test_pilot_rejects_a_world_with_another_camera(policy):
    with pytest.raises(ModelError, match=r"field of view of 90 [+]- 1 degrees, got 60"):
        PolicyPilot(policy).start(World(horizontal_fov_deg=60.0))


def test_a_refused_frame_leaves_the_last_decision(policy, observe):
    pilot = PolicyPilot(policy)
    pilot.command(observe(0), truth=None)
    features, decision = pilot.features, pilot.decision
    with pytest.raises(ObservationError, match="a smaller image, 20x10"):
        pilot.command(
            Observation(50_000_000, np.zeros((10, 20, 3), np.uint8), ImuWindow.empty()), None
        )
    assert pilot.features is features
    assert pilot.decision is decision
