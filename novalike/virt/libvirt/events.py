"""Tells when guests change their power state by themselves.

An event of libvirt only rings: the state told is read afterwards, so events which come late or in a wrong order do no
harm. After a broken connection every guest's state is told, because events were missed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import libvirt

from novalike.clock import Clock
from novalike.exception import Unavailable
from novalike.objects.states import PowerState
from novalike.virt.driver import PowerListener
from novalike.virt.libvirt import guest
from novalike.virt.libvirt.host import Host

LOG = logging.getLogger(__name__)
_STOP = (-1, None)


class PowerEvents:
    """A thread which turns libvirt's notices into calls of a listener.

    `busy` tells guests on which the driver itself works now: what happens to them is that work's result, not news.
    """

    def __init__(self, host: Host, listener: PowerListener, busy: Callable[[str], bool], clock: Clock) -> None:
        self._host, self._listener, self._busy, self._clock = host, listener, busy, clock
        self._told: dict[str, PowerState] = {}
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="power-events", daemon=True)

    def start(self) -> None:
        """Connect and begin."""
        self._host.open()
        self._thread.start()

    def stop(self) -> None:
        """End and wait for the end."""
        self._ending = True
        self._host.notices.put(_STOP)
        if self._thread.is_alive():              # it was never started where the hypervisor did not answer
            self._thread.join(10)

    def _run(self) -> None:
        while not self._ending:
            notice = self._host.notices.get()
            if notice is None or notice == _STOP:
                continue
            number, uuid = notice
            try:
                if uuid is not None:
                    self._tell(uuid)
                elif self._host.is_current(number):
                    self._reconnect()
            except Exception:
                LOG.exception("A guest's power state could not be told")

    def _tell(self, uuid: str) -> None:
        if self._busy(uuid):
            self._told.pop(uuid, None)
            return
        try:
            state = self._host.call(guest.power_state, uuid)
        except (Unavailable, libvirt.libvirtError) as error:
            LOG.debug("The state of guest %s is told after reconnecting: %s", uuid, error)
            return
        if state is None:
            self._told.pop(uuid, None)
        elif self._told.get(uuid) != state:
            self._told[uuid] = state
            self._listener(uuid, state)

    def _reconnect(self) -> None:
        LOG.warning("libvirt's connection broke; connecting again")
        while not self._ending:
            try:
                for uuid, _, state in self._host.call(guest.everyone):
                    if not self._busy(uuid):
                        self._told[uuid] = state
                        self._listener(uuid, state)
                return
            except (Unavailable, libvirt.libvirtError) as error:
                LOG.warning("libvirt does not answer yet: %s", error)
                self._clock.sleep(1)
