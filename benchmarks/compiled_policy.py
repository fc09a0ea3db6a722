"""An exported policy, compiled for this machine and called through ctypes."""

import ctypes
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import DependencyError, ObservationError
from liquid_control.export import policy_c
from liquid_control.export.c_observation import (
    DOUBLE,
    FLOAT,
    PolicyReading,
    needed_readings,
    readings_of,
)
from liquid_control.interfaces import World
from liquid_control.perception import fit
from liquid_control.policy import Model, load_model
from liquid_control.types import Command, Observation, VehicleState

SOURCES = ("policy.c", "observation.c", "perception.c")
WEIGHTS = "perception_weights"
OPTIONS = ("-std=c99", "-O3", "-ffp-contract=off")
FIXED = "-DLC_CORE_Q15"


def compiler() -> str:
    """Return the C compiler.

    Raises:
        DependencyError: there is none.
    """
    found = shutil.which("cc") or shutil.which("gcc")
    if found is None:
        raise DependencyError("no C compiler is installed, and one is needed to run exported C")
    return found


def weights_object(folder: Path) -> Path:
    """Return the compiled weights of the perception network in an exported folder.

    They are megabytes of text, so they are compiled once.
    """
    compiled = folder / f"{WEIGHTS}.o"
    if not compiled.exists():
        source = str(folder / f"{WEIGHTS}.c")
        command = [compiler(), "-std=c99", "-fPIC", "-c", source, "-o", str(compiled)]
        subprocess.run(command, check=True)
    return compiled


class CompiledPolicy:
    """A model in C, with its state and clock; it refuses frames as `PolicySession` does.

    Attributes:
        model: the exported model.
        features: of the last answered frame, float32 [F], in the memory of the C policy.
        state: neurons, float32 [N], or int16 [N] in Q15 with a controller in fixed point.
    """

    def __init__(self, model: Model, folder: Path, *, fixed: bool = False) -> None:
        """Export the model into a folder and compile it.

        Args:
            model: with a wired CfC.
            folder: receives sources and library; a second policy of the same model may share it.
            fixed: run the controller in fixed point.

        Raises:
            DependencyError: there is no C compiler.
            ModelError: the model cannot be exported.
        """
        self.model = model
        sources = policy_c(model)
        for name, text in sources.items():
            (folder / name).write_text(text, encoding="utf-8")
        library = folder / ("fixed.so" if fixed else "float.so")
        options = [*OPTIONS, *((FIXED,) if fixed else ()), "-shared", "-fPIC"]
        paths = [str(folder / name) for name in SOURCES] + [str(weights_object(folder))]
        subprocess.run([compiler(), *options, *paths, "-o", str(library)], check=True)
        self._library = ctypes.CDLL(str(library))
        found = re.search(r"LC_WORKSPACE (\d+)", sources["perception.h"])
        workspace = 0 if found is None else int(found[1])
        self._policy = _policy_type(model, workspace, fixed)()
        self._command = (ctypes.c_float * 4)()
        self.features = np.ctypeslib.as_array(self._policy.features)
        self.state = np.ctypeslib.as_array(self._policy.state)
        self.start()

    def start(self) -> None:
        """Begin from a fresh state."""
        self._library.lc_policy_start(ctypes.byref(self._policy))

    def step(self, observation: Observation) -> Command:
        """Return the command for a frame.

        Raises:
            ObservationError: the C policy refused the frame; the message has its code.
        """
        picture = np.ascontiguousarray(fit(observation.image, self.model.settings.camera.view))
        status = self.call(self.frame(observation, picture))
        if status != 0:
            raise ObservationError(f"expected a frame that C answers, got code {status}")
        return Command(*self._command)

    def call(self, frame: Any) -> int:
        """Return the code of `lc_policy_step` for a frame of `frame`."""
        status: int = self._library.lc_policy_step(
            ctypes.byref(self._policy), ctypes.byref(frame), self._command
        )
        return status

    def frame(self, observation: Observation, picture: NDArray[np.uint8]) -> Any:
        """Return `lc_observation` for a fitted picture, which must live until the call."""
        return frame_in_c(self._library, self.model, observation, picture)


class _Imu(ctypes.Structure):
    _fields_ = (
        ("rate_radps", ctypes.c_double * 3),
        ("force_mps2", ctypes.c_double * 3),
        ("count", ctypes.c_uint32),
    )


class _Clock(ctypes.Structure):
    _fields_ = (("stamp_ns", ctypes.c_uint64), ("started", ctypes.c_int))


def frame_in_c(
    library: ctypes.CDLL, model: Model, observation: Observation, picture: NDArray[np.uint8]
) -> Any:
    """Return an observation as the `lc_observation` of a model.

    Args:
        library: has `lc_imu_add`.
        model: needs the readings.
        observation: IMU samples, stamp and readings; its image is not used.
        picture: uint8 [H, W, 3] of the model's size, which must live until the call.
    """
    frame = _observation_type(tuple(needed_readings(model)))()
    frame.rgb, frame.stamp_ns = picture.ctypes.data, observation.stamp_ns
    window = observation.imu
    for rate, force in zip(window.angular_velocity, window.linear_acceleration, strict=True):
        values = ((ctypes.c_double * 3)(*rate), (ctypes.c_double * 3)(*force))
        library.lc_imu_add(ctypes.byref(frame.imu), *values)
    for field, value in readings_of(model, observation).items():
        setattr(frame, field, value)
    return frame


@cache
def _observation_type(readings: tuple[PolicyReading, ...]) -> Any:
    kinds = {DOUBLE: ctypes.c_double, FLOAT: ctypes.c_float}
    fields = [("rgb", ctypes.c_void_p), ("stamp_ns", ctypes.c_uint64), ("imu", _Imu)]
    fields += [(reading.field, kinds[reading.kind]) for reading in readings]
    return type("lc_observation", (ctypes.Structure,), {"_fields_": fields})


def _policy_type(model: Model, workspace: int, fixed: bool) -> Any:
    neuron = ctypes.c_int16 if fixed else ctypes.c_float
    fields = [
        ("state", neuron * model.weights.wiring.neurons),
        ("clock", _Clock),
        ("features", ctypes.c_float * model.settings.features.total),
        ("workspace", ctypes.c_float * workspace),
    ]
    return type("lc_policy", (ctypes.Structure,), {"_fields_": fields})


class CompiledPilot:
    """Flies a compiled policy in the simulator, one flight at a time."""

    def __init__(self, policy: CompiledPolicy, name: str) -> None:
        self.name = name
        self._policy = policy

    def start(self, world: World) -> None:
        """Begin a flight from a fresh state.

        Raises:
            ModelError: the world's camera is not the model's.
        """
        self._policy.model.check_scenario(world.scenario)
        self._policy.start()

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Return the command for one frame; `truth` is not used.

        Raises:
            ObservationError: the C policy refused the frame.
        """
        return self._policy.step(observation)


@dataclass(frozen=True, slots=True)
class CompiledPilotOf:
    """Makes the pilot of an exported model: `c`, or `q15` with a controller in fixed point.

    Attributes:
        model: folder of the model.
        kind: `c` or `q15`.
        folder: an existing folder for sources and libraries.
    """

    model: str
    kind: str
    folder: str

    def __call__(self) -> CompiledPilot:
        """Export, compile and load."""
        place = Path(self.folder) / self.kind
        place.mkdir(parents=True, exist_ok=True)
        policy = CompiledPolicy(load_model(self.model), place, fixed=self.kind == "q15")
        return CompiledPilot(policy, f"{policy.model.name}:{self.kind}")
