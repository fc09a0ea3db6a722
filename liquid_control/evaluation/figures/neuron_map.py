"""The neurons over time: state and time gate as heat maps, motor neurons on top."""

from liquid_control.evaluation.story import FlightStory, NeuronTrack
from liquid_control.pages.heat import Heat, neurons_over_time


def neuron_map(story: FlightStory, neurons: NeuronTrack) -> str:
    """Return both heat maps as SVG; rows from the motor neurons down to the inter neurons."""
    heats = (
        Heat.of_states("state", neurons.state),
        Heat.of_gates("time gate: 0 where a neuron stays, 1 where it has settled", neurons.gate),
    )
    seconds = story.seconds(neurons.stamp_ns)
    return neurons_over_time(seconds, neurons.names, heats, "The neurons over time").svg
