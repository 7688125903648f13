"""Waiting until the network service has plugged a server's ports, as Nova waits for network-vif-plugged."""

from __future__ import annotations

import logging
from typing import Any, Protocol, TypeVar

from novalike.conductor.steps import Again, Done, Job, Step, changed
from novalike.db import tasks
from novalike.exception import NovalikeError
from novalike.objects.network_info import Vif

LOG = logging.getLogger(__name__)

#: Seconds between two looks: doubled each time, as an event which comes between two wakes the task anyway.
FIRST_PAUSE, LONGEST_PAUSE = 2, 30


class Plugged(Protocol):
    """What the step needs of a state. `looks`: how often it looked already."""

    @property
    def vifs(self) -> tuple[Vif, ...]: ...
    @property
    def looks(self) -> int: ...


S = TypeVar("S", bound=Plugged)


def awaited(job: Job[Any], vifs: tuple[Vif, ...]) -> bool:
    """Answer whether ports are to be waited for, as the configuration is now."""
    return job.world.conf.vif_plugging_timeout > 0 and any(vif.plugging for vif in vifs)


class AwaitPorts(Step[S]):
    """Go on when every port which was not active as it was bound is.

    Events are hints (they wake the task: db/tasks.py hint), what the network service says of the ports is the truth: so none
    can be missed which comes early, twice or never. A port which is gone is not waited for.
    """

    name = tasks.AWAIT_PORTS
    patient = True

    def needed(self, job: Job[S]) -> bool:
        return awaited(job, job.state.vifs)

    def wait_deadline(self, job: Job[S]) -> int:
        return int(job.world.conf.vif_plugging_timeout)

    def run(self, job: Job[S]) -> Done | Again:
        states = job.world.networks.port_states(job.task.caller, job.instance.uuid)
        waited = [vif.port_id for vif in job.state.vifs if vif.plugging]
        if any(states.get(port) == "ERROR" for port in waited):
            return self.overdue(job)
        if all(states.get(port, "ACTIVE") == "ACTIVE" for port in waited):
            return Done()
        job.state = changed(job.state, looks=job.state.looks + 1)
        return Again(float(min(FIRST_PAUSE ** job.state.looks, LONGEST_PAUSE)))

    def overdue(self, job: Job[S]) -> Done:
        waited = ", ".join(vif.port_id for vif in job.state.vifs if vif.plugging)
        text = f"The network service did not plug ports {waited} within {self.wait_deadline(job)} seconds, or it failed."
        if job.world.conf.vif_plugging_is_fatal:
            raise NovalikeError("Virtual Interface creation failed", details=text)
        LOG.warning("instance %s goes on without its ports being plugged: %s", job.instance.uuid, text)
        return Done()
