"""Print the table of `docs/cores.md`: every core with its sizes, for 34 inputs and 4 outputs.

Run it as `python docs/core_table.py`.
"""

from liquid_control.cores import CORES, Core, make_core

INPUTS, OUTPUTS = 34, 4


def table() -> str:
    """Return the table in Markdown."""
    lines = [
        "| core | small: state | parameters | usual: state | parameters | elapsed time | paper |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, kind in CORES.items():
        small = make_core(name, INPUTS, OUTPUTS, size="small")
        usual = make_core(name, INPUTS, OUTPUTS, size="usual")
        lines.append(
            f"| `{name}` | {small.state_size} | {_parameters(small)} | {usual.state_size} "
            f"| {_parameters(usual)} | {kind.time} | {kind.paper} |"
        )
    return "\n".join(lines)


def _parameters(core: Core) -> int:
    """Return how many parameters learn; a wiring's masks leave fewer than are stored."""
    stored = sum(parameter.numel() for parameter in core.parameters())
    learning: int = getattr(core, "parameter_count", stored)
    return learning


if __name__ == "__main__":
    print(table())
