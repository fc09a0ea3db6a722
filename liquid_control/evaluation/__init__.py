"""Campaigns of flights: plans, parallel runs, statistics, records, reports and videos.

`evaluate` is the entry point:

    from liquid_control.evaluation import evaluate
    from liquid_control_sim import Expert, fly

    result = evaluate(fly, {"expert": Expert}, "trail", seeds="0:20", workers=4)
    print(result.summary)

`flight_report` and `flight_video` are imported where they are needed, since they load matplotlib
and PyAV.
"""

from liquid_control.evaluation.arms import Arms
from liquid_control.evaluation.bag_recorder import RecordingOptions
from liquid_control.evaluation.campaign import (
    Campaign,
    CampaignEntry,
    FlightJob,
    load_campaign,
    parse_seeds,
    plan_flights,
    scenario_campaign,
)
from liquid_control.evaluation.flight_log import FlightLog, campaign_plan
from liquid_control.evaluation.paired import Flights, PairedRow, compare_flights, load_flights
from liquid_control.evaluation.preflight import (
    PilotFactory,
    check_cameras,
    check_pilots,
    check_scenes,
)
from liquid_control.evaluation.records import load_record, save_record
from liquid_control.evaluation.results import (
    FlightRow,
    SummaryRow,
    results_document,
    summarise,
    wilson_interval,
    write_results,
)
from liquid_control.evaluation.runner import Evaluation, evaluate, fly_missing, run_flights

__all__ = [
    "Arms",
    "Campaign",
    "CampaignEntry",
    "Evaluation",
    "FlightJob",
    "FlightLog",
    "FlightRow",
    "Flights",
    "PairedRow",
    "PilotFactory",
    "RecordingOptions",
    "SummaryRow",
    "campaign_plan",
    "check_cameras",
    "check_pilots",
    "check_scenes",
    "compare_flights",
    "evaluate",
    "fly_missing",
    "load_campaign",
    "load_flights",
    "load_record",
    "parse_seeds",
    "plan_flights",
    "results_document",
    "run_flights",
    "save_record",
    "scenario_campaign",
    "summarise",
    "wilson_interval",
    "write_results",
]
