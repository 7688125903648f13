"""Makes managers and the clients they need, from a configuration: the only place which knows all constructors.

What several daemons of one process share (transport, databases, local services) is made once, at first use.
"""

from __future__ import annotations

import functools
import gc
import importlib
import importlib.util
import logging
import os
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from oslo_config import cfg

from novalike import policies, service
from novalike.api.operations.doorbell import Doorbell
from novalike.clock import Clock
from novalike.conf.listening import APIS
from novalike.rpc import conductor as conductor_rpc
from novalike.rpc import engine, transport

LOG = logging.getLogger(__name__)

#: Drivers that come with us; others are found by the entry point novalike.virt_drivers.
DRIVERS = {"fake": "novalike.virt.fake:FakeDriver", "libvirt": "novalike.virt.libvirt.driver:LibvirtDriver"}


class Wiring:
    """One process's daemons and what they share."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.conf = conf
        self.clock = Clock()
        self.compute = functools.cache(self._compute)    # (interface, host) -> client
        self._rings: dict[str, int] = {}         # hosts to be rung, with their revisions

    # ---- shared

    @cached_property
    def transport(self) -> transport.Transport:
        """What carries RPC."""
        return transport.build(self.conf)

    @cached_property
    def cells(self) -> Any:
        """The databases. Daemons of a hypervisor never ask for them."""
        from novalike.db import connections  # SQLAlchemy, which hypervisors do without

        return connections.open_cells(self.conf)

    @cached_property
    def doorbell(self) -> Doorbell:
        """Sends messages which may be lost, from a thread of its own. A part: it must be started."""
        tasks = engine.client(conductor_rpc.Tasks, self.transport)
        return Doorbell(lambda ctxt, task_ids: tasks.wake(ctxt, task_ids=task_ids))

    @cached_property
    def notifier(self) -> Any:
        """Tells other services what happens, if the configuration names a driver. A part: stopping it sends what is queued."""
        from novalike.notifications import oslo

        return oslo.build(self.conf, self.clock)

    @cached_property
    def sessions(self) -> Any:
        """The identity.sessions.Sessions with real services."""
        from novalike.identity.sessions import Sessions

        return Sessions(self.conf)

    @cached_property
    def is_remote(self) -> bool:
        """Whether identity, image and network are a real OpenStack's."""
        from novalike.identity.sessions import is_remote

        return is_remote(self.conf)

    @cached_property
    def local(self) -> dict[str, Any]:
        """The local services of this process by name; empty beside a real OpenStack."""
        if self.is_remote:
            return {}
        from novalike.identity.local.service import LocalIdentity
        from novalike.image.local.service import LocalImages
        from novalike.network.local.service import LocalNetworks

        return {
            "network": LocalNetworks(self.conf, self.cells, self.clock, ring=self._ring),
            "identity": LocalIdentity(self.conf, self.cells, self.clock), "image": LocalImages(self.conf, self.cells, self.clock),
        }

    @cached_property
    def identity(self) -> Any:
        """The identity.client.IdentityClient."""
        if self.is_remote:
            from novalike.identity.keystone import KeystoneIdentityClient

            return KeystoneIdentityClient(self.sessions.of("keystone"), self.conf.keystone)
        from novalike.identity.local.client import LocalIdentityClient

        return LocalIdentityClient(self.cells)

    @cached_property
    def images(self) -> Any:
        """The image.client.ImageClient."""
        if self.is_remote:
            from novalike.image.glance import GlanceImageClient

            return GlanceImageClient(self.sessions.of("glance"), self.conf.glance)
        from novalike.image.local.client import LocalImageClient

        return LocalImageClient(self.local["image"])

    @cached_property
    def networks(self) -> Any:
        """The network.client.NetworkClient."""
        if not self.is_remote:
            return self.local["network"].client
        from novalike.network import neutron

        return neutron.NeutronClient(neutron.connect(self.sessions.of("neutron"), self.conf.neutron))

    @cached_property
    def volumes(self) -> Any:
        """The volume.client.VolumeClient which [volume]client names. Raises cfg.Error when there is none of that name."""
        from importlib import metadata

        from novalike.volume.client import NoVolumes

        name = self.conf.volume.client
        if not name:
            return NoVolumes()
        module, colon, attribute = name.partition(":")
        if colon:
            return getattr(importlib.import_module(module), attribute)(self.conf)
        found = next(iter(metadata.entry_points(group="novalike.volume_clients", name=name)), None)
        if found is None:
            raise cfg.Error(f"There is no [volume]client {name!r}")
        return found.load()(self.conf)

    def _compute(self, interface: type, host: str) -> Any:
        return engine.client(interface, self.transport, server=host)

    def _ring(self, host: str, revision: int) -> None:
        waits = self._rings.get(host)
        # 0 says that what has no revision changed, and must not be hidden by a revision which the agent may know already.
        self._rings[host] = revision if waits is None else min(revision, waits) and max(revision, waits)
        if waits is None:                            # else the message which waits to be sent says it too
            self.doorbell.post(lambda: self._ring_agent(host))

    def _ring_agent(self, host: str) -> None:
        from novalike.context import service_context
        from novalike.exception import Unavailable
        from novalike.rpc.network import NetworkAgent

        revision = self._rings.pop(host, 0)
        try:
            self.compute(NetworkAgent, host).ring(service_context(), revision=revision)
        except Unavailable as error:
            # Pretended hypervisors have no agent, and one which starts looks at everything anyway.
            LOG.debug("the network agent of %s was not rung: %s %s", host, error, error.details)

    # ---- daemons

    def api_services(self) -> Any:
        """Answer what API handlers are given."""
        from novalike.api.services import ApiServices
        from novalike.policy import Enforcer

        return ApiServices(
            conf=self.conf, clock=self.clock, cells=self.cells, enforcer=Enforcer(self.conf, policies.list_rules()),
            doorbell=self.doorbell, compute=self.compute, identity=self.identity, images=self.images, networks=self.networks,
            volumes=self.volumes, local=self.local, notifier=self.notifier,
        )

    def http(self, application: str, host: str, port: int, services: Any) -> service.Part:
        """Answer the HTTP server of one application of the paste file."""
        from novalike import etcfiles
        from novalike.api.http import composition, server

        made = composition.load(etcfiles.find(self.conf.wsgi.api_paste_config), application, services)
        # What is loaded by now stays. Left to itself the collector would look through all of it several times for one list
        # of a thousand servers, which doubles the list's CPU (measured: 92-112 ms against 49 ms).
        gc.freeze()
        collect_seldom()
        return server.HttpServer(made, host, port, server.limits(self.conf), name=application)

    def apis(self, names: list[str]) -> Iterator[service.Part]:
        """Answer the parts of a process which serves these APIs, each on its own port."""
        unknown = [name for name in names if name not in APIS]
        if unknown:
            raise cfg.Error(f"enabled_apis names unknown APIs: {', '.join(unknown)}")
        services = self.api_services()
        yield self.doorbell
        yield self.notifier
        for name in names:
            application, _port, what = APIS[name]
            if application in ("identity", "image", "network") and application not in self.local:
                LOG.info("The %s service is remote: its API is not served here", what)
                continue
            yield from self.chores(application)
            yield self.http(application, self.conf[f"{name}_listen"], self.conf[f"{name}_listen_port"], services)

    def chores(self, name: str) -> list[service.Part]:
        """Answer what a local service repeats; empty for one without such work."""
        periodics = getattr(self.local.get(name), "periodics", ())
        return [service.Chores(name, periodics, grace=self.conf.graceful_shutdown_timeout)] if periodics else []

    def conductor(self) -> service.Part:
        """Answer the conductor of this process's cell."""
        from novalike.conductor.manager import ConductorManager, owner_name
        from novalike.conductor.world import World
        from novalike.db import keys
        from novalike.rpc.scheduler import Scheduler
        from novalike.vault import Vault

        world = World(
            conf=self.conf, clock=self.clock, cells=self.cells, scheduler=engine.client(Scheduler, self.transport),
            compute=self.compute, networks=self.networks, images=self.images, volumes=self.volumes,
            vault=Vault(keys.key(self.cells.shared, Vault.NAME)), owner=owner_name(self.conf.host),
            lease_time=self.conf.conductor.lease_time, notifier=self.notifier,
        )
        return self._with_database(ConductorManager(world))

    def control(self) -> list[service.Part]:
        """Answer the parts of a process which is a conductor."""
        return [self.doorbell, self.notifier, self.conductor(), *self.recovery()]

    def recovery(self) -> list[service.Part]:
        """Answer what is done beside the conductor when hosts of the local network service are lost."""
        if self.is_remote:
            return []
        return [service.Chores("network", self.local["network"].recovery, grace=self.conf.graceful_shutdown_timeout)]

    def scheduler(self) -> service.Part:
        """Answer the scheduler."""
        from novalike.scheduler.manager import SchedulerManager

        return self._with_database(SchedulerManager(self.conf, self.cells, self.clock))

    def hypervisor(self, conf: cfg.ConfigOpts | None = None) -> service.Part:
        """Answer the compute daemon of this host, or of the one which another configuration names."""
        from novalike.compute.manager import ComputeManager

        conf = conf or self.conf
        grace = conf.graceful_shutdown_timeout
        manager = ComputeManager(
            conf, self.clock, driver(conf, self.clock), engine.client(conductor_rpc.Tasks, self.transport),
            engine.client(conductor_rpc.HostReports, self.transport), conf.state_path, stop_timeout=grace / 2,
            image_headers=self.sessions.token_headers("glance"),
        )
        return service.Daemon(manager, self.transport, host=conf.host, grace=grace)

    def console_proxy(self, sort: str) -> service.Part:
        """Answer a console proxy: novncproxy, serialproxy or spicehtml5proxy."""
        from novalike.console.manager import ConsoleProxyManager
        from novalike.context import service_context
        from novalike.db import console_tokens
        from novalike.rpc.compute import Console

        def route(token: Any) -> Any:
            host = self.compute(Console, token.host)
            return host.open_console(service_context(), instance_uuid=token.instance_uuid, console_type=token.console_type)
        store = console_tokens.TokenStore(self.cells, end_with_token=self.conf.consoleauth.enforce_session_timeout)
        return service.Daemon(ConsoleProxyManager(self.conf, sort, store, route), host=self.conf.host)

    def network_agent(self) -> service.Part:
        """Answer the network agent of this host."""
        from novalike.agents.network.manager import NetworkAgentManager

        conductor = engine.client(conductor_rpc.DesiredState, self.transport)
        manager = NetworkAgentManager(self.conf, self.clock, conductor, self.conf.host)
        return service.Daemon(manager, self.transport, host=self.conf.host, grace=self.conf.graceful_shutdown_timeout)

    def _with_database(self, manager: Any) -> service.Daemon:
        """A daemon which stores its own heartbeat, in every cell it looks at."""
        from novalike.db import hosts

        def beat() -> None:
            for database in self.cells:
                database.write(hosts.report_service, host=self.conf.host, binary=manager.binary, topic=manager.topic)

        return service.Daemon(
            manager, self.transport, host=self.conf.host, heartbeat=beat, report_interval=self.conf.report_interval,
            grace=self.conf.graceful_shutdown_timeout,
        )


def collect_seldom() -> None:
    """Let the garbage collector begin less often than Python's defaults have it, which suit a program without much to keep."""
    gc.set_threshold(50_000, 20, 50)


def driver(conf: cfg.ConfigOpts, clock: Clock) -> Any:
    """Load the hypervisor driver which `compute_driver` names (Nova's spelling `libvirt.LibvirtDriver` is understood).

    Raises cfg.Error when there is none of that name.
    """
    name = conf.compute_driver.partition(".")[0]
    if name in DRIVERS:
        module, _, attribute = DRIVERS[name].partition(":")
        return getattr(importlib.import_module(module), attribute)(conf, clock)
    from importlib import metadata

    found = next(iter(metadata.entry_points(group="novalike.virt_drivers", name=name)), None)
    if found is None:
        raise cfg.Error(f"There is no compute_driver {conf.compute_driver!r}")
    return found.load()(conf, clock)


def libvirt_is_here(socket_path: str = "/var/run/libvirt/libvirt-sock") -> bool:
    """Tell whether guests can be run by libvirt on this machine."""
    return os.path.exists(socket_path) and importlib.util.find_spec("libvirt") is not None
