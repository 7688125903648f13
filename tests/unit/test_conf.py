"""Configuration is checked when a program starts, and not where a value is used for the first time."""

from __future__ import annotations

import pytest
from oslo_config import cfg

from novalike import conf as configuration
from novalike.cmd import process


@pytest.fixture
def write(tmp_path):
    """Answer a function which stores a configuration file and answers its path."""
    def store(text):
        file = tmp_path / "novalike.conf"
        file.write_text(text)
        return str(file)
    return store


@pytest.mark.parametrize("text", ["[DEFAULT]\nreport_interval = often\n", "[conductor]\nworkers = 0\n"])
def test_a_malformed_value_is_named_at_the_start(write, text):
    option = text.splitlines()[1].split()[0]
    with pytest.raises(cfg.Error, match=option):
        configuration.load(files=[write(text)])


def test_a_program_ends_with_a_message_instead_of_starting(write):
    with pytest.raises(SystemExit, match=r"^novalike-api: .*report_interval"):
        process.read("novalike-api", ["--config-file", write("[DEFAULT]\nreport_interval = often\n")])


def test_good_values_pass(write):
    conf = configuration.load(files=[write("[conductor]\nworkers = 3\n")])
    assert conf.conductor.workers == 3
