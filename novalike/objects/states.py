"""What state a server can be in, how the API calls it, and which actions may start from where.

The values and rules are Nova's (its `compute/vm_states.py`, `task_states.py`, `power_state.py` as documented for operators).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class VmState(StrEnum):
    """Stable state of a server: what its user asked for."""

    BUILDING = "building"
    ACTIVE = "active"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    STOPPED = "stopped"
    RESCUED = "rescued"
    RESIZED = "resized"
    SOFT_DELETED = "soft-delete"
    DELETED = "deleted"
    ERROR = "error"
    SHELVED = "shelved"
    SHELVED_OFFLOADED = "shelved_offloaded"


class TaskState(StrEnum):
    """What is going on with a server now; None (not a member) when idle."""

    SCHEDULING = "scheduling"
    BLOCK_DEVICE_MAPPING = "block_device_mapping"
    NETWORKING = "networking"
    SPAWNING = "spawning"
    IMAGE_SNAPSHOT_PENDING = "image_snapshot_pending"
    IMAGE_SNAPSHOT = "image_snapshot"
    IMAGE_PENDING_UPLOAD = "image_pending_upload"
    IMAGE_UPLOADING = "image_uploading"
    IMAGE_BACKUP = "image_backup"
    RESIZE_PREP = "resize_prep"
    RESIZE_MIGRATING = "resize_migrating"
    RESIZE_MIGRATED = "resize_migrated"
    RESIZE_FINISH = "resize_finish"
    RESIZE_REVERTING = "resize_reverting"
    RESIZE_CONFIRMING = "resize_confirming"
    REBOOTING = "rebooting"
    REBOOT_PENDING = "reboot_pending"
    REBOOT_STARTED = "reboot_started"
    REBOOTING_HARD = "rebooting_hard"
    REBOOT_PENDING_HARD = "reboot_pending_hard"
    REBOOT_STARTED_HARD = "reboot_started_hard"
    POWERING_OFF = "powering-off"
    POWERING_ON = "powering-on"
    PAUSING = "pausing"
    UNPAUSING = "unpausing"
    SUSPENDING = "suspending"
    RESUMING = "resuming"
    RESCUING = "rescuing"
    UNRESCUING = "unrescuing"
    REBUILDING = "rebuilding"
    REBUILD_BLOCK_DEVICE_MAPPING = "rebuild_block_device_mapping"
    REBUILD_SPAWNING = "rebuild_spawning"
    MIGRATING = "migrating"
    DELETING = "deleting"
    SOFT_DELETING = "soft-deleting"
    RESTORING = "restoring"
    SHELVING = "shelving"
    SHELVING_IMAGE_PENDING_UPLOAD = "shelving_image_pending_upload"
    SHELVING_IMAGE_UPLOADING = "shelving_image_uploading"
    SHELVING_OFFLOADING = "shelving_offloading"
    UNSHELVING = "unshelving"
    UPDATING_PASSWORD = "updating_password"  # noqa: S105  # the name of a state


class PowerState(IntEnum):
    """What the hypervisor last said of the guest."""

    NOSTATE = 0
    RUNNING = 1
    PAUSED = 3
    SHUTDOWN = 4
    CRASHED = 6
    SUSPENDED = 7


_DEFAULT_STATUS = {
    VmState.BUILDING: "BUILD",
    VmState.ACTIVE: "ACTIVE",
    VmState.PAUSED: "PAUSED",
    VmState.SUSPENDED: "SUSPENDED",
    VmState.STOPPED: "SHUTOFF",
    VmState.RESCUED: "RESCUE",
    VmState.RESIZED: "VERIFY_RESIZE",
    VmState.SOFT_DELETED: "SOFT_DELETED",
    VmState.DELETED: "DELETED",
    VmState.ERROR: "ERROR",
    VmState.SHELVED: "SHELVED",
    VmState.SHELVED_OFFLOADED: "SHELVED_OFFLOADED",
}

_T = TaskState
_SOFT_REBOOTS = (_T.REBOOTING, _T.REBOOT_PENDING, _T.REBOOT_STARTED)
_HARD_REBOOTS = (_T.REBOOTING_HARD, _T.REBOOT_PENDING_HARD, _T.REBOOT_STARTED_HARD)
_REBUILDS = (_T.REBUILDING, _T.REBUILD_BLOCK_DEVICE_MAPPING, _T.REBUILD_SPAWNING)
_RESIZES = (_T.RESIZE_PREP, _T.RESIZE_MIGRATING, _T.RESIZE_MIGRATED, _T.RESIZE_FINISH)

#: (vm_state, task_state) pairs whose status is not the vm_state's own.
SPECIAL_STATUS: dict[tuple[VmState, TaskState], str] = {
    **{(VmState.ACTIVE, task): "REBOOT" for task in _SOFT_REBOOTS},
    **{(VmState.ACTIVE, task): "HARD_REBOOT" for task in _HARD_REBOOTS},
    (VmState.ACTIVE, _T.UPDATING_PASSWORD): "PASSWORD",
    **{(vm, task): "REBUILD" for vm in (VmState.ACTIVE, VmState.STOPPED, VmState.ERROR) for task in _REBUILDS},
    **{(vm, _T.MIGRATING): "MIGRATING" for vm in (VmState.ACTIVE, VmState.PAUSED)},
    **{(vm, task): "RESIZE" for vm in (VmState.ACTIVE, VmState.STOPPED) for task in _RESIZES},
    (VmState.RESIZED, _T.RESIZE_REVERTING): "REVERT_RESIZE",
}

#: Statuses which show `progress`.
PROGRESS_STATUSES = frozenset({"ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"})
#: Statuses which show `fault`.
FAULT_STATUSES = frozenset({"ERROR", "DELETED"})


def status(vm_state: str, task_state: str | None) -> str:
    """Answer the API's status text of a server in these states; UNKNOWN for states this version does not know."""
    special = SPECIAL_STATUS.get((vm_state, task_state))  # type: ignore[arg-type]  # str enums compare equal to text
    return special or _DEFAULT_STATUS.get(vm_state, "UNKNOWN")  # type: ignore[call-overload, no-any-return]


