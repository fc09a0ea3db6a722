"""Loss of the encoder: units and weights of its targets."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from liquid_control.command.motors import MotorScaling
from liquid_control.perception import PerceptionSpec
from liquid_control.perception.cnn import PerceptionCNN
from liquid_control.training.auxiliary import AUXILIARY_SIZE, SCALARS
from liquid_control.training.encoder_network import DEPTH_WEIGHT, EncoderNetwork, TargetUnits
from liquid_control.training.frame_batches import FrameBatch

ROUTE, ALTITUDE = SCALARS.index("route_lateral_3m"), SCALARS.index("altitude")
DEPTH = len(SCALARS)


def auxiliary(rows: int) -> torch.Tensor:
    values = np.random.default_rng(1).normal(size=(rows, AUXILIARY_SIZE))
    values *= np.linspace(0.1, 3.0, AUXILIARY_SIZE)
    return torch.from_numpy(values).to(torch.float32)


def test_units_are_standard_deviations_of_known_values() -> None:
    values = auxiliary(400)
    values[100:, 3] = torch.nan
    values[:, 5] = 7.0
    values[:, 6] = torch.nan
    commands = values[:, :4].clone()
    commands[:, 3] = 0.25
    units = TargetUnits.of(commands, values)
    assert units.auxiliary[2] == pytest.approx(float(values[:, 2].std(correction=0)), rel=1e-5)
    assert units.auxiliary[3] == pytest.approx(float(values[:100, 3].std(correction=0)), rel=1e-5)
    # A target that is constant or unknown has the least unit instead of 0.
    assert units.auxiliary[[5, 6]].tolist() == pytest.approx([0.05, 0.05])
    assert units.commands[3] == pytest.approx(0.05)
    cells = values[:, DEPTH:].var(0, correction=0).mean().sqrt()
    assert units.auxiliary[DEPTH:].tolist() == pytest.approx([float(cells)] * 144, rel=1e-5)


def batch(rows: int) -> FrameBatch:
    generator = torch.Generator().manual_seed(2)
    return FrameBatch(
        images=torch.randint(0, 255, (rows, 18, 32, 3), dtype=torch.uint8, generator=generator),
        means=torch.full((rows,), 120.0),
        scales=torch.full((rows,), 0.02),
        imu=torch.zeros(rows, 6),
        inputs=torch.zeros(rows, 6),
        labels=torch.zeros(rows, 4),
        auxiliary=auxiliary(rows),
        gains=torch.ones(rows, 3),
    )


def test_the_depth_map_counts_as_one_target() -> None:
    """Its cells together add `DEPTH_WEIGHT` times the mean of their errors, in units."""
    network = EncoderNetwork(
        PerceptionCNN(PerceptionSpec(height=18, width=32, hidden=12, mount=True, features=6)),
        MotorScaling(),
        1,
    )
    frames = batch(3)
    units = TargetUnits(torch.ones(4), torch.full((AUXILIARY_SIZE,), 100.0))
    _, truth = network.predict(frames)
    exact = replace(frames, auxiliary=truth.detach().clone())
    least = float(network.loss(exact, units).detach())
    for column, weight in ((ROUTE, 1.0), (ALTITUDE, 0.5), (slice(DEPTH, None), DEPTH_WEIGHT)):
        wrong = exact.auxiliary.clone()
        wrong[:, column] += 100.0  # one unit, where the loss is half of the square
        more = float(network.loss(replace(exact, auxiliary=wrong), units).detach()) - least
        assert more == pytest.approx(3 * weight * 0.5, rel=1e-3)


def test_unknown_targets_do_not_count() -> None:
    network = EncoderNetwork(
        PerceptionCNN(PerceptionSpec(height=18, width=32, hidden=12, mount=True, features=6)),
        MotorScaling(),
        1,
    )
    frames = batch(3)
    frames.auxiliary[:, ALTITUDE] = torch.nan
    units = TargetUnits(torch.ones(4), torch.ones(AUXILIARY_SIZE))
    loss = network.loss(frames, units)
    assert torch.isfinite(loss)
    other = replace(frames, auxiliary=frames.auxiliary.clone())
    smaller = TargetUnits(units.commands, units.auxiliary.clone())
    smaller.auxiliary[ALTITUDE] = 0.05
    assert float(network.loss(other, smaller).detach()) == pytest.approx(float(loss.detach()))
