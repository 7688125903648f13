"""novalike-compute: runs guests on this host."""

from novalike import concurrency

concurrency.setup()

from novalike.cmd import process, wiring  # noqa: E402  the standard library is patched first


def main() -> None:
    """Run until told to stop."""
    conf = process.configure("novalike-compute")
    process.run(conf, lambda: [wiring.Wiring(conf).hypervisor()])


if __name__ == "__main__":
    main()
