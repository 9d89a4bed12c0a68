"""Allocations against a model of plain dicts: same requests, same answers, same state."""

from __future__ import annotations

from uuid import UUID, uuid4

import hypothesis
import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import placement_core
from placement_core import exceptions
from placement_core.objects import inventory as rules
from placement_core.ops.allocations import Claim

CLASSES = ("VCPU", "MEMORY_MB")
PROVIDERS = [str(UUID(int=n)) for n in (1, 2, 3)]
CONSUMERS = [str(UUID(int=n)) for n in (101, 102, 103)]

records = st.fixed_dictionaries(
    {
        "total": st.integers(1, 12),
        "reserved": st.integers(0, 2),
        "min_unit": st.integers(1, 2),
        "max_unit": st.integers(3, 12),
        "step_size": st.integers(1, 2),
        "allocation_ratio": st.sampled_from([0.5, 1.0, 1.5, 2.0]),
    }
).filter(lambda record: rules.capacity(record["total"], record["reserved"], 1.0) >= 0)
amounts = st.dictionaries(st.sampled_from(CLASSES), st.integers(1, 8), min_size=1)
sets = st.dictionaries(st.sampled_from(PROVIDERS), amounts, max_size=2)
requests = st.dictionaries(st.sampled_from(CONSUMERS), sets, min_size=1)


class Model:
    """The rules, literally: what the API promises, over dicts."""

    def __init__(self):
        self.inventories = {provider: {} for provider in PROVIDERS}
        self.held = {}

    def used(self, provider, name, without=()):
        return sum(
            held.get(provider, {}).get(name, 0)
            for consumer, held in self.held.items()
            if consumer not in without
        )

    def fits(self, claims):
        asked = {}
        for claim in claims.values():
            for provider, resources in claim.items():
                for name, amount in resources.items():
                    record = self.inventories[provider].get(name)
                    if record is None:
                        return False
                    if not record["min_unit"] <= amount <= record["max_unit"]:
                        return False
                    if amount % record["step_size"]:
                        return False
                    place = provider, name
                    asked[place] = asked.get(place, 0) + amount
                    use = self.used(provider, name, without=claims) + asked[place]
                    capacity = (record["total"] - record["reserved"]) * record["allocation_ratio"]
                    if use > capacity and use > self.used(provider, name):
                        return False
        return True

    def replace(self, claims):
        for consumer, claim in claims.items():
            self.held.pop(consumer, None)
            if claim:
                self.held[consumer] = claim


