"""Tells of single-host actions which end or begin in the conductor, and of power states that guests change by themselves.

Where notifications are off these are the bare writes. What durable tasks tell: journal.py.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from novalike.conductor.world import World
from novalike.db import instance_actions, sights
from novalike.db.engine import Database
from novalike.db.instance_actions import Ended
from novalike.notifications import events
from novalike.objects.notification import Failure, Sight
from novalike.objects.tasks import Caller, Outcome, PowerChange


def finish_action(world: World, cell: Database, outcome: Outcome) -> Ended | None:
    """End the action which an outcome belongs to, and tell; None when it is over already or the server is in other hands."""
    now, notifier = world.clock.now(), world.notifier
    if not notifier.enabled:
        return cell.write(instance_actions.finish, outcome, now=now)
    uuid = outcome.fence.instance_uuid

    def finish(session: Session) -> tuple[Ended | None, tuple[str, Caller] | None, Sight | None, Sight | None]:
        running = sights.running_action(session, outcome.fence)
        before = sights.look(session, uuid)
        ended = instance_actions.finish(session, outcome, now=now)
        return ended, running, before, sights.look(session, uuid, disks=notifier.disks) if ended is not None else None
    ended, running, before, after = cell.write(finish)
    if ended is None or running is None or before is None or after is None:
        return ended
    action, caller = running
    failure = None
    if outcome.error is not None:
        failure = Failure(message=outcome.error, details=outcome.details)
    if action in events.OF_ACTION:
        phase = events.END if failure is None else events.ERROR
        notifier.action(events.OF_ACTION[action], phase, after, caller=caller, failure=failure)
    _changed(world, before, after, caller)
    return ended


def power_changed(world: World, cell: Database, change: PowerChange) -> str | None:
    """Follow a guest which changed its power state by itself, and tell; answer the action which must correct it, if any."""
    def follow(session: Session) -> tuple[str | None, Sight | None, Sight | None]:
        before = sights.look(session, change.instance_uuid) if world.notifier.states else None
        correction = instance_actions.power_changed(
            session, change.instance_uuid, change.host, change.epoch, change.power_state, now=world.clock.now(),
        )
        return correction, before, sights.look(session, change.instance_uuid) if before is not None else None
    correction, before, after = cell.write(follow)
    if before is not None and after is not None:
        _changed(world, before, after, None)
    return correction


def action_began(world: World, cell: Database, uuid: str, action: str, request_id: str) -> None:
    """Tell that the control plane began an action by itself: nobody asked for it."""
    if not world.notifier.enabled or action not in events.OF_ACTION:
        return
    sight = cell.fetch(sights.look, uuid, disks=world.notifier.disks)
    if sight is not None:
        world.notifier.action(events.OF_ACTION[action], events.START, sight, caller=Caller(user_id="", project_id="", request_id=request_id))


def _changed(world: World, before: Sight, after: Sight, caller: Caller | None) -> None:
    old, new = before.instance, after.instance
    if (old.vm_state, old.task_state) != (new.vm_state, new.task_state):
        world.notifier.updated(old, after, caller=caller)
