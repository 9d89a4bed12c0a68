"""Deciding whether a caller may do something, by oslo.policy.

Each application has an enforcer of its own. It reads the policy files when it is made, and again
within a second when one of them has changed, all of them or none:

* A file that can't be used when the service starts keeps it from starting: `InvalidPolicy`.
* A file that can't be used later is reported once, at ERROR, and the rules of before stay in
  effect until it is put right. Half a policy could allow what the whole one refuses.
* A check that can't be understood, or that refers to a rule that does not exist, is never
  fulfilled; oslo.policy logs it.
* A check that fails while it is evaluated, such as one that asks a server that is down, refuses
  the request, and is logged at ERROR.

The rules themselves are in `policies`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from oslo_config import cfg
from oslo_context.context import RequestContext
from oslo_log import log
from oslo_policy import policy

from placement_api import conf as api_conf
from placement_api import policies

LOG = log.getLogger(__name__)

LOOK_EVERY = 1.0  # seconds, at whether the files have changed
_MOST_DECISIONS = 10_000  # remembered
_OWN_CHECKS = policy.AndCheck.__module__

# What tells that a file is another one, or has changed.
_State = tuple[tuple[str, int, int, int], ...]


class Forbidden(Exception):
    """Policy does not allow this caller to do this.

    :ivar rule: the name of the rule that says so.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(f"Policy does not allow {rule} to be performed.")
        self.rule = rule


class InvalidPolicy(Exception):
    """What the policy files hold can't be used."""


def make_enforcer(conf: cfg.ConfigOpts) -> Enforcer:
    """An enforcer of the rules in `policies`, as the policy files of `conf` change them.

    It shares nothing with other enforcers. No policy file is as good as an empty one.

    :param conf: a configuration that has been called already.
    :raises InvalidPolicy: naming the file and what is wrong with it.
    """
    api_conf.register_policy_opts(conf)
    # Before oslo.policy 6.0 operators could have tokens of any scope accepted.
    if "enforce_scope" in conf.oslo_policy:
        conf.set_override("enforce_scope", True, group="oslo_policy")
    _join_policy_dirs(conf)
    enforcer = Enforcer(conf)
    enforcer.load_rules()
    return enforcer


def _join_policy_dirs(conf: cfg.ConfigOpts) -> None:
    """Undo what oslo.config makes of `OS_OSLO_POLICY__POLICY_DIRS`: a value for each character."""
    place = conf.get_location("policy_dirs", "oslo_policy")
    dirs = conf.oslo_policy.policy_dirs
    if (
        place
        and place.location is cfg.Locations.environment
        and all(len(name) == 1 for name in dirs)
    ):
        conf.set_override("policy_dirs", ["".join(dirs)], group="oslo_policy")


def authorize(
    enforcer: Enforcer, context: RequestContext, rule: str, target: Mapping[str, Any]
) -> None:
    """Refuse a caller to whom `rule` does not apply.

    :param context: the caller. One whose token is not of the rule's scope is refused as well.
    :param target: what the rule is about: `project_id` and, if there is one, `user_id`.
    :raises Forbidden: naming the rule.
    :raises oslo_policy.policy.PolicyNotRegistered: there is no such rule.
    """
    credentials = dict(context.to_policy_values())
    try:
        allowed = enforcer.decide(rule, target, credentials)
    except policy.PolicyNotRegistered:
        raise
    except Exception as error:
        # Whatever an operator's check, or a server that it asks, comes up with.
        LOG.exception("Policy rule %s is refused, as it could not be evaluated", rule)
        raise Forbidden(rule) from error
    if not allowed:
        LOG.debug("Policy rule %s refuses %s for %s", rule, credentials, target)
        raise Forbidden(rule)


def get_enforcer() -> policy.Enforcer:
    """An enforcer for the tools of oslo.policy (entry point `oslo.policy.enforcer`).

    The tools read their command line into the global configuration, and look there for the policy
    file afterwards, so it is the one to use. Its files are those of the command line, else those
    that the service reads.
    """
    conf = cfg.CONF
    args = []
    for option in ("config_file", "config_dir"):
        if option in conf:
            args += [f"--{option.replace('_', '-')}={path}" for path in conf[option]]
    api_conf.register_policy_opts(conf)
    api_conf.load(conf, args)
    return _library_enforcer(conf)


