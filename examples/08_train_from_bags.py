"""Train a policy from a recorded flight for a few steps, and load the model that comes out.

    python examples/08_train_from_bags.py [folder of the run] [bags]

Needs the extra [train]; neither ROS nor the simulator. So short a training shows the pipeline: the
model cannot fly. `config/train/from_bags.yaml` has the settings of one that can.
"""

import sys
import tempfile
from pathlib import Path

from liquid_control.export import model_graphs
from liquid_control.policy import Model, load_model
from liquid_control.training import TrainingSettings, bag_data, train

FLIGHT = Path(__file__).parents[1] / "test" / "golden" / "flight.mcap"

SETTINGS = TrainingSettings.model_validate(
    {
        "name": "from_a_bag",
        "scenario": "trail",
        "flights": {"cloning": 0, "rounds": 0},
        "learner": {"cloning_steps": 10, "windows": 4, "window_steps": 16, "burn_in_steps": 4},
        "validation": {"flights": 0, "final_flights": 0},
        "jobs": 1,
    }
)
"""Bags only: no simulated flight, neither for data nor for validation."""


def main(out: Path | None = None, *bags: Path) -> Model:
    """Train in a folder that does not exist yet; return the model."""
    folder = out or Path(tempfile.mkdtemp()) / "run"
    data, duplicates = bag_data(bags or (FLIGHT,))
    print("\n".join(duplicates) or f"{len(data.sources)} bag(s)")
    model = load_model(train(SETTINGS, folder, model_graphs, data=data))
    print(f"{model.path}: trained from {', '.join(bag.name for bag in data.sources)}")
    return model


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:]))
