"""Who may do what: oslo.policy with our rules, overridden by policy.yaml."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from oslo_config import cfg
from oslo_policy import policy

from novalike.context import RequestContext
from novalike.exception import Forbidden

#: Seconds between two looks whether policy.yaml changed; oslo.policy itself looks at every check, which costs more than it.
_REFRESH = 1.0
#: How many answers are remembered until the next look.
_KNOWN = 10_000


class Enforcer:
    """Checks named rules. `rules` are the defaults; `policy_file` (YAML) overrides them and is read again when it changes."""

    def __init__(self, conf: cfg.ConfigOpts, rules: Sequence[policy.RuleDefault]) -> None:
        self._enforcer = policy.Enforcer(conf)
        self._enforcer.suppress_default_change_warnings = True
        self._enforcer.suppress_deprecation_warnings = True
        self._enforcer.register_defaults(rules)
        self._enforcer.load_rules()
        if not self._enforcer.check_rules():
            raise ValueError("the policy has undefined or cyclic rules")
        self._enforcer.use_conf = False          # its checks look at no file now; _refresh does
        self._fresh_until = time.monotonic() + _REFRESH
        self._known: dict[tuple[str, str, str], bool] = {}      # answers since the last refresh

    def _refresh(self) -> None:
        now = time.monotonic()
        if now >= self._fresh_until:
            self._fresh_until = now + _REFRESH
            self._known = {}
            self._enforcer.use_conf = True
            try:
                self._enforcer.load_rules()
            finally:
                self._enforcer.use_conf = False

    def knows(self, rule: str) -> bool:
        """Tell whether there is such a rule."""
        return rule in self._enforcer.registered_rules

    def allowed(self, rule: str, context: RequestContext, target: dict[str, Any] | None = None) -> bool:
        """Tell whether the caller passes the rule on the target (default: its own project and user)."""
        if target is None:
            target = {"project_id": context.project_id, "user_id": context.user_id}
        self._refresh()
        credentials = context.policy_credentials()
        # One request asks some rules several times, and whoever waits for a server asks the same again and again: oslo.policy
        # takes 0.1 ms for an answer which rule, target and credentials alone decide.
        key, known = (rule, repr(target), repr(credentials)), self._known
        answer = known.get(key)
        if answer is None:
            answer = bool(self._enforcer.authorize(rule, target, credentials))
            if len(known) < _KNOWN:
                known[key] = answer
        return answer

    def authorize(self, rule: str, context: RequestContext, target: dict[str, Any] | None = None) -> None:
        """Raise Forbidden, in Nova's words, unless `allowed`."""
        if not self.allowed(rule, context, target):
            raise Forbidden(f"Policy doesn't allow {rule} to be performed.")
