"""Where a server's ports are plugged in on this host, by what Neutron says of each (`vif_type`, `details`).

Whatever outlives its guest is made here: taps, the bridge between a port's filters and Open vSwitch (hybrid plug), ports of Open
vSwitch. So an agent of Neutron's finds a port and can wire it before its guest starts.
"""

from __future__ import annotations

from oslo_config import cfg

from novalike.exception import BuildFailed, NovalikeError
from novalike.objects.network_info import Vif
from novalike.privileged import links, openvswitch
from novalike.virt.libvirt.xml.interface import Interface

_DEAD_VLAN = "4095"


class Ports:
    """Plugs ports in and out."""

    def __init__(self, options: cfg.ConfigOpts.GroupAttr) -> None:
        """`options` is [os_vif_ovs]."""
        self._database, self._timeout, self._isolate = options.ovsdb_connection, options.ovs_vsctl_timeout, options.isolate_vif

    def plug(self, instance_uuid: str, vifs: tuple[Vif, ...]) -> None:
        """Make sure that everything is there into which the guest plugs its NICs. Raises BuildFailed."""
        for vif in vifs:
            interface(vif, "virtio")                     # says what is wrong with it
            try:
                self._plug(instance_uuid, vif)
            except BuildFailed:
                raise
            except NovalikeError as error:
                raise BuildFailed(f"The network of port {vif.port_id} could not be set up.", details=error.details or str(error)) from error

    def _plug(self, instance_uuid: str, vif: Vif) -> None:
        tap = vif.tap or ""
        match vif.vif_type:
            case "bridge":
                # The network agent owns the bridges and gives them addresses. It may only hear of a network when this server is
                # its first one here: then the bridge is made now, and the agent finds it.
                if not links.is_bridge(vif.bridge or ""):
                    links.ensure_bridge(vif.bridge or "", mtu=vif.mtu)
            case "ovs" if is_hybrid(vif):
                bridge, inner, outer = _hybrid_names(vif)
                links.ensure_bridge(bridge, mtu=vif.mtu)
                links.ensure_pair(inner, outer, mtu=vif.mtu)
                links.set_up(inner, master=bridge)
                self._add(instance_uuid, vif, outer)
            case "ovs":
                links.ensure_tap(tap, mtu=vif.mtu)
                self._add(instance_uuid, vif, tap)
            case "vhostuser" if _is(vif, "vhostuser_ovs_plug"):
                self._add(instance_uuid, vif, vhost_name(vif), _vhost_columns(vif))
            case "tap":
                links.ensure_tap(tap, mtu=vif.mtu, mac=vif.details.get("mac_address"))
            case "macvtap":
                source, parent = vif.details["macvtap_source"], vif.details["physical_interface"]
                if "vlan" in vif.details:
                    links.ensure_vlan(source, parent, int(vif.details["vlan"]))
                else:
                    links.set_up(source)

    def _add(self, instance_uuid: str, vif: Vif, name: str, more: dict[str, str] | None = None) -> None:
        """Put an interface into Open vSwitch, with what its agents look for."""
        facts = {"iface-id": vif.port_id, "iface-status": "active", "attached-mac": vif.mac, "vm-uuid": instance_uuid}
        dead = {"tag": _DEAD_VLAN, "vlan_mode": "trunk", "trunks": _DEAD_VLAN} if self._isolate else None
        openvswitch.add_port(
            vif.bridge or "", name, {**{f"external_ids:{key}": value for key, value in facts.items()}, **(more or {})}, port=dead,
            datapath=vif.details.get("datapath_type", ""), database=self._database, timeout=self._timeout,
        )

    def unplug(self, vifs: tuple[Vif, ...]) -> None:
        """Remove what was plugged in, and taps which outlived their guest (libvirtd was killed while it stopped one). Fine when
        there is nothing. Raises NovalikeError."""
        for vif in vifs:
            in_switch = _in_switch(vif)
            if in_switch:
                openvswitch.delete_port(in_switch, database=self._database, timeout=self._timeout)
            for name in _links(vif):
                links.delete(name)

    def leftovers(self, vifs: tuple[Vif, ...]) -> tuple[str, ...]:
        """Answer the taps and bridges of ports which still exist, and their ports in Open vSwitch."""
        there = [name for vif in vifs for name in _links(vif) if links.exists(name)]
        for vif in vifs:
            name = _in_switch(vif)
            if name and name not in there and openvswitch.has_port(name, database=self._database, timeout=self._timeout):
                there.append(name)
        return tuple(there)


