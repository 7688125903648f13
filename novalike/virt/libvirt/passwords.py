"""Passwords in guests, by way of their agents."""

from __future__ import annotations

from typing import Any

import libvirt

from novalike.exception import Conflict, NotFound, NovalikeError
from novalike.objects.secret import Secret
from novalike.objects.states import PowerState
from novalike.virt.libvirt import guest
from novalike.virt.libvirt.core import LibvirtCore, failures

#: Seconds which an agent gets to obey.
PATIENCE = 20
_SILENT = (libvirt.VIR_ERR_AGENT_UNRESPONSIVE, libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED, libvirt.VIR_ERR_CONFIG_UNSUPPORTED)


class ObedientGuests(LibvirtCore):
    """Capability PasswordSetter."""

    def set_password(self, instance_uuid: str, user: str, password: Secret) -> None:
        with self._working(instance_uuid), failures():
            state = self._host.call(guest.power_state, instance_uuid)
            if state is None:
                raise NotFound("There is no such server on this host.")
            if state is not PowerState.RUNNING:
                raise Conflict("The server does not run.")
            try:
                self._host.call(_set_password, instance_uuid, user, password)
            except libvirt.libvirtError as error:
                if error.get_error_code() in _SILENT:
                    raise NovalikeError("The guest agent of the server does not answer.", details=str(error)) from error
                raise NovalikeError("The guest agent of the server could not set the password.", details=str(error)) from error


def _set_password(connection: Any, uuid: str, user: str, password: Secret) -> None:
    domain = guest.find(connection, uuid)
    if domain is not None:
        domain.agentSetResponseTimeout(PATIENCE, 0)
        domain.setUserPassword(user, password.reveal(), 0)
