"""/limits, /os-quota-sets and /os-quota-class-sets: requests and answers."""

import pytest

from novalike.db.models.mappings import InstanceMapping
from tests.api.client import PROJECT, USER

CORE = {"instances", "cores", "ram", "metadata_items", "key_pairs", "server_groups", "server_group_members"}
INJECTION = {"injected_files", "injected_file_content_bytes", "injected_file_path_bytes"}
NETWORK = {"fixed_ips", "floating_ips", "security_groups", "security_group_rules"}


def use(services, *, instances=1, cores=2, ram=512, user=USER):
    def add(session):
        session.add_all(
            InstanceMapping(uuid=f"{user}{n}", cell="cell1", project_id=PROJECT, user_id=user, cores=cores, ram=ram, created_at=0)
            for n in range(instances)
        )
    services.cells.shared.write(add)


@pytest.mark.parametrize(("version", "keys"), [
    ("2.1", CORE | INJECTION | NETWORK), ("2.35", CORE | INJECTION | NETWORK), ("2.36", CORE | INJECTION),
    ("2.56", CORE | INJECTION), ("2.57", CORE), ("2.104", CORE),
])
def test_resources_of_every_version(reader, admin, version, keys):
    path = f"/os-quota-sets/{PROJECT}"
    assert set(reader.at(version).get(path).json["quota_set"]) == keys | {"id"}
    assert set(reader.at(version).get(f"{path}/defaults").json["quota_set"]) == keys | {"id"}
    detail = reader.at(version).get(f"{path}/detail").json["quota_set"]
    assert set(detail) == keys | {"id"}
    assert detail["cores"] == {"limit": 20, "in_use": 0, "reserved": 0}
    assert set(admin.at(version).put(path, {"quota_set": {"cores": 1}}).json["quota_set"]) == keys


@pytest.mark.parametrize(("version", "keys"), [
    ("2.1", (CORE | INJECTION | NETWORK) - {"server_groups", "server_group_members"}),
    ("2.49", (CORE | INJECTION | NETWORK) - {"server_groups", "server_group_members"}),
    ("2.50", CORE | INJECTION), ("2.57", CORE),
])
def test_class_resources_of_every_version(admin, version, keys):
    path = "/os-quota-class-sets/default"
    assert set(admin.at(version).get(path).json["quota_class_set"]) == keys | {"id"}
    assert set(admin.at(version).put(path, {"quota_class_set": {"cores": 1}}).json["quota_class_set"]) == keys


def test_limits_come_from_configuration_class_project_and_user(reader, admin):
    path = f"/os-quota-sets/{PROJECT}"

    def cores(query=""):
        return reader.get(f"{path}{query}").json["quota_set"]["cores"]
    assert cores() == 20
    admin.put("/os-quota-class-sets/default", {"quota_class_set": {"cores": 30}})
    assert cores() == 30
    assert reader.get(f"{path}/defaults").json["quota_set"]["cores"] == 30
    assert admin.put(path, {"quota_set": {"cores": "40"}}).json["quota_set"]["cores"] == 40
    assert admin.put(f"{path}?user_id=u", {"quota_set": {"cores": 35}}).status == 200
    assert (cores(), cores("?user_id=u")) == (40, 35)
    assert admin.delete(f"{path}?user_id=u").status == 202
    assert cores("?user_id=u") == 40
    assert admin.delete(path).status == 202
    assert cores() == 30


def test_a_limit_below_usage_needs_force(admin, services):
    use(services, instances=3)
    path = f"/os-quota-sets/{PROJECT}"
    refused = admin.put(path, {"quota_set": {"cores": 5}})
    assert (refused.status, "cores must be greater than or equal to already used and reserved 6" in refused.fault) == (400, True)
    assert admin.put(path, {"quota_set": {"cores": 6, "instances": -1}}).status == 200
    assert admin.put(path, {"quota_set": {"cores": 5, "force": True}}).status == 200
    assert admin.get(f"{path}/detail").json["quota_set"]["cores"] == {"limit": 5, "in_use": 6, "reserved": 0}


def test_a_users_limit_stays_below_the_projects(admin):
    path = f"/os-quota-sets/{PROJECT}?user_id=u"
    for limit in (21, -1):
        refused = admin.put(path, {"quota_set": {"cores": limit}})
        assert (refused.status, "cores must be less than or equal to 20" in refused.fault) == (400, True)
    assert admin.put(path, {"quota_set": {"cores": 21, "force": True}}).status == 200


