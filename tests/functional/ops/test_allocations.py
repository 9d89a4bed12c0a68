"""Allocations: what a claim may take, what it changes, and what it leaves when it fails."""

from __future__ import annotations

from uuid import uuid4

import pytest
import sqlalchemy as sa

from placement_core import exceptions
from placement_core.db import tables as t
from placement_core.ops.allocations import NEW, Claim


@pytest.fixture
def host(placement):
    """A provider with DISK_GB 2048 (10 to 1000 in steps of 10) and VCPU 10."""
    provider = placement.resource_providers.create(name="compute-1")
    placement.inventories.replace(
        provider.uuid,
        {
            "DISK_GB": {"total": 2048, "min_unit": 10, "max_unit": 1000, "step_size": 10},
            "VCPU": {"total": 10, "max_unit": 10},
        },
    )
    return provider.uuid


@pytest.fixture
def other_host(placement):
    provider = placement.resource_providers.create(name="compute-2")
    placement.inventories.replace(provider.uuid, {"VCPU": {"total": 10}})
    return provider.uuid


def new_uuid() -> str:
    return str(uuid4())


def held(placement, consumer):
    """`{provider: {class: amount}}`, as it is stored now."""
    found = {}
    for row in placement.allocations.for_consumer(consumer):
        found.setdefault(row.resource_provider_uuid, {})[row.resource_class] = row.used
    return found


def generation(placement, provider):
    return placement.resource_providers.get(provider).generation


def in_use(placement, provider):
    return placement.usages.for_provider(provider)


# --- claims --------------------------------------------------------------------------------------


def test_a_claim_is_stored_with_its_owner(placement, host):
    server = new_uuid()
    placement.allocations.update(
        server,
        {host: {"VCPU": 2, "DISK_GB": 20}},
        project_id="team-blue",
        user_id="ops-7",
        consumer_type="INSTANCE",
    )
    assert held(placement, server) == {host: {"VCPU": 2, "DISK_GB": 20}}
    assert in_use(placement, host) == {"VCPU": 2, "DISK_GB": 20}
    consumer = placement.consumers.get(server)
    assert consumer.project.external_id == "team-blue"
    assert consumer.user.external_id == "ops-7"
    assert consumer.consumer_type.name == "INSTANCE"
    assert consumer.generation == 1
    (row, _) = placement.allocations.for_provider(host)
    assert (row.resource_provider_generation, row.consumer_generation) == (2, 1)


def test_a_claim_without_owner_gets_the_configured_placeholders(placement, host):
    server = new_uuid()
    placement.allocations.update(server, {host: {"VCPU": 1}})
    consumer = placement.consumers.get(server)
    nobody = "00000000-0000-0000-0000-000000000000"
    assert (consumer.project.external_id, consumer.user.external_id) == (nobody, nobody)
    assert consumer.consumer_type is None


def test_a_claim_replaces_the_whole_set(placement, host, other_host):
    server = new_uuid()
    placement.allocations.update(server, {host: {"VCPU": 2}, other_host: {"VCPU": 1}})
    placement.allocations.update(server, {other_host: {"VCPU": 3}})
    assert held(placement, server) == {other_host: {"VCPU": 3}}
    assert in_use(placement, host)["VCPU"] == 0


def test_what_a_consumer_has_does_not_count_against_it(placement, host):
    server = new_uuid()
    placement.allocations.update(server, {host: {"VCPU": 10}})
    placement.allocations.update(server, {host: {"VCPU": 10}})
    assert in_use(placement, host)["VCPU"] == 10


def test_owner_and_type_follow_the_last_claim_that_names_them(placement, host):
    server = new_uuid()
    claim = {host: {"VCPU": 1}}
    placement.allocations.update(
        server, claim, project_id="a", user_id="b", consumer_type="INSTANCE"
    )
    placement.allocations.update(server, claim, project_id="c", user_id="d")
    consumer = placement.consumers.get(server)
    assert (consumer.project.external_id, consumer.user.external_id) == ("c", "d")
    assert consumer.consumer_type.name == "INSTANCE"
    placement.allocations.update(server, claim, consumer_type="MIGRATION")
    consumer = placement.consumers.get(server)
    assert consumer.project.external_id == "c"
    assert consumer.consumer_type.name == "MIGRATION"
    assert consumer.generation == 3


