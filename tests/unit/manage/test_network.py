"""`novalike-manage network`: networks made, counted, reserved from and removed at the database."""

import json

import pytest

from novalike.manage import main as manage


@pytest.fixture
def run(tmp_path, capsys):
    """Run a command; answer its status, JSON output and remarks."""
    path = tmp_path / "novalike.conf"
    path.write_text(f"[DEFAULT]\nstate_path = {tmp_path}/state\n")

    def run(*words):
        status = manage.main(["--config-file", str(path), *words, *(["--json"] if words[0] == "network" else [])])
        shown = capsys.readouterr()
        return status, json.loads(shown.out) if words[0] == "network" and shown.out else None, shown.err
    assert run("db", "sync")[0] == 0
    return run


def test_networks_from_nothing_to_nothing(run):
    assert run("network", "list")[1] == []
    status, made, _ = run("network", "create", "net", "--project", "p1", "--range", "10.0.0.0/29", "--pool", "10.0.0.2-10.0.0.4", "--shared")
    assert status == 0
    assert run("network", "reserve", made["network"], "10.0.0.3")[0] == 0
    status, _, error = run("network", "reserve", made["network"], "10.0.0.3")
    assert (status, "already allocated" in error) == (3, True)
    [listed] = run("network", "list")[1]
    assert {"id": made["network"], "project": "p1", "subnet": "10.0.0.0/29", "used": 1, "total": 3, "shared": True, "external": False}.items() <= listed.items()
    status, _, error = run("network", "delete", made["network"])
    assert (status, "still in use" in error) == (3, True)
    assert run("network", "create", "wrong", "--project", "p1", "--range", "nonsense")[0] == 3
    assert len(run("network", "list")[1]) == 1, "a network without its subnet does not stay"


def test_a_pool_of_floating_ips(run):
    made = run("network", "create", "public", "--project", "p1", "--range", "203.0.113.0/28", "--external", "--default")[1]
    [listed] = run("network", "list")[1]
    assert (listed["external"], listed["used"]) == (True, 0)
    assert run("network", "delete", made["network"])[0] == 0
    assert run("network", "list")[1] == []
