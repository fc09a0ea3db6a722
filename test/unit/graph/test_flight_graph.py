"""Bag of a flight through the graph that failed."""

import pytest

from liquid_control.config import project_file
from liquid_control.errors import GraphError
from liquid_control.graph import GraphPlan, flight_graph, fly_through_graph

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("began", [False, True])
def test_only_the_bag_of_a_flight_that_began_is_kept(tmp_path, monkeypatch, began):
    def fail(plan, on_progress):
        plan.bag_path.write_bytes(b"closed by the recorder")
        if began:
            on_progress({"event": "progress"})
        raise GraphError("simulator_node ended with status 2")

    monkeypatch.setattr(flight_graph, "run_graph", fail)
    model = project_file("models/trail_cfc19")
    plan = GraphPlan(scenario="trail", seed=1, model=model, out_dir=tmp_path)
    with pytest.raises(GraphError, match="status 2"):
        fly_through_graph(plan)
    assert plan.bag_path.exists() == began