@pytest.mark.parametrize(
    ("total", "reserved", "ratio", "fits"),
    [(10, 2, 1.5, 12), (3, 0, 1.5, 4), (10, 0, 0.5, 5), (10, 10, 1.0, 0)],
)
def test_capacity_is_total_less_reserved_times_ratio(placement, total, reserved, ratio, fits):
    provider = placement.resource_providers.create(name="compute-9").uuid
    record = {"total": total, "reserved": reserved, "allocation_ratio": ratio}
    placement.inventories.replace(provider, {"VCPU": record})
    server = new_uuid()
    with pytest.raises(exceptions.CapacityExceeded) as caught:
        placement.allocations.update(server, {provider: {"VCPU": fits + 1}})
    assert caught.value.provider == provider
    assert caught.value.resource_class == "VCPU"
    assert caught.value.amount == fits + 1
    if fits:
        placement.allocations.update(server, {provider: {"VCPU": fits}})
        assert in_use(placement, provider) == {"VCPU": fits}


@pytest.mark.parametrize("amount", [5, 15, 1010])
def test_amounts_keep_to_min_max_and_step(placement, host, amount):
    with pytest.raises(exceptions.ConstraintsViolated, match=f"{amount} requested"):
        placement.allocations.update(new_uuid(), {host: {"DISK_GB": amount}})


@pytest.mark.parametrize("amount", [0, -1, 1.5, True, "2", None, float("nan")])
def test_an_amount_is_a_whole_number_of_one_or_more(placement, host, amount):
    server = new_uuid()
    with pytest.raises(exceptions.InvalidAmount) as caught:
        placement.allocations.update(server, {host: {"VCPU": amount}})
    for text in (server, host, "VCPU", repr(amount)):
        assert text in str(caught.value)


def test_a_huge_amount_is_refused_by_the_rules_not_by_the_database(placement, host):
    with pytest.raises(exceptions.ConstraintsViolated):
        placement.allocations.update(new_uuid(), {host: {"VCPU": 10**30}})


@pytest.mark.parametrize("consumer", ["", "x" * 37, None, 7])
def test_a_consumer_that_cannot_be_one_is_named(placement, host, consumer):
    with pytest.raises(exceptions.InvalidUUID, match="consumer"):
        placement.allocations.update(consumer, {host: {"VCPU": 1}})


@pytest.mark.parametrize("value", ["", "X" * 256, 7, "instance", "unknown"])
def test_a_consumer_type_that_cannot_be_one_is_named(placement, host, value):
    with pytest.raises(exceptions.InvalidConsumerType):
        placement.allocations.update(new_uuid(), {host: {"VCPU": 1}}, consumer_type=value)


@pytest.mark.parametrize("what", ["project_id", "user_id"])
@pytest.mark.parametrize("value", ["", "x" * 256, 7])
def test_an_owner_that_cannot_be_one_is_named(placement, host, what, value):
    with pytest.raises(exceptions.InvalidName, match=what):
        placement.allocations.update(new_uuid(), {host: {"VCPU": 1}}, **{what: value})


def test_unknown_providers_are_reported_before_unknown_classes(placement, host):
    with pytest.raises(exceptions.UnknownAllocationProvider, match="gone"):
        placement.allocations.update(new_uuid(), {host: {"NO_SUCH": 1}, "gone": {"VCPU": 1}})
    with pytest.raises(exceptions.ResourceClassNotFound, match="NO_SUCH"):
        placement.allocations.update(new_uuid(), {host: {"NO_SUCH": 1}})


