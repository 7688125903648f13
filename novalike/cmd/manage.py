"""novalike-manage: administers databases, cells, hosts and tasks."""

import sys

from novalike import concurrency

concurrency.setup()

from novalike.manage.main import main  # noqa: E402  the standard library is patched first

if __name__ == "__main__":
    sys.exit(main())
