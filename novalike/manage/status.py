"""`novalike-status upgrade check`: may this version start on these databases?"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from oslo_config import cfg
from oslo_upgradecheck import upgradecheck
from sqlalchemy.exc import SQLAlchemyError

from novalike import conf as configuration
from novalike.db import connections, hosts, migrations
from novalike.exception import NovalikeError
from novalike.scheduler import plugins
from novalike.scheduler.options import Options

SUCCESS, WARNING, FAILURE = upgradecheck.Code.SUCCESS, upgradecheck.Code.WARNING, upgradecheck.Code.FAILURE


class Checks(upgradecheck.UpgradeCommands):
    """What must be right before daemons of this version start."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        super().__init__()
        self._conf = conf

    def tables(self) -> upgradecheck.Result:
        """Every database is at the newest revision."""
        try:
            cells = connections.open_cells(self._conf)
            stale = ["global"] if migrations.current(cells.shared, migrations.GLOBAL) != migrations.head(migrations.GLOBAL) else []
            stale += [name for name in cells.names() if migrations.current(cells.cell(name), migrations.CELL) != migrations.head(migrations.CELL)]
            connections.close(cells)
        except (NovalikeError, SQLAlchemyError) as error:
            return upgradecheck.Result(FAILURE, f"The database does not answer: {getattr(error, 'orig', None) or error}")
        if stale:
            return upgradecheck.Result(FAILURE, f"Run novalike-manage db sync: {', '.join(stale)} is not at the newest revision.")
        return upgradecheck.Result(SUCCESS)

    def filters_and_weighers(self) -> upgradecheck.Result:
        """The scheduler's plugins exist."""
        conf = self._conf
        try:
            plugins.load_driver(conf.scheduler.driver, Options.of(conf.filter_scheduler, conf.metrics))
        except (ValueError, ImportError, AttributeError) as error:
            return upgradecheck.Result(FAILURE, str(error))
        return upgradecheck.Result(SUCCESS)

    def compute_services(self) -> upgradecheck.Result:
        """Some host can take servers."""
        try:
            cells = connections.open_cells(self._conf)
            up = sum(
                service.up and not service.disabled for database in cells
                for service in database.fetch(
                    hosts.list_services, down_after=self._conf.service_down_time, binary=hosts.COMPUTE_BINARY,
                )
            )
            connections.close(cells)
        except (NovalikeError, SQLAlchemyError):
            return upgradecheck.Result(WARNING, "Not known: the tables cannot be read.")
        return upgradecheck.Result(SUCCESS) if up else upgradecheck.Result(WARNING, "No compute host is up and enabled.")

    _upgrade_checks = (
        ("Tables", tables), ("Filters and weighers", filters_and_weighers), ("Compute hosts", compute_services),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `upgrade check [--json]`; status 0 fine, 1 a warning, 2 a failure."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    files = []
    while "--config-file" in words:
        at = words.index("--config-file")
        files += words[at + 1:at + 2]
        del words[at:at + 2]
    try:
        conf = configuration.load(files=files or None)
    except cfg.Error as error:
        print(f"novalike-status: {error}", file=sys.stderr)
        return 2
    # oslo.upgradecheck registers its commands on a ConfigOpts of its own, which never sees our options.
    return int(upgradecheck.main(cfg.ConfigOpts(), "novalike", Checks(conf), argv=words))


if __name__ == "__main__":
    sys.exit(main())
