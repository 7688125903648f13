"""`novalike-manage scheduler explain|simulate`: why a server is where it is, and where others would go."""

import json
import uuid
from contextlib import suppress

import pytest

from novalike.clock import Clock
from novalike.context import service_context
from novalike.db import connections, flavors, hosts, images, instances
from novalike.db.cells import Cells
from novalike.exception import NoValidHost
from novalike.manage import main as manage
from novalike.objects.image import Image
from novalike.scheduler.manager import SchedulerManager
from tests import factories_hosts as make
from tests.factories_instances import NOW, instance


@pytest.fixture
def run(tmp_path, capsys):
    """Run a command; answer its status, output and remarks."""
    path = tmp_path / "novalike.conf"
    path.write_text(f"[DEFAULT]\nstate_path = {tmp_path}/state\n")

    def run(*words):
        status = manage.main(["--config-file", str(path), *words])
        shown = capsys.readouterr()
        return status, shown.out, shown.err
    assert run("db", "sync")[0] == 0
    return run


@pytest.fixture
def database(run, tmp_path):
    """The commands' database, with two hosts, three flavors and an image."""
    cells = connections.open_cells(manage.configuration.load(files=[f"{tmp_path}/novalike.conf"]))
    for name, changes in (("host1", {"vcpus": 4}), ("host2", {"vcpus": 2, "supported": (("aarch64", "kvm", "hvm"),)})):
        cells.shared.write(hosts.report_service, host=name, binary=hosts.COMPUTE_BINARY, topic="compute")
        cells.shared.write(hosts.register_compute_node, make.inventory(name, **changes))
    for flavor in (make.flavor(), make.flavor(flavorid="9", name="1", vcpus=9), make.flavor(flavorid="3", name="secret", is_public=False)):
        cells.shared.write(flavors.create, flavor, now=NOW)
    yield cells.shared
    connections.close(cells)


def place(database, **changes):
    spec = make.spec(**changes)
    database.write(instances.create, [instance(uuid=spec.instance_uuid)])
    manager = SchedulerManager(manage.configuration.load(), Cells.single(database), Clock())
    with suppress(NoValidHost):
        manager.placing.select_host(service_context(), spec=spec)
    return spec.instance_uuid


def test_explain_tells_where_and_why(run, database):
    server = place(database, availability_zone="nova")
    status, out, _ = run("scheduler", "explain", server)
    assert status == 0
    assert "host: host1\n" in out
    assert "wanted: 1 vCPUs, 512 MiB, 1 GiB in zone nova\n" in out
    assert "considered: 2\npassed: 2\n" in out
    status, out, _ = run("scheduler", "explain", server, "--json")
    found, = json.loads(out)
    assert (status, found["host"], found["considered"], found["passed"], found["best"][0]["host"]) == (0, "host1", 2, 2, "host1")


def test_explain_tells_why_nowhere(run, database):
    server = place(database, flavor=make.flavor(vcpus=5))
    _, out, _ = run("scheduler", "explain", server)
    assert "nearest: 1 vCPU less would have fitted.\n" in out
    assert "host1, host2" in out
    assert "not enough vCPUs" in out
    _, out, _ = run("scheduler", "explain", server, "--json")
    found, = json.loads(out)
    assert (found["host"], found["removed"][0]["by"], found["removed"][0]["hosts"]) == (None, "CoreFilter", ["host1", "host2"])


def test_explain_all_and_nothing(run, database):
    server = place(database)
    manager = SchedulerManager(manage.configuration.load(), Cells.single(database), Clock())
    manager.placing.select_host(service_context(), spec=make.spec(server, excluded_hosts=("host1",)))
    assert [one["host"] for one in json.loads(run("scheduler", "explain", server, "--json")[1])] == ["host2"]
    assert [one["host"] for one in json.loads(run("scheduler", "explain", server, "--all", "--json")[1])] == ["host2", "host1"]
    assert run("scheduler", "explain", server, "--all")[1].count("request: ") == 2
    status, out, err = run("scheduler", "explain", "unknown")
    assert (status, out) == (1, "")
    assert "No decision about server unknown is kept." in err


def test_simulate_places_and_counts(run, database):
    status, out, _ = run("scheduler", "simulate", "--flavor", "m1.small", "--count", "3", "--json")
    found = json.loads(out)
    assert status == 0
    assert found["considered"] == 2
    assert sum(row["servers"] for row in found["placed"]) == 3
    assert (found["fit"], found["hosts"], found["limits"]) == (6, 2, [{"filter": "CoreFilter", "reason": "not enough vCPUs", "hosts": 2}])
    assert found["refused"] is None
    _, out, _ = run("scheduler", "simulate", "--flavor", "m1.small")
    assert "fit now: 6 on 2 of 2 hosts\n" in out
    assert "runs out first: not enough vCPUs (CoreFilter, on 2 hosts)\n" in out
    assert database.fetch(lambda session: hosts.claim_sums(session, [1, 2])) == {}, "a dry run claimed something"


def test_simulate_tells_what_does_not_fit(run, database):
    status, out, _ = run("scheduler", "simulate", "--flavor", "m1.small", "--count", "7", "--json")
    found = json.loads(out)
    assert (status, sum(row["servers"] for row in found["placed"])) == (1, 6)
    assert found["refused"].startswith("No valid host was found. 2 hosts considered: 2 removed by CoreFilter")
    status, out, _ = run("scheduler", "simulate", "--flavor", "9")
    assert status == 1
    assert "refused: No valid host was found." in out


def test_simulate_takes_zones_images_hosts_and_hints(run, database):
    def placed(*words):
        return [row["host"] for row in json.loads(run("scheduler", "simulate", "--flavor", "secret", "--json", *words)[1])["placed"]]

    image = Image(
        id=str(uuid.uuid4()), name="arm", owner="p1", properties={"hw_architecture": "aarch64"}, created_at=NOW, updated_at=NOW,
    )
    database.write(images.add, image)
    assert placed() == ["host1"]
    assert placed("--image", image.id) == ["host2"]
    assert placed("--image", image.id, "--property", "hw_architecture=x86_64") == ["host1"]
    assert placed("--property", "hw_architecture=aarch64") == ["host2"]
    assert placed("--host", "host2") == ["host2"]
    assert placed("--zone", "elsewhere") == []


@pytest.mark.parametrize(("words", "said"), [
    (["--flavor", "none"], "Flavor none could not be found."),
    (["--flavor", "1", "--image", "none"], "Image none is not in the local image service"),
    (["--flavor", "1", "--property", "x"], "'x' is not of the form name=value."),
    (["--flavor", "1", "--hint", "group=g"], "A server group cannot be simulated"),
    (["--flavor", "1", "--hint", "query=["], "The hint query is no JSON."),
])
def test_simulate_says_what_is_wrong(run, database, words, said):
    status, out, err = run("scheduler", "simulate", *words)
    assert (status, out) == (3, "")
    assert said in err


@pytest.mark.parametrize("words", [["--count", "0"], ["--count", "many"], ["--count", "1001"], []])
def test_simulate_refuses_wrong_usage(run, words):
    with pytest.raises(SystemExit) as stopped:
        run("scheduler", "simulate", *(["--flavor", "1", *words] if words else []))
    assert stopped.value.code == 2
