"""Bodies of a forest in PyBullet's window."""

import numpy as np
import pybullet
import pytest

from liquid_control.config import Scenario
from liquid_control_sim.place.forest import generate_forest
from liquid_control_sim.render.window import show_forest

pytestmark = pytest.mark.sim


@pytest.fixture
def client():
    connection = pybullet.connect(pybullet.DIRECT)
    yield connection
    pybullet.disconnect(connection)


def test_every_tree_is_shown_at_its_position(client):
    forest = generate_forest(Scenario(terrain={"slope_deg": 10.0}, forest={"trees": 20}), 1)
    assert show_forest(client, forest) == 1 + 2 * 20
    places = np.array(
        [pybullet.getBasePositionAndOrientation(n, physicsClientId=client)[0] for n in range(41)]
    )
    assert places[1::2, :2] == pytest.approx(forest.trunks[:, :2])
    assert places[2::2, :2] == pytest.approx(forest.trunks[:, :2])
    tops = forest.terrain.height(*forest.trunks[:, :2].T) + forest.trees.height_m
    assert (places[2::2, 2] < tops).all()
    assert (places[1::2, 2] < places[2::2, 2]).all()


def test_objects_posts_and_branches_are_shown(client):
    wood = generate_forest(Scenario(task={"kind": "target"}, forest={"trees": 0}), 1)
    assert len(wood.objects) == 4
    assert show_forest(client, wood) == 1 + 4
    hard = {"trail": {"difficulty": 3.0, "forks": 1}, "forest": {"branches": 2, "inside": 0}}
    trail = generate_forest(Scenario(**hard), 2)
    added = len(trail.posts) + len(trail.branches)
    assert added == 4
    assert show_forest(client, trail) == 1 + 2 * len(trail.trunks) + added
