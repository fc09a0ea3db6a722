"""Flights of an exported policy beside the Python policy, forest by forest.

    python -m benchmarks.exported_flights --model models/trail_cfc19 --calibrate FLIGHT.mcap

One process flies the same forests with the policy itself (`python`), C in float32 (`c`), C with
a controller in fixed point (`q15`), and an encoder in 8 bits (`int8`). Rows are appended to
`rows.jsonl`; the same command goes on where it was interrupted.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.compiled_policy import CompiledPilotOf
from benchmarks.programs import one_line_errors
from liquid_control.config import parse_settings
from liquid_control.evaluation import evaluate
from liquid_control.evaluation.preflight import PilotFactory
from liquid_control.export import int8_perception
from liquid_control.policy import Policy, PolicyPilot, load_model


@dataclass(frozen=True, slots=True)
class ExportedPilotOf:
    """Makes the pilot of a model whose perception network is another graph.

    Attributes:
        model: folder of the model.
        graph: file of the graph; None for the model's own.
    """

    model: str
    graph: Path | None = None

    def __call__(self) -> PolicyPilot:
        """Load the model."""
        model = load_model(self.model)
        if self.graph is not None:
            model = replace(model, perception=self.graph.read_bytes())
        return PolicyPilot(Policy(model))


def exported_pilots(model: str, recording: Path, folder: Path) -> Mapping[str, PilotFactory]:
    """Return the pilots by name; write sources, libraries and graph into a folder.

    Args:
        model: folder of the model.
        recording: bag whose pictures calibrate the 8-bit encoder.
        folder: for files that the pilots need.

    Raises:
        BagError: the recording has too few pictures.
        ModelError: the model cannot be exported.
    """
    folder.mkdir(parents=True, exist_ok=True)
    graph = folder / "perception_int8.onnx"
    graph.write_bytes(int8_perception(load_model(model), recording))
    return {
        "python": ExportedPilotOf(model),
        "c": CompiledPilotOf(model, "c", str(folder)),
        "q15": CompiledPilotOf(model, "q15", str(folder)),
        "int8": ExportedPilotOf(model, graph),
    }


@one_line_errors()
def main() -> None:
    """Fly and print the successes of each pilot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/trail_cfc19")
    parser.add_argument("--calibrate", type=Path, default=Path("test/golden/flight.mcap"))
    parser.add_argument("--scenario", default="trail")
    parser.add_argument("--seeds", default="10000:10050")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, default=Path("runs/exported"))
    options = parser.parse_args()
    from liquid_control_sim import fly

    done = evaluate(
        fly,
        exported_pilots(options.model, options.calibrate, options.out),
        options.scenario,
        seeds=options.seeds,
        workers=1,
        overrides=parse_settings(options.set),
        rows_file=options.out / "rows.jsonl",
    )
    for row in done.summary:
        interval = f"{row.ci95_low:.3f} to {row.ci95_high:.3f}"
        print(f"{row.model}: {row.successes} of {row.n}, 95 % interval {interval}")


if __name__ == "__main__":
    main()