def test_a_class_without_inventory_is_reported_with_all_it_concerns(placement, host, other_host):
    with pytest.raises(exceptions.NoInventory) as caught:
        placement.allocations.update(new_uuid(), {host: {"VGPU": 1}, other_host: {"FPGA": 1}})
    assert set(caught.value.resource_classes.split(", ")) == {"VGPU", "FPGA"}
    assert set(caught.value.providers.split(", ")) == {host, other_host}
    with pytest.raises(exceptions.NoInventory, match="'VGPU'") as caught:
        placement.allocations.update(new_uuid(), {host: {"VCPU": 1, "VGPU": 1}})
    assert caught.value.providers == host


@pytest.mark.parametrize("text", ["nul \0", "surrogate \ud800"], ids=["nul", "surrogate"])
def test_text_is_kept_as_it_is_or_refused(placement, host, text):
    try:
        placement.allocations.update(new_uuid(), {host: {"VCPU": 1}}, project_id=text)
    except exceptions.InvalidArgument:
        assert placement.consumers.list() == []
    else:
        assert placement.consumers.list()[0].project.external_id == text


def test_projects_that_differ_in_case_are_one_where_the_database_says_so(placement, host):
    servers = {name: new_uuid() for name in ("Team", "team")}
    placement.allocations.replace(
        {
            uuid: Claim(allocations={host: {"VCPU": 1}}, project_id=name, user_id="u")
            for name, uuid in servers.items()
        }
    )
    stored = {placement.consumers.get(uuid).project.external_id for uuid in servers.values()}
    backend = placement.context.engine.url.get_backend_name()
    assert len(stored) == (1 if backend == "mysql" else 2)


# --- generations ---------------------------------------------------------------------------------


def test_generations_move_as_the_api_has_them(placement):
    provider = placement.resource_providers.create(name="compute-3").uuid
    seen = [generation(placement, provider)]

    def then(generation_expected):
        seen.append(generation(placement, provider))
        assert seen[-1] == generation_expected

    first, second, third = new_uuid(), new_uuid(), new_uuid()
    placement.inventories.create(provider, "DISK_GB", {"total": 100})
    then(1)
    placement.allocations.update(first, {provider: {"DISK_GB": 10}})
    then(2)
    placement.allocations.update(second, {provider: {"DISK_GB": 10}})
    then(3)
    placement.allocations.update(first, {provider: {"DISK_GB": 12}})
    then(4)
    with pytest.raises(exceptions.ResourceClassNotFound):
        placement.allocations.update(first, {provider: {"NO_SUCH": 12}})
    then(4)
    placement.allocations.delete(first)
    then(4)
    with pytest.raises(exceptions.AllocationsNotFound, match=first):
        placement.allocations.delete(first)
    then(4)
    placement.allocations.update(first, {provider: {"DISK_GB": 10}})
    then(5)
    placement.inventories.create(provider, "VCPU", {"total": 8})
    then(6)
    placement.allocations.update(third, {provider: {"DISK_GB": 1, "VCPU": 1}})
    then(7)
    placement.allocations.clear(third)
    then(8)


def test_a_provider_dropped_from_a_set_keeps_its_generation(placement, host, other_host):
    server = new_uuid()
    placement.allocations.update(server, {host: {"VCPU": 1}, other_host: {"VCPU": 1}})
    before = generation(placement, host)
    placement.allocations.update(server, {other_host: {"VCPU": 1}})
    assert generation(placement, host) == before


@pytest.mark.parametrize("wrong", [0, 2, NEW])
def test_a_claim_with_another_generation_is_refused(placement, host, wrong):
    server = new_uuid()
    placement.allocations.update(server, {host: {"VCPU": 1}}, generation=NEW)
    with pytest.raises(exceptions.ConsumerGenerationConflict) as caught:
        placement.allocations.update(server, {host: {"VCPU": 2}}, generation=wrong)
    given = "None" if wrong == NEW else wrong
    assert f"consumer generation conflict - expected 1 but got {given}" in str(caught.value)
    assert held(placement, server) == {host: {"VCPU": 1}}
    placement.allocations.update(server, {host: {"VCPU": 2}}, generation=1)


