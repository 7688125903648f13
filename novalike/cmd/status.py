"""novalike-status: tells whether this version may start on what is there."""

import sys

from novalike import concurrency

concurrency.setup()

from novalike.manage.status import main  # noqa: E402  the standard library is patched first

if __name__ == "__main__":
    sys.exit(main())
