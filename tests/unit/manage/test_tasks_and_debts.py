"""`novalike-manage task list|show` and `host debts`: what is under way, and what hosts owe."""

import json

import pytest

from novalike.db import connections, debts, instance_actions, instances, tasks
from novalike.manage import main as manage
from novalike.objects.tasks import BuildState, Debt
from tests.factories_instances import CALLER, NOW, instance


@pytest.fixture
def synced(tmp_path, capsys):
    path = tmp_path / "novalike.conf"
    path.write_text(f"[DEFAULT]\nstate_path = {tmp_path}/state\n")
    arguments = ["--config-file", str(path)]
    assert manage.main([*arguments, "db", "sync"]) == 0
    capsys.readouterr()
    return arguments


@pytest.fixture
def asked(synced, capsys):
    """Answer what a command prints as JSON."""
    def ask(*words):
        status = manage.main([*synced, *words, "--json"])
        return status, json.loads(capsys.readouterr().out or "null")
    return ask


def write(synced, function, *arguments, **options):
    cells = connections.open_cells(manage.configuration.load(files=[synced[1]]))
    try:
        return cells.shared.write(function, *arguments, **options)
    finally:
        connections.close(cells)


def build(session, made):
    instances.create(session, [made])
    return tasks.add(
        session, kind="build", instance_uuid=made.uuid, epoch=1, step="place", caller=CALLER, now=NOW,
        state=BuildState(attempts=2, failures=("no disk",), encrypted_password="SEALED", files=(("/etc/x", "U0VDUkVU"),)),
    )


def test_a_task_is_listed_with_its_step_and_shown_without_secrets(synced, asked, capsys):
    made = instance(vm_state="building", host=None)
    task_id = write(synced, build, made)
    status, (row,) = asked("task", "list")
    assert status == 0
    assert (row["task"], row["kind"], row["step"], row["instance"], row["attempts"]) == (task_id, "build", "place", made.uuid, 2)
    assert row["since"] <= row["deadline"]
    for wanted in (task_id, made.uuid):
        status, shown = asked("task", "show", wanted)
        assert (status, shown["request"], shown["state_failures"]) == (0, CALLER.request_id, ["no disk"])
        assert "SEALED" not in str(shown)
        assert "U0VDUkVU" not in str(shown)
    assert manage.main([*synced, "task", "list"]) == 0
    assert task_id in capsys.readouterr().out.replace("\n", "")


def test_a_single_host_action_is_listed_as_well(synced, asked):
    made = instance(vm_state="active", host="h1", launched_at=NOW, task_state=None)
    write(synced, instances.create, [made])
    write(synced, instance_actions.begin, made, "reboot_hard", CALLER, now=NOW)
    _, (row,) = asked("task", "list")
    assert (row["kind"], row["step"], row["waits_for"], row["instance"]) == ("reboot_hard", "rebooting_hard", made.host, made.uuid)
    assert asked("task", "show", row["task"])[1]["request"] == CALLER.request_id
    assert asked("task", "list", "--instance", made.uuid)[1] == [row]
    assert asked("task", "list", "--instance", "other")[1] == []


def test_what_is_not_under_way_is_said_so(synced, capsys):
    assert manage.main([*synced, "task", "show", "nothing"]) == 1
    assert "nothing is under way" in capsys.readouterr().err
    assert manage.main([*synced, "task", "list"]) == 0
    assert "Nothing is under way" in capsys.readouterr().err


def test_debts_are_listed_by_host(synced, asked):
    assert asked("host", "debts") == (0, [])
    for host in ("h1", "h2"):
        write(synced, debts.owe, Debt(host=host, instance_uuid="i1", epoch=3, instance_name="instance-00000007"), now=NOW)
    status, rows = asked("host", "debts")
    assert (status, [row["host"] for row in rows]) == (0, ["h1", "h2"])
    (row,) = asked("host", "debts", "h2")[1]
    assert (row["instance"], row["name"], row["epoch"], row["ports"], row["since"]) == (
        "i1", "instance-00000007", 3, 0, f"{NOW:%Y-%m-%dT%H:%M:%SZ}",
    )
    assert row["next_try"].endswith("Z")
