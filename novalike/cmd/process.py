"""What every executable begins and ends with: configuration, logging, the runner."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence

from oslo_config import cfg

from novalike import conf as configuration
from novalike import log, service, unread_options
from novalike.notifications import oslo as notifications


def register(conf: cfg.ConfigOpts, options: Iterable[cfg.Opt] = ()) -> None:
    """Register all options of ours and of the libraries below on a ConfigOpts; `options` are of the command line."""
    configuration.register(conf)
    notifications.register(conf)
    log.register(conf)
    conf.register_cli_opts(options)


def configure(program: str, arguments: Sequence[str] | None = None, *, options: Iterable[cfg.Opt] = ()) -> cfg.ConfigOpts:
    """Read the command line and the configuration files of one executable into a ConfigOpts of its own, and set up logging.

    Files are what --config-file and --config-dir name, else /etc/novalike/novalike.conf and the like. `options` are further
    ones of the command line. Ends the process with a message for a malformed value.
    """
    conf = read(program, arguments, options=options)
    if conf.log_dir and not conf.log_file:
        conf.set_default("log_file", f"{program}.log")       # also when started as python -m
    log.setup(conf, "novalike")
    unread_options.warn(conf)
    return conf


def read(program: str, arguments: Sequence[str] | None = None, *, options: Iterable[cfg.Opt] = ()) -> cfg.ConfigOpts:
    """Read as `configure` does, and leave logging alone."""
    conf = cfg.ConfigOpts()
    register(conf, options)
    try:
        conf(sys.argv[1:] if arguments is None else list(arguments), project="novalike", prog=program)
        configuration.check(conf)
    except cfg.Error as error:
        sys.exit(f"{program}: {error}")
    return conf


def pretended(conf: cfg.ConfigOpts, number: int, read_again: Callable[[], cfg.ConfigOpts]) -> cfg.ConfigOpts:
    """Answer the configuration of one of several pretended hypervisors in this process (`conf.computes` of them): the same
    but for its name, HOST-NUMBER, and its folder."""
    if conf.computes == 1:
        return conf
    own = read_again()
    own.set_override("host", f"{conf.host}-{number}")
    own.set_override("state_path", os.path.join(conf.state_path, "computes", str(number)))
    return own


def run(conf: cfg.ConfigOpts, build: Callable[[], Iterable[service.Part]], *, ready: Callable[[], None] | None = None) -> None:
    """Run what `build` makes until told to stop, and end the process."""
    service.leave(service.Runner(conf, [service.Later(build)], ready=ready).run())
