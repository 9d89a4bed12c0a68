"""Applications: made from a configuration, any number of them, at any number of times."""

from __future__ import annotations

import multiprocessing
import pathlib

import pytest

import placement_core
from placement_api import deploy
from placement_api.environ import call
from placement_core import exceptions
from tests.functional.api import configurations

NOAUTH = {"auth_strategy": "noauth2"}


def test_applications_live_side_by_side(placement_url, sqlite_placement, tmp_path):
    """Two databases, two policies, and a third application that comes and goes in between."""
    policy = tmp_path / "policy.yaml"
    policy.write_text('"placement:resource_providers:list": "@"\n')
    first = deploy.loadapp(configurations.make(placement_url, api=NOAUTH))
    second = deploy.loadapp(
        configurations.make(
            str(sqlite_placement.context.engine.url),
            api=NOAUTH,
            oslo_policy={"policy_file": str(policy)},
        )
    )
    user = {"x-auth-token": "user"}
    call(first, "POST", "/resource_providers", json={"name": "first"})
    call(second, "POST", "/resource_providers", json={"name": "second"})
    third = deploy.loadapp(configurations.make(placement_url, api=NOAUTH))
    assert len(call(third, "GET", "/resource_providers").json()["resource_providers"]) == 1
    third.close()
    assert call(first, "GET", "/resource_providers", headers=user).status == 403
    shown = call(second, "GET", "/resource_providers", headers=user)
    assert [one["name"] for one in shown.json()["resource_providers"]] == ["second"]
    assert call(second, "GET", "/resource_classes", headers=user, microversion="1.2").status == 403
    first.close()
    second.close()


def test_an_application_needs_the_tables(database_url):
    with pytest.raises(exceptions.DatabaseError, match="placement-manage db sync"):
        deploy.loadapp(configurations.make(database_url))


def test_an_application_makes_the_tables_when_it_is_to(database_url):
    conf = configurations.make(
        database_url, api=NOAUTH, placement_database={"sync_on_startup": True}
    )
    app = deploy.loadapp(conf)
    assert len(
        call(app, "GET", "/resource_classes", microversion="1.39").json()["resource_classes"]
    )
    app.close()


def test_an_application_needs_a_database():
    with pytest.raises(exceptions.ConfigurationError, match="connection"):
        deploy.loadapp(configurations.make(""))


def test_a_policy_file_may_be_missing(placement_url, tmp_path):
    missing = str(tmp_path / "nothing.yaml")
    conf = configurations.make(placement_url, api=NOAUTH, oslo_policy={"policy_file": missing})
    app = deploy.loadapp(conf)
    assert call(app, "GET", "/resource_providers").status == 200
    app.close()


def _start(url: str, barrier: object, results: object) -> None:
    barrier.wait()
    try:
        app = deploy.loadapp(
            configurations.make(
                url, api=NOAUTH, placement_database={"sync_on_startup": True, "max_retries": 0}
            )
        )
        reply = call(app, "GET", "/traits", microversion="1.39")
        results.put((reply.status, reply.json()["traits"]))
        app.close()
    except Exception as error:
        results.put((repr(error), []))


@pytest.mark.parametrize("database_url", ["mysql", "postgresql"], indirect=True)
def test_ten_workers_start_at_once_on_an_empty_database(database_url):
    """They all come up, and there is one of each trait."""
    spawning = multiprocessing.get_context("spawn")
    barrier, results = spawning.Barrier(10), spawning.Queue()
    workers = [
        spawning.Process(target=_start, args=(database_url, barrier, results)) for _ in range(10)
    ]
    for worker in workers:
        worker.start()
    answers = [results.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join(timeout=60)
    assert [status for status, _ in answers] == [200] * 10
    for _, traits in answers:
        assert len(traits) == len(set(traits)) > 300
    with placement_core.connect(database_url) as placement:
        assert len(placement.traits.list()) == len(answers[0][1])


def test_no_page_names_what_is_inside(placement_url, monkeypatch, caplog):
    """An error that nobody foresaw is logged, and the client is told that there was one."""
    app = deploy.loadapp(configurations.make(placement_url, api=NOAUTH))

    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError(f"SELECT secret FROM {pathlib.Path(__file__)}")

    monkeypatch.setattr(app.placement.resource_providers, "list", broken)
    reply = call(app, "GET", "/resource_providers")
    assert reply.status == 500
    (error,) = reply.json()["errors"]
    assert error["request_id"] == reply.header("x-openstack-request-id")
    for inside in (b"SELECT", b"Traceback", b"RuntimeError", b".py"):
        assert inside not in reply.body
    assert "SELECT secret" in caplog.text
    app.close()