def interface(vif: Vif, model: str, *, alias: str = "", bandwidth: tuple[tuple[str, int], ...] = ()) -> Interface:
    """Answer a port as a device of a guest, of this model. Raises BuildFailed with what Neutron's answer lacks."""
    device = Interface(type="ethernet", mac=vif.mac, model=model, tap=vif.tap, mtu=vif.mtu, alias=alias, bandwidth=bandwidth)
    match vif.vif_type:
        case "bridge":
            _need(vif, "bridge and tap", vif.bridge and vif.tap)
            return device.like(type="bridge", source={"bridge": vif.bridge})
        case "ovs":
            _need(vif, "bridge and tap", vif.bridge and vif.tap)
            return device.like(type="bridge", source={"bridge": _hybrid_names(vif)[0]}) if is_hybrid(vif) else device.like(kept=True)
        case "tap":
            _need(vif, "tap", vif.tap)
            return device.like(kept=True)
        case "macvtap":
            mode = vif.details.get("macvtap_mode")
            _need(vif, "macvtap_source, macvtap_mode and physical_interface", vif.details.get("macvtap_source") and mode and vif.details.get("physical_interface"))
            # libvirt chooses its name: Neutron's agent looks for interfaces whose names begin with macvtap.
            return device.like(type="direct", source={"dev": vif.details["macvtap_source"], "mode": mode}, tap=None, mtu=None)
        case "vhostuser":
            _need(vif, "vhostuser_socket", vif.details.get("vhostuser_socket"))
            source = {"type": "unix", "path": vif.details["vhostuser_socket"], "mode": vif.details.get("vhostuser_mode", "server")}
            return device.like(type="vhostuser", model="virtio", source=source, tap=None, bandwidth=())
        case "binding_failed" | "unbound":
            raise BuildFailed(f"Binding failed for port {vif.port_id}, please check neutron logs for more information.")
    raise BuildFailed(f"Port {vif.port_id} of type {vif.vif_type} cannot be plugged in on this hypervisor.")


def is_hybrid(vif: Vif) -> bool:
    """Answer whether filters of a port in Open vSwitch sit on a Linux bridge before it."""
    return vif.vif_type == "ovs" and _is(vif, "ovs_hybrid_plug")


def vhost_name(vif: Vif) -> str:
    """Answer the name in Open vSwitch of a port which is a socket."""
    return f"vhu{vif.port_id[:11]}"


def _hybrid_names(vif: Vif) -> tuple[str, str, str]:
    """The bridge, and the two ends of its wire to Open vSwitch."""
    short = vif.port_id[:11]
    return f"qbr{short}", f"qvb{short}", f"qvo{short}"


def _vhost_columns(vif: Vif) -> dict[str, str]:
    # Whoever is not the socket's server connects to it: the switch makes it where the guest is the client.
    if vif.details.get("vhostuser_mode") == "client":
        return {"type": "dpdkvhostuser"}
    return {"type": "dpdkvhostuserclient", "options:vhost-server-path": vif.details["vhostuser_socket"]}


def _in_switch(vif: Vif) -> str:
    """The port's name in Open vSwitch; empty for others."""
    if vif.vif_type == "vhostuser" and _is(vif, "vhostuser_ovs_plug"):
        return vhost_name(vif)
    if vif.vif_type != "ovs":
        return ""
    return _hybrid_names(vif)[2] if is_hybrid(vif) else vif.tap or ""


def _links(vif: Vif) -> tuple[str, ...]:
    """Interfaces of the host which are this port's alone."""
    if vif.vif_type in ("bridge", "ovs", "tap") and vif.tap:
        return (vif.tap, *(reversed(_hybrid_names(vif)) if is_hybrid(vif) else ()))
    return ()


def _is(vif: Vif, detail: str) -> bool:
    return vif.details.get(detail, "").lower() == "true"


def _need(vif: Vif, what: str, given: object) -> None:
    if not given:
        raise BuildFailed(f"Port {vif.port_id} of type {vif.vif_type} lacks its {what}.")
