"""What a process has when it starts: nothing that its configuration does not ask for."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

import placement_core

PROGRAM = """\
import json, sys
from placement_api import environ
from placement_api.wsgi import application

ask = json.loads(sys.argv[1])
headers = {"origin": "http://there"}
answers = [
    environ.call(application, "GET", path, microversion="1.39", headers=headers) for path in ask
]
loaded = sorted({name for name in sys.modules})
said = [[answer.status, answer.body.decode(), dict(answer.headers)] for answer in answers]
print(json.dumps({"answers": said, "loaded": loaded}))
"""

UNUSED = {
    "alembic",  # tables are made by another command
    "jinja2",  # of oslo.middleware
    "keystonemiddleware",
    "numpy",  # until somebody asks for candidates
    "oslo_middleware",
    "sqlalchemy.dialects.postgresql",
}


@pytest.fixture
def url(sqlite_url: str) -> str:
    placement_core.connect(sqlite_url, create=True).close()
    return sqlite_url


def started(
    url: str,
    *ask: str,
    options: str = "",
    variables: Mapping[str, str] | None = None,
    directory: pathlib.Path,
) -> subprocess.CompletedProcess[str]:
    """What a new process that is configured like this answers, and what it has imported."""
    (directory / "placement.conf").write_text(
        f"[api]\nauth_strategy = noauth2\n[placement_database]\nconnection = {url}\n{options}"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OS_")}
    environment |= {"OS_PLACEMENT_CONFIG_DIR": str(directory), **(variables or {})}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(ask)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def asked(*args: Any, **kwargs: Any) -> tuple[Sequence[Any], set[str]]:
    done = started(*args, **kwargs)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])  # before it is the log
    return said["answers"], {*said["loaded"]}


def test_it_imports_what_it_needs(url: str, tmp_path: pathlib.Path) -> None:
    answers, loaded = asked(url, "/", "/traits", directory=tmp_path)
    assert [status for status, *_ in answers] == [200, 200]
    assert "Access-Control-Allow-Origin" not in answers[0][2]
    assert loaded & UNUSED == set()


def test_candidates_bring_what_they_need(url: str, tmp_path: pathlib.Path) -> None:
    path = "/allocation_candidates?resources=VCPU:1"
    answers, loaded = asked(url, path, directory=tmp_path)
    assert answers[0][:2] == [200, '{"allocation_requests":[],"provider_summaries":{}}']
    assert "numpy" in loaded


PATHS = {
    "/healthcheck": 200,
    "/": 200,
    "/healthcheck/": 404,
    "/healthchecks": 404,
    "/x/healthcheck": 404,
}


@pytest.mark.parametrize("options", ["", "[healthcheck]\ndetailed = true\n"])
def test_health_is_checked_under_one_path(url: str, tmp_path: pathlib.Path, options: str) -> None:
    answers, loaded = asked(url, *PATHS, options=options, directory=tmp_path)
    assert [status for status, *_ in answers] == [*PATHS.values()]
    assert "OK" in answers[0][1]
    assert "versions" in answers[1][1]
    assert "oslo_middleware" in loaded


@pytest.mark.parametrize(
    "options, variables",
    [
        ("[healthcheck]\nbackends = nonsense\n", {}),
        ("[HealthCheck]\nbackends = nonsense\n", {}),
        ("", {"OS_HEALTHCHECK__BACKENDS": "nonsense"}),
    ],
)
def test_options_of_middleware_are_looked_at_when_it_starts(
    url: str, tmp_path: pathlib.Path, options: str, variables: dict[str, str]
) -> None:
    done = started(url, options=options, variables=variables, directory=tmp_path)
    assert done.returncode != 0
    assert "no such backends: nonsense" in done.stdout + done.stderr


@pytest.mark.parametrize(
    "options, variables",
    [
        ("[cors]\nallowed_origin = http://there\n", {}),
        ("", {"OS_CORS__ALLOWED_ORIGIN": "http://there"}),
    ],
)
def test_origins_are_allowed_wherever_that_is_said(
    url: str, tmp_path: pathlib.Path, options: str, variables: dict[str, str]
) -> None:
    answers, _ = asked(url, "/", options=options, variables=variables, directory=tmp_path)
    assert answers[0][2]["Access-Control-Allow-Origin"] == "http://there"
