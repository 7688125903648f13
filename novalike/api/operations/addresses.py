"""Networks, fixed and floating addresses as compute's API had them: the network service has the say."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

from novalike.api.operations.create import caller_of
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import port_cache
from novalike.exception import Conflict, Invalid, NotFound
from novalike.objects.floating import FloatingAddress
from novalike.objects.instance import Instance


def get(services: ApiServices, ctxt: RequestContext, floating_id: str) -> FloatingAddress:
    """Answer a floating address. Raises NotFound, Invalid for what is no id."""
    try:
        key = str(uuid.UUID(floating_id))
    except ValueError as error:
        raise Invalid(f"Invalid ID received {floating_id[:64]}.") from error
    return services.networks.floating_ip(ctxt, key)


def allocate(services: ApiServices, ctxt: RequestContext, pool: str | None) -> FloatingAddress:
    """Allocate a floating address of a pool, by name or id, or of the only one. Raises NotFound, OverQuota."""
    pools = services.networks.floating_pools(ctxt)
    found = [network for network in pools if pool is None or pool in (network.id, network.name)]
    if not found:
        raise NotFound(f"Floating IP pool {pool} could not be found." if pool else "Floating IP pool not found.")
    if pool is not None and len(found) > 1:
        raise Conflict(f"Several floating IP pools are called {pool}.")
    return services.networks.allocate_floating(ctxt, found[0].id)


def give(services: ApiServices, ctxt: RequestContext, instance: Instance, address: str, fixed: str | None) -> None:
    """Lead one of the project's floating addresses to a server, at a fixed address of it or at its first. Raises NotFound,
    Invalid."""
    floating = _by_address(services, ctxt, address)
    if not instance.network_info:
        raise Invalid("No nw_info cache associated with instance")
    held = [(vif.port_id, ip.address) for vif in instance.network_info for ip in vif.fixed_ips if ip.version == 4]
    if not held:
        raise Invalid("Unable to associate floating IP, instance is not associated with any fixed IPs.")
    chosen = next(((port_id, text) for port_id, text in held if fixed in (None, text)), None)
    if chosen is None:
        raise Invalid("Specified fixed address not assigned to instance")
    with _as_invalid():
        services.networks.lead_floating(ctxt, floating.id, *chosen)
    refresh(services, ctxt, instance)


def take(services: ApiServices, ctxt: RequestContext, instance: Instance, address: str) -> None:
    """Let a floating address of a server lead nowhere. Raises NotFound, Conflict when it is another server's."""
    floating = _by_address(services, ctxt, address)
    if floating.server != instance.uuid:
        raise Conflict(f"Floating IP {address} is not associated with instance {instance.uuid}.")
    services.networks.lead_floating(ctxt, floating.id, None)
    refresh(services, ctxt, instance)


def add_fixed(services: ApiServices, ctxt: RequestContext, instance: Instance, network_id: str) -> None:
    """Give a server one more address on a network which it is on. Raises NotFound."""
    port_id = next((vif.port_id for vif in instance.network_info if vif.network_id == network_id), None)
    if port_id is None:
        raise NotFound(f"Network {network_id} could not be found for this instance.")
    with _as_invalid():
        services.networks.add_address(ctxt, port_id)
    refresh(services, ctxt, instance)


def remove_fixed(services: ApiServices, ctxt: RequestContext, instance: Instance, address: str) -> None:
    """Take an address from a server. Raises Invalid when it has none such."""
    port_id = next((vif.port_id for vif in instance.network_info for ip in vif.fixed_ips if ip.address == address), None)
    if port_id is None:
        raise Invalid(f"Fixed IP {address} is not associated with instance {instance.uuid}.")
    services.networks.remove_address(ctxt, port_id, address)
    refresh(services, ctxt, instance)


def refresh(services: ApiServices, ctxt: RequestContext, instance: Instance) -> None:
    """Let the server's own record of its addresses follow what the network service says."""
    current = services.networks.info(caller_of(ctxt), instance.uuid)
    services.cells.of_instance(instance.uuid).write(port_cache.refresh, instance.uuid, current)


def _by_address(services: ApiServices, ctxt: RequestContext, address: str) -> FloatingAddress:
    found = [floating for floating in services.networks.floating_ips(ctxt) if floating.address == address]
    if not found:
        raise NotFound("floating IP not found")
    return found[0]


@contextlib.contextmanager
def _as_invalid() -> Iterator[None]:
    """Nova answers 400 where the network service answers 404 or 409."""
    try:
        yield
    except (Conflict, NotFound) as error:
        raise Invalid(str(error), details=error.details) from error
