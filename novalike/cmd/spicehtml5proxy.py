"""novalike-spicehtml5proxy: SPICE consoles in browsers."""

from novalike import concurrency

concurrency.setup()

from novalike.cmd import process, wiring  # noqa: E402  the standard library is patched first


def main() -> None:
    """Run until told to stop."""
    conf = process.configure("novalike-spicehtml5proxy")
    process.run(conf, lambda: [wiring.Wiring(conf).console_proxy("spicehtml5proxy")])


if __name__ == "__main__":
    main()
