"""Inspection: why did a policy do that? Saliency, contributions, counterfactuals, measures.

It stands on `replay` and `evaluation`. `inspection.page` writes the page of a flight. Example:

    from liquid_control.inspection import inspect, moment_of, open_flight, write_inspection

    policy, flight = open_flight("flight.mcap")
    found = inspect(policy, flight)
    print(found.flight.states, found.time_constants, found.maps)
    moment = moment_of(policy, flight, 12.4)
    write_inspection(Path("runs/inspection"), found, moment=moment)
"""

from liquid_control.inspection.contributions import Contributions, contributions
from liquid_control.inspection.counterfactuals import (
    Clamp,
    ClampedPolicy,
    Counterfactual,
    clamped_model,
    without,
)
from liquid_control.inspection.decoders import Decoding, decode
from liquid_control.inspection.flight import InspectedFlight, open_flight, recorded_scenario
from liquid_control.inspection.lesions import Lesions, lesion_study
from liquid_control.inspection.model_measures import Measures, measure, measures_table
from liquid_control.inspection.model_study import measure_models
from liquid_control.inspection.moment import Explanation, WhatIf, moment_of
from liquid_control.inspection.neurons import NeuronFindings, findings
from liquid_control.inspection.report import FlightInspection, inspect, write_inspection
from liquid_control.inspection.retrace import Retraced, retrace, scenario_without
from liquid_control.inspection.saliency import METHODS, map_maker

__all__ = [
    "METHODS",
    "Clamp",
    "ClampedPolicy",
    "Contributions",
    "Counterfactual",
    "Decoding",
    "Explanation",
    "FlightInspection",
    "InspectedFlight",
    "Lesions",
    "Measures",
    "NeuronFindings",
    "Retraced",
    "WhatIf",
    "clamped_model",
    "contributions",
    "decode",
    "findings",
    "inspect",
    "lesion_study",
    "map_maker",
    "measure",
    "measure_models",
    "measures_table",
    "moment_of",
    "open_flight",
    "recorded_scenario",
    "retrace",
    "scenario_without",
    "without",
    "write_inspection",
]
