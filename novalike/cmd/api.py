"""novalike-api: every HTTP API, each on its port."""

from novalike import concurrency

concurrency.setup()

from novalike.cmd import process, wiring  # noqa: E402  the standard library is patched first


def main() -> None:
    """Run until told to stop."""
    conf = process.configure("novalike-api")
    process.run(conf, lambda: wiring.Wiring(conf).apis(conf.enabled_apis))


if __name__ == "__main__":
    main()
