"""Every operation that a rule is about, as a request that gets as far as policy and does no harm.

Policy is decided before anything is looked up, so the requests name a provider, a class and the
like that nobody has made: whoever may ask is told that there is no such thing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence, Set
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

ADMIN_OR_SERVICE = frozenset({"project admin", "service"})

PATHS = {
    "uuid": str(uuid5(NAMESPACE_DNS, "no-such-host")),
    "consumer_uuid": str(uuid5(NAMESPACE_DNS, "no-such-server")),
    "resource_class": "VCPU",
    "name": "CUSTOM_NOBODY_HAS_IT",
}

_PROVIDER = "/resource_providers/{uuid}"
_INVENTORY = {"total": 1, "resource_provider_generation": 0}
_NOTHING: Mapping[str, object] = {
    "allocations": {},
    "project_id": "team-blue",
    "user_id": "ops-7",
    "consumer_generation": None,
    "consumer_type": "INSTANCE",
}


@dataclasses.dataclass(frozen=True)
class Operation:
    """One request, and who may send it.

    :ivar rule: the rule of policy, without its prefix.
    :ivar path: with the variables in `PATHS`.
    :ivar query: may have the variable `project_id`, for the caller's.
    :ivar body: what is sent as JSON, if anything.
    :ivar allowed: the callers in `tests.keystone.callers.ALL` that may.
    :ivar allowed_by_old_defaults: those that may besides, when the new defaults are not enforced.
    """

    rule: str
    method: str
    path: str
    query: str = ""
    body: Any = None
    allowed: Set[str] = ADMIN_OR_SERVICE
    allowed_by_old_defaults: Set[str] = frozenset()

    @property
    def full_rule(self) -> str:
        """The rule, as policy files name it."""
        return f"placement:{self.rule}"

    def url(self, project_id: str) -> str:
        """The path and query of the request."""
        return (self.path + self.query).format(**PATHS, project_id=project_id)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


OPERATIONS: Sequence[Operation] = (
    Operation("resource_providers:list", "GET", "/resource_providers"),
    Operation(
        "resource_providers:create", "POST", "/resource_providers", body={"name": "compute-1"}
    ),
    Operation("resource_providers:show", "GET", _PROVIDER),
    Operation("resource_providers:update", "PUT", _PROVIDER, body={"name": "compute-2"}),
    Operation("resource_providers:delete", "DELETE", _PROVIDER),
    Operation("resource_classes:list", "GET", "/resource_classes"),
    Operation(
        "resource_classes:create", "POST", "/resource_classes", body={"name": "CUSTOM_CREATED"}
    ),
    Operation("resource_classes:show", "GET", "/resource_classes/{name}"),
    Operation("resource_classes:update", "PUT", "/resource_classes/{name}"),
    Operation("resource_classes:delete", "DELETE", "/resource_classes/{name}"),
    Operation("resource_providers:inventories:list", "GET", f"{_PROVIDER}/inventories"),
    Operation(
        "resource_providers:inventories:create",
        "POST",
        f"{_PROVIDER}/inventories",
        body={**_INVENTORY, "resource_class": "VCPU"},
    ),
    Operation(
        "resource_providers:inventories:show", "GET", f"{_PROVIDER}/inventories/{{resource_class}}"
    ),
    Operation(
        "resource_providers:inventories:update",
        "PUT",
        f"{_PROVIDER}/inventories",
        body={"inventories": {}, "resource_provider_generation": 0},
    ),
    Operation(
        "resource_providers:inventories:update",
        "PUT",
        f"{_PROVIDER}/inventories/{{resource_class}}",
        body=_INVENTORY,
    ),
    Operation("resource_providers:inventories:delete", "DELETE", f"{_PROVIDER}/inventories"),
    Operation(
        "resource_providers:inventories:delete",
        "DELETE",
        f"{_PROVIDER}/inventories/{{resource_class}}",
    ),
    Operation("resource_providers:aggregates:list", "GET", f"{_PROVIDER}/aggregates"),
    Operation(
        "resource_providers:aggregates:update",
        "PUT",
        f"{_PROVIDER}/aggregates",
        body={"aggregates": [], "resource_provider_generation": 0},
    ),
    Operation("resource_providers:usages", "GET", f"{_PROVIDER}/usages"),
    Operation(
        "usages",
        "GET",
        "/usages",
        query="?project_id={project_id}",
        allowed=ADMIN_OR_SERVICE | {"member and reader", "reader"},
    ),
    Operation("traits:list", "GET", "/traits"),
    Operation("traits:show", "GET", "/traits/{name}"),
    Operation("traits:update", "PUT", "/traits/{name}"),
    Operation("traits:delete", "DELETE", "/traits/{name}"),
    Operation("resource_providers:traits:list", "GET", f"{_PROVIDER}/traits"),
    Operation(
        "resource_providers:traits:update",
        "PUT",
        f"{_PROVIDER}/traits",
        body={"traits": [], "resource_provider_generation": 0},
    ),
    Operation("resource_providers:traits:delete", "DELETE", f"{_PROVIDER}/traits"),
    Operation(
        "allocations:manage", "POST", "/allocations", body={PATHS["consumer_uuid"]: _NOTHING}
    ),
    Operation("allocations:list", "GET", "/allocations/{consumer_uuid}"),
    Operation("allocations:update", "PUT", "/allocations/{consumer_uuid}", body=_NOTHING),
    Operation("allocations:delete", "DELETE", "/allocations/{consumer_uuid}"),
    Operation("resource_providers:allocations:list", "GET", f"{_PROVIDER}/allocations"),
    Operation(
        "allocation_candidates:list", "GET", "/allocation_candidates", query="?resources=VCPU:1"
    ),
    Operation(
        "reshaper:reshape",
        "POST",
        "/reshaper",
        body={"inventories": {}, "allocations": {}},
        allowed=frozenset({"service"}),
        allowed_by_old_defaults=frozenset({"project admin"}),
    ),
)
