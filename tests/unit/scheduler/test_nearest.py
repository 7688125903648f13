"""The smallest change to a refused request: it places the server, and no smaller one does. By trying all there are."""

from dataclasses import replace
from itertools import chain, combinations, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from novalike.hardware.capacity import Shortage
from novalike.objects.server_group import ANTI_AFFINITY, GroupPlaces
from novalike.scheduler import plugins
from novalike.scheduler.explain import explain
from novalike.scheduler.nearest import Change, Refusal, smallest_change
from novalike.scheduler.options import Options
from novalike.scheduler.select import select
from tests import factories_hosts as make

OPTIONS = Options()
FILTERS = plugins.load_filters([
    "ComputeFilter", "AvailabilityZoneFilter", "RamFilter", "CoreFilter", "DiskFilter", "DifferentHostFilter", "JsonFilter",
    "ServerGroupAntiAffinityFilter",
], OPTIONS)
QUERY = ["=", "$host_ip", "10.0.0.1"]


@st.composite
def hosts(draw):
    return [
        make.host_state(
            f"h{index}", node_id=index + 1, vcpus=draw(st.integers(1, 3)), memory_mb=draw(st.integers(1, 3)), local_gb=draw(st.integers(0, 3)),
            used=(draw(st.integers(0, 2)), draw(st.integers(0, 2)), 0), up=draw(st.integers(0, 4)) > 0,
            availability_zone=draw(st.sampled_from(["az1", "az2"])), host_ip=draw(st.sampled_from(["10.0.0.1", "10.0.0.2"])),
        ) for index in range(draw(st.integers(1, 5)))
    ]


@st.composite
def specs(draw):
    group = GroupPlaces(policy=ANTI_AFFINITY, others=dict.fromkeys(draw(st.sets(st.sampled_from(["h0", "h1", "h2"]))), 1))
    hints = {"query": QUERY, "different_host": ["a"]}
    return make.spec(
        flavor=make.flavor(vcpus=draw(st.integers(1, 3)), memory_mb=draw(st.integers(1, 3)), root_gb=draw(st.integers(0, 3))),
        availability_zone=draw(st.sampled_from([None, "az1", "az2", "az3"])), group=draw(st.sampled_from([None, group])),
        hints={key: hints[key] for key in draw(st.sets(st.sampled_from(sorted(hints))))}, hinted_hosts={"a": ("h0", "h1")},
        excluded_hosts=tuple(draw(st.sets(st.sampled_from(["h0", "h3"]), max_size=1))),
    )


def granted(spec, wish):
    """Answer the request with one wish changed, as its words say."""
    if wish.startswith("in zone "):
        return replace(spec, availability_zone=wish.removeprefix("in zone "))
    if wish.startswith("without the hint "):
        return replace(spec, hints={key: value for key, value in spec.hints.items() if key != wish.removeprefix("without the hint ")})
    assert wish == "outside its server group", wish
    return replace(spec, group=None, server_group=None)


def with_less(spec, vcpus, memory_mb, disk_gb):
    own = spec.flavor
    return replace(spec, flavor=replace(own, vcpus=own.vcpus - vcpus, memory_mb=own.memory_mb - memory_mb, root_gb=own.root_gb - disk_gb))


def every_change(spec, zones):
    """Answer each set of other wishes with each amount less, the smallest change first: its size, the wishes, the amounts."""
    hints = [f"without the hint {name}" for name in spec.hints] + (["outside its server group"] if spec.group else [])
    moves = [(), *((f"in zone {zone}",) for zone in zones if spec.availability_zone)]
    own = spec.flavor
    found = []
    for kept in chain.from_iterable(combinations(hints, count) for count in range(len(hints) + 1)):
        for move, vcpus, memory_mb, disk_gb in product(moves, range(own.vcpus), range(own.memory_mb), range(own.root_gb + 1)):
            part = vcpus / own.vcpus + memory_mb / own.memory_mb + (disk_gb / own.root_gb if disk_gb else 0)
            found.append(((len(kept) + len(move), round(part, 9)), (*kept, *move), (vcpus, memory_mb, disk_gb)))
    return sorted(found)


def changed(spec, wishes, less):
    for wish in wishes:
        spec = granted(spec, wish)
    return with_less(spec, *less)


