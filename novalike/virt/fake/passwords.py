"""Fake guests whose agents change passwords."""

from __future__ import annotations

import hashlib

from novalike.exception import Conflict, NovalikeError
from novalike.objects.secret import Secret
from novalike.objects.states import PowerState
from novalike.virt.fake.core import FakeCore


class ObedientGuests(FakeCore):
    """Capability PasswordSetter: a guest whose image has hw_qemu_guest_agent obeys."""

    def set_password(self, instance_uuid: str, user: str, password: Secret) -> None:
        guest = self._defined(instance_uuid)
        self._faults.strike("set_password", (instance_uuid, guest.name, str(guest.facts["display_name"])))
        if guest.power_state != PowerState.RUNNING:
            raise Conflict("The server does not run.")
        if not guest.facts.get("agent"):
            raise NovalikeError("The guest agent of the server does not answer.")
        self.hypervisor.amend(instance_uuid, passwords={**guest.passwords, user: _hash(password)})

    def lets_in(self, instance_uuid: str, user: str, password: Secret) -> bool:
        """Answer whether the guest's agent gave this user this password; for tests."""
        return self._defined(instance_uuid).passwords.get(user) == _hash(password)


def _hash(password: Secret) -> str:
    return hashlib.sha256(password.reveal().encode()).hexdigest()
