"""The health check: what it says of the database, and what it leaves to the application."""

from __future__ import annotations

import gc
import pathlib
from typing import Any

import pytest
import webob
from oslo_config import cfg
from oslo_middleware.healthcheck import opts

import placement_core
from placement_api.middleware import healthcheck
from placement_core import Placement, exceptions
from tests.unit.api.middleware.conftest import answering

SECRET = "postgresql://me:secret@10.0.0.1/placement: SELECT 1"


class Database:
    """As much of a `Placement` as the check needs."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.pings = 0

    def ping(self) -> None:
        self.pings += 1
        if self.error:
            raise self.error


DOWN = exceptions.DatabaseUnavailable(url=SECRET, reason=SECRET)


def configured(**options: Any) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    conf(args=[], default_config_files=[], default_config_dirs=[])
    conf.register_opts(opts.HEALTHCHECK_OPTS, group="healthcheck")
    conf.register_opts(opts.DISABLE_BY_FILE_OPTS, group="healthcheck")
    for name, value in options.items():
        conf.set_override(name, value, group="healthcheck")
    return conf


def wrapped(database: Any, conf: cfg.ConfigOpts | None = None) -> Any:
    return healthcheck.wrap(answering(body=b"the application"), conf or configured(), database)


def get(app: Any, path: str = "/healthcheck", **options: Any) -> webob.Response:
    return webob.Request.blank(path, **options).get_response(app)


def test_a_database_that_answers_is_ok() -> None:
    database = Database()
    response = get(wrapped(database))
    assert (response.status, response.text, database.pings) == ("200 OK", "OK", 1)
    assert response.headers["content-type"] == "text/plain; charset=UTF-8"


def test_a_database_that_does_not_answer_is_503_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    response = get(wrapped(Database(DOWN)))
    assert response.status_int == 503
    assert response.text == "DATABASE UNAVAILABLE"
    assert SECRET in caplog.text


@pytest.mark.parametrize("detailed", [False, True])
@pytest.mark.parametrize("accept", ["text/plain", "text/html", "application/json", "nonsense"])
def test_no_format_shows_what_the_database_said(accept: str, detailed: bool) -> None:
    response = get(
        wrapped(Database(DOWN), configured(detailed=detailed)), headers={"Accept": accept}
    )
    assert response.status_int == 503
    assert "DATABASE UNAVAILABLE" in response.text
    for text in ("secret", "10.0.0.1", "SELECT"):
        assert text not in response.text


@pytest.mark.parametrize("error, status", [(None, 204), (DOWN, 503)])
def test_head_has_no_body(error: Exception | None, status: int) -> None:
    response = get(wrapped(Database(error)), method="HEAD")
    assert (response.status_int, response.body) == (status, b"")


def test_json_is_told_the_same() -> None:
    response = get(wrapped(Database()), headers={"Accept": "application/json"})
    assert response.json == {"detailed": False, "reasons": ["OK"]}


def test_under_a_prefix() -> None:
    assert get(wrapped(Database()), "/healthcheck", base_url="http://x/placement").text == "OK"


def test_each_application_asks_its_own_database() -> None:
    conf = configured()
    first, second = Database(), Database(DOWN)
    apps = [wrapped(first, conf), wrapped(second, conf)]
    gc.collect()
    assert [get(app).status_int for app in [*apps, apps[0]]] == [200, 503, 200]
    assert (first.pings, second.pings) == (2, 1)


def test_a_real_database(tmp_path: pathlib.Path) -> None:
    placement: Placement = placement_core.connect(f"sqlite:///{tmp_path}/db.sqlite", create=True)
    app = wrapped(placement)
    assert get(app).status_int == 200
    placement.close()
    assert get(app).status_int == 503


def test_other_checks_in_its_place(tmp_path: pathlib.Path) -> None:
    flag = tmp_path / "disabled"
    database = Database(DOWN)
    app = wrapped(
        database, configured(backends=["disable_by_file"], disable_by_file_path=str(flag))
    )
    assert get(app).status_int == 200
    flag.touch()
    response = get(app)
    assert (response.status_int, response.text) == (503, "DISABLED BY FILE")
    assert database.pings == 0


def test_other_checks_beside_it(tmp_path: pathlib.Path) -> None:
    flag = tmp_path / "disabled"
    conf = configured(
        backends=["disable_by_file", "placement_database"], disable_by_file_path=str(flag)
    )
    database = Database()
    assert get(wrapped(database, conf)).status_int == 200
    assert database.pings == 1
    assert get(wrapped(Database(DOWN), conf)).status_int == 503
    flag.touch()
    assert get(wrapped(database, conf)).status_int == 503


def test_the_configuration_of_others_is_left_as_it_was() -> None:
    conf = configured()
    wrapped(Database(), conf)
    assert conf.healthcheck.backends == []


def test_callers_from_elsewhere_get_to_the_application() -> None:
    app = wrapped(Database(), configured(allowed_source_ranges=["10.0.0.0/8"]))
    inside = get(app, environ={"REMOTE_ADDR": "10.1.2.3"})
    outside = get(app, environ={"REMOTE_ADDR": "192.0.2.1"})
    assert (inside.text, outside.text) == ("OK", "the application")


@pytest.mark.parametrize(
    "options, complaint",
    [
        ({"backends": ["placement_database", "nonsense"]}, "no such backends: nonsense"),
        ({"backends": ["disable_by_file", "enable_by_files"]}, "disable_by_file"),
        ({"allowed_source_ranges": ["nonsense"]}, "nonsense"),
    ],
)
def test_what_cannot_be_checked_is_told_at_the_start(
    options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(exceptions.ConfigurationError, match=complaint) as refused:
        wrapped(Database(), configured(**options))
    assert "[healthcheck]" in str(refused.value)


def test_nobody_elses_exception_is_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        get(wrapped(Database(ZeroDivisionError())))
