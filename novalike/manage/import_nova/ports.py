"""Tells Neutron of servers' ports what novalike will want to know of them: see novalike/network/neutron_memory.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from novalike.manage.import_nova.plan import Left, Plan
from novalike.manage.import_nova.target import Target
from novalike.network.neutron_memory import Adoption
from novalike.objects.network_info import Vif

_UNTOLD = "of which Neutron was not told, so that they stay when their servers go: [keystone_authtoken] names no account, or --skip-ports was given"


def take(servers: Iterable[tuple[str, Sequence[Vif]]], target: Target, plan: Plan, adoption: Adoption | None) -> None:
    """Tell Neutron of the ports of these servers (uuid and ports)."""
    account = plan.of("ports in Neutron")
    for _uuid, vifs in servers:
        if not vifs:
            continue
        if adoption is None:
            account.leave("", Left(_UNTOLD), count=len(vifs))
            continue
        missing = () if target.dry_run else adoption.adopt(vifs)
        account.new += len(vifs) - len(missing)
        for port in missing:
            account.leave(port, Left("which Neutron does not have"))
