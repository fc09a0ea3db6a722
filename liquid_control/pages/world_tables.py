"""Tables of scenarios and disturbances, and the selection of their names."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from liquid_control.config import load_scenario, scenario_names
from liquid_control.config.disturbances import disturbances, values_of
from liquid_control.config.scenario import about, success_rule
from liquid_control.config.suggestions import suggestion
from liquid_control.errors import ConfigError


def select_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split names into scenarios and disturbances; return all of both if there are no names.

    Raises:
        ConfigError: a name is neither a scenario nor a disturbance.
    """
    scenarios, disturbed = scenario_names(), list(disturbances())
    known = [*scenarios, *disturbed]
    for name in names:
        if name not in known:
            hint = suggestion(name, known, "`liquid-control worlds`")
            raise ConfigError(f"unknown scenario or disturbance {name!r}; {hint}")
    if not names:
        return scenarios, disturbed
    return [n for n in scenarios if n in names], [n for n in disturbed if n in names]


def scenario_table(names: Sequence[str]) -> Table:
    """Return a table of name, task, description and success rule of scenarios."""
    table = Table(title="scenarios", title_justify="left", box=SIMPLE_HEAD)
    for name in ("", "task", "description", "success"):
        table.add_column(name)
    for name in names:
        scenario = load_scenario(name)
        table.add_row(name, scenario.task.kind.value, about(name), success_rule(scenario))
    return table


def disturbance_table(names: Sequence[str]) -> Table:
    """Return a table of name, group, description and keys with values at severities 1 to 5."""
    title = "disturbances, severities 1 to 5; severity 0 is the undisturbed flight"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for name in ("", "group", "description", "keys"):
        table.add_column(name)
    named = {name: disturbances()[name] for name in names}
    for name, disturbance in named.items():
        keys = [f"{key} {values_of(values)}" for key, values in disturbance.keys.items()]
        last = name == [n for n in named if named[n].group == disturbance.group][-1]
        row = (name, disturbance.group, disturbance.about, "\n".join(keys))
        table.add_row(*row, end_section=last)
    return table