class Allocations(RuleBasedStateMachine):
    url: str

    @initialize()
    def open(self):
        self.placement = placement_core.connect(self.url)
        self.model = Model()
        consumers = [consumer.uuid for consumer in self.placement.consumers.list()]
        self.placement.allocations.clear(*consumers)
        known = {provider.uuid for provider in self.placement.resource_providers.list()}
        for number, provider in enumerate(PROVIDERS):
            if provider in known:
                self.placement.inventories.delete(provider)
            else:
                self.placement.resource_providers.create(name=f"host-{number}", uuid=provider)

    @rule(provider=st.sampled_from(PROVIDERS), name=st.sampled_from(CLASSES), record=records)
    def set_inventory(self, provider, name, record):
        present = {**self.model.inventories[provider], name: record}
        try:
            self.placement.inventories.replace(provider, present)
        except exceptions.InvalidInventoryCapacity:
            return
        self.model.inventories[provider] = present

    @rule(provider=st.sampled_from(PROVIDERS), name=st.sampled_from(CLASSES))
    def remove_inventory(self, provider, name):
        present = self.model.inventories[provider]
        if name not in present:
            with pytest.raises(exceptions.InventoryNotFound):
                self.placement.inventories.delete(provider, name)
        elif self.model.used(provider, name):
            with pytest.raises(exceptions.InventoryInUse):
                self.placement.inventories.delete(provider, name)
        else:
            self.placement.inventories.delete(provider, name)
            del present[name]

    @rule(claims=requests)
    def replace(self, claims):
        asked = {consumer: Claim(allocations=claim) for consumer, claim in claims.items()}
        if self.model.fits(claims):
            self.placement.allocations.replace(asked)
            self.model.replace(claims)
        else:
            with pytest.raises(exceptions.AllocationRefused):
                self.placement.allocations.replace(asked)

    @rule(source=st.sampled_from(CONSUMERS), destination=st.sampled_from(CONSUMERS))
    def move(self, source, destination):
        held = self.model.held
        if source == destination:
            return
        if source not in held:
            with pytest.raises(exceptions.AllocationsNotFound):
                self.placement.allocations.move(source, destination)
        elif destination in held:
            with pytest.raises(exceptions.ConsumerGenerationConflict):
                self.placement.allocations.move(source, destination)
        else:
            claims = {source: {}, destination: held[source]}
            if self.model.fits(claims):
                self.placement.allocations.move(source, destination)
                self.model.replace(claims)
            else:
                with pytest.raises(exceptions.AllocationRefused):
                    self.placement.allocations.move(source, destination)

    @rule(consumer=st.sampled_from(CONSUMERS))
    def delete(self, consumer):
        if consumer in self.model.held:
            self.placement.allocations.delete(consumer)
            del self.model.held[consumer]
        else:
            with pytest.raises(exceptions.AllocationsNotFound):
                self.placement.allocations.delete(consumer)

    @invariant()
    def the_database_holds_what_the_model_holds(self):
        if not hasattr(self, "model"):
            return
        stored = {}
        for provider in PROVIDERS:
            for row in self.placement.allocations.for_provider(provider):
                held = stored.setdefault(row.consumer_uuid, {}).setdefault(provider, {})
                assert row.resource_class not in held
                held[row.resource_class] = row.used
        assert stored == self.model.held
        assert {c.uuid for c in self.placement.consumers.list()} == set(self.model.held)

    def teardown(self):
        if hasattr(self, "placement"):
            self.placement.close()


def test_replacing_allocations_follows_the_rules(placement_url):
    backend = placement_url.partition(":")[0].partition("+")[0]
    examples = {"sqlite": 60, "mysql": 25, "postgresql": 25}[backend]

    class OnThisDatabase(Allocations):
        url = placement_url

    hypothesis.stateful.run_state_machine_as_test(
        OnThisDatabase,
        settings=hypothesis.settings(
            max_examples=examples,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        ),
    )


def test_the_capacity_rule_is_the_same_for_claims_and_for_filters(sqlite_placement):
    """What the provider list offers is what a claim gets: `used` units are taken before."""
    placement = sqlite_placement

    @hypothesis.settings(max_examples=150, deadline=None)
    @hypothesis.given(record=records, used=st.integers(0, 30), amount=st.integers(1, 30))
    def check(record, used, amount):
        host = placement.resource_providers.create(name=str(uuid4())).uuid
        placement.inventories.replace(host, {"VCPU": {"total": 100}})
        if used:
            placement.allocations.update(str(uuid4()), {host: {"VCPU": used}})
        # Unlike the inventory verbs, a reshape may leave less than is used or reserved.
        placement.reshaper.reshape({host: {"VCPU": record}}, {})
        offered = placement.resource_providers.list(in_tree=host, resources={"VCPU": amount})
        capacity = rules.capacity(record["total"], record["reserved"], record["allocation_ratio"])
        units = rules.units_fit(
            amount, record["min_unit"], record["max_unit"], record["step_size"]
        )
        assert bool(offered) == (units and used + amount <= capacity)
        claim = {host: {"VCPU": amount}}
        if offered:
            placement.allocations.update(str(uuid4()), claim)
            assert placement.usages.for_provider(host) == {"VCPU": used + amount}
        else:
            with pytest.raises(exceptions.AllocationRefused):
                placement.allocations.update(str(uuid4()), claim)

    check()
