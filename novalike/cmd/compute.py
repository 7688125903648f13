"""novalike-compute: runs guests on this host."""

from novalike import concurrency

concurrency.setup()

from collections.abc import Iterator  # noqa: E402  the standard library is patched first

from oslo_config import cfg  # noqa: E402

from novalike import service  # noqa: E402
from novalike.cmd import process, wiring  # noqa: E402

OPTIONS = [
    cfg.IntOpt("computes", default=1, min=1, max=1000, help=(
        "How many pretended hypervisors this process is (HOST-1, HOST-2 ...), with the fake driver only."
    )),
]


def main() -> None:
    """Run until told to stop."""
    conf = process.configure("novalike-compute", options=OPTIONS)
    process.run(conf, lambda: hypervisors(conf))


def hypervisors(conf: cfg.ConfigOpts) -> Iterator[service.Part]:
    """Answer the compute daemons of this process. Raises cfg.Error for several on a real hypervisor."""
    if conf.computes > 1 and conf.compute_driver.partition(".")[0] != "fake":
        raise cfg.Error(f"--computes: there is only one hypervisor here with compute_driver {conf.compute_driver}")
    one = wiring.Wiring(conf)
    for number in range(1, conf.computes + 1):
        yield one.hypervisor(process.pretended(conf, number, lambda: process.read("novalike-compute", options=OPTIONS)))


if __name__ == "__main__":
    main()
