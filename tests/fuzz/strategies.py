"""Requests by the book: for every route, what a client that knows the API could send.

Names come from `pools`, so a request is right or trips over what others have made of the state.
What no client should send is in `mutations`, which spoils these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from hypothesis import strategies as st

from tests.fuzz import pools
from tests.fuzz.calls import ADMIN, JSON_BODY, Call, Current
from tests.fuzz.prescribed import CANDIDATES, ROUTES, Route

Draw = st.DrawFn

MINORS: Final = st.one_of(st.just(39), st.integers(0, 39))

# Those that are there from the start are asked for more often.
providers: Final = st.sampled_from(pools.PROVIDERS[:3] * 3 + pools.PROVIDERS[3:])
consumers: Final = st.sampled_from(pools.CONSUMERS)
aggregates: Final = st.sampled_from(pools.AGGREGATES)
names: Final = st.sampled_from(pools.NAMES)
classes: Final = st.sampled_from(pools.CLASSES)
custom_classes: Final = st.sampled_from(pools.CUSTOM_CLASSES)
traits: Final = st.sampled_from(pools.TRAITS)
custom_traits: Final = st.sampled_from(pools.CUSTOM_TRAITS)
projects: Final = st.sampled_from(pools.PROJECTS)
users: Final = st.sampled_from(pools.USERS)
types: Final = st.sampled_from(pools.TYPES)
amounts: Final = st.integers(1, 12)


# --- bodies, at a minor version ------------------------------------------------------------------


def _provider(draw: Draw, minor: int) -> dict[str, Any]:
    body: dict[str, Any] = {"name": draw(names)}
    if minor >= 14 and draw(st.booleans()):
        body["parent_provider_uuid"] = draw(st.none() | providers)
    return body


def _new_provider(draw: Draw, minor: int, path: str) -> dict[str, Any]:
    # Now and then it is the service that makes up a uuid, which nobody asks for by name again.
    uuid = draw(st.sampled_from((*pools.PROVIDERS, None)))
    return {**_provider(draw, minor), **({} if uuid is None else {"uuid": uuid})}


def _changed_provider(draw: Draw, minor: int, path: str) -> dict[str, Any]:
    return _provider(draw, minor)


_RECORDS: Final = st.fixed_dictionaries(
    {"total": st.integers(1, 200)},
    optional={
        "reserved": st.integers(0, 20),
        "min_unit": st.integers(1, 3),
        "max_unit": st.sampled_from((1, 10, 1000, 2147483647)),
        "step_size": st.integers(1, 3),
        "allocation_ratio": st.sampled_from((0.5, 1, 1.0, 1.5, 16.0, 0.29)),
    },
)


def _generation(path: str) -> dict[str, Any]:
    """The generation of the provider that a path is about."""
    return {"resource_provider_generation": Current("provider", path.split("/")[2])}


def _new_inventory(draw: Draw, minor: int, path: str) -> dict[str, Any]:
    return {"resource_class": draw(classes), **draw(_RECORDS)}


def _inventories(draw: Draw, minor: int, path: str) -> dict[str, Any]:
    return {"inventories": draw(st.dictionaries(classes, _RECORDS)), **_generation(path)}


def _changed_inventory(draw: Draw, minor: int, path: str) -> dict[str, Any]:
    return {**draw(_RECORDS), **_generation(path)}


def _aggregates(draw: Draw, minor: int, path: str) -> Any:
    wanted = draw(st.lists(aggregates, unique=True))
    return wanted if minor < 19 else {"aggregates": wanted, **_generation(path)}


def _traits(draw: Draw, minor: int, path: str) -> dict[str, Any]:
    return {"traits": draw(st.lists(traits, max_size=4)), **_generation(path)}


def _class(draw: Draw, minor: int, path: str) -> dict[str, Any]:
    return {"name": draw(custom_classes)}


def _renamed_class(draw: Draw, minor: int, path: str) -> dict[str, Any] | None:
    return _class(draw, minor, path) if minor < 7 else None


# Most of them where there is an inventory at the start.
_PLACES: Final = st.one_of(
    st.sampled_from([(uuid, name) for uuid, names in pools.HELD.items() for name in names]),
    st.sampled_from([(uuid, name) for uuid, names in pools.HELD.items() for name in names]),
    st.tuples(providers, classes),
)


def _shares(draw: Draw) -> dict[str, Any]:
    shares: dict[str, Any] = {}
    for uuid, name in draw(st.lists(_PLACES, min_size=1, max_size=3)):
        shares.setdefault(uuid, {"resources": {}})["resources"][name] = draw(amounts)
    return shares


def _consumer(draw: Draw, minor: int, uuid: str) -> dict[str, Any]:
    body: dict[str, Any] = {"allocations": _shares(draw)}
    if minor >= 8:
        body |= {"project_id": draw(projects), "user_id": draw(users)}
    if minor >= 28:
        body["consumer_generation"] = Current("consumer", uuid)
        if draw(st.integers(0, 4)) == 4:
            body["allocations"] = {}
    if minor >= 34 and draw(st.booleans()):
        body["mappings"] = {draw(st.sampled_from(("", "1", "_NET"))): [draw(providers)]}
    if minor >= 38:
        body["consumer_type"] = draw(types)
    return body


def _claim(draw: Draw, minor: int, path: str) -> dict[str, Any]:
    body = _consumer(draw, minor, path.rpartition("/")[2])
    if minor < 12:
        shares = body["allocations"].items()
        body["allocations"] = [{"resource_provider": {"uuid": uuid}} | one for uuid, one in shares]
    return body


def _claims(draw: Draw, minor: int, path: str) -> dict[str, Any]:
    chosen = draw(st.lists(consumers, unique=True, min_size=1, max_size=3))
    return {uuid: _consumer(draw, minor, uuid) for uuid in chosen}


def _reshape(draw: Draw, minor: int, path: str) -> dict[str, Any]:
    chosen = draw(st.lists(providers, unique=True, min_size=1, max_size=2))
    claims = _claims(draw, minor, path) if draw(st.booleans()) else {}
    return {
        "inventories": {
            uuid: {
                "resource_provider_generation": Current("provider", uuid),
                "inventories": draw(st.dictionaries(classes, _RECORDS)),
            }
            for uuid in chosen
        },
        "allocations": claims,
    }


_BODIES: Final[Mapping[str, Callable[[Draw, int, str], Any]]] = {
    "POST /resource_providers": _new_provider,
    "PUT /resource_providers/{uuid}": _changed_provider,
    "POST /resource_providers/{uuid}/inventories": _new_inventory,
    "PUT /resource_providers/{uuid}/inventories": _inventories,
    "PUT /resource_providers/{uuid}/inventories/{resource_class}": _changed_inventory,
    "PUT /resource_providers/{uuid}/aggregates": _aggregates,
    "PUT /resource_providers/{uuid}/traits": _traits,
    "POST /resource_classes": _class,
    "PUT /resource_classes/{name}": _renamed_class,
    "POST /allocations": _claims,
    "PUT /allocations/{consumer_uuid}": _claim,
    "POST /reshaper": _reshape,
}


# --- queries, at a minor version -----------------------------------------------------------------


def _resources(draw: Draw, pool: tuple[str, ...]) -> str:
    wanted = draw(st.dictionaries(st.sampled_from(pool), amounts, min_size=1, max_size=2))
    return ",".join(f"{name}:{amount}" for name, amount in wanted.items())


def _required(draw: Draw, minor: int, pool: tuple[str, ...]) -> str:
    first, second = draw(st.permutations(pool))[:2]
    forms = [first]
    forms += [f"!{first}", f"{first},!{second}"] if minor >= 22 else []
    forms += [f"in:{first},{second}"] if minor >= 39 else []
    return draw(st.sampled_from(forms))


def _member_of(draw: Draw, minor: int) -> str:
    first, second = draw(aggregates), draw(aggregates)
    forms = [first, f"in:{first},{second}"]
    forms += [f"!{first}", f"!in:{first},{second}"] if minor >= 32 else []
    return draw(st.sampled_from(forms))


Pairs = list[tuple[str, str]]


def _provider_query(draw: Draw, minor: int) -> Pairs:
    found: Pairs = []
    parameters: tuple[tuple[str, int, Callable[[], str]], ...] = (
        ("name", 0, lambda: draw(names)),
        ("uuid", 0, lambda: draw(providers)),
        ("member_of", 3, lambda: _member_of(draw, minor)),
        ("resources", 4, lambda: _resources(draw, pools.CLASSES)),
        ("in_tree", 14, lambda: draw(providers)),
        ("required", 18, lambda: _required(draw, minor, pools.TRAITS)),
    )
    for key, since, value in parameters:
        if minor >= since and draw(st.integers(0, 2)) == 2:
            found.append((key, value()))
    return found


def _trait_query(draw: Draw, minor: int) -> Pairs:
    some = ",".join(draw(st.lists(traits, max_size=3)))
    name = st.sampled_from((f"in:{some}", "startswith:CUSTOM_", "startswith:", "IN:x", "x:"))
    found = [("name", draw(name))] if draw(st.booleans()) else []
    if draw(st.booleans()):
        found.append(("associated", draw(st.sampled_from(("true", "false", "TRUE")))))
    return found


def _usage_query(draw: Draw, minor: int) -> Pairs:
    found = [("project_id", draw(projects))]
    if draw(st.booleans()):
        found.append(("user_id", draw(users)))
    if minor >= 38 and draw(st.booleans()):
        found.append(("consumer_type", draw(types | st.sampled_from(("all", "unknown", "allx")))))
    return found


def _group(draw: Draw, minor: int, suffix: str) -> Pairs:
    """Parameters of a request group that names nothing that could be missing."""
    found = [(f"resources{suffix}", _resources(draw, pools.STANDARD_CLASSES))]
    if minor >= 17 and draw(st.booleans()):
        found.append((f"required{suffix}", _required(draw, minor, pools.STANDARD_TRAITS)))
    if minor >= 21 and draw(st.booleans()):
        found.append((f"member_of{suffix}", _member_of(draw, minor)))
    if minor >= 31 and draw(st.booleans()):
        found.append((f"in_tree{suffix}", draw(providers)))
    return found


def _candidate_query(draw: Draw, minor: int) -> Pairs:
    suffixes = ["", *(draw(st.lists(st.sampled_from("123"), unique=True)) if minor >= 25 else ())]
    if minor >= 33:
        suffixes = [f"_{suffix}" if suffix else "" for suffix in suffixes]
    found = [pair for suffix in suffixes for pair in _group(draw, minor, suffix)]
    if len(suffixes) > 2:
        found.append(("group_policy", draw(st.sampled_from(("none", "isolate")))))
        if minor >= 36:
            found.append(("same_subtree", ",".join(suffixes[1:])))
    if minor >= 16 and draw(st.booleans()):
        found.append(("limit", str(draw(amounts))))
    if minor >= 35 and draw(st.booleans()):
        found.append(("root_required", draw(st.sampled_from(pools.STANDARD_TRAITS))))
    return found


_QUERIES: Final[Mapping[str, Callable[[Draw, int], Pairs]]] = {
    "GET /resource_providers": _provider_query,
    "GET /traits": _trait_query,
    "GET /usages": _usage_query,
    CANDIDATES.name: _candidate_query,
}


def encoded(pairs: Pairs) -> str:
    """The query string of parameters."""
    return "&".join(f"{quote(key)}={quote(value, safe=',:!')}" for key, value in pairs)


# --- requests ------------------------------------------------------------------------------------

_VARIABLES: Final[Mapping[str, st.SearchStrategy[str]]] = {
    "{uuid}": providers,
    "{resource_class}": classes,
    "{consumer_uuid}": consumers,
}
# What changes things comes more often than what only asks for them.
_WEIGHTS: Final = {"GET": 1, "DELETE": 1, "PUT": 3, "POST": 3}
# What comes first is the simplest to Hypothesis, which sends a lot of it.
_FIRST: Final = "PUT /allocations/{consumer_uuid}"
_WEIGHTED: Final = [
    one
    for one in sorted(ROUTES, key=lambda one: one.name != _FIRST)
    for _ in range(3 if one.name in _QUERIES else _WEIGHTS[one.method])
]


def _path(draw: Draw, route: Route) -> str:
    names = custom_traits if route.template.startswith("/traits") else custom_classes
    if route.method == "GET":
        names = traits if route.template.startswith("/traits") else classes
    return "/".join(
        draw({**_VARIABLES, "{name}": names}[segment]) if segment.startswith("{") else segment
        for segment in route.template.split("/")
    )


@st.composite
def by_the_book(draw: Draw) -> Call:
    """A request of any route, which the route can be expected to take."""
    route = draw(st.sampled_from(_WEIGHTED))
    minor = max(draw(MINORS), route.since)
    path = _path(draw, route)
    make_query, make_body = _QUERIES.get(route.name), _BODIES.get(route.name)
    body = None if make_body is None else make_body(draw, minor, path)
    headers = {**ADMIN, "openstack-api-version": f"placement 1.{minor}"}
    return Call(
        route.method,
        path,
        query="" if make_query is None else encoded(make_query(draw, minor)),
        headers=headers if body is None else {**headers, **JSON_BODY},
        body=body,
        faultless=True if route == CANDIDATES else None,
    )
