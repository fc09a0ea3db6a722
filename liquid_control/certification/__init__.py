"""Certificates of the wired CfC: bounds of its commands, sensitivities and memory, and a checker.

`certify` proves claims in outward-rounded intervals, `write_certificate` puts them beside a model,
and `check_certificate` derives them again in exact integers without the code of the prover.
"""

from liquid_control.certification.cell import CertifiedCell, Region
from liquid_control.certification.certificate import LONGEST_S, Proof, certify, write_certificate
from liquid_control.certification.checker import check_certificate
from liquid_control.certification.fading_memory import Contraction, Trap, find_trap
from liquid_control.certification.intervals import Interval
from liquid_control.certification.report import certificate_lines
from liquid_control.certification.search import Found, search
from liquid_control.certification.sensitivity import Sensitivity, local_region, sensitivity
from liquid_control.certification.state_bounds import Effort, invariant_box
from liquid_control.policy import CERTIFICATE

__all__ = [
    "CERTIFICATE",
    "LONGEST_S",
    "CertifiedCell",
    "Contraction",
    "Effort",
    "Found",
    "Interval",
    "Proof",
    "Region",
    "Sensitivity",
    "Trap",
    "certificate_lines",
    "certify",
    "check_certificate",
    "find_trap",
    "invariant_box",
    "local_region",
    "search",
    "sensitivity",
    "write_certificate",
]
