"""What the policy would have commanded with a neuron or a feature clamped to a value.

A neuron of a wired CfC is clamped by its weights: both of its heads become the constant
atanh(value), so that its state has this value, within float32 rounding, before any other neuron
reads it; at 0 exactly. The clamped model is a model like any other, and flies, replays and exports
as such. A number of another core's state is clamped before and after each step; inside the step
the core still computes it. A feature is clamped between the perception network and the core.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from liquid_control.config.suggestions import suggestion
from liquid_control.errors import ConfigError
from liquid_control.inspection.flight import Array, InspectedFlight, feature_names
from liquid_control.liquid.weights import CfCWeights, LayerWeights
from liquid_control.policy import Decision, Model, Policy, PolicySession
from liquid_control.types import Floats

LARGEST_STATE = 0.999
"""Largest magnitude that a neuron of a wired CfC is clamped to."""
OFF = 0.0


@dataclass(frozen=True, slots=True)
class Clamp:
    """Neurons and features held at a value.

    Attributes:
        neurons: value by index in the state.
        features: value by index in the features.
        label: in words, such as `inter_7 = 0`.
    """

    neurons: Mapping[int, float] = field(default_factory=dict)
    features: Mapping[int, float] = field(default_factory=dict)
    label: str = ""

    @classmethod
    def parse(cls, words: Iterable[str], model: Model) -> "Clamp":
        """Return the clamp of words such as `inter_7` (held at 0) or `image_3=0.5`.

        Raises:
            ConfigError: no neuron and no feature has the name, or the value is not a number.
        """
        neurons, features, labels = {}, {}, []
        own, given = model.settings.core.state_names, feature_names(model.settings)
        for word in words:
            name, sign, text = word.partition("=")
            try:
                value = float(text) if sign else OFF
            except ValueError:
                value = float("nan")
            if not np.isfinite(value):
                raise ConfigError(f"--clamp {name}: expected a finite number, got {text!r}")
            if name in own:
                neurons[own.index(name)] = value
            elif name in given:
                features[given.index(name)] = value
            else:
                hint = suggestion(name, [*own, *given])
                raise ConfigError(
                    f"--clamp: no neuron or feature {name!r} in {model.name}; {hint}"
                )
            labels.append(f"{name} = {value:g}")
        wired = model.settings.core.wiring is not None
        if wired and any(abs(value) > LARGEST_STATE for value in neurons.values()):
            raise ConfigError(
                f"--clamp: a neuron's state is within ±{LARGEST_STATE}, got {', '.join(labels)}"
            )
        return cls(neurons, features, ", ".join(labels))


class ClampedPolicy(Policy):
    """A policy whose neurons and features are clamped; it flies and replays as any other.

    Args:
        model: the model.
        clamp: what is held.
    """

    def __init__(self, model: Model, clamp: Clamp) -> None:
        self._features_at = [*clamp.features], np.array([*clamp.features.values()], np.float32)
        wired = model.settings.core.wiring is not None
        states = {} if wired else clamp.neurons
        self._states_at = [*states], np.array([*states.values()], np.float32)
        super().__init__(clamped_model(model, clamp.neurons) if wired else model)

    def act(self, features: Array, state: Array, dt: float) -> Decision:
        """Return the decision on clamped features and states, as `Policy.act`."""
        at, values = self._features_at
        if at:
            features = features.copy()
            features[at] = values
        at, values = self._states_at
        if not at:
            return super().act(features, state, dt)
        state = state.copy()
        state[at] = values
        decision = super().act(features, state, dt)
        after = decision.state.copy()
        after[at] = values
        return replace(decision, state=after)


def clamped_model(model: Model, neurons: Mapping[int, float]) -> Model:
    """Return a model with neurons of its wired CfC held at values.

    Args:
        model: with a wired CfC.
        neurons: value within (-1, 1) by index in the state.

    Raises:
        ModelError: the model has another core.
    """
    weights = model.weights
    layers = []
    for own, layer in zip(weights.wiring.slices, weights.layers, strict=True):
        weight, bias = layer.weight.copy(), layer.bias.copy()
        for index, value in neurons.items():
            if own.start <= index < own.stop:
                weight[:, index - own.start] = 0.0
                bias[:, index - own.start] = 0.0
                bias[:2, index - own.start] = np.arctanh(np.float64(value))
        layers.append(LayerWeights(weight, bias, layer.pure))
    changed: CfCWeights = replace(weights, layers=tuple(layers))
    return replace(model, arrays={**model.arrays, **changed.arrays()})


@dataclass(frozen=True, slots=True, eq=False)
class Counterfactual:
    """The commands of a changed policy on the frames of a flight.

    Attributes:
        label: what was changed, in words.
        commands: float64 [T, 4], as `Command.values`.
        states: float32 [T, S].
    """

    label: str
    commands: Floats
    states: Array


def run_again(
    policy: Policy, flight: InspectedFlight, label: str = "", until: int | None = None
) -> Counterfactual:
    """Run a policy over the features of a flight, with the same stamps.

    The vehicle does not answer: pictures and readings are those that were recorded.

    Args:
        policy: such as a `ClampedPolicy`; its perception network is not run.
        flight: of the unchanged policy.
        label: what was changed.
        until: index of the last frame; None for all.
    """
    session = PolicySession(policy)
    stop = None if until is None else until + 1
    commands, states = [], []
    pairs = zip(flight.features[:stop], flight.stamp_ns[:stop].tolist(), strict=True)
    for features, stamp_ns in pairs:
        decision = session.answer(features, stamp_ns)
        commands.append(decision.command.values)
        states.append(decision.state)
    return Counterfactual(label, np.array(commands), np.array(states))


def without(
    policy: Policy, flight: InspectedFlight, clamp: Clamp, until: int | None = None
) -> Counterfactual:
    """Run a policy over a flight's features with a clamp."""
    return run_again(ClampedPolicy(policy.model, clamp), flight, clamp.label, until)


def single_clamps(model: Model, flight: InspectedFlight | None = None) -> list[Clamp]:
    """Return a clamp for every neuron, at 0, and for every feature.

    Args:
        model: the model.
        flight: features are held at their mean over it; None for 0.
    """
    names = model.settings.core.state_names
    clamps = [Clamp({index: OFF}, {}, f"{name} = 0") for index, name in enumerate(names)]
    given = feature_names(model.settings)
    means = np.zeros(len(given)) if flight is None else flight.features.mean(axis=0)
    clamps += [
        Clamp({}, {index: float(mean)}, f"{name} = {mean:.2g}")
        for index, (name, mean) in enumerate(zip(given, means.tolist(), strict=True))
    ]
    return clamps


def all_without(
    policy: Policy, flight: InspectedFlight, frame: int, clamps: Sequence[Clamp] | None = None
) -> list[Counterfactual]:
    """Return what each single clamp changes, over the frames up to and with one.

    Args:
        policy: the policy.
        flight: of it.
        frame: index of the last frame.
        clamps: None for `single_clamps`.
    """
    wanted = single_clamps(policy.model, flight) if clamps is None else clamps
    return [without(policy, flight, clamp, frame) for clamp in wanted]
