"""The pure core: laws that hold for any hosts, and the explanation."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from novalike.scheduler import plugins
from novalike.scheduler.explain import explain
from novalike.scheduler.nearest import Refusal
from novalike.scheduler.options import Options
from novalike.scheduler.select import first_reason, screen, select
from tests import factories_hosts as make

OPTIONS = Options()
NAMES = [
    "ComputeFilter", "AvailabilityZoneFilter", "RamFilter", "CoreFilter", "DiskFilter", "ImagePropertiesFilter",
    "ComputeCapabilitiesFilter",
]
FILTERS = plugins.load_filters(NAMES, OPTIONS)
#: Every filter there is, with options under which each has something to say.
ALL_OPTIONS = Options(
    isolated_images=["special"], isolated_hosts=["h1", "h2"], max_io_ops_per_host=2, max_instances_per_host=5,
    metrics_weights={"cpu.percent": -1.0},
)
EXACT = {"ExactCoreFilter", "ExactRamFilter", "ExactDiskFilter"}              # nothing would pass all three
ALL_FILTERS = plugins.load_filters([name for name in plugins.known(plugins.FILTERS) if name not in EXACT], ALL_OPTIONS)
WEIGHERS = plugins.load_weighers(["all"], OPTIONS)


@st.composite
def clouds(draw):
    count = draw(st.integers(0, 12))
    return [
        make.host_state(
            f"h{index}", node_id=index + 1, vcpus=draw(st.integers(1, 16)), memory_mb=draw(st.integers(0, 4096)),
            used=(draw(st.integers(0, 20)), draw(st.integers(0, 4096)), draw(st.integers(0, 50))), local_gb=draw(st.integers(0, 60)),
            up=draw(st.booleans()), disabled=draw(st.booleans()), owing=draw(st.booleans()),
            availability_zone=draw(st.sampled_from(["az1", "az2"])), build_failures=draw(st.integers(0, 3)),
        ) for index in range(count)
    ]


@st.composite
def specs(draw):
    return make.spec(
        flavor=make.flavor(vcpus=draw(st.integers(1, 8)), memory_mb=draw(st.integers(0, 2048)), root_gb=draw(st.integers(0, 30))),
        availability_zone=draw(st.sampled_from([None, "az1", "az2", "az3"])),
        excluded_hosts=tuple(draw(st.lists(st.sampled_from(["h0", "h1", "h2"]), max_size=2))),
    )


def choose(spec, hosts, seed="s", options=OPTIONS, weighers=WEIGHERS):
    return select(spec, hosts, FILTERS, weighers, seed, options)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(specs(), clouds(), st.integers(1, 4), st.booleans())
def test_every_host_is_ranked_or_removed_with_a_reason(spec, hosts, subset, shuffle):
    options = Options(host_subset_size=subset, shuffle_best_same_weighed_hosts=shuffle)
    decision = choose(spec, hosts, options=options)
    assert {one.host.host for one in decision.ranked} | {one.host.host for one in decision.removed} == {host.host for host in hosts}
    assert len(decision.ranked) + len(decision.removed) == decision.considered == len(hosts)
    for ranked in decision.ranked:
        assert screen(spec, ranked.host) is None
        for one in FILTERS:
            assert one.reject(spec, ranked.host) is None, f"{one.name} rejects a host which was chosen"
    for removed in decision.removed:
        assert screen(spec, removed.host) == (removed.by, removed.reason) or first_reason(spec, removed.host, FILTERS) == (removed.by, removed.reason)
    assert decision == choose(spec, hosts, options=options), "the same question had another answer"
    weights = [one.weight for one in decision.ranked]
    assert sorted(weights[1:], reverse=True) == weights[1:]
    if weights:
        assert weights[0] in sorted(weights, reverse=True)[:subset]


@st.composite
def rich_clouds(draw):
    """Hosts with something for every filter."""
    def some(values):
        return frozenset(draw(st.lists(st.sampled_from(values), max_size=2)))

    metadata = {"filter_tenant_id": ["p1", "p2"], "instance_type": ["m1.small", "m1.large"], "ssd": ["true"], "os_distro": ["debian"],
                "max_io_ops_per_host": ["1", "3"], "max_instances_per_host": ["2", "4"]}
    return [
        make.host_state(
            f"h{index}", node_id=index + 1, up=draw(st.booleans()), io_ops=draw(st.integers(0, 3)), instances=draw(st.integers(0, 6)),
            metadata={key: values for key, known in metadata.items() if (values := some(known))},
            metrics={"cpu.percent": 0.5} if draw(st.booleans()) else {}, flavors=some(["1", "2"]), host_ip=f"10.0.{index % 2}.1",
            resources={"CUSTOM_FPGA": make.custom_resource(total=draw(st.integers(0, 4)))}, traits=tuple(some(["CUSTOM_GOLD"])),
            used=(draw(st.integers(0, 9)), 0, 0, {"CUSTOM_FPGA": draw(st.integers(0, 3))}),
        ) for index in range(draw(st.integers(0, 8)))
    ]


@st.composite
def rich_specs(draw):
    extra_specs = {"resources:CUSTOM_FPGA": "1", "trait:CUSTOM_GOLD": "required", "aggregate_instance_extra_specs:ssd": "true"}
    hints = {"same_host": "a", "different_host": ["b"], "build_near_host_ip": "10.0.0.7", "query": ["<", "$vcpus_used", 5]}
    return make.spec(
        flavor=make.flavor(extra_specs={key: extra_specs[key] for key in draw(st.sets(st.sampled_from(sorted(extra_specs)), max_size=1))}),
        hints={key: hints[key] for key in draw(st.sets(st.sampled_from(sorted(hints)), max_size=1))},
        hinted_hosts={"a": ("h0", "h3"), "b": ("h1",)}, image_ref=draw(st.sampled_from(["special", "usual"])),
        image_properties=draw(st.sampled_from([{}, {"os_distro": "debian"}, {"os_distro": "windows"}])),
        forced_host=draw(st.sampled_from([None, None, None, "h1"])),
    )


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(rich_specs(), rich_clouds(), st.lists(st.sampled_from(range(len(ALL_FILTERS))), unique=True, max_size=6))
def test_no_host_is_chosen_which_a_filter_refuses(spec, hosts, chosen):
    """With any of the filters there are, in any order; a forced host is asked for what it must have only."""
    filters = tuple(ALL_FILTERS[index] for index in chosen)
    decision = select(spec, hosts, filters, WEIGHERS, "s", ALL_OPTIONS)
    assert len(decision.ranked) + len(decision.removed) == len(hosts)
    asked = [one for one in filters if one.always or spec.forced_host is None]
    for ranked in decision.ranked:
        assert [one.name for one in asked if one.reject(spec, ranked.host) is not None] == []
    for removed in decision.removed:
        assert removed.reason == (screen(spec, removed.host) or first_reason(spec, removed.host, asked))[1]
        assert removed.host.host not in removed.reason, "a reason names a host"


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(specs(), clouds())
def test_the_explanation_counts_every_host_and_names_none(spec, hosts):
    decision = choose(spec, hosts)
    if decision.ranked:
        return
    answer = explain(spec, decision, FILTERS)
    assert not any(host.node in answer.summary for host in hosts), "a host's name was shown to a user"
    assert sum(one.removed for one in answer.rejections) == len(hosts)


def test_the_emptiest_host_wins_and_a_negative_multiplier_packs():
    hosts = [make.host_state(f"h{n}", used=(n, 1000 * n, 10 * n)) for n in (2, 0, 1)]
    assert [one.host.host for one in choose(make.spec(), hosts).ranked] == ["h0", "h1", "h2"]
    packing = plugins.load_weighers(["nova.scheduler.weights.ram.RAMWeigher"], Options(ram_weight_multiplier=-1.0))
    assert [one.host.host for one in choose(make.spec(), hosts, weighers=packing).ranked] == ["h2", "h1", "h0"]


def test_failed_builds_outweigh_everything():
    hosts = [make.host_state("empty", build_failures=1), make.host_state("busy", used=(7, 10000, 90))]
    assert choose(make.spec(), hosts).ranked[0].host.host == "busy"


def test_an_aggregate_overrides_a_multiplier():
    hosts = [make.host_state("a", metadata={"build_failure_weight_multiplier": frozenset({"0"})}, build_failures=3),
             make.host_state("b", used=(1, 100, 1))]
    assert choose(make.spec(), hosts).ranked[0].host.host == "a"


def test_a_forced_host_skips_filters_a_requested_one_does_not():
    hosts = [make.host_state("a", disabled=True), make.host_state("b")]
    assert [one.host.host for one in choose(make.spec(forced_host="a"), hosts).ranked] == ["a"]
    assert choose(make.spec(requested_host="a"), hosts).ranked == ()
    assert [one.host.host for one in choose(make.spec(requested_node="b.example.org"), hosts).ranked] == ["b"]
    assert choose(make.spec(forced_host="a", forced_node="b.example.org"), hosts).ranked == ()


def test_ties_are_shuffled_by_the_seed_only_when_asked():
    hosts = [make.host_state(f"h{n}") for n in range(8)]
    assert [one.host.host for one in choose(make.spec(), hosts).ranked] == [f"h{n}" for n in range(8)]
    shuffled = Options(shuffle_best_same_weighed_hosts=True)
    firsts = {choose(make.spec(), hosts, seed=str(seed), options=shuffled).ranked[0].host.host for seed in range(40)}
    assert len(firsts) > 3


def test_the_explanation_counts_and_advises():
    hosts = [make.host_state(f"a{n}", memory_mb=1024) for n in range(8)] + [
        make.host_state(f"b{n}", availability_zone="az1") for n in range(4)]
    spec = make.spec(flavor=make.flavor(memory_mb=1536), availability_zone="nova")
    answer = explain(spec, choose(spec, hosts), FILTERS)
    assert answer.summary == (
        "No valid host was found. 12 hosts considered: 8 removed by RamFilter (not enough memory), 4 by "
        "AvailabilityZoneFilter (not in zone nova). Nearest: 512 MiB less memory would have fitted."
    )


def test_the_explanation_without_amounts_names_the_filter_in_the_way():
    hosts = [make.host_state("a"), make.host_state("b", up=False)]
    spec = make.spec(availability_zone="az2")
    assert explain(spec, choose(spec, hosts), FILTERS).nearest == "1 host would have fitted in zone nova."
    assert explain(spec, choose(spec, []), FILTERS).summary == "No valid host was found. There are no compute hosts."


def test_advice_may_be_several_changes():
    hosts = [make.host_state("a", availability_zone="az1", memory_mb=400), make.host_state("b", up=False)]
    spec = make.spec(availability_zone="az2", hints={"query": ["=", "$host_ip", "x"]})
    assert explain(spec, choose(spec, hosts), FILTERS).nearest == "112 MiB less memory in zone az1 would have fitted."
    filters = plugins.load_filters(["AvailabilityZoneFilter", "JsonFilter"], OPTIONS)
    decision = select(spec, hosts[:1], filters, (), "", OPTIONS)
    assert explain(spec, decision, filters).nearest == "1 host would have fitted in zone az1 and without the hint query."
    spec = make.spec(flavor=make.flavor(extra_specs={"resources:CUSTOM_FPGA": "3"}))
    hosts = [make.host_state("a", resources={"CUSTOM_FPGA": make.custom_resource(total=2)})]
    filters = plugins.load_filters(["ResourcesFilter"], OPTIONS)
    assert explain(spec, select(spec, hosts, filters, (), "", OPTIONS), filters).nearest == "1 CUSTOM_FPGA less would have fitted."


def test_the_explanation_counts_hosts_which_refused_the_claim():
    hosts = [make.host_state("a", vcpus=1)]
    spec = make.spec(flavor=make.flavor(vcpus=2), forced_host="a")
    decision = choose(spec, hosts)
    assert decision.ranked
    shortage = FILTERS[3].shortage(spec, hosts[0])
    summary = explain(spec, decision, FILTERS, [Refusal(hosts[0], (shortage,))]).summary
    assert summary == (
        "No valid host was found. 1 host considered: 1 removed by the claim (not enough room). "
        "Nearest: 1 vCPU less would have fitted."
    )
