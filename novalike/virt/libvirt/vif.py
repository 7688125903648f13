"""Where a server's ports are plugged in on this host."""

from __future__ import annotations

from novalike.exception import BuildFailed, NovalikeError
from novalike.objects.network_info import Vif
from novalike.privileged import links


def plug(vifs: tuple[Vif, ...]) -> None:
    """Make sure that the bridge of every port exists; libvirt makes the taps. Raises BuildFailed.

    The network agent owns the bridges and gives them addresses. It may only hear of a network when this server is its
    first one here: then the bridge is made now, and the agent finds it.
    """
    for vif in vifs:
        if vif.vif_type != "bridge":
            raise BuildFailed(f"Port {vif.port_id} of type {vif.vif_type} cannot be plugged in on this hypervisor.")
        if not vif.bridge or not vif.tap:
            raise BuildFailed(f"Port {vif.port_id} names no bridge to plug it into.")
        if not links.is_bridge(vif.bridge):
            try:
                links.ensure_bridge(vif.bridge, mtu=vif.mtu)
            except NovalikeError as error:
                raise BuildFailed(f"The network of port {vif.port_id} could not be set up.", details=error.details or str(error)) from error


def unplug(vifs: tuple[Vif, ...]) -> None:
    """Remove taps which outlived their guest (libvirtd was killed while it stopped one). Fine when there are none."""
    for vif in vifs:
        if vif.tap:
            links.delete(vif.tap)


def leftovers(vifs: tuple[Vif, ...]) -> tuple[str, ...]:
    """Answer the taps which still exist."""
    return tuple(vif.tap for vif in vifs if vif.tap and links.exists(vif.tap))
