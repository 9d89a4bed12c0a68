"""The URL map: paths are matched exactly."""

from __future__ import annotations

import pytest

from placement_api import errors, routes
from placement_api.routes import ROUTES, find


def asked(method: str, path: str) -> dict[str, str]:
    return {"REQUEST_METHOD": method, "PATH_INFO": path.encode().decode("latin-1")}


@pytest.mark.parametrize("path", ROUTES)
def test_every_method_of_every_path_is_found(path):
    for method, handler in ROUTES[path].items():
        found, variables = find(asked(method, path.replace("{", "<").replace("}", ">")))
        assert found is handler
        assert all(value == f"<{name}>" for name, value in variables.items())


def test_the_empty_path_is_the_root():
    assert find({"REQUEST_METHOD": "GET", "PATH_INFO": ""})[0] is ROUTES["/"]["GET"]


@pytest.mark.parametrize(
    "path",
    [
        "/resource_providers/",
        "//resource_providers",
        "/resource_providers//",
        "/resource_providers/u/",
        "/resource_providers/u/cows",
        "/Traits",
        "/traits\n",
        "/resource_providers/u/traits\n",
        "/\n",
        "/traits/A\0",
        "traits",
        "/nothing",
    ],
)
def test_other_paths_are_not_there(path):
    with pytest.raises(errors.NotFound):
        find(asked("GET", path))


def test_bytes_that_are_no_text_are_no_path():
    with pytest.raises(errors.NotFound):
        find({"REQUEST_METHOD": "GET", "PATH_INFO": "/traits/\xff"})


@pytest.mark.parametrize("name", ["A\n", "\nA", "A\n\n", "\x01", "é", "☃", "a b", "%2F", "."])
def test_a_variable_is_what_stands_between_slashes(name):
    handler, variables = find(asked("GET", f"/resource_providers/{name}/inventories/{name}"))
    assert handler is routes.inventories.show
    assert variables == {"uuid": name, "resource_class": name}


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PATCH", "get", ""])
def test_other_methods_are_told_with_those_that_there_are(method):
    with pytest.raises(errors.MethodNotAllowed) as caught:
        find(asked(method, "/resource_providers/u"))
    assert caught.value.headers == [("Allow", "GET, DELETE, PUT")]
