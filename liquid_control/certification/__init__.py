"""Certificates of the wired CfC and of its closed loop, and checkers.

`certify` proves claims in outward-rounded intervals, `write_certificate` puts them beside a model,
and `check_certificate` derives them again in exact integers without the code of the prover.
`certify_closed_loop`, `write_closed_loop` and `check_closed_loop` do so for tubes of flights.
"""

from liquid_control.certification.cell import CertifiedCell, Region
from liquid_control.certification.certificate import LONGEST_S, Proof, certify, write_certificate
from liquid_control.certification.checker import check_certificate
from liquid_control.certification.closed_loop import (
    CLOSED_LOOP,
    LoopFlights,
    TubePlan,
    certify_closed_loop,
    fly_domain,
    read_tube,
    write_closed_loop,
)
from liquid_control.certification.closed_loop_checker import check_closed_loop
from liquid_control.certification.fading_memory import Contraction, Trap, find_trap
from liquid_control.certification.falsification import falsify, fly_held_out
from liquid_control.certification.intervals import Interval
from liquid_control.certification.report import (
    certificate_lines,
    certified_lines,
    closed_loop_lines,
    falsified_lines,
)
from liquid_control.certification.search import Found, search
from liquid_control.certification.sensitivity import Sensitivity, local_region, sensitivity
from liquid_control.certification.state_bounds import Effort, invariant_box
from liquid_control.policy import CERTIFICATE

__all__ = [
    "CERTIFICATE",
    "CLOSED_LOOP",
    "LONGEST_S",
    "CertifiedCell",
    "Contraction",
    "Effort",
    "Found",
    "Interval",
    "LoopFlights",
    "Proof",
    "Region",
    "Sensitivity",
    "Trap",
    "TubePlan",
    "certificate_lines",
    "certified_lines",
    "certify",
    "certify_closed_loop",
    "check_certificate",
    "check_closed_loop",
    "closed_loop_lines",
    "falsified_lines",
    "falsify",
    "find_trap",
    "fly_domain",
    "fly_held_out",
    "invariant_box",
    "local_region",
    "read_tube",
    "search",
    "sensitivity",
    "write_certificate",
    "write_closed_loop",
]
