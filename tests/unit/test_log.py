"""What reaches a log says for which request, and tells no secret."""

from __future__ import annotations

import subprocess
import sys

import pytest

from novalike import log

TOKEN = "gAAAAABnP3s1Zk9T4bXyQ2f7-7Ww_Ux8aB3cD4eF5gH6iJ7kL8mN9oP0=="


@pytest.mark.parametrize(("text", "masked"), [
    (f"token {TOKEN} came", "token *** came"),
    ("rabbit://guest:hunter2@host:5672/", "rabbit://***@host:5672/"),
    ("mysql+pymysql://nova:s3cret@db/nova", "mysql+pymysql://***@db/nova"),
    ('{"adminPass": "hunter2", "name": "x"}', '{"adminPass": "***", "name": "x"}'),
    ('{"password": "hunter2"}', '{"password": "***"}'),
    ("http://host:8774/v2.1/servers", "http://host:8774/v2.1/servers"),
])
def test_what_looks_secret_is_masked(text, masked):
    assert log.mask(text) == masked


PROCESS = f"""
from novalike import concurrency
concurrency.setup()
import logging, sys
from oslo_config import cfg
from novalike import context, log
conf = cfg.ConfigOpts()
log.register(conf)
conf([], project="x", default_config_files=[])
log.setup(conf, "novalike")
LOG = logging.getLogger("novalike.test")
LOG.info("nobody")
context.current.set(context.RequestContext(user_id="U", project_id="P", request_id="req-1"))
LOG.info("took %s", "{TOKEN}")
LOG.info("broken %s")
LOG.debug("hidden")
LOG.info("broken %d", "x")
"""


def test_a_line_names_request_user_and_project():
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", PROCESS], capture_output=True, text=True, timeout=30, check=True)
    lines = [line for line in ended.stdout.splitlines() if "novalike.test" in line]
    assert "nobody" in lines[0]
    assert "req-1 U P" in lines[1]
    assert lines[1].endswith("took ***")
    assert lines[2].endswith("broken %s")
    assert "hidden" not in ended.stdout
