"""`novalike-manage db archive_deleted_rows`, `purge` and `archived`: Nova's options, and Nova's exit statuses."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from novalike.db import connections
from novalike.manage import archive
from novalike.manage import main as manage
from tests.factories_instances import NOW
from tests.unit.db.test_archive import server


@pytest.fixture
def command(tmp_path, capsys):
    """Answer what runs a command on a cloud of three deleted servers: its status, and what it printed."""
    path = tmp_path / "novalike.conf"
    path.write_text(f"[DEFAULT]\nstate_path = {tmp_path}/state\n")

    def run(*words):
        status = manage.main(["--config-file", str(path), *words])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    assert run("db", "sync")[0] == 0
    cells = connections.open_cells(manage.configuration.load(files=[str(path)]))
    run.servers = [cells.shared.write(server, age=age) for age in (1, 40, 50)]
    connections.close(cells)
    return run


def test_a_script_runs_it_until_nothing_is_left(command):
    runs = [command("db", "archive_deleted_rows", "--max_rows", "2") for _ in range(3)]
    assert runs == [(1, "", ""), (1, "", ""), (0, "", "")]
    assert command("db", "archive_deleted_rows", "--verbose")[::2] == (0, "Nothing was archived.\n")


def test_until_complete_needs_one_run_and_says_what_it_did(command):
    status, printed, _ = command("db", "archive_deleted_rows", "--max_rows", "1", "--until-complete", "--all-cells", "--json")
    assert status == 1
    rows = {row["table"]: row["rows"] for row in json.loads(printed)}
    assert (rows["cell1.instances"], rows["cell1.instance_actions"], rows["global.instance_mappings"]) == (3, 6, 3)
    assert command("db", "archive_deleted_rows", "--until-complete", "--task-log")[0] == 0


def test_before_takes_what_date_prints(command):
    before = f"{NOW - timedelta(days=30):%a %b %d %H:%M:%S UTC %Y}"
    status, printed, _ = command("db", "archive_deleted_rows", "--before", before, "--json")
    assert status == 1
    assert {"table": "instances", "rows": 2} in json.loads(printed)
    assert command("db", "archive_deleted_rows", "--before", before)[0] == 0


def test_an_archived_server_is_shown_until_it_is_purged(command):
    assert command("db", "purge", "--all")[0] == 3, "nothing is archived yet"
    assert command("db", "archived", command.servers[0])[0] == 1
    assert command("db", "archive_deleted_rows")[0] == 1
    status, printed, _ = command("db", "archived", command.servers[1])
    assert status == 0
    assert json.loads(printed)["instances"][0]["uuid"] == command.servers[1]
    status, _, said = command("db", "purge", "--before", f"{NOW - timedelta(days=45):%Y-%m-%d}", "--verbose")
    assert (status, said) == (0, "Cell cell1: removed 1 rows from the archive\n")
    assert command("db", "purge", "--all", "--all-cells", "--json")[:2] == (0, '{\n  "removed": 2\n}\n')
    assert command("db", "archived", command.servers[1])[0] == 1


def test_purge_may_follow_at_once(command):
    assert command("db", "archive_deleted_rows", "--purge")[0] == 1
    assert command("db", "purge", "--all")[0] == 3


def test_wrong_options_have_the_statuses_of_nova(command):
    assert command("db", "archive_deleted_rows", "--max_rows", "-1")[0] == 2
    assert command("db", "archive_deleted_rows", "--max_rows", str(2**31))[0] == 2
    assert command("db", "archive_deleted_rows", "--before", "yesterday")[0] == 4
    assert command("db", "purge")[0] == 1
    assert command("db", "purge", "--before", "yesterday")[0] == 2


def test_a_database_which_fails_is_no_empty_one(tmp_path, capsys):
    path = tmp_path / "novalike.conf"
    path.write_text(f"[DEFAULT]\nstate_path = {tmp_path}/state\n")
    for status, words in ((3, ["archive_deleted_rows"]), (4, ["purge", "--all"])):
        assert manage.main(["--config-file", str(path), "db", *words]) == status
        assert "were the tables made?" in capsys.readouterr().err


@pytest.mark.parametrize("text", [
    "2026-11-21 18:15:05", "2026-11-21T18:15:05Z", "2026-11-21T19:15:05+01:00", "Sat Nov 21 18:15:05 UTC 2026",
    "Sat Nov 21 06:15:05 PM UTC 2026", "Sat 21 Nov 2026 06:15:05 PM UTC", "Sat 21 Nov 18:15:05 UTC 2026", "Sat, 21 Nov 2026 19:15:05 +0100",
])
def test_a_time_is_read_as_date_prints_it(text):
    assert archive.moment(text) == datetime(2026, 11, 21, 18, 15, 5)  # noqa: DTZ001  # naive UTC
