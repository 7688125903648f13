r"""Writes etc/novalike.conf.sample and etc/policy.yaml.sample from the code: python -m devstack.samples

The options of oslo.messaging, oslo.log, oslo.policy and keystonemiddleware are not in the sample, as they belong to the
versions installed; for those:

    oslo-config-generator --namespace oslo.messaging --namespace oslo.log --namespace oslo.policy \\
                          --namespace keystonemiddleware.auth_token
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from oslo_config import cfg, generator

from novalike import conf as configuration
from novalike import policies

ETC = Path(__file__).parent.parent / "etc"

CONFIGURATION_HEAD = """\
# Every option of novalike with its default. Made by `python -m devstack.samples`; do not edit.
#
# Options which come from libraries are not listed: transport_url, rpc_response_timeout and [oslo_messaging_rabbit]
# (oslo.messaging), debug, log_file, log_dir, use_syslog (oslo.log), [oslo_policy], [keystone_authtoken]. To list them:
#   oslo-config-generator --namespace oslo.messaging --namespace oslo.log --namespace oslo.policy \\
#                         --namespace keystonemiddleware.auth_token

"""
POLICY_HEAD = """\
# Every policy rule of novalike with its default, commented out. Made by `python -m devstack.samples`; do not edit.
# Copy what you want to change to /etc/novalike/policy.yaml; it is read again when it changes.

"""


def configuration_sample() -> str:
    """Answer the sample of the configuration file."""
    lines = io.StringIO()
    merged: dict[str, list[cfg.Opt]] = {}
    for group, options in configuration.list_opts():
        merged.setdefault(group or "DEFAULT", []).extend(options)
    formatter = generator._OptFormatter(generator_conf(), output_file=lines)  # noqa: SLF001  the one writer of this form
    for group in sorted(merged, key=lambda name: (name != "DEFAULT", name)):
        lines.write(f"[{group}]\n")
        for option in sorted(merged[group], key=lambda one: one.dest):
            lines.write("\n")
            formatter.format(option, group)
        lines.write("\n\n")
    return CONFIGURATION_HEAD + lines.getvalue().rstrip() + "\n"


def generator_conf() -> cfg.ConfigOpts:
    """Answer oslo.config's generator options, all at their defaults."""
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    conf(["--namespace", "novalike"], project="novalike", default_config_files=[])
    return conf


def policy_sample() -> str:
    """Answer the sample of the policy file."""
    parts = []
    for rule in sorted(policies.list_rules(), key=lambda one: one.name):
        told = [f"# {line}".rstrip() for line in (rule.description or "").strip().splitlines()]
        told += [f"# {operation['method']}  {operation['path']}" for operation in getattr(rule, "operations", None) or ()]
        parts.append("\n".join([*told, f'#"{rule.name}": "{rule.check_str}"']))
    return POLICY_HEAD + "\n\n".join(parts) + "\n"


SAMPLES = {"novalike.conf.sample": configuration_sample, "policy.yaml.sample": policy_sample}


def main() -> None:
    """Write both."""
    for name, make in SAMPLES.items():
        (ETC / name).write_text(make())
        sys.stdout.write(f"etc/{name}\n")


if __name__ == "__main__":
    main()
