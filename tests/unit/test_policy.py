from dataclasses import replace

import pytest

from novalike import conf as configuration
from novalike import policies
from novalike.context import RequestContext
from novalike.exception import Forbidden
from novalike.policy import Enforcer

ADMIN = RequestContext(user_id="u", project_id="p", roles=("admin", "manager", "member", "reader"), is_admin=True, request_id="req-1")


@pytest.fixture(scope="module")
def enforcer():
    return Enforcer(configuration.load(), policies.list_rules())


@pytest.mark.parametrize("scope", [{"system_scope": "all"}, {"domain_id": "d"}])
def test_only_tokens_of_projects_do_anything_with_servers(enforcer, scope):
    rule = "os_compute_api:os-services:list"
    assert enforcer.allowed(rule, ADMIN)
    elsewhere = replace(ADMIN, project_id=None, **scope)
    with pytest.raises(Forbidden, match="Policy doesn't allow os_compute_api:os-services:list to be performed"):
        enforcer.authorize(rule, elsewhere)
    assert enforcer.allowed("identity:list_users", elsewhere), "accounts are what administrators of the system or a domain see to"
