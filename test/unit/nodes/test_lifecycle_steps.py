import pytest

from liquid_control.nodes.lifecycle_steps import LifecycleStep, is_reached, next_step

pytestmark = pytest.mark.unit


def steps(goal: str, **states: str) -> list[tuple[str, str]]:
    """Return all transitions until the goal is reached."""
    taken = []
    while (step := next_step(goal, states)) is not None:
        taken.append((step.node, step.transition))
        states[step.node] = step.result
    assert is_reached(goal, states)
    return taken


def test_all_nodes_are_configured_in_order_before_the_first_is_activated():
    assert steps("active", first="unconfigured", second="unconfigured") == [
        ("first", "configure"),
        ("second", "configure"),
        ("first", "activate"),
        ("second", "activate"),
    ]


def test_all_nodes_are_deactivated_in_reverse_order_before_the_first_is_cleaned_up():
    assert steps("unconfigured", first="active", second="active") == [
        ("second", "deactivate"),
        ("first", "deactivate"),
        ("second", "cleanup"),
        ("first", "cleanup"),
    ]


def test_only_nodes_that_are_not_in_the_state_are_changed():
    assert steps("active", first="active", second="inactive") == [("second", "activate")]
    assert steps("inactive", first="active", second="unconfigured") == [
        ("first", "deactivate"),
        ("second", "configure"),
    ]
    for state in ("unconfigured", "inactive", "active"):
        assert steps(state, first=state, second=state) == []


def test_nodes_that_are_to_be_not_active_are_deactivated_only():
    assert steps("not active", first="active", second="unconfigured", third="active") == [
        ("third", "deactivate"),
        ("first", "deactivate"),
    ]
    assert steps("not active", first="inactive", second="unconfigured") == []
    assert not is_reached("not active", {"first": ""})


@pytest.mark.parametrize("state", ["", "configuring", "activating", "finalized"])
def test_a_node_in_transition_or_without_a_known_state_is_waited_for(state):
    assert next_step("active", {"first": "unconfigured", "second": state}) is None
    assert not is_reached("active", {"first": "active", "second": state})


def test_a_node_that_is_not_there_does_not_keep_the_others_active():
    states = {"first": "active", "second": ""}
    step = LifecycleStep("first", "deactivate", "inactive")
    assert next_step("not active", states) == step
    assert next_step("not active", states | {"first": "inactive"}) is None


def test_a_step_has_the_state_after_it():
    assert next_step("active", {"first": "inactive"}) == LifecycleStep(
        "first", "activate", "active"
    )
