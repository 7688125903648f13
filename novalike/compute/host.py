"""What the endpoints and the periodic work of one compute host share."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from novalike.clock import Clock
from novalike.compute.ledger import Ledger
from novalike.compute.orders import Orders
from novalike.compute.reporter import Reporter
from novalike.exception import NotFound
from novalike.objects.image import ImageSource, ImageTarget
from novalike.objects.instance import Instance
from novalike.objects.tasks import Outcome
from novalike.rpc.conductor import HostReports
from novalike.virt.driver import Driver
from novalike.workers import Workers

LOG = logging.getLogger(__name__)

Place = TypeVar("Place", ImageSource, ImageTarget, ImageSource | None)

#: "No limit", for a pool of threads.
ANY_NUMBER = 1000


class ComputeHost:
    """Driver, clients, ledger and threads of one host, and what it last told of each guest's power."""

    def __init__(
        self, conf: Any, clock: Clock, driver: Driver, reports: HostReports, ledger: Ledger, reporter: Reporter, *,
        image_headers: Callable[[], dict[str, str]] | None = None,
    ) -> None:
        self.conf = conf
        self.name: str = conf.host
        self.clock = clock
        self.driver = driver
        self.reports = reports
        self.ledger = ledger
        self.reporter = reporter
        self.builders = Workers("build", conf.max_concurrent_builds or ANY_NUMBER)
        self.workers = Workers("order", conf.default_thread_pool_size)
        self.fetchers = Workers("image", conf.image_cache.precache_concurrency)
        self.copiers = Workers("snapshot", conf.max_concurrent_snapshots or ANY_NUMBER)
        self.orders = Orders(
            self.name, clock, ledger, reporter, on_end=self._ended, power_state=self.power_state,
        )
        self._image_headers = image_headers
        self.told: dict[str, int] = {}           # instance uuid -> power state the conductor knows
        self._registered = threading.Event()
        self._on_change: list[Callable[[], None]] = []

    def on_change(self, function: Callable[[], None]) -> None:
        """Call `function` whenever an order changed what is in use on this host."""
        self._on_change.append(function)

    def signed(self, place: Place) -> Place:
        """Answer where an image's bytes are, with what lets this host in: nothing to add where it came with a ticket.

        Raises Unavailable when a real Keystone gives no token.
        """
        if place is None or place.headers or self._image_headers is None:
            return place
        return replace(place, headers=self._image_headers())

    def power_state(self, instance_uuid: str) -> int | None:
        """Answer a guest's power state; None when the hypervisor fails to say."""
        try:
            return int(self.driver.power_state(instance_uuid))
        except NotFound:
            return 0
        except Exception:
            return None

    @property
    def registered(self) -> bool:
        """Whether a conductor answered since this daemon started."""
        return self._registered.is_set()

    def set_registered(self) -> None:
        """A conductor took this host's registration."""
        self._registered.set()

    def learn(self, instances: list[Instance]) -> None:
        """Take in what the conductor knows of the instances on this host: epochs and power states."""
        self.ledger.learn({instance.uuid: instance.epoch for instance in instances})
        self.told.update({instance.uuid: instance.power_state for instance in instances})

    def forget(self, instance_uuid: str) -> None:
        """An instance left this host."""
        self.told.pop(instance_uuid, None)

    def shutdown_timeout(self, instance: Instance) -> int:
        """Answer the seconds a guest gets to shut down, from its image if that says so in a sound way, as Nova."""
        default: int = self.conf.shutdown_timeout
        wanted = instance.image_properties.get("os_shutdown_timeout")
        if wanted is None:
            return default
        try:
            return max(0, int(wanted))
        except ValueError:
            LOG.warning("Instance %s: os_shutdown_timeout %r of its image is no number", instance.uuid, wanted)
            return default

    def cut_power(self, instance_uuid: str) -> None:
        """Pull a guest's plug, to end the wait of a graceful shutdown. Fine when it is gone."""
        try:
            self.driver.power_off(instance_uuid, timeout=0)
        except NotFound:
            LOG.debug("Instance %s is gone already", instance_uuid)

    def stop(self, timeout: float) -> bool:
        """Take no more orders, wait for running ones; answer whether all ended in `timeout` seconds."""
        ended = self.orders.close(timeout)
        self.builders.stop(0)
        self.workers.stop(0)
        self.copiers.stop(0)
        self.fetchers.stop(0)
        return ended

    def _ended(self, outcome: Outcome) -> None:
        if outcome.power_state is not None:
            self.told[outcome.fence.instance_uuid] = outcome.power_state
        for function in self._on_change:
            function()
