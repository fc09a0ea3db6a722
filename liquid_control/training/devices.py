"""The processor that pictures are learned on: a GPU where there is one."""

from typing import Literal

import torch

from liquid_control.errors import ConfigError

CPU = torch.device("cpu")
DeviceChoice = Literal["auto", "cpu", "cuda"]


def picture_device(choice: DeviceChoice, processes: int = 1) -> torch.device:
    """Return the device that encoders learn on and compute features on.

    Args:
        choice: `learner.device`; auto takes a GPU if PyTorch finds one.
        processes: that learn together; they exchange gradients between CPUs.

    Raises:
        ConfigError: a GPU is asked for, and there is none or several processes learn.
    """
    found = torch.cuda.is_available()
    if choice == "cuda" and not found:
        raise ConfigError("learner.device: cuda: PyTorch finds no GPU here; set auto or cpu")
    if choice == "cuda" and processes > 1:
        raise ConfigError("learner.device: cuda: processes of torchrun learn on CPUs; set cpu")
    on_gpu = choice != "cpu" and found and processes == 1
    return torch.device("cuda") if on_gpu else CPU
