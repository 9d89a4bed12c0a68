"""The rules that policy files refer to: their names, defaults, scopes and operations."""

from __future__ import annotations

import subprocess
import sys

from oslo_policy import policy

from placement_api import policies

BASE = """
admin_api                              | role:admin
service_api                            | role:service
admin_or_service_api                   | role:admin or role:service
project_reader_api                     | role:reader and project_id:%(project_id)s
admin_or_project_reader_or_service_api | \
role:admin or rule:project_reader_api or role:service
"""

OPERATIONS = """
resource_providers:list                GET /resource_providers
resource_providers:create              POST /resource_providers
resource_providers:show                GET /resource_providers/{uuid}
resource_providers:update              PUT /resource_providers/{uuid}
resource_providers:delete              DELETE /resource_providers/{uuid}
resource_classes:list                  GET /resource_classes
resource_classes:create                POST /resource_classes
resource_classes:show                  GET /resource_classes/{name}
resource_classes:update                PUT /resource_classes/{name}
resource_classes:delete                DELETE /resource_classes/{name}
resource_providers:inventories:list    GET /resource_providers/{uuid}/inventories
resource_providers:inventories:create  POST /resource_providers/{uuid}/inventories
resource_providers:inventories:show    GET /resource_providers/{uuid}/inventories/{resource_class}
resource_providers:inventories:update  PUT /resource_providers/{uuid}/inventories \
PUT /resource_providers/{uuid}/inventories/{resource_class}
resource_providers:inventories:delete  DELETE /resource_providers/{uuid}/inventories \
DELETE /resource_providers/{uuid}/inventories/{resource_class}
resource_providers:aggregates:list     GET /resource_providers/{uuid}/aggregates
resource_providers:aggregates:update   PUT /resource_providers/{uuid}/aggregates
resource_providers:usages              GET /resource_providers/{uuid}/usages
usages                                 GET /usages
traits:list                            GET /traits
traits:show                            GET /traits/{name}
traits:update                          PUT /traits/{name}
traits:delete                          DELETE /traits/{name}
resource_providers:traits:list         GET /resource_providers/{uuid}/traits
resource_providers:traits:update       PUT /resource_providers/{uuid}/traits
resource_providers:traits:delete       DELETE /resource_providers/{uuid}/traits
allocations:manage                     POST /allocations
allocations:list                       GET /allocations/{consumer_uuid}
allocations:update                     PUT /allocations/{consumer_uuid}
allocations:delete                     DELETE /allocations/{consumer_uuid}
resource_providers:allocations:list    GET /resource_providers/{uuid}/allocations
allocation_candidates:list             GET /allocation_candidates
reshaper:reshape                       POST /reshaper
"""

EXCEPTIONS = {
    "placement:usages": "rule:admin_or_project_reader_or_service_api",
    "placement:reshaper:reshape": "rule:service_api",
}


def base_rules() -> list[policy.RuleDefault]:
    return policies.list_rules()[:5]


def operation_rules() -> list[policy.DocumentedRuleDefault]:
    rules = policies.list_rules()[5:]
    documented = [rule for rule in rules if isinstance(rule, policy.DocumentedRuleDefault)]
    assert documented == rules
    return documented


def test_there_are_38_rules_of_38_names() -> None:
    names = [rule.name for rule in policies.list_rules()]
    assert len(names) == len(set(names)) == 38


def test_base_rules_and_their_order() -> None:
    expected = [line.split("|") for line in BASE.strip().splitlines()]
    found = [[rule.name, rule.check_str] for rule in base_rules()]
    assert found == [[name.strip(), check.strip()] for name, check in expected]


def test_operations_and_their_order() -> None:
    expected = []
    for line in OPERATIONS.strip().splitlines():
        name, *words = line.split()
        requests = [*zip(words[::2], words[1::2], strict=True)]
        expected.append((f"placement:{name}", requests))
    found = [
        (rule.name, [(request["method"], request["path"]) for request in rule.operations])
        for rule in operation_rules()
    ]
    assert found == expected


def test_checks_of_operations() -> None:
    for rule in operation_rules():
        expected = EXCEPTIONS.get(rule.name, "rule:admin_or_service_api")
        assert rule.check_str == expected, rule.name


def test_all_are_for_projects_only() -> None:
    for rule in policies.list_rules():
        expected = None if rule.name == "project_reader_api" else ["project"]
        assert rule.scope_types == expected, rule.name


def test_what_base_rules_were_before() -> None:
    first, *others = base_rules()
    assert first.deprecated_rule is None
    for rule in others:
        before = rule.deprecated_rule
        assert before is not None
        assert (before.name, before.check_str) == ("rule:admin_api", "role:admin")
        assert before.deprecated_since == "W"
        assert before.deprecated_reason
    assert not any(rule.deprecated_rule for rule in operation_rules())


def test_each_has_a_description_of_its_own() -> None:
    descriptions = [rule.description for rule in policies.list_rules()]
    assert all(descriptions)
    assert len(set(descriptions)) == 38


def test_the_list_can_be_changed_without_changing_the_rules() -> None:
    policies.list_rules().clear()
    assert len(policies.list_rules()) == 38


def test_the_sample_generator_finds_them_in_order() -> None:
    program = "from oslo_policy import generator as g; g.generate_sample()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--namespace", "placement"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith('#"')]
    assert lines == [f'#"{rule.name}": "{rule.check_str}"' for rule in policies.list_rules()]
    assert "# GET  /usages" in done.stdout.splitlines()
