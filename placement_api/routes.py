"""The URL map: which handler serves which method of which path.

Paths are matched exactly, at every microversion; whether a version has a method is for the
handler's gates to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import routes
import webob

from placement_api import errors
from placement_api.handlers import (
    aggregates,
    allocations,
    inventories,
    reshaper,
    resource_classes,
    resource_providers,
    root,
    traits,
    usages,
)
from placement_api.request import Request

Handler = Callable[..., webob.Response]


def _list_candidates(request: Request) -> webob.Response:
    """Imports numpy and all of matching when the first request comes that is about them."""
    from placement_api.handlers import allocation_candidates

    return allocation_candidates.list_candidates(request)


# Methods in the order of the Allow header.
ROUTES: Final[Mapping[str, Mapping[str, Handler]]] = {
    "/": {"GET": root.show},
    "/resource_providers": {
        "GET": resource_providers.list_providers,
        "POST": resource_providers.create,
    },
    "/resource_providers/{uuid}": {
        "GET": resource_providers.show,
        "DELETE": resource_providers.delete,
        "PUT": resource_providers.update,
    },
    "/resource_providers/{uuid}/inventories": {
        "GET": inventories.list_inventories,
        "POST": inventories.create,
        "PUT": inventories.replace,
        "DELETE": inventories.delete_all,
    },
    "/resource_providers/{uuid}/inventories/{resource_class}": {
        "GET": inventories.show,
        "PUT": inventories.update,
        "DELETE": inventories.delete,
    },
    "/resource_providers/{uuid}/usages": {"GET": usages.list_for_provider},
    "/resource_providers/{uuid}/aggregates": {
        "GET": aggregates.list_for_provider,
        "PUT": aggregates.replace,
    },
    "/resource_providers/{uuid}/traits": {
        "GET": traits.list_for_provider,
        "PUT": traits.replace,
        "DELETE": traits.clear,
    },
    "/resource_providers/{uuid}/allocations": {"GET": allocations.list_for_provider},
    "/resource_classes": {
        "GET": resource_classes.list_classes,
        "POST": resource_classes.create,
    },
    "/resource_classes/{name}": {
        "GET": resource_classes.show,
        "PUT": resource_classes.update,
        "DELETE": resource_classes.delete,
    },
    "/traits": {"GET": traits.list_traits},
    "/traits/{name}": {"GET": traits.show, "PUT": traits.ensure, "DELETE": traits.delete},
    "/usages": {"GET": usages.list_for_project},
    "/allocations": {"POST": allocations.replace_many},
    "/allocations/{consumer_uuid}": {
        "GET": allocations.show,
        "PUT": allocations.replace,
        "DELETE": allocations.delete,
    },
    "/allocation_candidates": {"GET": _list_candidates},
    "/reshaper": {"POST": reshaper.reshape},
}


def _mapper() -> routes.Mapper:
    mapper = routes.Mapper(controller_scan=None)
    mapper.minimization = False
    for path in ROUTES:
        # The path is also the name of the route. The library's own pattern for variables would
        # leave out a line break at the end.
        mapper.connect(path, re.sub("{(.+?)}", r"{\1:[^/]+}", path))
    mapper.create_regs([])
    return mapper


_MAPPER: Final = _mapper()


def find(environ: Mapping[str, Any]) -> tuple[Handler, dict[str, str]]:
    """The handler of a request, and the variables of its path.

    :raises errors.NotFound: there is no such path.
    :raises errors.MethodNotAllowed: there is no such method of it.
    """
    path = _path(environ)
    if path in ROUTES and "{" not in path:
        return _method(ROUTES[path], environ), {}
    found = _MAPPER.routematch(path)
    if found is None:
        raise errors.NotFound()
    variables, route = found
    if path.endswith("\n") and not any(value.endswith("\n") for value in variables.values()):
        raise errors.NotFound()  # to a regular expression, that is an end too
    return _method(ROUTES[route.name], environ), {n: variables[n] for n in route.maxkeys}


def _method(methods: Mapping[str, Handler], environ: Mapping[str, Any]) -> Handler:
    handler = methods.get(environ["REQUEST_METHOD"])
    if handler is None:
        raise errors.MethodNotAllowed(methods)
    return handler


def _path(environ: Mapping[str, Any]) -> str:
    raw: str = environ.get("PATH_INFO") or "/"
    try:
        path = raw.encode("latin-1").decode("utf-8")
    except UnicodeError as error:
        raise errors.NotFound() from error
    # Nothing has a NUL in its name, and PostgreSQL refuses to look for one.
    if "\0" in path:
        raise errors.NotFound()
    return path
