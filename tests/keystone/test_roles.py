"""Who may do what: each operation, asked for by callers of each kind with tokens of Keystone."""

from __future__ import annotations

from collections.abc import Mapping, Set

import pytest
import requests

from placement_api import policies
from tests.keystone import callers as kinds
from tests.keystone.callers import Caller, Cloud
from tests.keystone.operations import OPERATIONS, Operation
from tests.keystone.service import Service

ALLOWED = "allowed"
REFUSED = "refused by the rule"


@pytest.fixture(params=["service", "old_service"])
def any_service(request: pytest.FixtureRequest) -> Service:
    """A service with the new defaults, and one without."""
    found: Service = request.getfixturevalue(request.param)
    return found


def test_each_rule_has_its_requests_here() -> None:
    described = {
        (rule.name, operation["method"], operation["path"])
        for rule in policies.list_rules()
        for operation in getattr(rule, "operations", ())
    }
    assert len({rule for rule, _, _ in described}) == 33
    assert described == {
        (operation.full_rule, operation.method, operation.path) for operation in OPERATIONS
    }


def test_tokens_are_what_the_callers_are_named_after(callers: Mapping[str, Caller]) -> None:
    named = set().union(*kinds.ALL.values())
    found = {name: caller.access() for name, caller in callers.items()}
    assert {
        name: set(access.role_names or ()) & named for name, access in found.items()
    } == kinds.ALL
    assert {name for name, access in found.items() if access.project_id} == kinds.PROJECT.keys()
    assert {name for name, access in found.items() if access.system_scoped} == kinds.SYSTEM.keys()
    assert {name for name, access in found.items() if access.domain_scoped} == {"domain admin"}


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_an_operation_is_for_those_whom_its_rule_names(
    operation: Operation, any_service: Service, cloud: Cloud
) -> None:
    may = operation.allowed
    if not any_service.new_defaults:
        may |= operation.allowed_by_old_defaults
    path = operation.url(cloud.project_id)
    assert {
        name: _outcome(
            operation, caller.ask(any_service.url, operation.method, path, operation.body)
        )
        for name, caller in cloud.callers.items()
    } == _expected(may)


@pytest.mark.parametrize("which", ["the project of another", "no project"])
def test_usages_of_other_projects_are_not_for_readers(
    which: str, any_service: Service, cloud: Cloud
) -> None:
    [usages] = [operation for operation in OPERATIONS if operation.rule == "usages"]
    path = usages.path if which == "no project" else usages.url(cloud.other_project_id)
    assert {
        name: _outcome(usages, caller.ask(any_service.url, usages.method, path))
        for name, caller in cloud.callers.items()
    } == _expected({"project admin", "service"})


def test_somebody_who_may_not_is_not_told_what_is_wrong_with_the_request(
    service: Service, callers: Mapping[str, Caller]
) -> None:
    statuses = {
        name: callers[name]
        .ask(service.url, "POST", "/resource_providers?no=such", {"no": "such"})
        .status_code
        for name in ("project admin", "reader")
    }
    assert statuses == {"project admin": 400, "reader": 403}


def _expected(may: Set[str]) -> Mapping[str, str]:
    return {name: ALLOWED if name in may else REFUSED for name in kinds.ALL}


def _outcome(operation: Operation, answer: requests.Response) -> str:
    """What an answer says about policy: who may ask gets anything that a client can be told."""
    if answer.status_code == 403:
        detail: str = answer.json()["errors"][0]["detail"]
        return REFUSED if operation.full_rule in detail.split() else detail
    if answer.status_code == 401 or answer.status_code >= 500:
        return f"{answer.status_code}: {answer.text}"
    return ALLOWED
