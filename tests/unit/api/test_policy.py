"""Who may do what: by default, with policy files, and with policy files that have mistakes."""

from __future__ import annotations

import logging
import os
import pathlib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from oslo_config import cfg
from oslo_context.context import RequestContext
from oslo_policy import policy as oslo_policy

from placement_api import conf as api_conf
from placement_api import policy

LIST = "placement:resource_providers:list"
SHOW = "placement:resource_providers:show"
USAGES = "placement:usages"
RESHAPE = "placement:reshaper:reshape"

MINE, OTHER = {"project_id": "p1"}, {"project_id": "p2"}

Configure = Callable[..., cfg.ConfigOpts]


@pytest.fixture
def configure(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """`configure(enforce_new_defaults=False)`: a configuration whose file is in `tmp_path`."""
    for name in [*os.environ]:
        if name.startswith("OS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def configure(directory: pathlib.Path = tmp_path, **options: Any) -> cfg.ConfigOpts:
        file = directory / "placement.conf"
        file.touch()
        conf = cfg.ConfigOpts()
        conf(args=[], default_config_files=[str(file)], default_config_dirs=[])
        api_conf.register_policy_opts(conf)
        for name, value in options.items():
            conf.set_override(name, value, group="oslo_policy")
        return conf

    return configure


@pytest.fixture(autouse=True)
def _look_at_files_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "LOOK_EVERY", 0.0)


@pytest.fixture
def policy_file(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "policy.yaml"


@pytest.fixture
def policy_d(tmp_path: pathlib.Path) -> pathlib.Path:
    directory = tmp_path / "policy.d"
    directory.mkdir()
    return directory


class Caller(RequestContext):
    """A context that does not become the one of this thread."""

    def update_store(self) -> None:
        pass


def caller(*roles: str, **values: Any) -> RequestContext:
    if not {"system_scope", "domain_id"} & values.keys():
        values = {"project_id": "p1", **values}
    return Caller(user_id="u1", roles=[*roles], **values)


def may(
    enforcer: oslo_policy.Enforcer,
    context: RequestContext,
    rule: str,
    target: dict[str, Any] = MINE,
) -> bool:
    try:
        policy.authorize(enforcer, context, rule, target)
    except policy.Forbidden as error:
        assert error.rule == rule
        assert str(error) == f"Policy does not allow {rule} to be performed."
        return False
    return True


# --- defaults ------------------------------------------------------------------------------------

ADMIN, SERVICE = caller("admin"), caller("service")


@pytest.mark.parametrize("new_defaults", [True, False])
@pytest.mark.parametrize(
    ("context", "ordinary", "own_usages", "other_usages", "reshape", "reshape_with_old_defaults"),
    [
        pytest.param(ADMIN, True, True, True, False, True, id="admin"),
        pytest.param(caller("ADMIN"), True, True, True, False, True, id="ADMIN"),
        pytest.param(SERVICE, True, True, True, True, True, id="service"),
        pytest.param(caller("member", "reader"), False, True, False, False, False, id="member"),
        pytest.param(caller("reader"), False, True, False, False, False, id="reader"),
        pytest.param(caller("member"), False, False, False, False, False, id="member-only"),
        pytest.param(caller(), False, False, False, False, False, id="no-roles"),
        pytest.param(
            caller("admin", "service", "reader", system_scope="all"),
            *[False] * 5,
            id="system",
        ),
        pytest.param(
            caller("admin", "service", "reader", system_scope="all", project_id="p1"),
            *[False] * 5,
            id="system-with-project",
        ),
        pytest.param(caller("admin", "service", domain_id="d1"), *[False] * 5, id="domain"),
    ],
)
def test_who_may_do_what(
    configure: Configure,
    context: RequestContext,
    ordinary: bool,
    own_usages: bool,
    other_usages: bool,
    reshape: bool,
    reshape_with_old_defaults: bool,
    new_defaults: bool,
) -> None:
    enforcer = policy.make_enforcer(configure(enforce_new_defaults=new_defaults))
    assert may(enforcer, context, LIST) is ordinary
    assert may(enforcer, context, "placement:allocations:update") is ordinary
    assert may(enforcer, context, USAGES) is own_usages
    assert may(enforcer, context, USAGES, OTHER) is other_usages
    expected = reshape if new_defaults else reshape_with_old_defaults
    assert may(enforcer, context, RESHAPE) is expected


def test_readers_have_to_name_their_project(configure: Configure) -> None:
    enforcer = policy.make_enforcer(configure())
    assert not may(enforcer, caller("reader"), USAGES, {"project_id": None})
    assert may(enforcer, ADMIN, USAGES, {"project_id": None})


def test_a_rule_that_does_not_exist_is_a_mistake_of_ours(configure: Configure) -> None:
    enforcer = policy.make_enforcer(configure())
    with pytest.raises(oslo_policy.PolicyNotRegistered, match="placement:nonsense"):
        policy.authorize(enforcer, ADMIN, "placement:nonsense", MINE)


def test_scope_can_no_longer_be_switched_off(configure: Configure) -> None:
    conf = configure()
    # The option of oslo.policy before 6.0.
    option = cfg.BoolOpt("enforce_scope", default=True)
    if "enforce_scope" not in conf.oslo_policy:
        conf.register_opt(option, group="oslo_policy")
    conf.set_override("enforce_scope", False, group="oslo_policy")
    enforcer = policy.make_enforcer(conf)
    assert conf.oslo_policy.enforce_scope is True
    assert not may(enforcer, caller("admin", system_scope="all"), LIST)


def test_a_refusal_is_logged_with_rule_and_caller(
    configure: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    enforcer = policy.make_enforcer(configure())
    with caplog.at_level(logging.DEBUG, policy.__name__):
        assert may(enforcer, ADMIN, LIST)
        assert caplog.messages == []
        assert not may(enforcer, caller("member"), LIST)
    (message,) = caplog.messages
    assert LIST in message
    assert "'roles': ['member']" in message
    assert caplog.records[0].levelno == logging.DEBUG


# --- policy files --------------------------------------------------------------------------------


def test_a_missing_file_is_told_at_debug(
    configure: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "oslo_policy"):
        for options in ({}, {"policy_file": "rules.yaml"}, {"policy_file": "/nowhere/rules.yaml"}):
            assert may(policy.make_enforcer(configure(**options)), ADMIN, LIST)
    assert [message for message in caplog.messages if "policy file" in message] == [
        "The policy file policy.yaml could not be found.",
        "The policy file rules.yaml could not be found.",
        "The policy file /nowhere/rules.yaml could not be found.",
    ]
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}


@pytest.mark.parametrize("check", ["@", ""])
def test_a_rule_that_allows_everybody(
    configure: Configure, policy_file: pathlib.Path, check: str
) -> None:
    policy_file.write_text(f'"{LIST}": "{check}"\n')
    enforcer = policy.make_enforcer(configure())
    assert may(enforcer, caller(), LIST)
    assert not may(enforcer, caller(), SHOW)
    # Scope is not up to policy files.
    assert not may(enforcer, caller("admin", system_scope="all"), LIST)


def test_json_is_yaml_too(configure: Configure, policy_file: pathlib.Path) -> None:
    policy_file.write_text(f'{{"{LIST}": "!", "{SHOW}": [["role:a", "role:b"], ["role:c"]]}}')
    enforcer = policy.make_enforcer(configure())
    assert not may(enforcer, ADMIN, LIST)
    assert may(enforcer, caller("a", "b"), SHOW)
    assert may(enforcer, caller("c"), SHOW)
    assert not may(enforcer, caller("a"), SHOW)


@pytest.mark.filterwarnings("ignore:Policy")
def test_an_override_replaces_what_the_rule_was_before_too(
    configure: Configure, policy_file: pathlib.Path
) -> None:
    policy_file.write_text('"service_api": "role:robot"\n')
    enforcer = policy.make_enforcer(configure(enforce_new_defaults=False))
    assert may(enforcer, caller("robot"), RESHAPE)
    assert not may(enforcer, ADMIN, RESHAPE)
    assert not may(enforcer, SERVICE, RESHAPE)


def test_files_of_the_directory_come_after_the_main_one(
    configure: Configure, policy_file: pathlib.Path, policy_d: pathlib.Path
) -> None:
    policy_file.write_text(f'"{LIST}": "!"\n"{SHOW}": "role:main"\n')
    (policy_d / "20.yaml").write_text(f'"{LIST}": "role:later"\n')
    (policy_d / "10.yaml").write_text(f'"{LIST}": "role:earlier"\n')
    (policy_d / ".99.yaml.swp").write_text("[not a policy")
    (policy_d / "more").mkdir()
    (policy_d / "more" / "99.yaml").write_text("[not a policy")
    enforcer = policy.make_enforcer(configure())
    assert may(enforcer, caller("later"), LIST)
    assert not may(enforcer, caller("earlier", "admin"), LIST)
    assert may(enforcer, caller("main"), SHOW)


def test_enforcers_do_not_influence_each_other(
    configure: Configure, tmp_path: pathlib.Path
) -> None:
    directories = [tmp_path / name for name in ("one", "other", "third")]
    for directory in directories:
        directory.mkdir()
    (directories[0] / "policy.yaml").write_text(f'"{LIST}": "!"\n')
    (directories[1] / "policy.yaml").write_text(f'"{LIST}": "@"\n')
    one, other, third = (
        policy.make_enforcer(configure(directory, enforce_new_defaults=new))
        for directory, new in zip(directories, (False, True, True), strict=True)
    )
    for _ in range(2):
        assert [may(e, ADMIN, LIST) for e in (one, other, third)] == [False, True, True]
        assert [may(e, caller(), LIST) for e in (one, other, third)] == [False, True, False]
        assert [may(e, ADMIN, RESHAPE) for e in (one, other, third)] == [True, False, False]
        (directories[0] / "policy.yaml").write_text(f'"{LIST}": "!"  # changed\n')


# --- changed while the service runs --------------------------------------------------------------
# What is written to a file twice within a test differs in size: clocks of file systems are coarse.


def test_changes_take_effect_at_once(
    configure: Configure, policy_file: pathlib.Path, policy_d: pathlib.Path
) -> None:
    enforcer = policy.make_enforcer(configure())
    nobody = caller()
    assert not may(enforcer, nobody, LIST)
    policy_file.write_text(f'"{LIST}": "@"\n')
    assert may(enforcer, nobody, LIST)
    (policy_d / "a.yaml").write_text(f'"{LIST}": "!"\n')
    assert not may(enforcer, ADMIN, LIST)
    (policy_d / "a.yaml").write_text(f'"{LIST}": "@"  # open\n')
    assert may(enforcer, nobody, LIST)
    (policy_d / "a.yaml").unlink()
    policy_file.write_text(f'"{LIST}": "!"  # closed\n')
    assert not may(enforcer, ADMIN, LIST)
    policy_file.unlink()
    assert may(enforcer, ADMIN, LIST)
    assert not may(enforcer, nobody, LIST)


def test_a_file_from_a_backup_is_noticed_though_it_is_older(
    configure: Configure, policy_file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    backup = tmp_path / "policy.yaml.orig"
    backup.write_text(f'"{LIST}": "@"\n')
    os.utime(backup, (1_000_000_000, 1_000_000_000))
    policy_file.write_text(f'"{LIST}": "!"\n')
    enforcer = policy.make_enforcer(configure())
    assert not may(enforcer, ADMIN, LIST)
    backup.rename(policy_file)
    assert may(enforcer, ADMIN, LIST)


def test_files_are_looked_at_every_second(
    configure: Configure, policy_file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "LOOK_EVERY", 1.0)
    now = 100.0
    monkeypatch.setattr(policy.time, "monotonic", lambda: now)
    policy_file.write_text(f'"{LIST}": "@"\n')
    enforcer = policy.make_enforcer(configure())
    assert may(enforcer, caller(), LIST)
    policy_file.write_text(f'"{LIST}": "!"  # closed\n')
    now += 0.9
    assert may(enforcer, caller(), LIST)
    now += 0.2
    assert not may(enforcer, caller(), LIST)


def test_files_are_read_only_when_they_have_changed(
    configure: Configure, policy_file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy_file.write_text(f'"{LIST}": "@"\n')
    enforcer = policy.make_enforcer(configure())
    reads: list[cfg.ConfigOpts] = []
    load = policy._load

    def counted(conf: cfg.ConfigOpts) -> oslo_policy.Enforcer:
        reads.append(conf)
        return load(conf)

    monkeypatch.setattr(policy, "_load", counted)
    for _ in range(3):
        assert may(enforcer, caller(), LIST)
    assert reads == []
    policy_file.write_text(f'"{LIST}": "!"  # closed\n')
    for _ in range(3):
        assert not may(enforcer, caller(), LIST)
    assert len(reads) == 1
    enforcer.load_rules(force_reload=True)
    assert len(reads) == 2


# --- mistakes ------------------------------------------------------------------------------------

BROKEN = [
    pytest.param("[", "while parsing a flow node", id="syntax"),
    pytest.param("- role:admin\n", "it is not a mapping of rules to checks", id="list"),
    pytest.param("role:admin\n", "it is not a mapping of rules to checks", id="text"),
    pytest.param(f'"{LIST}":\n', f"'{LIST}' has None where a check should be", id="none"),
    pytest.param(f'"{LIST}": true\n', f"'{LIST}' has True where a check should be", id="bool"),
    pytest.param("7: role:admin\n", "7 has 'role:admin' where a check should be", id="name"),
]


@pytest.mark.parametrize(("text", "reason"), BROKEN)
def test_a_broken_file_keeps_the_service_from_starting(
    configure: Configure, policy_file: pathlib.Path, text: str, reason: str
) -> None:
    policy_file.write_text(text)
    with pytest.raises(policy.InvalidPolicy) as caught:
        policy.make_enforcer(configure())
    message = str(caught.value)
    assert message.startswith(f"The policy file {policy_file} can't be used: ")
    assert reason in message
    assert "\n" not in message


def test_what_cannot_be_read_is_named(
    configure: Configure, policy_file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    policy_file.mkdir()
    with pytest.raises(policy.InvalidPolicy, match=f"{policy_file} can't be used.*directory"):
        policy.make_enforcer(configure())
    policy_file.rmdir()
    policy_file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(policy.InvalidPolicy, match=f"{policy_file} can't be used"):
        policy.make_enforcer(configure())
    policy_file.write_text(f'"{LIST}": [5]')
    with pytest.raises(policy.InvalidPolicy, match="int"):
        policy.make_enforcer(configure())
    policy_file.unlink()
    (tmp_path / "policy.d").write_text("")
    with pytest.raises(policy.InvalidPolicy, match=r"policy\.d is not a directory"):
        policy.make_enforcer(configure())


@pytest.mark.parametrize(("text", "reason"), BROKEN)
def test_a_file_that_breaks_later_changes_nothing(
    configure: Configure,
    policy_file: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
    text: str,
    reason: str,
) -> None:
    policy_file.write_text(f'"{LIST}": "role:special"\n')
    enforcer = policy.make_enforcer(configure())
    policy_file.write_text(text)
    caplog.clear()
    for _ in range(3):
        assert may(enforcer, caller("special"), LIST)
        assert not may(enforcer, ADMIN, LIST)
        assert may(enforcer, ADMIN, SHOW)
    (record,) = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert reason in record.message
    assert record.message.endswith("The rules of before stay in effect.")
    policy_file.write_text(f'"{LIST}": "role:other"\n')
    assert not may(enforcer, caller("special"), LIST)
    assert may(enforcer, caller("other"), LIST)


def test_one_broken_file_does_not_undo_what_the_others_refuse(
    configure: Configure, policy_file: pathlib.Path, policy_d: pathlib.Path
) -> None:
    policy_file.write_text(f'"{SHOW}": "!"\n')
    (policy_d / "10.yaml").write_text(f'"{LIST}": "!"\n')
    enforcer = policy.make_enforcer(configure())
    (policy_d / "20.yaml").write_text("[")
    for _ in range(3):
        assert not may(enforcer, ADMIN, LIST)
        assert not may(enforcer, ADMIN, SHOW)


def test_rules_that_refer_to_themselves(
    configure: Configure, policy_file: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    policy_file.write_text('"a": "rule:b"\n"b": "role:x or rule:a"\n')
    with pytest.raises(policy.InvalidPolicy, match=r"refer to themselves.*'a', 'b'"):
        policy.make_enforcer(configure())
    # oslo.policy does not find this one.
    policy_file.write_text(f'"{LIST}": "not rule:{LIST}"\n')
    enforcer = policy.make_enforcer(configure())
    caplog.clear()
    assert not may(enforcer, ADMIN, LIST)
    assert f"Policy rule {LIST} is refused" in caplog.text


def test_a_reference_to_a_rule_that_does_not_exist(
    configure: Configure, policy_file: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    policy_file.write_text(f'"{LIST}": "rule:typo"\n"{SHOW}": "role:x or rule:typo"\n')
    enforcer = policy.make_enforcer(configure())
    assert "reference a rule that is not defined" in caplog.text
    assert LIST in caplog.text
    assert not may(enforcer, ADMIN, LIST)
    assert not may(enforcer, ADMIN, SHOW)
    assert may(enforcer, caller("x"), SHOW)


@pytest.mark.parametrize("check", ["role:admin role:service", "admin", "(role:admin"])
def test_a_check_that_cannot_be_understood_refuses(
    configure: Configure,
    policy_file: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
    check: str,
) -> None:
    policy_file.write_text(f'"{LIST}": "{check}"\n')
    enforcer = policy.make_enforcer(configure())
    assert f"Failed to understand rule {check}" in caplog.text
    assert not may(enforcer, ADMIN, LIST)
    assert may(enforcer, ADMIN, SHOW)


@pytest.fixture
def dead_port() -> Iterator[int]:
    """One at which nobody listens, and nobody else can."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_a_check_that_fails_refuses(
    configure: Configure,
    policy_file: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
    dead_port: int,
) -> None:
    policy_file.write_text(
        f'"{LIST}": "http://127.0.0.1:{dead_port}/check"\n"{SHOW}": "user_id.name:x"\n'
    )
    enforcer = policy.make_enforcer(configure())
    assert caplog.text == ""
    for rule in (LIST, SHOW):
        assert not may(enforcer, ADMIN, rule)
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        assert record.message.startswith(f"Policy rule {rule} is refused")
        caplog.clear()


# --- the tools of oslo.policy --------------------------------------------------------------------


@pytest.fixture
def tool(configure: Configure, tmp_path: pathlib.Path) -> Callable[..., tuple[int, str]]:
    """`tool("generate_policy")`: run one in a process of its own."""

    def tool(function: str, *arguments: str) -> tuple[int, str]:
        program = f"from oslo_policy import generator as g; g.{function}()"
        done = subprocess.run(
            [sys.executable, "-c", program, "--namespace", "placement", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        assert done.returncode in (0, 1), done.stderr
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout

    return tool


def test_the_tools_read_the_files_of_the_service(
    tool: Callable[..., tuple[int, str]],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The enforcer is made without a database.
    (tmp_path / "placement.conf").write_text("[oslo_policy]\npolicy_file = rules.yaml\n")
    (tmp_path / "rules.yaml").write_text(f'"{LIST}": "role:special"\n"{SHOW}": "rule:service_api"')
    monkeypatch.setenv("OS_PLACEMENT_CONFIG_DIR", str(tmp_path))
    code, out = tool("generate_policy")
    assert code == 0
    assert f'"{LIST}": "role:special"' in out.splitlines()
    assert f'"{RESHAPE}": "rule:service_api"' in out.splitlines()
    assert len([line for line in out.splitlines() if line]) == 38


def test_the_tools_read_the_files_of_their_command_line(
    tool: Callable[..., tuple[int, str]], tmp_path: pathlib.Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(f'"{LIST}": "rule:admin_or_service_api"\n')
    file = tmp_path / "other.conf"
    file.write_text(f"[oslo_policy]\npolicy_file = {rules}\n")
    code, out = tool("list_redundant", "--config-file", str(file))
    assert (code, out) == (0, f'"{LIST}": "rule:admin_or_service_api"\n')
    assert tool("validate_policy", "--config-file", str(file)) == (0, "")
    rules.write_text(f'"{LIST}": "rule:typo"\n"placement:nonsense": "role:admin"\n')
    code, out = tool("validate_policy", "--config-file", str(file))
    assert code == 1
    assert "Invalid rules found" in out
    assert "Unknown rule found in policy file: placement:nonsense" in out


def test_a_directory_may_be_named_by_a_variable(tmp_path, monkeypatch):
    """oslo.config makes a list of its characters, each of which would be a directory."""
    (tmp_path / "open.yaml").write_text('"placement:traits:list": "@"\n')
    monkeypatch.setenv("OS_OSLO_POLICY__POLICY_DIRS", str(tmp_path))
    conf = cfg.ConfigOpts()
    conf(args=[], default_config_files=[], default_config_dirs=[])
    policy.make_enforcer(conf)
    assert conf.oslo_policy.policy_dirs == [str(tmp_path)]


class TestRememberedDecisions:
    """What was decided once is not decided again, unless it may come out otherwise."""

    RULE = "placement:usages"

    def counted(
        self, monkeypatch: pytest.MonkeyPatch, enforcer: policy.Enforcer
    ) -> list[Mapping[str, Any]]:
        asked: list[Mapping[str, Any]] = []
        authorize = enforcer.authorize

        def counting(rule: str, target: Any, credentials: Any) -> Any:
            asked.append(credentials)
            return authorize(rule, target, credentials)

        monkeypatch.setattr(enforcer, "authorize", counting)
        return asked

    def decide(self, enforcer: policy.Enforcer, project: str, *roles: str) -> bool:
        credentials = {"roles": [*roles], "project_id": project, "user_id": "u"}
        return enforcer.decide(self.RULE, {"project_id": "mine"}, credentials)

    def test_by_caller_and_target(
        self, monkeypatch: pytest.MonkeyPatch, configure: Configure
    ) -> None:
        enforcer = policy.make_enforcer(configure())
        asked = self.counted(monkeypatch, enforcer)
        for _ in range(3):
            assert self.decide(enforcer, "mine", "reader")
            assert not self.decide(enforcer, "other", "reader")
            assert self.decide(enforcer, "other", "admin")
            assert not self.decide(enforcer, "mine")
        assert len(asked) == 4

    def test_until_the_rules_are_others(
        self, configure: Configure, policy_file: pathlib.Path
    ) -> None:
        policy_file.write_text("{}")
        enforcer = policy.make_enforcer(configure())
        assert self.decide(enforcer, "mine", "reader")
        policy_file.write_text(f'"{self.RULE}": "role:nobody"')
        assert not self.decide(enforcer, "mine", "reader")

    def test_not_those_of_a_server_that_is_asked(
        self, monkeypatch: pytest.MonkeyPatch, configure: Configure, policy_file: pathlib.Path
    ) -> None:
        policy_file.write_text(f'"{self.RULE}": "not (role:x or http://127.0.0.1:9/never)"')
        enforcer = policy.make_enforcer(configure())
        asked = self.counted(monkeypatch, enforcer)
        for _ in range(2):
            assert not self.decide(enforcer, "mine", "x")
        assert len(asked) == 2
