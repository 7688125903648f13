"""novalike-api-os-compute: the Compute API."""

from novalike import concurrency

concurrency.setup()

from novalike.cmd import process, wiring  # noqa: E402  the standard library is patched first


def main() -> None:
    """Run until told to stop."""
    conf = process.configure("novalike-api-os-compute")
    process.run(conf, lambda: wiring.Wiring(conf).apis(["osapi_compute"]))


if __name__ == "__main__":
    main()
