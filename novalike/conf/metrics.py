"""[metrics]: hosts weighed by what monitors measure there (compute_monitors)."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "metrics"

OPTIONS = [
    cfg.FloatOpt("weight_multiplier", default=1.0, help=(
        "How far MetricsWeigher counts. An aggregate's metadata key metrics_weight_multiplier wins."
    )),
    cfg.ListOpt("weight_setting", default=[], help=(
        "Metrics which are weighed, as name=ratio: cpu.percent=-1.0 prefers hosts with idle CPUs. Empty: none."
    )),
    cfg.BoolOpt("required", default=True, help=(
        "Refuse hosts which do not report all metrics of weight_setting, as MetricsFilter does, whether it is enabled or not. (Nova: "
        "placing fails unless it is.)"
    )),
    cfg.FloatOpt("weight_of_unavailable", default=-10000.0, help="What such a host weighs when they are not required."),
]
