"""Print the table of `docs/cores.md`: all cores and their sizes, for 34 inputs and 4 outputs.

Run it with `python docs/core_table.py`.
"""

from liquid_control.cores import CORES, Core, make_core

INPUTS, OUTPUTS = 34, 4


def table() -> str:
    """Return the table in Markdown."""
    lines = [
        "| core | small: state | parameters | base: state | parameters | elapsed time | paper |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, kind in CORES.items():
        small = make_core(name, INPUTS, OUTPUTS, size="small")
        base = make_core(name, INPUTS, OUTPUTS, size="base")
        lines.append(
            f"| `{name}` | {small.state_size} | {_parameters(small)} | {base.state_size} "
            f"| {_parameters(base)} | {kind.time} | {kind.paper} |"
        )
    return "\n".join(lines)


def _parameters(core: Core) -> int:
    """Return the number of trained parameters, which a wiring's masks reduce."""
    stored = sum(parameter.numel() for parameter in core.parameters())
    trained: int = getattr(core, "parameter_count", stored)
    return trained


if __name__ == "__main__":
    print(table())