def states_of_status(text: str) -> tuple[tuple[VmState, tuple[TaskState, ...], bool], ...]:
    """Map a status text (any case) back to what the list filter selects.

    Each row is (vm_state, task_states, inside): `inside` True selects rows whose task_state is one of them, False those
    whose task_state is none of them. An unknown text answers an empty tuple.
    """
    wanted = text.upper()
    special: dict[VmState, list[TaskState]] = {}
    for (vm, task), name in SPECIAL_STATUS.items():
        if name == wanted:
            special.setdefault(vm, []).append(task)
    rows = [(vm, tuple(tasks), True) for vm, tasks in special.items()]
    for vm, name in _DEFAULT_STATUS.items():
        if name == wanted:
            rows.append((vm, tuple(task for (other, task) in SPECIAL_STATUS if other is vm), False))
    return tuple(rows)


_V = VmState
ANY_STATE = frozenset(VmState) - {VmState.DELETED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """From where an operation on a server may start; else it is refused with 409 (facts: Nova's table of allowed actions).

    It starts when the server is idle (task_state None), or in one of `task_states`, or in any with `any_task`. Unless
    `obeys_lock` is False, a locked server refuses it to all but admins.
    """

    name: str                                    # in os-instance-actions, and in the refusal
    vm_states: frozenset[VmState]
    task_states: frozenset[TaskState] = frozenset()
    any_task: bool = False
    needs_launch: bool = True                    # the server was started at least once
    needs_host: bool = True
    obeys_lock: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(Rule):
    """A single-host action: what its acceptance and its end set. None leaves a state as it is.

    It is accepted by one `UPDATE ... WHERE` built from this row; no row changed means 409. `deadline` is in seconds, counted
    from acceptance; when it passes the conductor ends the action with `on_failure` and a fault.
    """

    sets: TaskState | None
    ends: VmState | None
    on_failure: VmState | None = None
    deadline: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Durable(Rule):
    """An operation which a durable task does. Its acceptance sets `sets` and adds the task in one transaction.

    `raises_epoch`: it may build or remove a guest on some host, so that what belongs to the time before is refused there.
    """

    sets: TaskState | None
    raises_epoch: bool = False


#: Single-host actions by the name the compute daemon knows them by.
ACTIONS: dict[str, Action] = {
    "start": Action(
        name="start", vm_states=frozenset({_V.STOPPED}), sets=_T.POWERING_ON, ends=_V.ACTIVE, deadline=300,
    ),
    "stop": Action(
        name="stop", vm_states=frozenset({_V.ACTIVE, _V.ERROR}), sets=_T.POWERING_OFF, ends=_V.STOPPED, deadline=600,
    ),
    "reboot_soft": Action(
        name="reboot", vm_states=frozenset({_V.ACTIVE}), sets=_T.REBOOTING, ends=_V.ACTIVE, deadline=600,
    ),
    "reboot_hard": Action(
        name="reboot",
        vm_states=frozenset({_V.ACTIVE, _V.STOPPED, _V.PAUSED, _V.SUSPENDED, _V.ERROR}),
        task_states=frozenset({
            *_SOFT_REBOOTS, _T.REBOOTING_HARD, _T.RESUMING, _T.UNPAUSING, _T.PAUSING, _T.SUSPENDING,
        }),
        sets=_T.REBOOTING_HARD, ends=_V.ACTIVE, on_failure=_V.ERROR, deadline=300,
    ),
    "pause": Action(
        name="pause", vm_states=frozenset({_V.ACTIVE}), sets=_T.PAUSING, ends=_V.PAUSED, deadline=120,
    ),
    "unpause": Action(
        name="unpause", vm_states=frozenset({_V.PAUSED}), sets=_T.UNPAUSING, ends=_V.ACTIVE, deadline=120,
    ),
    "suspend": Action(
        name="suspend", vm_states=frozenset({_V.ACTIVE}), sets=_T.SUSPENDING, ends=_V.SUSPENDED, deadline=900,
    ),
    "resume": Action(
        name="resume", vm_states=frozenset({_V.SUSPENDED}), sets=_T.RESUMING, ends=_V.ACTIVE, deadline=900,
    ),
    "unrescue": Action(
        name="unrescue", vm_states=frozenset({_V.RESCUED}), sets=_T.UNRESCUING, ends=_V.ACTIVE, on_failure=_V.ERROR, deadline=300,
    ),
    "trigger_crash_dump": Action(
        name="trigger_crash_dump", vm_states=frozenset({_V.ACTIVE, _V.PAUSED, _V.RESCUED, _V.RESIZED, _V.ERROR}),
        sets=None, ends=None, deadline=60,
    ),
    "soft_delete": Action(
        name="delete", vm_states=ANY_STATE, any_task=True, sets=_T.SOFT_DELETING, ends=_V.SOFT_DELETED, deadline=600,
    ),
    "restore": Action(
        name="restore", vm_states=frozenset({_V.SOFT_DELETED}), sets=_T.RESTORING, ends=_V.ACTIVE, on_failure=_V.ERROR, deadline=300,
    ),
}

_SNAPSHOTTABLE = frozenset({_V.ACTIVE, _V.STOPPED, _V.PAUSED, _V.SUSPENDED})

#: Durable operations by the name which their acceptance uses.
DURABLE: dict[str, Durable] = {
    "rescue": Durable(
        name="rescue", vm_states=frozenset({_V.ACTIVE, _V.STOPPED, _V.ERROR}), sets=_T.RESCUING,
    ),
    "rebuild": Durable(
        name="rebuild", vm_states=frozenset({_V.ACTIVE, _V.STOPPED, _V.ERROR}), sets=_T.REBUILDING,
    ),
    "resize": Durable(
        name="resize", vm_states=frozenset({_V.ACTIVE, _V.STOPPED}), sets=_T.RESIZE_PREP, raises_epoch=True,
    ),
    "migrate": Durable(
        name="migrate", vm_states=frozenset({_V.ACTIVE, _V.STOPPED}), sets=_T.RESIZE_PREP, raises_epoch=True,
    ),
    "confirm_resize": Durable(
        name="confirmResize", vm_states=frozenset({_V.RESIZED}), sets=None, raises_epoch=True,
    ),
    # What a resize left behind whose server was taken out of VERIFY_RESIZE by hand; nobody but the control plane asks for it.
    "confirm_left_resize": Durable(
        name="confirmResize", vm_states=ANY_STATE, sets=None, raises_epoch=True, needs_launch=False,
    ),
    "revert_resize": Durable(
        name="revertResize", vm_states=frozenset({_V.RESIZED}), sets=_T.RESIZE_REVERTING, raises_epoch=True,
    ),
    "snapshot": Durable(
        name="createImage", vm_states=_SNAPSHOTTABLE, sets=_T.IMAGE_SNAPSHOT_PENDING, obeys_lock=False,
    ),
    "backup": Durable(
        name="createBackup", vm_states=_SNAPSHOTTABLE, sets=_T.IMAGE_BACKUP, obeys_lock=False,
    ),
    "shelve": Durable(
        name="shelve", vm_states=_SNAPSHOTTABLE, sets=_T.SHELVING, raises_epoch=True,
    ),
    "shelve_offload": Durable(
        name="shelveOffload", vm_states=frozenset({_V.SHELVED}), sets=_T.SHELVING_OFFLOADING, raises_epoch=True,
    ),
    "unshelve": Durable(
        name="unshelve", vm_states=frozenset({_V.SHELVED, _V.SHELVED_OFFLOADED}), sets=_T.UNSHELVING, needs_host=False, raises_epoch=True,
    ),
    "change_password": Durable(
        name="changePassword", vm_states=frozenset({_V.ACTIVE}), sets=_T.UPDATING_PASSWORD,
    ),
    "attach_interface": Durable(
        name="attach_interface", vm_states=frozenset({_V.ACTIVE, _V.PAUSED, _V.STOPPED}), sets=None,
    ),
    "detach_interface": Durable(
        name="detach_interface", vm_states=frozenset({_V.ACTIVE, _V.PAUSED, _V.STOPPED}), sets=None,
    ),
    "attach_volume": Durable(
        name="attach_volume",
        vm_states=frozenset({
            _V.ACTIVE, _V.PAUSED, _V.STOPPED, _V.RESIZED, _V.SOFT_DELETED, _V.SHELVED, _V.SHELVED_OFFLOADED,
        }),
        sets=None, needs_host=False,
    ),
    "detach_volume": Durable(
        name="detach_volume",
        vm_states=frozenset({
            _V.ACTIVE, _V.PAUSED, _V.STOPPED, _V.RESIZED, _V.SOFT_DELETED, _V.SHELVED, _V.SHELVED_OFFLOADED,
        }),
        sets=None, needs_host=False,
    ),
    "swap_volume": Durable(
        name="swap_volume", vm_states=frozenset({_V.ACTIVE, _V.PAUSED, _V.RESIZED}), sets=None,
    ),
}
