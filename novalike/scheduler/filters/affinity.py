"""Near or far from certain servers, or near an address."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HINTED_HOSTS, HostState

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Mask, Rejected


class _NearServers(Filter):
    """Asks whether one of the servers in a hint is on the host. Servers of other projects count as missing ones do."""

    hint: ClassVar[str]
    needs = frozenset({HINTED_HOSTS})

    def remedy(self, spec: RequestSpec, host: HostState) -> str | None:
        """Answer that the hint is in the way."""
        return f"without the hint {self.hint}"

    def _any_there(self, spec: RequestSpec, host: HostState) -> bool:
        return any(host.host in spec.hinted_hosts.get(uuid, ()) for uuid in servers(spec, self.hint))

    def _those_there(self, spec: RequestSpec, hosts: Columns) -> Mask:
        return hosts.named({host for uuid in servers(spec, self.hint) for host in spec.hinted_hosts.get(uuid, ())})


class SameHostFilter(_NearServers):
    """Passes hosts with one of the servers which the hint `same_host` names."""

    hint = "same_host"

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host without any of them."""
        if not servers(spec, self.hint) or self._any_there(spec, host):
            return None
        return "not the host of a server named by same_host"

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        if not servers(spec, self.hint):
            return ()
        return (("not the host of a server named by same_host", ~self._those_there(spec, hosts)),)


class DifferentHostFilter(_NearServers):
    """Passes hosts with none of the servers which the hint `different_host` names."""

    hint = "different_host"

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host with any of them."""
        return "the host of a server named by different_host" if self._any_there(spec, host) else None

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        if not servers(spec, self.hint):
            return ()
        return (("the host of a server named by different_host", self._those_there(spec, hosts)),)


class SimpleCIDRAffinityFilter(Filter):
    """Passes hosts whose address is in the network of the hints `build_near_host_ip` and `cidr` (without it: /24)."""

    def remedy(self, spec: RequestSpec, host: HostState) -> str | None:
        """Answer that the hint is in the way."""
        return "without the hint build_near_host_ip"

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host with an address elsewhere, and all when the hints make no network."""
        near = spec.hints.get("build_near_host_ip")
        if not near:
            return None
        try:
            network = ipaddress.ip_network(f"{near}{spec.hints.get('cidr') or '/24'}", strict=False)
            inside = ipaddress.ip_address(host.inventory.host_ip) in network
        except ValueError:
            return "the hints build_near_host_ip and cidr make no network"
        return None if inside else f"not in network {network}"

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer at once that nobody is rejected when nobody asks."""
        return None if spec.hints.get("build_near_host_ip") else ()


def servers(spec: RequestSpec, hint: str) -> tuple[str, ...]:
    """Answer the ids of servers which a hint names: one, or a list."""
    named = spec.hints.get(hint)
    if not named:
        return ()
    return tuple(str(one) for one in named) if isinstance(named, (list, tuple)) else (str(named),)
