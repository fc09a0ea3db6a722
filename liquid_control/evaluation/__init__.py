"""Flights by the hundred, and what they came to: campaigns, statistics, tables, reports, videos.

Pictures (`report`, `video`) are imported where they are needed: they load matplotlib and PyAV.
"""

from liquid_control.evaluation.campaign import (
    Campaign,
    CampaignEntry,
    FlightJob,
    load_campaign,
    parse_seeds,
    plan_flights,
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
from liquid_control.evaluation.runner import run_flights

__all__ = [
    "Campaign",
    "CampaignEntry",
    "FlightJob",
    "FlightRow",
    "SummaryRow",
    "load_campaign",
    "load_record",
    "parse_seeds",
    "plan_flights",
    "results_document",
    "run_flights",
    "save_record",
    "summarise",
    "wilson_interval",
    "write_results",
]
