from pathlib import Path

import numpy as np
import pytest

from liquid_control.export import model_graphs
from liquid_control.liquid import auto_ncp, random_weights
from liquid_control.perception.cnn import PerceptionCNN
from liquid_control.policy import ModelSettings, load_model, save_model
from liquid_control.types import ImuWindow, Observation


@pytest.fixture(scope="session")
def settings() -> ModelSettings:
    return ModelSettings(
        name="demo", core={"wiring": auto_ncp(34, 19, 4)}, provenance={"command": "a test"}
    )


@pytest.fixture(scope="session")
def arrays(settings) -> dict[str, np.ndarray]:
    weights = random_weights(settings.core.circuit, np.random.default_rng(0))
    return {**weights.arrays(), **PerceptionCNN(seed=1).arrays()}


@pytest.fixture
def folder(tmp_path, settings, arrays) -> Path:
    path = tmp_path / "models" / "demo"
    save_model(path, settings, arrays, model_graphs(settings, arrays), "# demo\n")
    return path


@pytest.fixture(scope="session")
def model(tmp_path_factory, settings, arrays):
    path = tmp_path_factory.mktemp("models") / "demo"
    save_model(path, settings, arrays, model_graphs(settings, arrays), "# demo\n")
    return load_model(path)


@pytest.fixture
def observe():
    def make(stamp_ns=0, seed=0, size=(54, 96)) -> Observation:
        rng = np.random.default_rng([seed, stamp_ns])
        image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        imu = ImuWindow(
            stamp_ns + np.arange(5, dtype=np.int64),
            rng.normal(0, 0.3, (5, 3)),
            np.array([0, 0, 9.81]) + rng.normal(0, 1, (5, 3)),
        )
        return Observation(stamp_ns, image, imu)

    return make
