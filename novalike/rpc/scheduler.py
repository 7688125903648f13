"""What the scheduler can be asked."""

from __future__ import annotations

from novalike.context import RequestContext
from novalike.objects.request_spec import Placement, RequestSpec
from novalike.rpc.engine import Interface, call

TOPIC = "scheduler"


class Scheduler(Interface):
    """Choose a host and claim it."""

    topic, version = TOPIC, "1.1"

    @call(since="1.1", timeout=30)
    def check_rebuild(self, ctxt: RequestContext, *, spec: RequestSpec) -> None:
        """Check whether the host on which the server is (the spec's requested host) can run another image.

        Only filters which look at images are asked, and nothing is claimed. Raises NoValidHost with the explanation.
        """

    @call(timeout=30)
    def select_host(self, ctxt: RequestContext, *, spec: RequestSpec) -> Placement:
        """Choose a host for the instance and claim its resources in the same breath.

        The claim and `instances.host` are one transaction, fenced by the epoch. A claim which the instance already holds
        in this role and epoch, on a host that is not excluded, is answered again. Raises NoValidHost with the
        explanation, or Fenced when a newer operation owns the instance.
        """
