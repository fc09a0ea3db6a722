"""Which topic of a bag plays which role, or why a bag is of no use without it."""

from collections.abc import Collection, Mapping

from liquid_control.bags.bag import Bag
from liquid_control.bags.topics.map import Finding, TopicMap
from liquid_control.bags.topics.roles import Role
from liquid_control.bags.topics.rules import TopicRules
from liquid_control.bags.topics.search import find_roles
from liquid_control.errors import BagError


def resolve(bag: Bag, rules: TopicRules, needed: Collection[str] = (Role.CAMERA,)) -> TopicMap:
    """Find the topics of a flight.

    Args:
        bag: what is there.
        rules: what to look for.
        needed: roles without which the bag is of no use; a command before the guard does for one
            after it, and the other way round.

    Raises:
        BagError: a role that is needed has no topic, several topics could be a camera or IMU, or
            a flag names a topic that is not there or is of another type.
    """
    findings = find_roles(bag.topics, rules)
    if problem := obstacle(findings, rules, needed):
        raise BagError(f"{bag.path}: {problem}")
    return TopicMap({r: f.source for r, f in findings.items() if f.source is not None})


def obstacle(findings: Mapping[Role, Finding], rules: TopicRules, needed: Collection[str]) -> str:
    """Return what `resolve` would refuse, in a line; empty where it would not."""
    wanted = {Role(role) for role in needed}
    for role, finding in findings.items():
        undecided = len(finding.choices) > 1 and role in (Role.CAMERA, Role.IMU)
        missed = role in wanted and not _other(findings, role)
        matters = undecided or missed or role in rules.flags
        if finding.source is None and matters and finding.problem:
            return finding.problem
    return ""


def _other(findings: Mapping[Role, Finding], role: Role) -> bool:
    pair = {Role.COMMAND: Role.POLICY_COMMAND, Role.POLICY_COMMAND: Role.COMMAND}
    other = findings.get(pair.get(role, role))
    return other is not None and other.source is not None
