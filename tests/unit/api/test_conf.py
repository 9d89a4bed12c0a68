"""The options of the service: what there is, what it is by default, and where values come from."""

from __future__ import annotations

import logging
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest
from oslo_config import cfg
from oslo_middleware import cors, http_proxy_to_wsgi
from oslo_middleware.healthcheck import opts as healthcheck_opts
from oslo_policy import opts as policy_opts

from placement_api import conf as api_conf
from placement_core import conf as placement_conf

URL = "sqlite:////nowhere/placement.sqlite"
ROOT = pathlib.Path(__file__).parents[3]

METHODS = ["GET", "PUT", "POST", "DELETE", "PATCH"]
DEFAULTS: dict[tuple[str | None, str], Any] = {
    (None, "tempdir"): None,
    (None, "pybasedir"): str(ROOT),
    (None, "state_path"): str(ROOT),
    (None, "log_options"): True,
    (None, "debug"): False,
    (None, "log_file"): None,
    ("api", "auth_strategy"): "keystone",
    ("placement_database", "max_retries"): 10,
    ("placement_database", "sync_on_startup"): False,
    ("placement", "max_allocation_candidates"): -1,
    ("workarounds", "optimize_for_wide_provider_trees"): False,
    ("oslo_policy", "policy_file"): "policy.yaml",
    ("oslo_policy", "policy_dirs"): ["policy.d"],
    ("oslo_policy", "policy_default_rule"): "default",
    ("oslo_policy", "enforce_new_defaults"): True,
    ("oslo_middleware", "enable_proxy_headers_parsing"): False,
    ("healthcheck", "detailed"): False,
    ("healthcheck", "backends"): [],
    ("healthcheck", "disable_by_file_path"): None,
    ("cors", "allowed_origin"): None,
    ("cors", "allow_credentials"): True,
    ("cors", "max_age"): 3600,
    ("cors", "allow_methods"): METHODS,
    ("cors", "allow_headers"): [
        "X-Auth-Token",
        "X-Openstack-Request-Id",
        "X-Identity-Status",
        "X-Roles",
        "X-Service-Catalog",
        "X-User-Id",
        "X-Tenant-Id",
        "OpenStack-API-Version",
    ],
    ("cors", "expose_headers"): [
        "X-Auth-Token",
        "X-Openstack-Request-Id",
        "X-Subject-Token",
        "X-Service-Token",
        "OpenStack-API-Version",
    ],
}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> pathlib.Path:
    """No configuration but what a test makes, in `.placement` of an empty home directory."""
    for name in [*os.environ]:
        if name.startswith("OS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def called(*lines: str, directory: pathlib.Path, name: str = "placement.conf") -> cfg.ConfigOpts:
    """A configuration with all options that has read these lines."""
    file = directory / name
    file.write_text("\n".join(["[placement_database]", f"connection = {URL}", *lines]))
    conf = cfg.ConfigOpts()
    api_conf.register_opts(conf)
    conf(args=[], default_config_files=[str(file)], default_config_dirs=[])
    return conf


def value(conf: cfg.ConfigOpts, group: str | None, name: str) -> Any:
    return conf[group][name] if group else conf[name]


# --- what there is -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("group", "name"), DEFAULTS, ids=lambda part: str(part) if part else "DEFAULT"
)
def test_default(tmp_path: pathlib.Path, group: str | None, name: str) -> None:
    assert value(called(directory=tmp_path), group, name) == DEFAULTS[group, name]


def test_log_levels_are_those_of_the_library_and_two_more(tmp_path: pathlib.Path) -> None:
    levels = called(directory=tmp_path).default_log_levels
    assert levels[-2:] == ["routes=INFO", "alembic=WARNING"]
    assert "oslo_policy=INFO" in levels


@pytest.mark.parametrize(
    "line", ["[api]\nauth_strategy = noauth2", "[DEFAULT]\nauth_strategy = noauth2"]
)
def test_the_strategy_has_an_old_spelling(tmp_path: pathlib.Path, line: str) -> None:
    assert called(line, directory=tmp_path).api.auth_strategy == "noauth2"


def test_an_unknown_strategy_is_named(tmp_path: pathlib.Path) -> None:
    conf = called("[api]\nauth_strategy = basic", directory=tmp_path)
    with pytest.raises(cfg.ConfigFileValueError, match="basic"):
        _ = conf.api.auth_strategy


