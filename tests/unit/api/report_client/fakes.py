"""An adapter that answers from a script and remembers what it was asked, and a context."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import requests


class Context:
    """All that the client reads of a request's context."""

    global_id = "req-00000000-0000-4000-8000-000000000001"


CONTEXT = Context()


def answer(status: int = 200, body: Any = None, text: str | None = None) -> requests.Response:
    """A response; `body` is its JSON, `text` what it says otherwise."""
    response = requests.Response()
    response.status_code = status
    content = text if text is not None else "" if body is None else json.dumps(body)
    response._content = content.encode()
    return response


def refusal(status: int, detail: str = "no", code: str | None = None) -> requests.Response:
    """An error as Placement tells it, with a code as from microversion 1.23 on."""
    error: dict[str, Any] = {"status": status, "detail": detail}
    if code is not None:
        error["code"] = code
    return answer(status, {"errors": [error]})


CONCURRENT = "placement.concurrent_update"
CONSUMER_CONFLICT = refusal(409, "consumer generation conflict - expected 1 but got 0", CONCURRENT)
PROVIDER_RACE = refusal(409, "Another thread concurrently updated the resource", CONCURRENT)

DONE = answer(204)
EMPTY = answer(body={"allocations": {}})
REFUSED = [refusal(409, "no capacity"), refusal(400, "bad"), answer(502, text="<html>")]


def held(generation: int | None = 1, **providers: dict[str, int]) -> dict[str, Any]:
    """What a consumer holds, as the service tells it."""
    return {
        "allocations": {
            uuid: {"generation": 9, "resources": amounts} for uuid, amounts in providers.items()
        },
        "project_id": "project",
        "user_id": "user",
        "consumer_generation": generation,
    }


def holds(generation: int = 1, **providers: dict[str, int]) -> requests.Response:
    """The answer that tells it."""
    return answer(body=held(generation, **providers))


def check_naps(naps: list[float], count: int = 3) -> None:
    """None before the first attempt, and longer ones each time."""
    assert len(naps) == count
    for number, nap in enumerate(naps, start=1):
        assert 0 <= nap <= 2 * number


class Request(NamedTuple):
    """A request as the adapter was asked for it."""

    method: str
    url: str
    options: dict[str, Any]

    @property
    def line(self) -> str:
        return f"{self.method} {self.url}"

    @property
    def version(self) -> str | None:
        return self.options["microversion"]

    @property
    def body(self) -> Any:
        return self.options["json"]


class FakeAdapter:
    """Stands for a keystoneauth1 adapter that returns HTTP errors.

    What is not in the script is an AssertionError.
    """

    def __init__(self) -> None:
        self.additional_headers = {"x-old": "gone"}
        self.requests: list[Request] = []
        self._script: dict[str, list[requests.Response | Exception]] = {}

    def on(self, line: str, *answers: requests.Response | Exception) -> None:
        """Answer requests like "GET /traits" in this order, the last one for ever."""
        self._script[line] = [*answers]

    def has(self, *providers: dict[str, Any], aggregates: list[str] | None = None) -> None:
        """Answer as a service that has one tree of these providers, with nothing in them."""
        for provider in providers:
            uuid, generation = provider["uuid"], provider["generation"]
            url = f"/resource_providers/{uuid}"
            known = {"resource_provider_generation": generation}
            self.on(
                f"GET /resource_providers?in_tree={uuid}",
                answer(body={"resource_providers": [*providers]}),
            )
            self.on(f"GET {url}/inventories", answer(body={"inventories": {}, **known}))
            self.on(
                f"GET {url}/aggregates", answer(body={"aggregates": aggregates or [], **known})
            )
            self.on(f"GET {url}/traits", answer(body={"traits": [], **known}))

    @property
    def lines(self) -> list[str]:
        """The requests made."""
        return [request.line for request in self.requests]

    def bodies(self, line: str) -> list[Any]:
        """The bodies of requests like "PUT /url"."""
        return [request.body for request in self.requests if request.line == line]

    def take(self) -> list[Request]:
        """The requests made since this was last asked."""
        made, self.requests = self.requests, []
        return made

    def get(self, url: str, **options: Any) -> requests.Response:
        return self._request("GET", url, options)

    def post(self, url: str, **options: Any) -> requests.Response:
        return self._request("POST", url, options)

    def put(self, url: str, **options: Any) -> requests.Response:
        return self._request("PUT", url, options)

    def delete(self, url: str, **options: Any) -> requests.Response:
        return self._request("DELETE", url, options)

    def _request(self, method: str, url: str, options: dict[str, Any]) -> requests.Response:
        request = Request(method, url, options)
        self.requests.append(request)
        assert request.line in self._script, f"not in the script: {request}"
        answers = self._script[request.line]
        result = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(result, Exception):
            raise result
        return result


def provider(
    uuid: str, name: str = "", parent: str | None = None, generation: int = 0
) -> dict[str, Any]:
    """A provider as the service describes it."""
    return {
        "uuid": uuid,
        "name": name or f"name-of-{uuid}",
        "generation": generation,
        "parent_provider_uuid": parent,
    }