def test_nothing_for_somebody_new_is_refused_to_who_exists(placement, host):
    server = new_uuid()
    placement.allocations.update(server, {host: {"VCPU": 1}})
    with pytest.raises(exceptions.ConsumerGenerationConflict):
        placement.allocations.update(server, {}, generation=NEW)
    assert held(placement, server) == {host: {"VCPU": 1}}


def test_a_consumer_that_does_not_exist_has_no_generation(placement, host):
    with pytest.raises(exceptions.ConsumerGenerationConflict, match="expected null but got 0"):
        placement.allocations.update(new_uuid(), {host: {"VCPU": 1}}, generation=0)


def test_a_consumer_that_comes_back_starts_again(placement, host):
    server = new_uuid()
    for _ in range(2):
        placement.allocations.update(server, {host: {"VCPU": 1}}, generation=NEW)
        placement.allocations.update(server, {}, generation=1)
        with pytest.raises(exceptions.ConsumerNotFound):
            placement.consumers.get(server)


# --- many consumers at once ----------------------------------------------------------------------


def test_amounts_of_one_write_add_up(placement):
    provider = placement.resource_providers.create(name="small").uuid
    placement.inventories.replace(provider, {"VCPU": {"total": 2}})
    claims = {new_uuid(): Claim(allocations={provider: {"VCPU": 1}}) for _ in range(3)}
    with pytest.raises(exceptions.CapacityExceeded):
        placement.allocations.replace(claims)
    assert in_use(placement, provider) == {"VCPU": 0}
    assert placement.consumers.list() == []


def test_all_consumers_or_none(placement, host, other_host):
    one, other = new_uuid(), new_uuid()
    placement.allocations.update(one, {host: {"VCPU": 4}}, project_id="a", user_id="b")
    before = generation(placement, host), generation(placement, other_host)
    with pytest.raises(exceptions.CapacityExceeded):
        placement.allocations.replace(
            {
                one: Claim(allocations={other_host: {"VCPU": 4}}, project_id="c", user_id="d"),
                other: Claim(allocations={other_host: {"VCPU": 7}}),
            }
        )
    assert held(placement, one) == {host: {"VCPU": 4}}
    assert held(placement, other) == {}
    assert placement.consumers.get(one).project.external_id == "a"
    assert placement.consumers.get(one).generation == 1
    assert (generation(placement, host), generation(placement, other_host)) == before


def test_one_wrong_generation_stops_the_whole_write(placement, host):
    one, other = new_uuid(), new_uuid()
    for _ in range(3):
        placement.allocations.update(one, {host: {"VCPU": 1}})
    placement.allocations.update(other, {host: {"VCPU": 1}})
    with pytest.raises(exceptions.ConsumerGenerationConflict, match="expected 3 but got 1"):
        placement.allocations.replace(
            {
                other: Claim(allocations={host: {"VCPU": 2}}, generation=1),
                one: Claim(allocations={host: {"VCPU": 2}}, generation=1),
            }
        )
    assert in_use(placement, host)["VCPU"] == 2


def test_full_providers_can_exchange_consumers(placement, host, other_host):
    one, other = new_uuid(), new_uuid()
    placement.allocations.update(one, {host: {"VCPU": 10}}, project_id="a", user_id="a")
    placement.allocations.update(other, {other_host: {"VCPU": 10}}, project_id="b", user_id="b")
    placement.allocations.swap(one, other)
    assert held(placement, one) == {other_host: {"VCPU": 10}}
    assert held(placement, other) == {host: {"VCPU": 10}}
    assert placement.consumers.get(one).project.external_id == "a"
    assert placement.consumers.get(one).generation == 2


def test_a_move_hands_over_everything(placement, host, other_host):
    server, migration = new_uuid(), new_uuid()
    placement.allocations.update(
        server,
        {host: {"VCPU": 10}, other_host: {"VCPU": 1}},
        project_id="a",
        user_id="b",
        consumer_type="INSTANCE",
    )
    placement.allocations.move(server, migration)
    assert held(placement, server) == {}
    assert held(placement, migration) == {host: {"VCPU": 10}, other_host: {"VCPU": 1}}
    consumer = placement.consumers.get(migration)
    assert (consumer.project.external_id, consumer.consumer_type.name) == ("a", "INSTANCE")
    with pytest.raises(exceptions.ConsumerNotFound):
        placement.consumers.get(server)