def test_values_of_files_come_before_our_defaults(tmp_path: pathlib.Path) -> None:
    lines = ["[cors]", "allow_methods = GET", "[oslo_policy]", "policy_file = rules.yaml"]
    conf = called(*lines, directory=tmp_path)
    assert conf.cors.allow_methods == ["GET"]
    assert conf.oslo_policy.policy_file == "rules.yaml"


# --- registering ---------------------------------------------------------------------------------


def test_registering_twice_does_no_harm(tmp_path: pathlib.Path) -> None:
    conf = called("[cors]", "max_age = 7", directory=tmp_path)
    conf.set_default("allow_methods", ["PUT"], group="cors")
    conf.set_override("policy_file", "mine.yaml", group="oslo_policy")
    api_conf.register_opts(conf)
    assert conf.cors.max_age == 7
    assert conf.cors.allow_methods == ["PUT"]
    assert conf.oslo_policy.policy_file == "mine.yaml"


def test_a_configuration_that_was_called_gets_the_options_too() -> None:
    conf = placement_conf.for_url(URL)
    api_conf.register_opts(conf)
    assert conf.api.auth_strategy == "keystone"
    assert conf.cors.allow_methods == METHODS
    # These are for the command line, which has been read.
    assert "log_file" not in conf


def test_nothing_is_changed_for_anybody_else(tmp_path: pathlib.Path) -> None:
    one = called(directory=tmp_path)
    one.set_override("auth_strategy", "noauth2", group="api")
    assert called(directory=tmp_path).api.auth_strategy == "keystone"

    other = cfg.ConfigOpts()
    other.register_opts(cors.CORS_OPTS, group="cors")
    policy_opts.set_defaults(other)
    other(args=[], default_config_files=[], default_config_dirs=[])
    assert "OPTIONS" in other.cors.allow_methods
    assert other.cors.allow_headers == []
    assert "api" not in other
    assert "api" not in cfg.CONF


