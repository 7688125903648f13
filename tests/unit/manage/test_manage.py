"""The command lines of operators, over a real SQLite database."""

import json

import pytest
import sqlalchemy as sa

from novalike.db import connections, hosts
from novalike.db.models.hosts import ClaimRow
from novalike.manage import main as manage
from novalike.manage import status
from tests import factories_hosts as make


@pytest.fixture
def configured(tmp_path):
    """A configuration file; answers the arguments which name it."""
    path = tmp_path / "novalike.conf"
    path.write_text(f"[DEFAULT]\nstate_path = {tmp_path}/state\n")
    return ["--config-file", str(path)]


@pytest.fixture
def synced(configured, capsys):
    assert manage.main([*configured, "db", "sync"]) == 0
    capsys.readouterr()
    return configured


def _answer(capsys):
    return json.loads(capsys.readouterr().out)


def _write(configured, function, *arguments):
    cells = connections.open_cells(manage.configuration.load(files=[configured[1]]))
    try:
        return cells.shared.write(function, *arguments)
    finally:
        connections.close(cells)


def test_sync_and_version(configured, capsys):
    assert manage.main([*configured, "db", "version", "--json"]) == 1
    assert [row["revision"] for row in _answer(capsys)] == [None, None]
    assert manage.main([*configured, "db", "sync", "--json"]) == 0
    assert _answer(capsys) == {"changed": "global, cell cell1"}
    assert manage.main([*configured, "db", "sync", "--json"]) == 0
    assert _answer(capsys) == {"changed": "nothing"}
    assert manage.main([*configured, "db", "version", "--json"]) == 0
    assert all(row["current"] for row in _answer(capsys))


def test_before_sync_a_command_says_what_to_do(configured, capsys):
    assert manage.main([*configured, "host", "list"]) == 3
    assert "novalike-manage db sync" in capsys.readouterr().err


def test_lists(synced, capsys):
    assert manage.main([*synced, "host", "list"]) == 0
    assert "no hypervisors" in capsys.readouterr().err
    _write(synced, hosts.register_compute_node, make.inventory("host1", cpu_allocation_ratio=None))
    assert manage.main([*synced, "host", "list", "--json"]) == 0
    row, = _answer(capsys)
    assert (row["host"], row["state"], row["vcpus"], row["zone"], row["failed_builds"]) == ("host1", "down", "0/32", "nova", 0)
    _write(synced, hosts.count_build_failure, "host1")
    assert manage.main([*synced, "host", "list", "--json"]) == 0
    assert _answer(capsys)[0]["failed_builds"] == 1
    assert manage.main([*synced, "host", "list"]) == 0
    assert "host1.example.org" in capsys.readouterr().out
    assert manage.main([*synced, "cell", "list", "--json"]) == 0
    assert _answer(capsys)[0]["name"] == "cell1"
    assert manage.main([*synced, "task", "list", "--json"]) == 0
    assert _answer(capsys) == []


def test_placement_check_and_repair(synced, tmp_path, capsys):
    assert manage.main([*synced, "placement", "check"]) == 0
    _write(synced, lambda session: session.execute(sa.insert(ClaimRow).values(
        instance_uuid="gone", role="instance", compute_node_id=1, epoch=1, vcpus=1, memory_mb=1, disk_gb=1, resources={},
        created_at=sa.func.current_timestamp(),
    )))
    capsys.readouterr()
    assert manage.main([*synced, "placement", "check", "--json"]) == 1
    found = _answer(capsys)
    assert [(row["kind"], row["subject"]) for row in found] == [("claim", "gone")]

    path = tmp_path / "found.json"
    path.write_text(json.dumps(found))
    assert manage.main([*synced, "placement", "repair", str(path), "--json"]) == 0
    assert [(row["result"], row["subject"]) for row in _answer(capsys)] == [("repaired", "gone")]
    assert manage.main([*synced, "placement", "check"]) == 0
    assert manage.main([*synced, "placement", "repair", str(path)]) == 0
    assert "no longer so" in capsys.readouterr().out
    path.write_text(json.dumps([{**found[0], "kind": "port", "repair": None}]))
    assert manage.main([*synced, "placement", "repair", str(path)]) == 1
    assert "left alone" in capsys.readouterr().out
    path.write_text("[]")
    assert manage.main([*synced, "placement", "repair", str(path)]) == 0


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"kind": "claim"}]', '[{"kind": "claim", "subject": "s", "text": "t", "repair": 1}]'])
def test_placement_repair_takes_only_what_check_writes(synced, tmp_path, capsys, text):
    path = tmp_path / "found.json"
    path.write_text(text)
    for argument in (str(path), str(tmp_path / "none")):
        with pytest.raises(SystemExit) as stopped:
            manage.main([*synced, "placement", "repair", argument])
        assert stopped.value.code == 2
        assert argument in capsys.readouterr().err


def test_wrong_usage_and_configuration(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        manage.main(["db"])
    assert stopped.value.code == 2
    assert manage.main(["--config-file", str(tmp_path / "none"), "db", "version"]) == 2
    assert "none" in capsys.readouterr().err


def test_upgrade_check(configured, capsys):
    assert status.main([*configured, "upgrade", "check"]) == 2
    assert "novalike-manage db sync" in capsys.readouterr().out.replace("\n", " ").replace("|", "")
    manage.main([*configured, "db", "sync"])
    assert status.main([*configured, "upgrade", "check"]) == 1, "no compute host is up: a warning"
    _write(configured, lambda s: hosts.report_service(s, host="h", binary=hosts.COMPUTE_BINARY, topic="compute"))
    assert status.main([*configured, "upgrade", "check"]) == 0