def test_a_move_does_not_overwrite(placement, host):
    server, migration = new_uuid(), new_uuid()
    placement.allocations.update(server, {host: {"VCPU": 1}})
    placement.allocations.update(migration, {host: {"VCPU": 2}})
    with pytest.raises(exceptions.ConsumerGenerationConflict):
        placement.allocations.move(server, migration)
    assert held(placement, migration) == {host: {"VCPU": 2}}


@pytest.mark.parametrize("verb", ["move", "swap"])
def test_nothing_cannot_be_moved(placement, host, verb):
    server, nobody = new_uuid(), new_uuid()
    placement.allocations.update(server, {host: {"VCPU": 1}})
    with pytest.raises(exceptions.AllocationsNotFound, match=nobody):
        getattr(placement.allocations, verb)(nobody, server)


def test_clearing_several_consumers_is_one_change_of_each_provider(placement, host):
    servers = [new_uuid() for _ in range(3)]
    for server in servers:
        placement.allocations.update(server, {host: {"VCPU": 1}})
    before = generation(placement, host)
    placement.allocations.clear(*servers, new_uuid())
    assert generation(placement, host) == before + 1
    assert placement.allocations.for_provider(host) == []
    assert placement.consumers.list() == []


def test_an_empty_claim_for_nobody_leaves_no_trace(placement):
    server = new_uuid()
    placement.allocations.update(server, {}, generation=NEW)
    with pytest.raises(exceptions.ConsumerNotFound):
        placement.consumers.get(server)


# --- over capacity -------------------------------------------------------------------------------


def test_use_beyond_capacity_may_only_shrink(placement):
    provider = placement.resource_providers.create(name="shrunk").uuid
    placement.inventories.replace(provider, {"VCPU": {"total": 10, "allocation_ratio": 2.0}})
    first, second, third = new_uuid(), new_uuid(), new_uuid()
    for server in (first, second):
        placement.allocations.update(server, {provider: {"VCPU": 7}})
    placement.inventories.replace(provider, {"VCPU": {"total": 10}})

    def claim(**amounts):
        consumers = {"first": first, "second": second, "third": third}
        placement.allocations.replace(
            {
                consumers[name]: Claim(allocations={provider: {"VCPU": n}} if n else {})
                for name, n in amounts.items()
            }
        )
        return in_use(placement, provider)["VCPU"]

    assert claim(first=6) == 13
    assert claim(first=6, second=6) == 12
    assert claim(first=0, third=6, second=6) == 12
    with pytest.raises(exceptions.CapacityExceeded):
        claim(third=7)
    with pytest.raises(exceptions.CapacityExceeded):
        placement.allocations.update(new_uuid(), {provider: {"VCPU": 1}})
    assert claim(second=5, third=5) == 10
    assert claim(second=4, third=6) == 10


def test_constraints_know_no_such_exception(placement, host):
    server = new_uuid()
    placement.allocations.update(server, {host: {"VCPU": 4}})
    placement.inventories.replace(host, {"VCPU": {"total": 10, "max_unit": 2}})
    with pytest.raises(exceptions.ConstraintsViolated):
        placement.allocations.update(server, {host: {"VCPU": 4}}, project_id="other")
    assert placement.consumers.get(server).project.external_id != "other"


# --- what else is promised -----------------------------------------------------------------------


