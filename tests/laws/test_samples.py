"""The samples in etc/ show the options and rules there are."""

from __future__ import annotations

import re

import pytest

from devstack import samples
from novalike import conf as configuration
from novalike import policies


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_a_sample_is_as_checked_in(name):
    assert samples.SAMPLES[name]() == (samples.ETC / name).read_text(), f"etc/{name} is stale: python -m devstack.samples"


def test_no_option_is_defined_twice_and_each_says_what_it_is():
    seen = set()
    for group, options in configuration.sections():
        for option in options:
            assert (group, option.dest) not in seen, f"[{group or 'DEFAULT'}] {option.name} is defined twice"
            assert option.help, f"[{group or 'DEFAULT'}] {option.name} has no help"
            seen.add((group, option.dest))


def test_samples_hold_nothing_of_this_machine():
    text = samples.configuration_sample()
    assert "/root" not in text
    assert "/work" not in text
    assert not re.search(r"^#host = (?!<)", text, re.MULTILINE)


def test_the_policy_sample_is_yaml_with_every_rule():
    names = re.findall(r'^#"([^"]+)":', samples.policy_sample(), re.MULTILINE)
    assert sorted(names) == sorted({rule.name for rule in policies.list_rules()})
