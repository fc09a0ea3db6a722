"""Training of policies: expert flights or bags, cloning, DAgger, closed-loop validation.

`train` is the entry point:

    from liquid_control.export import model_graphs
    from liquid_control.training import Actors, load_training, train
    from liquid_control_sim import Expert, fly

    settings = load_training("config/train/smoke.yaml")
    model = train(settings, "runs/smoke", model_graphs, Actors(fly, Expert))

Only `network`, `learner`, `publish`, `run` and the modules of architecture searches import torch;
worker processes that fly never do.
"""

from liquid_control.training.bags.sources import BagData, bag_data
from liquid_control.training.data_pilots import Actors
from liquid_control.training.run_folder import newest_run
from liquid_control.training.start import train
from liquid_control.training.training_settings import TrainingSettings, load_training

__all__ = [
    "Actors",
    "BagData",
    "TrainingSettings",
    "bag_data",
    "load_training",
    "newest_run",
    "train",
]