@pytest.mark.parametrize(("version", "body", "word"), [
    ("2.1", {"cores": -2}, "cores"), ("2.1", {"cores": "many"}, "cores"), ("2.1", {"cores": 2147483648}, "cores"),
    ("2.1", {"cores": None}, "cores"), ("2.1", {"shoes": 1}, "shoes"), ("2.36", {"fixed_ips": 1}, "fixed_ips"),
    ("2.57", {"injected_files": 1}, "injected_files"), ("2.1", {"force": "maybe"}, "force"),
])
def test_wrong_limits_are_refused_by_name(admin, version, body, word):
    answer = admin.at(version).put(f"/os-quota-sets/{PROJECT}", {"quota_set": body})
    assert (answer.status, word in answer.fault) == (400, True)


@pytest.mark.parametrize(("version", "body", "word"), [
    ("2.1", {"cores": -2}, "cores"), ("2.50", {"fixed_ips": 1}, "fixed_ips"), ("2.1", {"force": True}, "force"),
])
def test_wrong_class_limits_are_refused_by_name(admin, version, body, word):
    answer = admin.at(version).put("/os-quota-class-sets/default", {"quota_class_set": body})
    assert (answer.status, word in answer.fault) == (400, True)


def test_only_the_default_class_can_be_set(admin):
    assert admin.put("/os-quota-class-sets/gold", {"quota_class_set": {"cores": 1}}).status == 400
    assert admin.get("/os-quota-class-sets/gold").json["quota_class_set"]["id"] == "gold"


def test_unknown_projects_are_refused(admin, services):
    services.identity.missing.add("ghost")
    for answer in (
        admin.get("/os-quota-sets/ghost"), admin.get("/os-quota-sets/ghost/detail"), admin.get("/os-quota-sets/ghost/defaults"),
        admin.put("/os-quota-sets/ghost", {"quota_set": {"cores": 1}}),
    ):
        assert (answer.status, answer.fault) == (400, "Project ID ghost is not a valid project.")
    assert admin.delete("/os-quota-sets/ghost").status == 202


def test_foreign_quotas_are_closed(reader, stranger):
    assert stranger.get(f"/os-quota-sets/{PROJECT}").status == 403
    assert stranger.get(f"/os-quota-sets/{PROJECT}/detail").status == 403
    assert reader.put(f"/os-quota-sets/{PROJECT}", {"quota_set": {}}).status == 403
    assert reader.get("/os-quota-class-sets/default").status == 403


@pytest.mark.parametrize(("path", "first"), [
    (f"/os-quota-sets/{PROJECT}", "2.75"), (f"/os-quota-sets/{PROJECT}/detail", "2.75"), ("/limits", "2.75"),
    ("/os-quota-class-sets/default", "2.102"),
])
def test_unknown_parameters(admin, path, first):
    before = f"2.{int(first[2:]) - 1}"
    assert admin.at(before).get(f"{path}?color=blue").status == 200
    assert admin.at(first).get(f"{path}?color=blue").status == 400


ABSOLUTE = {
    "maxServerMeta", "maxServerGroups", "maxServerGroupMembers", "maxTotalCores", "maxTotalInstances", "maxTotalKeypairs",
    "maxTotalRAMSize", "totalCoresUsed", "totalInstancesUsed", "totalRAMUsed", "totalServerGroupsUsed",
}
NETWORK_LIMITS = {
    "maxSecurityGroups", "maxSecurityGroupRules", "maxTotalFloatingIps", "totalFloatingIpsUsed", "totalSecurityGroupsUsed",
}
INJECTION_LIMITS = {"maxPersonality", "maxPersonalitySize"}


@pytest.mark.parametrize(("version", "keys"), [
    ("2.1", ABSOLUTE | INJECTION_LIMITS | NETWORK_LIMITS | {"maxImageMeta"}),
    ("2.36", ABSOLUTE | INJECTION_LIMITS | {"maxImageMeta"}), ("2.39", ABSOLUTE | INJECTION_LIMITS), ("2.57", ABSOLUTE),
])
def test_limits_of_every_version(member, version, keys):
    answer = member.at(version).get("/limits")
    assert answer.json["limits"]["rate"] == []
    assert set(answer.json["limits"]["absolute"]) == keys


def test_limits_show_usage_of_ones_own_project(member, admin, stranger, services):
    use(services, instances=2)
    absolute = member.get("/limits").json["limits"]["absolute"]
    assert (absolute["totalInstancesUsed"], absolute["totalCoresUsed"], absolute["totalRAMUsed"]) == (2, 4, 1024)
    assert stranger.get("/limits").json["limits"]["absolute"]["totalInstancesUsed"] == 0
    assert stranger.get(f"/limits?tenant_id={PROJECT}").status == 403
    assert admin.get(f"/limits?tenant_id={PROJECT}").json["limits"]["absolute"] == absolute