def test_rows_without_a_consumer_count_but_are_not_shown(placement, host):
    ghost = new_uuid()
    placement.allocations.update(ghost, {host: {"VCPU": 4}})
    with placement.context.engine.begin() as connection:
        connection.execute(sa.delete(t.consumers))
    assert placement.allocations.for_consumer(ghost) == []
    assert placement.allocations.for_provider(host) == []
    assert in_use(placement, host)["VCPU"] == 4
    with pytest.raises(exceptions.CapacityExceeded):
        placement.allocations.update(new_uuid(), {host: {"VCPU": 7}})
    with pytest.raises(exceptions.AllocationsNotFound):
        placement.allocations.delete(ghost)
    placement.allocations.update(ghost, {host: {"VCPU": 5}})
    assert in_use(placement, host)["VCPU"] == 5
    assert placement.consumers.get(ghost).generation == 1


@pytest.mark.parametrize("known_as", [None, NEW])
def test_a_claim_takes_over_rows_without_a_consumer(placement, host, other_host, known_as):
    """Data from before Rocky; the provider that they are on is a part of the write."""
    server = new_uuid()
    placement.allocations.update(server, {other_host: {"VCPU": 4}})
    with placement.transaction():
        placement.context.connection.execute(
            sa.delete(t.consumers).where(t.consumers.c.uuid == server)
        )
    placement.allocations.update(server, {host: {"VCPU": 1}}, generation=known_as)
    assert held(placement, server) == {host: {"VCPU": 1}}
    assert in_use(placement, other_host) == {"VCPU": 0}


def test_every_change_of_a_tree_is_recorded(placement, host, other_host):
    def recorded():
        with placement.context.engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.count(t.provider_tree_changes.c.id)))

    server = new_uuid()
    before = recorded()
    placement.allocations.update(server, {host: {"VCPU": 1}})
    assert recorded() == before + 1
    placement.allocations.update(server, {other_host: {"VCPU": 1}})
    assert recorded() == before + 3, "the tree that lost something changed as well"
    with pytest.raises(exceptions.CapacityExceeded):
        placement.allocations.update(server, {other_host: {"VCPU": 11}})
    assert recorded() == before + 3


def test_many_claims_take_no_more_statements_than_one(placement):
    providers = [placement.resource_providers.create(name=f"compute-{n}") for n in range(20)]
    for provider in providers:
        placement.inventories.replace(provider.uuid, {"VCPU": {"total": 10}})
    claims = {
        new_uuid(): Claim(allocations={provider.uuid: {"VCPU": 1}})
        for provider in providers
        for _ in range(5)
    }
    placement.allocations.update(new_uuid(), {providers[0].uuid: {"VCPU": 1}})
    statements = []
    sa.event.listen(
        placement.context.engine, "before_cursor_execute", lambda *args: statements.append(args[2])
    )
    placement.allocations.replace(claims)
    assert len([s for s in statements if s not in ("BEGIN", "COMMIT")]) <= 8
    assert all(in_use(placement, provider.uuid)["VCPU"] >= 5 for provider in providers)


def test_consumers_are_told_apart_by_every_letter(placement):
    """Where the database cannot do that (MySQL), the second one is refused and never taken for
    the first."""
    host = placement.resource_providers.create(name="cn")
    placement.inventories.replace(host.uuid, {"VCPU": {"total": 4}})
    lower, upper = "c0ffee00-0000-4000-8000-000000000001", "C0FFEE00-0000-4000-8000-000000000001"
    placement.allocations.update(lower, {host.uuid: {"VCPU": 1}})
    assert placement.allocations.for_consumer(upper) == []
    with pytest.raises(exceptions.ConsumerNotFound):
        placement.consumers.get(upper)
    for other in (upper, f"{lower} ", f"{{{lower}}}"):
        with pytest.raises(exceptions.AllocationsNotFound):
            placement.allocations.delete(other)
    placement.allocations.clear(upper)
    if placement.context.engine.dialect.name == "mysql":
        with pytest.raises(exceptions.InvalidArgument, match="cannot tell consumer 'C0FFEE"):
            placement.allocations.update(upper, {host.uuid: {"VCPU": 2}})
    else:
        placement.allocations.update(upper, {host.uuid: {"VCPU": 2}})
        placement.allocations.clear(upper)
    assert placement.usages.for_provider(host.uuid) == {"VCPU": 1}
    assert placement.consumers.get(lower).generation == 1
