"""What hosts owe: asked for again and again, in a new order each time, until it is paid."""

from __future__ import annotations

import sqlalchemy as sa

from novalike.db import debts
from novalike.db.models.hosts import HostDebtRow
from novalike.objects.tasks import Debt, Fence
from tests.factories_instances import NOW


def debt(epoch=1):
    return Debt(host="h1", instance_uuid="a" * 36, epoch=epoch, instance_name="instance-1")


def owed(db):
    with db.read() as session:
        return list(session.scalars(sa.select(HostDebtRow.epoch)))


def let_pass(db, milliseconds):
    db.write(lambda session: session.execute(sa.update(HostDebtRow).values(wake_at=HostDebtRow.wake_at - milliseconds)))


def test_a_newer_epoch_replaces_an_older(sqlite):
    sqlite.write(debts.owe, debt(1), now=NOW)
    sqlite.write(debts.owe, debt(2), now=NOW)
    assert owed(sqlite) == [2]


def test_a_late_debt_of_an_older_epoch_changes_nothing(sqlite):
    sqlite.write(debts.owe, debt(2), now=NOW)
    sqlite.write(debts.owe, debt(1), now=NOW)
    assert owed(sqlite) == [2]


def test_a_debt_is_asked_for_in_a_new_order_each_time(sqlite):
    sqlite.write(debts.owe, debt(), now=NOW)
    let_pass(sqlite, 40_000)
    ((first, _),) = sqlite.write(debts.due)
    assert sqlite.write(debts.due) == [], "not before the next interval"
    let_pass(sqlite, 30_500)
    ((second, _),) = sqlite.write(debts.due)
    assert second.operation_id == first.operation_id
    assert second.sequence > first.sequence


def test_a_host_that_works_on_it_is_not_asked_again(sqlite):
    sqlite.write(debts.owe, debt(), now=NOW)
    let_pass(sqlite, 40_000)
    ((fence, _),) = sqlite.write(debts.due)
    let_pass(sqlite, 30_500)
    sqlite.write(debts.working, [fence, Fence(instance_uuid="a" * 36, operation_id="a task", sequence=1, epoch=1)])
    assert sqlite.write(debts.due) == []


def test_what_is_paid_is_forgotten(sqlite):
    sqlite.write(debts.owe, debt(), now=NOW)
    ((fence, _),) = sqlite.write(debts.due, host="h1")
    assert sqlite.write(debts.pay, fence)
    assert not sqlite.write(debts.pay, fence)
    assert owed(sqlite) == []
