"""The event-driven form of a policy: encoder and core that compute only what moved.

`EventPolicy.step` is a pure function of an observation and a memory, so a flight can be replayed
from any frame. `EventPilot` flies it in process and counts its operations. Exported C
(`export.c_events`) gives the same bits from the fitted picture, the IMU samples and the readings.
"""

from dataclasses import dataclass

import numpy as np

from liquid_control.errors import ModelError
from liquid_control.interfaces import World
from liquid_control.liquid.event_step import EventCfC, EventState, Operations
from liquid_control.liquid.fixed_point import (
    ARGUMENT_BITS,
    FEATURE_BITS,
    ONE,
    STATE_BITS,
    FixedWeights,
    Integers,
    fixed_features,
    q16,
)
from liquid_control.perception import fit, imu_features, input_values
from liquid_control.perception.event_encoder import EncoderState, EventEncoder
from liquid_control.policy.controllers import Array, Decision
from liquid_control.policy.model import Model
from liquid_control.policy.model_settings import WIRED
from liquid_control.policy.pilot import PolicyPilot
from liquid_control.policy.policy import Policy
from liquid_control.policy.session import FrameClock
from liquid_control.types import NANOSECONDS, Command, Observation, VehicleState


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Largest changes that are not sent; 0 for the dense form.

    Attributes:
        encoder: of pixels and activations, in standard deviations of the picture.
        core: of features, states and the elapsed time, in units of one.
    """

    encoder: float = 0.0
    core: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class EventMemory:
    """What an event-driven policy keeps between two frames.

    Attributes:
        encoder: of the perception network.
        core: of the controller.
    """

    encoder: EncoderState
    core: EventState


@dataclass(frozen=True, slots=True, eq=False)
class EventStep:
    """Result of one frame.

    Attributes:
        decision: command, neurons and time gates.
        features: that the controller received, float32 [F].
        memory: for the next frame.
        encoder: operations of the perception network.
        core: operations of the controller.
    """

    decision: Decision
    features: Array
    memory: EventMemory
    encoder: Operations
    core: Operations


class EventPolicy:
    """A model in its event-driven form; it keeps no state.

    Attributes:
        model: the model.
        thresholds: of encoder and core.
        encoder: the perception network.
        core: the controller.
    """

    def __init__(self, model: Model, thresholds: Thresholds) -> None:
        """Round the weights of a model.

        Raises:
            ModelError: the model has another core than the wired CfC.
            ConfigError: a threshold is outside of its range.
            CellError: a weight is outside of what fixed point represents.
        """
        settings = model.settings
        if settings.core.kind != WIRED:
            raise ModelError(
                f"{model.name}: expected a core of kind {WIRED}, which has an event-driven form, "
                f"got {settings.core.kind}"
            )
        self.model, self.thresholds = model, thresholds
        self.encoder = EventEncoder(settings.perception, model.arrays, thresholds.encoder)
        self.core = EventCfC(FixedWeights.of(model.weights), thresholds.core)
        self._view, self._inputs = settings.camera.view, settings.features.inputs
        self._scales = q16(settings.motors.scales, "a motor's scale")
        self._offsets = q16(settings.motors.offsets, "a motor's offset")

    def init_memory(self) -> EventMemory:
        """Return the memory before the first frame."""
        return EventMemory(self.encoder.init_state(), self.core.init_state())

    def step(self, observation: Observation, memory: EventMemory, dt_s: float) -> EventStep:
        """Return the decision on a frame.

        Args:
            observation: picture, IMU samples and other readings.
            memory: after the previous frame.
            dt_s: seconds since then, from `FrameClock`.

        Raises:
            ObservationError: the picture, the IMU samples or an input do not fit.
        """
        mounted = self.encoder.spec.mount
        mount = input_values(("mount",), observation) if mounted else None
        picture = fit(observation.image, self._view)
        others = np.concatenate(
            [imu_features(observation.imu), input_values(self._inputs, observation)]
        )
        encoder, in_encoder = self.encoder.encode(picture, memory.encoder, mount)
        inputs = np.concatenate([encoder.features, fixed_features(others)])
        core, in_core = self.core.step(inputs, memory.core, microseconds(dt_s))
        decision = Decision(
            self.command(core.states),
            (core.states / ONE).astype(np.float32),
            (core.gates / ONE).astype(np.float32),
        )
        features = (inputs / 2**FEATURE_BITS).astype(np.float32)
        return EventStep(decision, features, EventMemory(encoder, core), in_encoder, in_core)

    def command(self, states: Integers) -> Command:
        """Return the command of neurons [N], Q15, as the exported C computes it."""
        motors = states[-len(self._scales) :]
        products = (self._scales * motors + ONE // 2) >> STATE_BITS
        return Command(*((self._offsets + products) / 2**ARGUMENT_BITS).tolist())


def microseconds(dt_s: float) -> int:
    """Return a difference of stamps in microseconds, halves rounded up, as exported C does."""
    return (round(dt_s * NANOSECONDS) + 500) // 1000


class EventPilot(PolicyPilot):
    """Flies an event-driven policy, one flight at a time, and counts its operations.

    Attributes:
        event_policy: the policy in its event-driven form.
        encoder: operations of the perception network in this flight.
        core: operations of the controller in this flight.
        frames: answered frames of this flight.
    """

    encoder: Operations
    core: Operations
    frames: int
    _memory: EventMemory
    _stamp_ns: int | None

    def __init__(self, model: Model, thresholds: Thresholds) -> None:
        self.event_policy = EventPolicy(model, thresholds)
        settings = model.settings
        self._clock = FrameClock(settings.nominal_dt_s, settings.max_gap_s)
        super().__init__(Policy(model))
        self._forget()

    def start(self, world: World) -> None:
        """Begin a flight, as `PolicyPilot.start` does."""
        super().start(world)
        self._forget()

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Return the command for one frame, as `answer` does; `truth` is not used."""
        return self.answer(observation).decision.command

    def answer(self, observation: Observation) -> EventStep:
        """Return the result of one frame, and advance memory, clock and counts.

        Raises:
            ObservationError: the frame cannot be used; memory and clock are unchanged.
        """
        elapsed = self._clock.elapsed(observation.stamp_ns, self._stamp_ns)
        memory = self.event_policy.init_memory() if elapsed.fresh else self._memory
        step = self.event_policy.step(observation, memory, elapsed.dt_s)
        self._memory, self._stamp_ns = step.memory, elapsed.stamp_ns
        self.decision, self.features = step.decision, step.features
        self.encoder, self.core = self.encoder + step.encoder, self.core + step.core
        self.frames += 1
        return step

    def _forget(self) -> None:
        self._memory = self.event_policy.init_memory()
        self._stamp_ns = None
        self.encoder, self.core, self.frames = Operations(), Operations(), 0