def test_other_projects_defaults_of_libraries_are_not_ours(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {option.name: option for option in policy_opts._options}
    monkeypatch.setattr(options["policy_file"], "default", "policy.json")
    assert called(directory=tmp_path).oslo_policy.policy_file == "policy.yaml"


def test_the_libraries_can_register_their_options_themselves(tmp_path: pathlib.Path) -> None:
    conf = called(directory=tmp_path)
    conf.register_opts(cors.CORS_OPTS, group="cors")
    conf.register_opts(http_proxy_to_wsgi.OPTS, group="oslo_middleware")
    conf.register_opts(healthcheck_opts.HEALTHCHECK_OPTS, group="healthcheck")
    policy_opts.set_defaults(conf)
    assert conf.cors.allow_methods == METHODS


def test_no_handler_is_left_on_the_root_logger(monkeypatch: pytest.MonkeyPatch) -> None:
    # The library adds one only where there is none.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    api_conf.register_opts(cfg.ConfigOpts())
    assert logging.getLogger().handlers == []


# --- the configuration of the service ------------------------------------------------------------


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_PLACEMENT_DATABASE__CONNECTION", URL)


@pytest.fixture
def home(clean_environment: pathlib.Path) -> pathlib.Path:
    """Where oslo.config looks first."""
    directory = clean_environment / ".placement"
    directory.mkdir()
    return directory


def test_variables_are_enough(monkeypatch: pytest.MonkeyPatch, database: None) -> None:
    monkeypatch.setenv("OS_API__AUTH_STRATEGY", "noauth2")
    monkeypatch.setenv("OS_DEFAULT__LOG_OPTIONS", "false")
    conf = api_conf.configuration()
    assert conf.placement_database.connection == URL
    assert conf.api.auth_strategy == "noauth2"
    assert conf.log_options is False


def test_the_arguments_of_the_process_are_not_looked_at(
    monkeypatch: pytest.MonkeyPatch, database: None
) -> None:
    monkeypatch.setattr(sys, "argv", ["gunicorn", "--workers", "4", "--debug"])
    assert api_conf.configuration().debug is False


def test_a_command_line_can_be_given(tmp_path: pathlib.Path, database: None) -> None:
    file = tmp_path / "other.conf"
    file.write_text("[api]\nauth_strategy = noauth2\n")
    conf = cfg.ConfigOpts()
    api_conf.register_opts(conf)
    api_conf.load(conf, ["--debug", "--config-file", str(file)])
    assert conf.debug is True
    assert conf.api.auth_strategy == "noauth2"


def test_default_files(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The name of the process has no say in it.
    monkeypatch.setattr(sys, "argv", ["gunicorn"])
    (home / "gunicorn.conf").write_text("[placement]\nmax_allocation_candidates = 1\n")
    (home / "placement.conf").write_text(
        f"[placement_database]\nconnection = {URL}\nmax_retries = 1\nretry_interval = 1\n"
    )
    (home / "placement-api.conf").write_text("[placement_database]\nmax_retries = 2\n")
    monkeypatch.setenv("OS_PLACEMENT_DATABASE__RETRY_INTERVAL", "3")
    conf = api_conf.configuration()
    assert conf.placement_database.connection == URL
    assert conf.placement_database.max_retries == 2
    assert conf.placement_database.retry_interval == 3
    assert conf.placement.max_allocation_candidates == -1


@pytest.mark.parametrize("spelling", ["{}", " {} "])
def test_a_variable_names_the_directory(
    home: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    (home / "placement.conf").write_text("[placement_database]\nmax_retries = 1\n")
    (home / "placement-api.conf").write_text("[placement_database]\nmax_retries = 2\n")
    (home / "placement.conf.d").mkdir()
    (home / "placement.conf.d" / "more.conf").write_text("[api]\nauth_strategy = noauth2\n")
    named = tmp_path / "named"
    named.mkdir()
    (named / "placement.conf").write_text(f"[placement_database]\nconnection = {URL}\n")
    monkeypatch.setenv("OS_PLACEMENT_CONFIG_DIR", spelling.format(named))
    conf = api_conf.configuration()
    assert conf.placement_database.connection == URL
    assert conf.placement_database.max_retries == 10
    assert conf.api.auth_strategy == "noauth2"


def test_a_blank_variable_names_none(
    home: pathlib.Path, monkeypatch: pytest.MonkeyPatch, database: None
) -> None:
    (home / "placement.conf").write_text("[api]\nauth_strategy = noauth2\n")
    monkeypatch.setenv("OS_PLACEMENT_CONFIG_DIR", " ")
    assert api_conf.configuration().api.auth_strategy == "noauth2"


def test_a_directory_without_the_file_is_an_error(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, database: None
) -> None:
    monkeypatch.setenv("OS_PLACEMENT_CONFIG_DIR", str(tmp_path))
    expected = f"Failed to find some config files: {tmp_path}/placement.conf"
    with pytest.raises(cfg.ConfigFilesNotFoundError, match=expected):
        api_conf.configuration()


def test_without_a_database_there_is_no_configuration() -> None:
    expected = r"value required for option connection in group \[placement_database\]"
    with pytest.raises(cfg.RequiredOptError, match=expected):
        api_conf.configuration()


def test_each_configuration_is_another_one(database: None) -> None:
    one, other = api_conf.configuration(), api_conf.configuration()
    one.set_override("auth_strategy", "noauth2", group="api")
    assert other.api.auth_strategy == "keystone"


# --- samples -------------------------------------------------------------------------------------


def test_the_options_of_samples() -> None:
    listed = {
        group: [option.name for option in options] for group, options in api_conf.list_opts()
    }
    assert listed["DEFAULT"] == ["tempdir", "pybasedir", "state_path"]
    assert listed["api"] == ["auth_strategy"]
    assert listed["workarounds"] == ["optimize_for_wide_provider_trees"]
    counts = {group: len(names) for group, names in listed.items()}
    assert counts == {
        "DEFAULT": 3,
        "api": 1,
        "placement_database": 14,
        "placement": 6,
        "placement_core": 2,
        "workarounds": 1,
    }


def test_the_sample_generator_finds_options_and_defaults() -> None:
    namespaces = ["placement.conf", "oslo.middleware.cors", "oslo.policy", "oslo.log"]
    arguments = [f"--namespace={namespace}" for namespace in namespaces]
    done = subprocess.run(
        [sys.executable, "-c", "from oslo_config import generator as g; g.main()", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    for line in (
        "[DEFAULT]",
        "#pybasedir = <Path>",
        "#state_path = $pybasedir",
        "[api]",
        "#auth_strategy = keystone",
        "[placement_database]",
        "#connection = <None>",
        "[placement]",
        "#allocation_conflict_retry_count = 10",
        "[workarounds]",
        "#optimize_for_wide_provider_trees = false",
        "#allow_methods = GET,PUT,POST,DELETE,PATCH",
        "#policy_file = policy.yaml",
    ):
        assert line in lines
    (levels,) = [line for line in lines if line.startswith("#default_log_levels")]
    assert levels.endswith(",routes=INFO,alembic=WARNING")
    assert str(ROOT) not in done.stdout