def places(spec, cloud):
    return bool(select(spec, cloud, FILTERS, (), "", OPTIONS).ranked)


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(specs(), hosts())
def test_it_places_and_no_smaller_one_does(spec, cloud):
    decision = select(spec, cloud, FILTERS, (), "", OPTIONS)
    if decision.ranked:
        return
    change = smallest_change(spec, decision, FILTERS)
    least = next((size for size, *one in every_change(spec, ["az1", "az2"]) if places(changed(spec, *one), cloud)), None)
    if change is None:
        assert least is None, f"nothing was advised, and a change of {least} would have done"
        return
    less = {one.resource: one.missing for one in change.less}
    request = changed(spec, change.wishes, [less.get(name, 0) for name in ("vcpus", "memory_mb", "disk_gb")])
    assert places(request, cloud), f"does not help: {change}"
    assert (change.size[0], round(change.size[1], 9)) == least, f"there is a smaller change than: {change}"
    assert explain(spec, decision, FILTERS).nearest == str(change)


@pytest.mark.parametrize(("wanted", "used", "less"), [
    ({"resources:CUSTOM_FPGA": "4"}, 2, {"CUSTOM_FPGA": 2}),
    ({"resources:CUSTOM_FPGA": "4", "resources:CUSTOM_NPU": "3"}, 2, {"CUSTOM_FPGA": 2, "CUSTOM_NPU": 1}),
    ({"resources:CUSTOM_FPGA": "3"}, 0, {"CUSTOM_FPGA": 1}),                    # in steps of 2
    ({"resources:CUSTOM_FPGA": "4"}, 3, None),                                 # 1 is left, and nobody gets less than 2
    ({"resources:CUSTOM_FPGA": "9", "resources:CUSTOM_GPU": "1"}, 0, None),    # there is none
    ({"resources:CUSTOM_FPGA": "9", "resources:CUSTOM_NPU": "two"}, 0, None),
])
def test_custom_resources(wanted, used, less):
    filters = plugins.load_filters(["ResourcesFilter"], OPTIONS)
    cloud = [make.host_state("a", used=(0, 0, 0, {"CUSTOM_FPGA": used}), resources={
        "CUSTOM_FPGA": make.custom_resource(total=4, min_unit=2, step_size=2), "CUSTOM_NPU": make.custom_resource(total=2),
    })]
    spec = make.spec(flavor=make.flavor(extra_specs=wanted))
    decision = select(spec, cloud, filters, (), "", OPTIONS)
    assert not decision.ranked
    change = smallest_change(spec, decision, filters)
    assert ({one.resource: one.missing for one in change.less} if change else None) == less
    if change:
        smaller = wanted | {f"resources:{one.resource}": str(one.wanted - one.missing) for one in change.less}
        assert select(replace(spec, flavor=make.flavor(extra_specs=smaller)), cloud, filters, (), "", OPTIONS).ranked, "does not help"


def test_words():
    less = (Shortage("memory_mb", 512, 112), Shortage("vcpus", 4, 1), Shortage("CUSTOM_FPGA", 3, 2))
    assert str(Change(less)) == "112 MiB less memory and 1 vCPU less and 2 CUSTOM_FPGA less would have fitted."
    assert str(Change((Shortage("PCPU", 3, 2),))) == "2 dedicated CPUs less would have fitted."
    assert str(Change(less[:1], ("in zone az1",))) == "112 MiB less memory in zone az1 would have fitted."
    assert str(Change(wishes=("outside its server group",), hosts=3)) == "3 hosts would have fitted outside its server group."


def test_what_fits_most_hosts_is_advised_among_equals():
    cloud = [make.host_state(f"h{n}", availability_zone="az1" if n < 1 else "az2") for n in range(3)]
    spec = make.spec(availability_zone="az3")
    assert str(smallest_change(spec, select(spec, cloud, FILTERS, (), "", OPTIONS), FILTERS)) == "2 hosts would have fitted in zone az2."


def test_a_host_which_refused_the_claim_is_a_near_one():
    cloud = [make.host_state("a", vcpus=1), make.host_state("b", vcpus=8)]
    spec = make.spec(flavor=make.flavor(vcpus=4))
    decision = select(spec, cloud, FILTERS, (), "", OPTIONS)
    refused = Refusal(cloud[1], (Shortage("vcpus", 4, 2),))
    assert smallest_change(spec, decision, FILTERS, [refused]) == Change((Shortage("vcpus", 4, 2),))


def test_what_nobody_can_change_is_no_advice():
    cloud = [make.host_state("a", up=False), make.host_state("b", up=False, memory_mb=1)]
    spec = make.spec()
    decision = select(spec, cloud, FILTERS, (), "", OPTIONS)
    assert smallest_change(spec, decision, FILTERS) is None
    assert explain(spec, decision, FILTERS).nearest == "1 host would have fitted but for ComputeFilter (down)."
