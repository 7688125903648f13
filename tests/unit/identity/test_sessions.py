"""Which account services of a real OpenStack are asked with."""

from __future__ import annotations

from pathlib import Path

import pytest
from oslo_config import cfg

from novalike import conf as configuration
from novalike.identity.sessions import Sessions, is_remote

ACCOUNT = "auth_type = password\nauth_url = http://127.0.0.1:1/v3\nusername = {0}\npassword = secret\nproject_name = service\n"


def read(folder: Path, **sections: str) -> cfg.ConfigOpts:
    file = folder / "novalike.conf"
    file.write_text("".join(f"[{name}]\n{text}" for name, text in sections.items()))
    return configuration.load(["--config-file", str(file)], files=[])


def test_nothing_is_remote_without_an_account(tmp_path) -> None:
    conf = read(tmp_path)
    assert not is_remote(conf)
    assert Sessions(conf).token_headers("glance") is None
    with pytest.raises(cfg.Error, match="names no account"):
        Sessions(conf).of("neutron")


def test_a_section_has_its_own_account_or_the_common_one(tmp_path) -> None:
    conf = read(
        tmp_path, keystone_authtoken=ACCOUNT.format("checker"), service_user=ACCOUNT.format("nova"),
        neutron=ACCOUNT.format("other") + "timeout = 7\n", glance="insecure = true\n",
    )
    assert is_remote(conf)
    sessions = Sessions(conf)
    names = {section: sessions.of(section).auth._username for section in ("neutron", "glance", "keystone")}
    assert names == {"neutron": "other", "glance": "nova", "keystone": "nova"}
    assert (sessions.of("neutron").timeout, sessions.of("glance").timeout) == (7, 60)
    assert sessions.of("glance").verify is False
    assert sessions.of("glance") is sessions.of("glance"), "one session keeps its connections"


def test_an_account_which_lacks_something_is_named(tmp_path) -> None:
    conf = read(tmp_path, keystone_authtoken="auth_type = password\nusername = nova\n")
    with pytest.raises(cfg.Error, match="keystone_authtoken"):
        Sessions(conf).of("glance").get_token()
