"""Change the password of a guest's administrator: one order to its host."""

from __future__ import annotations

from sqlalchemy.orm import Session

from novalike.conductor.steps import Job, TaskKind, Wait, changed
from novalike.conductor.tasks import common
from novalike.conductor.tasks.common import HostStep
from novalike.objects.instance import Instance
from novalike.objects.password import PasswordOrder, PasswordState
from novalike.objects.states import TaskState
from novalike.objects.tasks import Fence
from novalike.rpc.compute import GuestPasswords

EVENT = "compute_set_admin_password"
#: Seconds for which the host's own report of a passed deadline is waited for.
MARGIN = 15


class SetPassword(HostStep[PasswordState]):
    """What the host did cannot be taken back, and need not: nothing but the guest knows the old password."""

    name = "set_password"
    task_state = TaskState.UPDATING_PASSWORD
    deadline = 60 + MARGIN

    def run(self, job: Job[PasswordState]) -> Wait:
        common.require_up(job)
        host = self.host(job)
        job.state = changed(job.state, host=host)
        return Wait(host)

    def send(self, job: Job[PasswordState], fence: Fence) -> None:
        job.world.compute(GuestPasswords, job.state.host or "").set_password(job.context, order=PasswordOrder(
            fence=fence, instance=job.instance, user=administrator(job.instance),
            password=job.world.vault.open(job.state.encrypted_password), deadline=self.deadline - MARGIN,
        ))


class ChangePasswordTask(TaskKind[PasswordState]):
    """The whole change; a failure leaves the server as it is."""

    kind = "change_password"
    state_type = PasswordState
    steps = (SetPassword(),)

    def finish(self, session: Session, job: Job[PasswordState]) -> None:
        common.finish(session, job, event=EVENT)

    def failed(self, session: Session, job: Job[PasswordState]) -> None:
        common.fail(session, job, event=EVENT)


def administrator(server: Instance) -> str:
    """Answer who is the administrator in a server's guest, as its image says."""
    properties = server.image_properties
    windows = (properties.get("os_type") or server.os_type) == "windows"
    return properties.get("os_admin_user") or ("Administrator" if windows else "root")
