"""Fitting a wish to free hardware: cases to read, then small random hosts against trying everything."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from novalike.hardware import cpus
from novalike.hardware.capacity import Ratios
from novalike.hardware.fitting import Misfit, fit, free, take
from novalike.objects.hardware import (
    CellWish,
    DeviceMatch,
    DeviceWish,
    Hardware,
    HardwareWish,
    HostCell,
    HostDevice,
    Pages,
)

ONCE = Ratios(1.0, 1.0, 1.0)


def cell(number, *, dedicated="", shared="", threads=2, memory_mb=4096, huge=0, socket=None):
    """A cell with memory_mb in small pages and `huge` pages of 2 MiB; its dedicated CPUs are cores of so many threads."""
    own = sorted(cpus.parse(dedicated))
    siblings = tuple(cpus.text(own[at:at + threads]) for at in range(0, len(own), threads)) if threads > 1 else ()
    return HostCell(
        id=number, cpus=cpus.text(cpus.parse(dedicated) | cpus.parse(shared)), memory_mb=memory_mb + 2 * huge, siblings=siblings, shared=shared,
        dedicated=dedicated, pages=(Pages(size_kb=4, total=memory_mb * 256), Pages(size_kb=2048, total=huge)), socket=socket,
    )


def device(address, numa_node=0, product_id="0001", **changes):
    return HostDevice(**{"address": f"0000:{address}.0", "vendor_id": "8086", "product_id": product_id, "numa_node": numa_node, **changes})


def pinned(count, memory_mb=512, first=0, dedicated=None):
    own = tuple(range(first, first + count))
    return CellWish(cpus=own, memory_mb=memory_mb, dedicated=own if dedicated is None else own[:dedicated])


def wish(*cells, **changes):
    return HardwareWish(cells=cells, **changes)


def nics(count, affinity="legacy", product_id="0001", kind="type-PCI"):
    return DeviceWish(alias="nic", count=count, affinity=affinity, matches=(DeviceMatch(product_id=product_id, type=kind),))


def hosts_cpus(answer):
    assert isinstance(answer, Hardware), answer
    return [[host for _, host in one.pins] for one in answer.cells]


def place(wanted, cells, devices=(), used=(), ratios=ONCE):
    return fit(wanted, free(cells, devices, used), ratios)


# ---- pinning


@pytest.mark.parametrize(("dedicated", "threads", "count", "policy", "expected"), [
    ("0-7", 2, 4, None, [0, 1, 2, 3]), ("0-7", 2, 3, "prefer", [0, 1, 2]), ("0-7", 2, 4, "require", [0, 1, 2, 3]),
    ("0-7", 2, 4, "isolate", [0, 2, 4, 6]), ("0-7", 2, 5, "isolate", None), ("0-3", 1, 4, "isolate", [0, 1, 2, 3]),
    ("0-3", 1, 2, "require", None), ("0-3", 1, 4, "prefer", [0, 1, 2, 3]), ("0-3", 2, 5, None, None), ("0-6", 2, 7, "require", None),
    ("0-6", 2, 1, None, [6]),
])
def test_thread_policies(dedicated, threads, count, policy, expected):
    answer = place(wish(pinned(count), thread_policy=policy), [cell(0, dedicated=dedicated, threads=threads)])
    assert isinstance(answer, Misfit) if expected is None else hosts_cpus(answer) == [expected]


def test_isolated_cores_are_nobody_elses():
    host = [cell(0, dedicated="0-3")]
    first = place(wish(pinned(1), thread_policy="isolate"), host)
    assert first.cells[0].blocked == (1,)
    assert hosts_cpus(place(wish(pinned(2)), host, used=[first])) == [[2, 3]]
    assert isinstance(place(wish(pinned(3)), host, used=[first]), Misfit)


def test_an_isolated_emulator_takes_a_cpu_of_its_own_beside_the_first_cell():
    host = [cell(0, dedicated="0-3"), cell(1, dedicated="4-7")]
    answer = place(wish(pinned(2), pinned(2, first=2), emulator="isolate"), host)
    assert (hosts_cpus(answer), answer.emulator_cpus, answer.threads) == ([[0, 1], [4, 5]], (2,), 2)
    assert isinstance(place(wish(pinned(4), emulator="isolate"), host), Misfit)


def test_mixed_servers_float_with_the_rest_of_their_cpus():
    host = [cell(0, dedicated="0-1", shared="2-3")]
    answer = place(wish(pinned(3, dedicated=1)), host)
    assert answer.cells[0].pins == ((0, 0),)
    assert isinstance(place(wish(pinned(3, dedicated=1)), host, used=[answer]), Misfit), "a fourth vCPU on two shared CPUs"
    assert isinstance(place(wish(pinned(3, dedicated=1)), host, used=[answer], ratios=Ratios(2.0, 1.0, 1.0)), Hardware)


# ---- memory


def test_pages_are_counted_by_size():
    host = [cell(0, shared="0-7", memory_mb=1024, huge=256)]
    big = wish(pinned(1, 512, dedicated=0), page_size="large")
    first = place(big, host)
    assert first.cells[0].page_kb == 2048
    assert place(big, host, used=[first]) == Misfit("no NUMA cell has 512 MiB free in pages of the wanted size (large)")
    small = wish(pinned(1, 600, dedicated=0), page_size="small")
    second = place(small, host, used=[first])
    assert isinstance(second, Hardware)
    assert isinstance(place(wish(pinned(1, 600, dedicated=0)), host, used=[first, second]), Misfit), "small pages are what plain memory is"


def test_cells_go_to_different_cells_emptiest_first_or_fullest_when_packing():
    host = [cell(0, dedicated="0-3"), cell(1, dedicated="4-7"), cell(2, dedicated="8-9")]
    assert hosts_cpus(place(wish(pinned(2), pinned(2, first=2)), host)) == [[0, 1], [4, 5]]
    assert hosts_cpus(place(wish(pinned(2), pack=True), host)) == [[8, 9]]
    assert place(wish(*(pinned(1),) * 4), host) == Misfit("fewer than 4 NUMA cells")
    assert isinstance(place(wish(pinned(2), pinned(4, first=2), pinned(4, first=6)), host), Hardware)
    assert place(wish(pinned(4), pinned(4), pinned(4)), host) == Misfit("no arrangement of its NUMA cells fits")


# ---- devices


@pytest.mark.parametrize(("affinity", "node", "fits"), [
    ("required", 1, True), ("required", None, False), ("required", 0, False), ("legacy", None, True), ("legacy", 0, False), ("legacy", 1, True),
    ("preferred", 0, True), ("socket", 0, True), ("socket", 2, False), ("socket", None, False),
])
def test_affinity_of_devices(affinity, node, fits):
    host = [cell(0, socket=0), cell(1, dedicated="4-7", socket=0), cell(2, socket=1)]
    answer = place(wish(pinned(1), devices=(nics(1, affinity),)), host, [device("05:00", node)])
    assert isinstance(answer, Hardware) is fits
    if not fits:
        assert answer == Misfit("not enough PCI devices nic beside its NUMA cells")


def test_devices_without_cells_are_anywhere_and_given_out_by_address():
    devices = [device("06:00", 1), device("05:00", 0), device("07:00", None)]
    first = place(wish(devices=(nics(2, "required"),)), [], devices)
    assert [one.address for one in first.devices] == ["0000:05:00.0", "0000:06:00.0"]
    assert place(wish(devices=(nics(2),)), [], devices, used=[first]) == Misfit("not enough PCI devices nic")


def test_a_server_without_devices_leaves_the_cells_with_devices_to_others():
    host = [cell(0, dedicated="0-3"), cell(1, dedicated="4-5")]
    assert hosts_cpus(place(wish(pinned(1)), host, [device("05:00", 0)])) == [[4]]
    assert hosts_cpus(place(wish(pinned(1), devices=(nics(1, "preferred"),)), host, [device("05:00", 0)])) == [[0]]


def test_physical_functions_go_with_their_virtual_ones():
    devices = [device("05:00", type="type-PF"), *(device(f"05:1{number}", type="type-VF", parent="0000:05:00.0") for number in range(2))]
    virtual, physical = nics(1, kind="type-VF"), nics(1, kind="type-PF")
    first = place(wish(devices=(virtual,)), [], devices)
    assert isinstance(place(wish(devices=(physical,)), [], devices, used=[first]), Misfit)
    assert isinstance(place(wish(devices=(virtual,)), [], devices, used=[first]), Hardware)
    whole = place(wish(devices=(physical,)), [], devices)
    assert isinstance(place(wish(devices=(virtual,)), [], devices, used=[whole]), Misfit)
    assert isinstance(place(wish(devices=(physical, virtual)), [], devices), Misfit)


def test_devices_for_ports_are_not_for_aliases():
    assert isinstance(place(wish(devices=(nics(1),)), [], [device("05:00", physical_network="provider")]), Misfit)


# ---- against trying everything


@st.composite
def hosts(draw):
    cells, first = [], 0
    for number in range(draw(st.integers(1, 3))):
        threads, cores, shared = draw(st.integers(1, 2)), draw(st.integers(0, 2)), draw(st.integers(0, 2))
        own = range(first, first + threads * cores)
        floating = range(own.stop, own.stop + shared)
        first = floating.stop
        cells.append(cell(
            number, dedicated=cpus.text(own), shared=cpus.text(floating), threads=threads, memory_mb=draw(st.sampled_from((256, 1024))),
            huge=draw(st.sampled_from((0, 128, 512))), socket=number // 2,
        ))
    devices = [
        device(f"{number:02x}:00", draw(st.sampled_from((None, 0, 1, 2))), draw(st.sampled_from(("0001", "0002"))))
        for number in range(draw(st.integers(0, 4)))
    ]
    return cells, devices


@st.composite
def wishes(draw):
    cells, first = [], 0
    for _ in range(draw(st.integers(0, 3))):
        count = draw(st.integers(1, 3))
        cells.append(pinned(count, draw(st.sampled_from((100, 256, 512))), first, draw(st.integers(0, count))))
        first += count
    return HardwareWish(
        cells=tuple(cells), thread_policy=draw(st.sampled_from((None, "prefer", "isolate", "require"))),
        emulator=draw(st.sampled_from((None, None, "isolate"))) if any(one.dedicated for one in cells) else None,
        page_size=draw(st.sampled_from((None, None, "small", "large", "any", 2048))), pack=draw(st.booleans()),
        devices=tuple(
            DeviceWish(
                alias=f"a{number}", count=draw(st.integers(1, 2)), affinity=draw(st.sampled_from(("required", "preferred", "legacy", "socket"))),
                matches=draw(st.sampled_from(((DeviceMatch(product_id="0001"),), (DeviceMatch(),), (DeviceMatch(product_id="0002"),)))),
            ) for number in range(draw(st.integers(0, 2)))
        ),
    )


def possible(wanted, cells, devices, used):
    """Try every arrangement of cells, and every order of devices."""
    addresses = {one.address for held in used for one in held.devices}
    left = [one for one in devices if one.address not in addresses]
    needed = [one for one in wanted.devices for _ in range(one.count)]
    for chosen in permutations(cells, len(wanted.cells)):
        if not all(cell_possible(wanted, number, host, used) for number, host in enumerate(chosen)):
            continue
        near = {host.id for host in chosen} if wanted.cells else None
        for given_ in permutations(left, len(needed)):
            if all(device_possible(want, one, near, cells) for want, one in zip(needed, given_, strict=True)):
                return True
    return False


def cell_possible(wanted, number, host, used):
    part = wanted.cells[number]
    there = [one for held in used for one in held.cells if one.host_cell == host.id]
    small = sum(one.memory_mb for one in there if one.page_kb in (None, 4))
    huge = sum(one.memory_mb for one in there if one.page_kb == 2048)
    fits_small = part.memory_mb + small <= host.pages[0].total // 256
    fits_huge = part.memory_mb % 2 == 0 and part.memory_mb + huge <= host.pages[1].total * 2
    memory = {None: fits_small, "small": fits_small, "large": fits_huge, "any": fits_small or fits_huge, 2048: fits_huge}[wanted.page_size]
    floating = len(part.cpus) - len(part.dedicated)
    promised = sum(len(one.cpus) - len(one.pins) for one in there)
    taken = {cpu for held in used for cpu in held.emulator_cpus} | {
        cpu for one in there for cpu in (*one.blocked, *(host_cpu for _, host_cpu in one.pins))
    }
    groups = [sorted(cpus.parse(text)) for text in host.siblings] or [[cpu] for cpu in sorted(cpus.parse(host.dedicated))]
    left = [[cpu for cpu in group if cpu not in taken] for group in groups]
    count, emulator = len(part.dedicated), number == 0 and wanted.emulator == "isolate"
    if wanted.thread_policy == "isolate":
        cores = sum(1 for group, rest in zip(groups, left, strict=True) if rest == group) >= count + emulator
    else:
        usable = [len(rest) for rest in left if wanted.thread_policy != "require" or len(rest) > 1]
        cores = sum(usable) >= count and sum(len(rest) for rest in left) >= count + emulator
    return memory and cores and (not floating or promised + floating <= len(cpus.parse(host.shared)))


def device_possible(want, one, near, cells):
    if not any(match.product_id in (None, one.product_id) for match in want.matches):
        return False
    if near is None or want.affinity == "preferred" or one.numa_node in near:
        return True
    sockets = {host.id: host.socket for host in cells}
    same = sockets.get(one.numa_node) is not None and sockets.get(one.numa_node) in {sockets[number] for number in near}
    return {"required": False, "legacy": one.numa_node is None, "socket": same}[want.affinity]


def exact(wanted, answer, cells, devices, used):
    """What was given is what was wanted, and nobody else's."""
    assert [one.cpus for one in answer.cells] == [one.cpus for one in wanted.cells]
    assert len({one.host_cell for one in answer.cells}) == len(answer.cells)
    mine = [cpu for one in answer.cells for cpu in (*one.blocked, *(host for _, host in one.pins))] + list(answer.emulator_cpus)
    others = {cpu for held in used for one in held.cells for cpu in (*one.blocked, *(host for _, host in one.pins))}
    others |= {cpu for held in used for cpu in held.emulator_cpus}
    assert len(set(mine)) == len(mine)
    assert not others & set(mine)
    for want, one in zip(wanted.cells, answer.cells, strict=True):
        assert tuple(cpu for cpu, _ in one.pins) == want.dedicated
        assert {host for _, host in one.pins} <= cpus.parse(cells[one.host_cell].dedicated)
    addresses = [one.address for one in answer.devices]
    assert len(set(addresses)) == len(addresses) == sum(one.count for one in wanted.devices)
    assert not set(addresses) & {one.address for held in used for one in held.devices}


@settings(max_examples=150, deadline=None)
@given(host=hosts(), stream=st.lists(wishes(), min_size=1, max_size=4))
def test_the_answer_is_what_trying_everything_finds(host, stream):
    cells, devices = host
    used = []
    for wanted in stream:
        answer = place(wanted, cells, devices, used)
        assert isinstance(answer, Hardware) == possible(wanted, cells, devices, used), answer
        assert place(wanted, cells, devices, used) == answer, "the same question has the same answer"
        if isinstance(answer, Hardware):
            exact(wanted, answer, cells, devices, used)
            assert take(free(cells, devices, used), answer).cells == free(cells, devices, [*used, answer]).cells
            assert take(free(cells, devices, used), answer).devices == free(cells, devices, [*used, answer]).devices
            used.append(answer)
