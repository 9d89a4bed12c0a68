"""The policy rules: who may do what by default, under the names by which operators override it.

There is a rule for each operation of the API, and before them the base rules that these refer to.
Names, defaults, scopes and order are those of OpenStack Placement, so that existing policy files
go on working. Evaluating them is up to `policy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from oslo_policy import policy

_PROJECT: Final = ["project"]

ADMIN_OR_SERVICE: Final = "rule:admin_or_service_api"

# What the base rules were before the Wallaby release, and still are in addition with
# `[oslo_policy] enforce_new_defaults = false`. Policy files may know it by its odd name.
_ADMIN_ALONE: Final = policy.DeprecatedRule(
    name="rule:admin_api",
    check_str="role:admin",
    deprecated_reason=(
        "Mostly other services call Placement. They no longer need an administrator's rights for "
        "that, but only the service role, and projects may read what they use themselves."
    ),
    deprecated_since="W",
)

BASE_RULES: Sequence[policy.RuleDefault] = (
    policy.RuleDefault(
        name="admin_api",
        check_str="role:admin",
        scope_types=_PROJECT,
        description="Administrators. No operation refers to this rule any longer.",
    ),
    policy.RuleDefault(
        name="service_api",
        check_str="role:service",
        scope_types=_PROJECT,
        description="Other services, such as Nova and Neutron.",
        deprecated_rule=_ADMIN_ALONE,
    ),
    policy.RuleDefault(
        name="admin_or_service_api",
        check_str="role:admin or role:service",
        scope_types=_PROJECT,
        description="Administrators and other services: the default of most operations.",
        deprecated_rule=_ADMIN_ALONE,
    ),
    policy.RuleDefault(
        name="project_reader_api",
        check_str="role:reader and project_id:%(project_id)s",
        description="Readers of the project that the request is about.",
        deprecated_rule=_ADMIN_ALONE,
    ),
    policy.RuleDefault(
        name="admin_or_project_reader_or_service_api",
        check_str="role:admin or rule:project_reader_api or role:service",
        scope_types=_PROJECT,
        description="Administrators, other services, and readers of the project in question.",
        deprecated_rule=_ADMIN_ALONE,
    ),
)


def _operation(
    name: str, description: str, *operations: str, check: str = ADMIN_OR_SERVICE
) -> policy.DocumentedRuleDefault:
    """The rule of an operation.

    :param operations: `METHOD /path`, of each request that does it.
    """
    return policy.DocumentedRuleDefault(
        name=f"placement:{name}",
        check_str=check,
        scope_types=_PROJECT,
        description=description,
        operations=[
            {"method": method, "path": path}
            for method, path in (operation.split() for operation in operations)
        ],
    )


_PROVIDER: Final = "/resource_providers/{uuid}"
_INVENTORIES: Final = f"{_PROVIDER}/inventories"
_INVENTORY: Final = f"{_INVENTORIES}/{{resource_class}}"
_CLASS: Final = "/resource_classes/{name}"
_TRAIT: Final = "/traits/{name}"
_PROVIDER_TRAITS: Final = f"{_PROVIDER}/traits"
_AGGREGATES: Final = f"{_PROVIDER}/aggregates"
_CONSUMER: Final = "/allocations/{consumer_uuid}"

PROVIDER_RULES: Sequence[policy.DocumentedRuleDefault] = (
    _operation(
        "resource_providers:list",
        "Find resource providers.",
        "GET /resource_providers",
    ),
    _operation(
        "resource_providers:create",
        "Add a resource provider.",
        "POST /resource_providers",
    ),
    _operation(
        "resource_providers:show",
        "See one resource provider.",
        f"GET {_PROVIDER}",
    ),
    _operation(
        "resource_providers:update",
        "Rename a resource provider, or move it in its tree.",
        f"PUT {_PROVIDER}",
    ),
    _operation(
        "resource_providers:delete",
        "Remove a resource provider.",
        f"DELETE {_PROVIDER}",
    ),
)

RESOURCE_CLASS_RULES: Sequence[policy.DocumentedRuleDefault] = (
    _operation(
        "resource_classes:list",
        "See which resource classes there are.",
        "GET /resource_classes",
    ),
    _operation(
        "resource_classes:create",
        "Add a custom resource class, refusing one that exists.",
        "POST /resource_classes",
    ),
    _operation(
        "resource_classes:show",
        "See one resource class.",
        f"GET {_CLASS}",
    ),
    _operation(
        "resource_classes:update",
        "Make sure that a custom resource class exists; with old microversions, rename one.",
        f"PUT {_CLASS}",
    ),
    _operation(
        "resource_classes:delete",
        "Remove a custom resource class.",
        f"DELETE {_CLASS}",
    ),
)

INVENTORY_RULES: Sequence[policy.DocumentedRuleDefault] = (
    _operation(
        "resource_providers:inventories:list",
        "See all inventories of a resource provider.",
        f"GET {_INVENTORIES}",
    ),
    _operation(
        "resource_providers:inventories:create",
        "Give a resource provider the inventory of one more resource class.",
        f"POST {_INVENTORIES}",
    ),
    _operation(
        "resource_providers:inventories:show",
        "See how much of one resource class a resource provider has.",
        f"GET {_INVENTORY}",
    ),
    _operation(
        "resource_providers:inventories:update",
        "Replace all inventories of a resource provider, or change one of them.",
        f"PUT {_INVENTORIES}",
        f"PUT {_INVENTORY}",
    ),
    _operation(
        "resource_providers:inventories:delete",
        "Take all inventories from a resource provider, or one of them.",
        f"DELETE {_INVENTORIES}",
        f"DELETE {_INVENTORY}",
    ),
)

AGGREGATE_RULES: Sequence[policy.DocumentedRuleDefault] = (
    _operation(
        "resource_providers:aggregates:list",
        "See which aggregates a resource provider is in.",
        f"GET {_AGGREGATES}",
    ),
    _operation(
        "resource_providers:aggregates:update",
        "Put a resource provider into other aggregates than those that it is in.",
        f"PUT {_AGGREGATES}",
    ),
)

USAGE_RULES: Sequence[policy.DocumentedRuleDefault] = (
    _operation(
        "resource_providers:usages",
        "See how much of a resource provider is in use.",
        f"GET {_PROVIDER}/usages",
    ),
    _operation(
        "usages",
        "See how much a project, or one of its users, has in use.",
        "GET /usages",
        check="rule:admin_or_project_reader_or_service_api",
    ),
)

TRAIT_RULES: Sequence[policy.DocumentedRuleDefault] = (
    _operation(
        "traits:list",
        "See which traits there are.",
        "GET /traits",
    ),
    _operation(
        "traits:show",
        "Ask whether a trait exists.",
        f"GET {_TRAIT}",
    ),
    _operation(
        "traits:update",
        "Make sure that a custom trait exists.",
        f"PUT {_TRAIT}",
    ),
    _operation(
        "traits:delete",
        "Remove a custom trait.",
        f"DELETE {_TRAIT}",
    ),
    _operation(
        "resource_providers:traits:list",
        "See which traits a resource provider has.",
        f"GET {_PROVIDER_TRAITS}",
    ),
    _operation(
        "resource_providers:traits:update",
        "Give a resource provider other traits than those that it has.",
        f"PUT {_PROVIDER_TRAITS}",
    ),
    _operation(
        "resource_providers:traits:delete",
        "Take all traits from a resource provider.",
        f"DELETE {_PROVIDER_TRAITS}",
    ),
)

ALLOCATION_RULES: Sequence[policy.DocumentedRuleDefault] = (
    _operation(
        "allocations:manage",
        "Change the allocations of several consumers in one step.",
        "POST /allocations",
    ),
    _operation(
        "allocations:list",
        "See what one consumer has been allocated.",
        f"GET {_CONSUMER}",
    ),
    _operation(
        "allocations:update",
        "Replace what one consumer has been allocated.",
        f"PUT {_CONSUMER}",
    ),
    _operation(
        "allocations:delete",
        "Free everything that one consumer has been allocated.",
        f"DELETE {_CONSUMER}",
    ),
    _operation(
        "resource_providers:allocations:list",
        "See what has been allocated from a resource provider, and to whom.",
        f"GET {_PROVIDER}/allocations",
    ),
    _operation(
        "allocation_candidates:list",
        "Find out from where a request for resources could be served.",
        "GET /allocation_candidates",
    ),
)

RESHAPER_RULES: Sequence[policy.DocumentedRuleDefault] = (
    _operation(
        "reshaper:reshape",
        "Move inventories within provider trees together with what is allocated from them.",
        "POST /reshaper",
        check="rule:service_api",
    ),
)


def list_rules() -> list[policy.RuleDefault]:
    """All rules, in the order of sample files (entry point `oslo.policy.policies`)."""
    return [
        *BASE_RULES,
        *PROVIDER_RULES,
        *RESOURCE_CLASS_RULES,
        *INVENTORY_RULES,
        *AGGREGATE_RULES,
        *USAGE_RULES,
        *TRAIT_RULES,
        *ALLOCATION_RULES,
        *RESHAPER_RULES,
    ]
