"""The pretended data centre: the same seed, the same outcome; spreading and packing differ as they should."""

import xml.etree.ElementTree as ET

from devstack import bench_simulate as bench


def test_packing_leaves_hosts_empty_and_free_memory_usable(tmp_path):
    picture = tmp_path / "deep" / "picture.svg"
    measured = bench.measure(30, picture)
    spread, pack = measured["spread"], measured["pack"]
    assert spread["points"][40]["empty"] < pack["points"][40]["empty"]
    assert spread["points"][40]["used"] == pack["points"][40]["used"], "the same servers came and stayed"
    assert sum(one["refused"] for one in spread["points"]) > 0, "more came than there is room for"
    for kind in (spread, pack):
        assert kind["points"][-1]["arrived"] == measured["arrivals"]
        assert all(0 <= one[name] <= 1 for one in kind["points"] for name in ("used", "empty", "stranded", "refused"))
    drawn = ET.fromstring(picture.read_text())
    assert len([one for one in drawn.iter() if one.tag.endswith("polyline")]) == 2 * len(bench.TITLES)
    assert bench.simulate(30, bench.PACK)[0] == bench.simulate(30, bench.PACK)[0]