class Enforcer(policy.Enforcer):
    """An enforcer whose rules are replaced as a whole, when all files could be read.

    It remembers its decisions as long as the rules stay what they are: the same few services ask
    for the same few things all day.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        super().__init__(conf)
        self.register_defaults(policies.list_rules())
        self._loaded: _State | None = None
        self._loading = threading.Lock()
        self._decisions: dict[str, bool] | None = None  # None when they hold only once
        self._look_at = 0.0  # when

    def decide(self, rule: str, target: Mapping[str, Any], credentials: dict[str, Any]) -> bool:
        """Whether somebody may do something, as `authorize` says.

        :raises: what `authorize` raises.
        """
        now = time.monotonic()
        if now >= self._look_at:
            self.load_rules()
            self._look_at = now + LOOK_EVERY
        decisions = self._decisions
        if decisions is None:
            return bool(self.authorize(rule, target, credentials))
        key = repr((rule, target, credentials))
        allowed = decisions.get(key)
        if allowed is None:
            if len(decisions) >= _MOST_DECISIONS:
                decisions.clear()
            allowed = decisions[key] = bool(self.authorize(rule, target, credentials))
        return allowed

    def load_rules(self, force_reload: bool = False) -> None:
        """Read the files if they have changed; oslo.policy calls this before each check.

        :raises InvalidPolicy: they can't be used, and there are no rules of before.
        """
        state = _state(self.conf)
        if state == self._loaded and not force_reload:
            return
        with self._loading:
            if state == self._loaded and not force_reload:
                return  # another thread has read them meanwhile
            try:
                fresh = _load(self.conf)
            except InvalidPolicy as error:
                if self._loaded is None:
                    raise
                LOG.error("%s The rules of before stay in effect.", error)
            else:
                self.rules, self.file_rules = fresh.rules, fresh.file_rules
                self._decisions = {} if all(map(_is_lasting, self.rules.values())) else None
            self._loaded = state


def _is_lasting(check: object) -> bool:
    """Whether a check depends on nothing but the caller and what is to be done.

    Those of plug-ins, and those that ask a server, may change their minds.
    """
    parts: Sequence[object] = ()
    if isinstance(check, policy.AndCheck | policy.OrCheck):
        parts = check.rules
    elif isinstance(check, policy.NotCheck):
        parts = [check.rule]
    return type(check).__module__ == _OWN_CHECKS and all(map(_is_lasting, parts))


def _library_enforcer(conf: cfg.ConfigOpts) -> policy.Enforcer:
    """One with our rules, which reads the files in oslo.policy's own way."""
    enforcer = policy.Enforcer(conf)
    # Nobody is to be told about defaults that they have not changed.
    enforcer.suppress_default_change_warnings = True
    enforcer.register_defaults(policies.list_rules())
    return enforcer


def _load(conf: cfg.ConfigOpts) -> policy.Enforcer:
    """An enforcer that has read the files just now.

    :raises InvalidPolicy: as `make_enforcer`.
    """
    for path in _files(conf):
        _check_file(path)
    enforcer = _library_enforcer(conf)
    try:
        enforcer.load_rules()
        # References to rules that do not exist have been logged; they refuse everybody.
        enforcer.skip_undefined_check = True
        enforcer.check_rules(raise_on_violation=True)
    except policy.InvalidDefinitionError as error:
        raise InvalidPolicy(f"The policy has rules that refer to themselves. {error}") from error
    except (OSError, ValueError, TypeError, cfg.Error) as error:
        raise InvalidPolicy(f"The policy files can't be used: {error}.") from error
    return enforcer


def _check_file(path: str) -> None:
    def invalid(reason: object) -> InvalidPolicy:
        text = " ".join(str(reason).split())  # YAML's take several lines
        return InvalidPolicy(f"The policy file {path} can't be used: {text}.")

    try:
        with open(path) as file:
            rules: object = policy.parse_file_contents(file.read())
    except (OSError, ValueError) as error:
        raise invalid(error) from error
    if not isinstance(rules, dict):
        raise invalid("it is not a mapping of rules to checks")
    for name, check in rules.items():
        # Lists are an old syntax, which oslo.policy still reads. What is neither, it would take
        # for an empty check, and allow everybody.
        if not isinstance(name, str) or not isinstance(check, str | list):
            raise invalid(f"{name!r} has {check!r} where a check should be")


def _files(conf: cfg.ConfigOpts) -> Iterator[str]:
    """The policy files that there are, in the order in which oslo.policy reads them."""
    path = conf.find_file(conf.oslo_policy.policy_file)
    if path:
        yield path
    for name in conf.oslo_policy.policy_dirs:
        directory = conf.find_file(name)
        try:
            entries = sorted(os.listdir(directory)) if directory else []
        except OSError:
            continue  # oslo.policy tells what is wrong with it
        for entry in entries:
            path = os.path.join(str(directory), entry)
            if not entry.startswith(".") and os.path.isfile(path):
                yield path


def _state(conf: cfg.ConfigOpts) -> _State:
    state = []
    for path in _files(conf):
        try:
            found = os.stat(path)
        except OSError:
            continue  # it has gone since
        state.append((path, found.st_mtime_ns, found.st_size, found.st_ino))
    return tuple(state)
