"""Which operations are told of, and how Nova calls them: versioned `instance.NAME[.PHASE]`, unversioned `compute.instance....`.

A durable task's kind or step may name its event itself (`notification`); these tables say it for those which do not.
"""

from __future__ import annotations

from dataclasses import dataclass

from novalike.objects.states import VmState

START, END, ERROR = "start", "end", "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """How an operation is told. `unversioned` None: only in the versioned form. `single`: one event without a phase, told as it
    begins. `unversioned_at_end`: the unversioned form is one event without a phase, told when it ended. `fails`: there is an
    error phase, else failures are told as compute.exception."""

    payload: str = "InstanceActionPayload"
    unversioned: str | None = None
    single: bool = False
    unversioned_at_end: bool = False
    fails: bool = False


def _plain(*names: str) -> dict[str, Event]:
    return {name: Event(unversioned=name) for name in names}


#: By the name of the versioned event.
EVENTS: dict[str, Event] = {
    **_plain(
        "delete", "soft_delete", "restore", "shutdown", "power_on", "power_off", "pause", "unpause", "suspend", "resume", "shelve",
        "shelve_offload", "unshelve", "unrescue", "trigger_crash_dump",
    ),
    "create": Event(payload="InstanceCreatePayload", unversioned="create", fails=True),
    "reboot": Event(unversioned="reboot", fails=True),
    "rebuild": Event(payload="InstanceActionRebuildPayload", unversioned="rebuild", fails=True),
    "rebuild_scheduled": Event(payload="InstanceActionRebuildPayload", unversioned="rebuild.scheduled", single=True),
    "rescue": Event(payload="InstanceActionRescuePayload", unversioned="rescue"),
    "snapshot": Event(payload="InstanceActionSnapshotPayload", unversioned="snapshot"),
    "resize_prep": Event(payload="InstanceActionResizePrepPayload", unversioned="resize.prep"),
    "resize": Event(unversioned="resize", fails=True),
    "resize_finish": Event(unversioned="finish_resize"),
    "resize_confirm": Event(unversioned="resize.confirm"),
    "resize_revert": Event(unversioned="resize.revert"),
    "interface_attach": Event(unversioned="create_ip", fails=True),
    "interface_detach": Event(unversioned="delete_ip"),
    "volume_attach": Event(payload="InstanceActionVolumePayload", unversioned="volume.attach", unversioned_at_end=True, fails=True),
    "volume_detach": Event(payload="InstanceActionVolumePayload", unversioned="volume.detach", unversioned_at_end=True),
    "volume_swap": Event(payload="InstanceActionVolumeSwapPayload", fails=True),
    "live_migration_pre": Event(unversioned="live_migration.pre"),
    "live_migration_post": Event(unversioned="live_migration._post"),
    "live_migration_post_dest": Event(unversioned="live_migration.post.dest"),
    "live_migration_rollback": Event(unversioned="live_migration._rollback"),
    "live_migration_rollback_dest": Event(unversioned="live_migration.rollback.dest"),
    "live_migration_abort": Event(unversioned="live.migration.abort"),
    "live_migration_force_complete": Event(unversioned="live.migration.force.complete"),
    "evacuate": Event(unversioned="evacuate", single=True),
    "lock": Event(single=True),
    "unlock": Event(single=True),
}

#: Single-host actions (states.ACTIONS) -> event.
OF_ACTION = {
    "start": "power_on", "stop": "power_off", "reboot_soft": "reboot", "reboot_hard": "reboot", "pause": "pause",
    "unpause": "unpause", "suspend": "suspend", "resume": "resume", "unrescue": "unrescue", "soft_delete": "soft_delete",
    "restore": "restore", "trigger_crash_dump": "trigger_crash_dump",
}

#: Kinds of durable task -> event. A resize is told step by step (OF_STEP).
OF_TASK = {
    "build": "create", "delete": "delete", "rebuild": "rebuild", "rescue": "rescue", "snapshot": "snapshot", "backup": "snapshot",
    "shelve": "shelve", "shelve_offload": "shelve_offload", "unshelve": "unshelve", "confirm_resize": "resize_confirm",
    "revert_resize": "resize_revert", "attach_interface": "interface_attach", "detach_interface": "interface_detach",
    "attach_volume": "volume_attach", "detach_volume": "volume_detach", "swap_volume": "volume_swap", "evacuate": "evacuate",
}

#: (event of a task, event of one of its steps) -> the vm_state in which the task ends when that step was done. The step follows:
#: the task's end is told before it, as Nova does both one after the other.
FOLLOW = {("shelve", "shelve_offload"): VmState.SHELVED_OFFLOADED}

#: Kinds told step by step -> the event which tells that they failed.
OF_FAILURE = {"resize": "resize"}

#: (kind of durable task, step) -> event.
OF_STEP = {
    ("delete", "destroy"): "shutdown",
    ("shelve", "offload"): "shelve_offload",
}
