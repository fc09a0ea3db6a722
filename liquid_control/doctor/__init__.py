"""Checks of the installation, and of a companion computer before a flight."""

from liquid_control.doctor.flight import FLIGHT_PROBES, check_flight
from liquid_control.doctor.machine import (
    FAILED,
    PROBES,
    CheckResult,
    CheckStatus,
    Probe,
    check_machine,
    result_row,
    run_probes,
)

__all__ = [
    "FAILED",
    "FLIGHT_PROBES",
    "PROBES",
    "CheckResult",
    "CheckStatus",
    "Probe",
    "check_flight",
    "check_machine",
    "result_row",
    "run_probes",
]
