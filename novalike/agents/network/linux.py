"""Makes networks true on a Linux host: the order in which its parts are made and removed."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Collection

from oslo_config import cfg

from novalike.agents.network import names
from novalike.agents.network.bridges import Bridges
from novalike.agents.network.desired import Desired, frame
from novalike.agents.network.dhcp import Dhcp
from novalike.agents.network.firewall import Firewall
from novalike.agents.network.lease import RouterLease
from novalike.agents.network.metadata import AskElsewhere, MetadataProxies
from novalike.agents.network.outside import Outside
from novalike.agents.network.ownership import Ownership, Survey
from novalike.agents.network.routers import Routers, outside
from novalike.clock import Clock
from novalike.exception import NovalikeError
from novalike.objects.network_state import DesiredNetwork
from novalike.objects.secret import Secret
from novalike.privileged import links, namespaces, nft

LOG = logging.getLogger(__name__)


class LinuxHost:
    """Bridges, namespaces, dnsmasq, nftables and metadata listeners of one host. Needs root.

    Everything is compared with what is really there, and only what differs is changed. What a network needs whether it has
    one guest or hundreds is looked at when it is new or `thorough` is asked for; a port's change costs no look at it.
    Only what is this agent's own (see ownership) is ever changed or removed.
    A network without guests stays for a while: the next one finds it ready, and nobody builds on what is being removed.
    """

    def __init__(self, conf: cfg.ConfigOpts, clock: Clock, desired: Desired, ask_elsewhere: AskElsewhere) -> None:
        settings = conf.network
        self._clock = clock
        self._desired = desired
        self._linger = settings.linger
        self._ownership = Ownership(
            owner=settings.agent_owner, state_path=settings.agent_state_path, prefix=settings.namespace_prefix,
        )
        self._bridges = Bridges(
            self._ownership, prefix=settings.namespace_prefix, transit=settings.transit_range, outside=settings.nat,
            host_access=settings.host_access, local_ip=settings.local_ip, vxlan_port=settings.vxlan_port,
            interfaces=settings.physical_interfaces,
        )
        self._dhcp = Dhcp(
            self._ownership, domain=settings.dhcp_domain, lease_time=settings.dhcp_lease_time, dns_servers=settings.dns_servers,
        )
        self._outside = Outside(
            self._ownership, transit=settings.transit_range, nat=settings.nat, host_access=settings.host_access,
        )
        self._firewall = Firewall(self._ownership.owner)
        self._metadata = MetadataProxies(
            host=settings.metadata_host, port=settings.metadata_port, path=settings.metadata_path,
            secret=Secret(conf.neutron.metadata_proxy_shared_secret), find_port=desired.port_at,
            ask_elsewhere=ask_elsewhere,
        )
        self._routers = Routers(self._ownership, self._bridges, self._metadata, prefix=settings.namespace_prefix)
        self._lease = RouterLease(self._ownership.owner)
        self._patience = int(conf.service_down_time)
        self._entitled = False                       # whether what this host may not run any more is gone
        self._made: dict[str, DesiredNetwork] = {}   # frames which are known to be there
        self._unused: dict[str, float] = {}          # networks without guests, and since when
        self._surveyed = Survey(own=frozenset(), others={}, unknown={})
        self._old_tables = True                      # whether there may be tables of the time before owners
        self._told: set[str] = set()                 # unknown interfaces and namespaces of which it was said that they stay

    def survey(self) -> None:
        """Note what is there. What is found *before* the desired state is read, and is not in that, may be removed; what
        appears in between is somebody's who knows more than we do (a build whose host makes its bridge first)."""
        self._surveyed = self._ownership.survey()

    def apply(self, changed: Collection[str], gone: Collection[str], *, thorough: bool = False) -> bool:
        """Make the changed networks and routers true and let those networks gone idle; with `thorough` compare the whole host with what it should
        be, and remove what was surveyed and is nobody's. Answers False when something failed: it was logged, and is to be
        tried again."""
        wanted = list(self._desired.networks.values())
        # First of all: what another host may run by now must not be heard here any more.
        done = self._leave_routers(gone, thorough)
        done &= self._try("port security", self._secure, wanted, thorough)
        if thorough and wanted:
            done &= self._try("address translation", self._outside.ensure_host)
        for network_id in gone:
            if network_id in self._made:
                done &= self._try(f"network {network_id}", self._idle, network_id)
        for network in wanted:
            self._unused.pop(network.id, None)
            if thorough or network.id in changed:
                done &= self._try(f"network {network.id}", self._network, network, thorough)
        done &= self._route(changed, thorough)
        if thorough and wanted:
            done &= self._try("guests' taps", self._bridges.take_in, wanted)
        if thorough:
            done &= self._try("leftovers", self._clean)
        return done

    def lost(self) -> bool:
        """Tell whether anything that was made is not there any more. Meant to be asked often: it costs a few milliseconds."""
        made = [network for network in self._made.values() if network.id not in self._unused]
        routed = self._routers.made_all()
        devices = {device for network in made for device in self._bridges.devices(network)}
        devices |= {outside(leg) for router in routed for leg in router.legs}
        spaces = [self._bridges.namespace(network.id) for network in made] + [self._routers.namespace(router.id) for router in routed]
        missing = sorted(devices - links.names()) + [name for name in spaces if not namespaces.exists(name)]
        missing += [f"the DHCP server of network {network.id}" for network in made if self._dhcp.lost(network)]
        if made:
            missing += [f"table {family} {name}" for family, name in sorted(self._firewall.tables() - nft.tables())]
        if missing:
            LOG.warning("gone without this agent's doing: %s", ", ".join(missing))
        return bool(missing)

    def renew(self) -> None:
        """Say that the agent lives: without that, routers which other hosts could have are silent after `service_down_time`."""
        if not self._entitled:
            return
        legs = [outside(leg) for router in self._routers.made_all() for leg in router.legs] if self._desired.others else []
        self._try("the routers' lease", self._lease.renew, legs, self._patience)

    def _leave_routers(self, gone: Collection[str], thorough: bool) -> bool:
        done = True
        for router_id in gone:
            if self._routers.made(router_id):
                done &= self._try(f"router {router_id}", self._routers.remove, router_id)
        if thorough:
            done &= self._try("leftovers of routers", self._routers.clean, list(self._desired.routers.values()))
            self._entitled |= done
        return done

    def _route(self, changed: Collection[str], thorough: bool) -> bool:
        done = True
        wanted = list(self._desired.routers.values())
        looked_at = [router for router in wanted if thorough or router.id in changed]
        done &= self._try("routers' addresses", self._routers.yield_addresses, looked_at)
        for router in looked_at:
            done &= self._try(f"router {router.id}", self._routers.ensure, router)
        if looked_at:
            self.renew()
        return done

    def _secure(self, wanted: Collection[DesiredNetwork], thorough: bool) -> None:
        started = self._clock.monotonic()
        if self._firewall.ensure(wanted, self._desired.groups, self._desired.members, thorough=thorough):
            LOG.info("port security changed in %.3f s", self._clock.monotonic() - started)

    def _try(self, what: str, function: Callable[..., object], *args: object, **kwargs: object) -> bool:
        try:
            return function(*args, **kwargs) is not False
        except NovalikeError as error:
            LOG.warning("%s could not be made as it should be and is tried again: %s %s", what, error, error.details)
        except Exception:
            LOG.exception("%s could not be made as it should be and is tried again", what)
        return False

    def _network(self, network: DesiredNetwork, thorough: bool) -> None:
        namespace = self._bridges.namespace(network.id)
        fresh = False
        if thorough or self._made.get(network.id) != frame(network):
            if not self._made:
                self._outside.ensure_host()
            self._made.pop(network.id, None)
            self._make_way(network)
            fresh = self._bridges.ensure(network)
            self._firewall.track(network.bridge)
            self._outside.ensure_namespace(network, namespace)
        self._dhcp.ensure(network, namespace, restart=fresh)
        self._metadata.ensure(network.id, namespace, reopen=fresh)
        self._made[network.id] = frame(network)

    def _make_way(self, network: DesiredNetwork) -> None:
        """Give up the host's routes to networks which only linger, where they lead to addresses of this one."""
        ranges = [ipaddress.ip_network(subnet.cidr) for subnet in network.subnets]
        for other_id in self._unused.keys() & self._made.keys():
            others = [ipaddress.ip_network(subnet.cidr) for subnet in self._made[other_id].subnets]
            if any(one.version == other.version and one.overlaps(other) for one in ranges for other in others):
                self._bridges.unroute(other_id)
                del self._made[other_id]             # to be made whole when it is back

    def _idle(self, network_id: str) -> None:
        self._unused[network_id] = self._clock.monotonic()
        made = self._made.get(network_id)
        if made is not None:
            self._dhcp.ensure(made, self._bridges.namespace(network_id))    # ends the leases of its last guests

    def _clean(self) -> bool:
        """Remove what was found and belongs to no network of this host, or to one that has been unused for long enough."""
        expired = {n for n, since in self._unused.items() if self._clock.monotonic() - since >= self._linger}
        kept = {names.short(network_id) for network_id in self._desired.networks.keys() | (self._unused.keys() - expired)}
        done = True
        for network_id in expired:
            self._metadata.remove(network_id)
            self._made.pop(network_id, None)
            del self._unused[network_id]
        for short in sorted(self._surveyed.own - kept):
            done &= self._remove(short)
        if not kept:
            self._outside.remove_host()
            self._firewall.remove()
        self._tell({name for short, found in self._surveyed.unknown.items() if short not in kept for name in found})
        return done

    def _remove(self, short: str, *, taps: bool = False) -> bool:
        LOG.info("removing what is left of network %s...", short)
        self._dhcp.remove(short)
        if not self._bridges.remove(short, taps=taps):
            return False
        self._ownership.forget(short)                # last: until now it said that the rest is ours
        return True

    def _tell(self, unknown: set[str]) -> None:
        """Speak of what is nobody's, as long as there is any: it may be an agent's of the time before owners."""
        if unknown - self._told:
            LOG.warning("left alone, as no network agent's tag is on them: %s; remove them if nobody needs them", ", ".join(sorted(unknown)))
        self._told = unknown
        if not unknown and self._old_tables:         # nothing is left that they could be for
            self._outside.remove_ownerless()
            self._firewall.remove_ownerless()
            self._old_tables = False

    def remove(self) -> bool:
        """Remove everything that is ours from this host, taps of killed guests too, and tell what else there is. Answers False
        when something of ours stays: it was logged why. The agent must not run."""
        self.survey()
        done = self._try("routers", self._routers.clean, ())
        for short in sorted(self._surveyed.own):
            done &= self._try(f"network {short}...", self._remove, short, taps=True)
        done &= self._try("address translation", self._outside.remove_host)
        done &= self._try("port security", self._firewall.remove)
        done &= self._try("the routers' lease", self._lease.end)
        for owner, others in sorted(self._surveyed.others.items()):
            LOG.info("left alone: %d networks of network agent %s (%s)", len(others), owner, ", ".join(sorted(others)))
        self._tell({name for found in self._surveyed.unknown.values() for name in found})
        return done

    def close(self) -> None:
        """Close the metadata listeners. Everything else goes on without us."""
        self._metadata.close()


class NoHost:
    """A host of fake servers, whose networks need nothing to be true."""

    def survey(self) -> None:
        """Nothing to find."""

    def renew(self) -> None:
        """Nothing to keep."""

    def apply(self, changed: Collection[str], gone: Collection[str], *, thorough: bool = False) -> bool:
        """Nothing to do, and so always done."""
        return True

    def lost(self) -> bool:
        """Nothing to lose."""
        return False

    def close(self) -> None:
        """Nothing to close."""
