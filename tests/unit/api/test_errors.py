"""Errors: documents, formats, and the tables that say which error of the domain becomes which."""

from __future__ import annotations

import inspect
import json
import string
from typing import Any

import pytest

from placement_api import errors, microversion
from placement_core import exceptions

CHAPTERS = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, dict) and value and all(isinstance(key, type) for key in value)
}


def environ(accept: str = "application/json", **more: Any) -> dict[str, Any]:
    return {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_ACCEPT": accept, **more}


def error_in(answer: Any) -> dict[str, Any]:
    (error,) = json.loads(answer.body)["errors"]
    return error


def test_a_document_says_what_and_why():
    answer = errors.NotFound("No cow.").response(environ(**{errors.REQUEST_ID: "req-1"}))
    assert (answer.status_int, answer.content_type) == (404, "application/json")
    assert error_in(answer) == {
        "status": 404,
        "title": "Not Found",
        "detail": "The resource could not be found.\n\n No cow.  ",
        "request_id": "req-1",
    }


@pytest.mark.parametrize(("minor", "has_code"), [(22, False), (23, True)])
def test_codes_are_told_from_some_version_on(minor, has_code):
    version = microversion.Version(1, minor)
    answer = errors.Conflict("Moved.", code=errors.CONCURRENT_UPDATE).response(
        environ(**{errors.VERSION: version})
    )
    assert (error_in(answer).get("code") == errors.CONCURRENT_UPDATE) is has_code


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("application/json", "application/json"),
        ("application/*", "application/json"),
        ("text/html", "text/html"),
        ("text/html, application/json", "text/html"),
        ("text/html;q=0.5, application/json", "application/json"),
        ("text/plain", "text/plain"),
        ("image/png;;", "text/html"),
    ],
)
def test_the_format_is_the_one_that_is_preferred(accept, content_type):
    answer = errors.BadRequest("<b>bold</b> & brave").response(environ(accept))
    assert answer.content_type == content_type
    assert ("&lt;b&gt;bold" if content_type == "text/html" else "bold & brave") in answer.text


def test_line_breaks_and_tags_are_not_told():
    detail = error_in(errors.BadRequest("one\ntwo <script>three</script>").response(environ()))
    assert "one two three" in detail["detail"]


def test_what_no_encoding_can_say_is_spelled_out():
    answer = errors.BadRequest("half a pair: \ud800").response(environ())
    assert r"half a pair: \ud800" in error_in(answer)["detail"]


def test_a_text_has_a_most_of_characters():
    answer = errors.BadRequest("x" * 10_000_000).response(environ())
    assert len(answer.body) < 30_000


def test_a_missing_content_type_is_told_as_missing():
    answer = errors.UnsupportedMediaType("Use JSON.").response(environ())
    assert "The request media type None is not supported" in error_in(answer)["detail"]


KINDS = [
    kind
    for kind in vars(exceptions).values()
    if inspect.isclass(kind) and issubclass(kind, exceptions.PlacementError)
]


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def made(kind: type[exceptions.PlacementError]) -> exceptions.PlacementError:
    """An error with a value (a number, which any format takes) for all that it says."""
    return kind(**dict.fromkeys(fields(kind.template), 1.0))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_of_the_domain_has_an_answer(kind):
    families = {
        exceptions.NotFound: 404,
        exceptions.InvalidArgument: 400,
        exceptions.Conflict: 409,
        exceptions.DatabaseError: 503,
    }
    family = next((base for base in families if issubclass(kind, base)), None)
    assert errors.answer(made(kind)).status == (500 if family is None else families[family])


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_can_be_told(name):
    """Its texts name what its errors hold, or what handlers of its routes are given."""
    for kind, answer in CHAPTERS[name].items():
        error = made(kind)
        variables = {"uuid": "U", "consumer_uuid": "C", "resource_class": "R"}
        told = errors.answer(error, CHAPTERS[name], variables)
        assert (told.status, told.code) == (answer.status, answer.code)
        assert "{" not in told.message


def test_the_nearest_base_of_an_error_counts():
    chapter = {exceptions.NotFound: errors.Answer(400)}
    trait = exceptions.TraitNotFound(names="A")
    assert errors.answer(trait, chapter).status == 400
    assert (
        errors.answer(trait, {exceptions.TraitNotFound: errors.Answer(409), **chapter}).status
        == 409
    )
    exists = exceptions.InventoryExists(resource_class="VCPU", provider="p")
    conflict = {exceptions.Conflict: errors.Answer(400)}
    assert errors.answer(exists, conflict).code == errors.CONCURRENT_UPDATE


def test_what_the_database_says_is_not_for_clients(caplog):
    error = exceptions.DatabaseUnavailable(url="mysql://root:***@db", reason="no route to db")
    told = errors.answer(error)
    assert told.status == 503
    assert "db" not in told.message
    assert "no route to db" in caplog.text


@pytest.mark.parametrize("name", ["ANSWERS", "CLAIMING", "ALLOCATING", "RESHAPING"])
def test_what_the_driver_says_of_a_deadlock_is_not_for_clients(name):
    error = exceptions.Deadlock(reason="(psycopg2.errors.DeadlockDetected) deadlock detected")
    told = errors.answer(error, CHAPTERS[name])
    assert (told.status, told.code) == (409, errors.CONCURRENT_UPDATE)
    assert "Another thread concurrently updated the data" in told.message
    assert "psycopg2" not in told.message
