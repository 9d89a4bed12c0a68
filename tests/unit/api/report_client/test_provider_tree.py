"""ProviderTree: its shape, and that copies are copies."""

from __future__ import annotations

import copy
import pickle
import threading
import uuid

import pytest

from placement_api.report_client import ProviderTree

# --- shape ---------------------------------------------------------------------------------------


def test_an_empty_tree():
    tree = ProviderTree()
    assert tree.get_provider_uuids() == []
    assert list(tree.roots) == []
    assert not tree.exists("H1")


def test_providers_are_found_by_uuid_and_by_name(tree):
    assert tree.exists("H1") and tree.exists("host1") and not tree.exists("host3")
    assert tree.data("pf1") == tree.data("P1")
    assert tree.data("P1").parent_uuid == "N0"


def test_a_uuid_goes_before_a_name(tree):
    tree.new_root("N0", "H3")
    assert tree.data("N0").uuid == "N0"


def test_of_providers_with_one_name_the_root_is_meant(tree):
    tree.new_child("host2", "N0", uuid="P2")
    assert tree.data("host2").uuid == "H2"
    tree.remove("H2")
    assert tree.data("host2").uuid == "P2"


def test_a_new_root(tree):
    assert tree.new_root("host3", "H3", generation=7) == "H3"
    assert tree.data("H3")[:4] == ("H3", "host3", 7, None)
    assert [root.uuid for root in tree.roots] == ["H1", "H2", "H3"]


def test_a_known_uuid_is_refused_for_a_root_and_a_known_name_is_not(tree):
    with pytest.raises(ValueError, match="H1 already exists"):
        tree.new_root("another", "H1")
    tree.new_root("host1", "H4")
    tree.new_root("name-is-a-uuid", "host2")


def test_a_new_child_gets_a_uuid(tree):
    made = tree.new_child("pf2", "N1")
    assert str(uuid.UUID(made)) == made
    assert tree.data("pf2").uuid == made
    assert tree.data("pf2").generation is None


def test_a_known_child_is_refused(tree):
    with pytest.raises(ValueError, match="P0 already exists"):
        tree.new_child("another", "N1", uuid="P0")
    with pytest.raises(ValueError, match="pf0 already exists"):
        tree.new_child("pf0", "N1")
    tree.new_child("pf0", "N1", uuid="P3")


def test_a_child_of_nobody_is_refused(tree):
    with pytest.raises(ValueError, match="No such provider nobody"):
        tree.new_child("pf2", "nobody")


def test_parents_come_before_children(tree):
    assert tree.get_provider_uuids() == ["H1", "N0", "P0", "P1", "N1", "H2"]
    assert tree.get_provider_uuids("numa0") == ["N0", "P0", "P1"]
    assert tree.get_provider_uuids_in_tree("pf1") == ["H1", "N0", "P0", "P1", "N1"]
    assert tree.get_provider_uuids_in_tree("H2") == ["H2"]


def test_a_provider_is_removed_with_all_below_it(tree):
    tree.remove("numa0")
    assert tree.get_provider_uuids() == ["H1", "N1", "H2"]
    assert not tree.exists("pf0")
    tree.new_child("pf0", "N1", uuid="P0")
    assert tree.data("pf0").parent_uuid == "N1"
    tree.remove("H1")
    assert tree.get_provider_uuids() == ["H2"]


@pytest.mark.parametrize(
    "ask",
    [
        lambda tree: tree.remove("nobody"),
        lambda tree: tree.data("nobody"),
        lambda tree: tree.get_provider_uuids("nobody"),
        lambda tree: tree.get_provider_uuids_in_tree("nobody"),
        lambda tree: tree.has_inventory("nobody"),
        lambda tree: tree.has_inventory_changed("nobody", {}),
        lambda tree: tree.update_inventory("nobody", {}),
        lambda tree: tree.has_traits("nobody", []),
        lambda tree: tree.have_traits_changed("nobody", []),
        lambda tree: tree.update_traits("nobody", []),
        lambda tree: tree.add_traits("nobody", "CUSTOM_A"),
        lambda tree: tree.remove_traits("nobody", "CUSTOM_A"),
        lambda tree: tree.in_aggregates("nobody", []),
        lambda tree: tree.have_aggregates_changed("nobody", []),
        lambda tree: tree.update_aggregates("nobody", []),
        lambda tree: tree.add_aggregates("nobody"),
        lambda tree: tree.remove_aggregates("nobody"),
        lambda tree: tree.update_resources("nobody", {}),
    ],
)
def test_an_unknown_provider_is_an_error(tree, ask):
    with pytest.raises(ValueError, match="No such provider nobody"):
        ask(tree)


# --- populating ----------------------------------------------------------------------------------


def given(uuid, parent=None, name=None, generation=5):
    return {
        "uuid": uuid,
        "name": name or f"name-{uuid}",
        "generation": generation,
        "parent_provider_uuid": parent,
    }


def test_populating_takes_any_order():
    tree = ProviderTree()
    tree.populate_from_iterable([given("C", "B"), given("B", "A"), given("D"), given("A")])
    assert tree.get_provider_uuids("A") == ["A", "B", "C"]
    assert {root.uuid for root in tree.roots} == {"A", "D"}
    assert tree.data("C").generation == 5


def test_populating_below_a_provider_that_stays(tree):
    tree.populate_from_iterable(iter([given("P9", "N1")]))
    assert tree.get_provider_uuids("N1") == ["N1", "P9"]
    assert tree.get_provider_uuids("N0") == ["N0", "P0", "P1"]


def test_populating_with_nothing(tree):
    before = tree.get_provider_uuids()
    tree.populate_from_iterable([])
    assert tree.get_provider_uuids() == before


def test_a_replaced_provider_loses_what_was_known_and_what_was_below(tree):
    tree.update_inventory("N0", {"VCPU": {"total": 8}})
    tree.update_traits("N0", ["CUSTOM_A"])
    tree.update_aggregates("N0", ["AGG"])
    tree.update_traits("P1", ["CUSTOM_A"])
    tree.populate_from_iterable([given("N0", "H1", "renamed", 9), given("P1", "N0")])
    data = tree.data("N0")
    assert (data.name, data.generation) == ("renamed", 9)
    assert (data.inventory, data.traits, data.aggregates) == ({}, set(), set())
    assert tree.get_provider_uuids("H1") == ["H1", "N1", "N0", "P1"]
    assert tree.data("P1").traits == set()
    assert not tree.exists("numa0")


def test_providers_change_places(tree):
    """What was below comes out on top, and a root becomes a child."""
    tree.populate_from_iterable([given("P0"), given("N0", "P0"), given("H2", "N0")])
    assert tree.get_provider_uuids_in_tree("H2") == ["P0", "N0", "H2"]
    assert tree.get_provider_uuids("H1") == ["H1", "N1"]


@pytest.mark.parametrize(
    ("providers", "message"),
    [
        ([given("A", "nobody")], "Parent nobody of provider A does not exist"),
        # P0 goes away with N0, which is replaced.
        ([given("N0", "H1"), given("A", "P0")], "Parent P0 of provider A does not exist"),
        ([given("A", "B"), given("B", "A")], "their own ancestors"),
        ([given("A", "A")], "their own ancestors"),
        ([given("H1", "N0"), given("N0", "H1")], "their own ancestors"),
    ],
)
def test_a_tree_that_cannot_be_is_refused_and_changes_nothing(tree, providers, message):
    tree.update_traits("H1", ["CUSTOM_A"])
    before = [tree.data(uuid) for uuid in tree.get_provider_uuids()]
    with pytest.raises(ValueError, match=message):
        tree.populate_from_iterable([given("NEW"), *providers])
    assert [tree.data(uuid) for uuid in tree.get_provider_uuids()] == before


# --- copies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda tree: pickle.loads(pickle.dumps(tree))]
)
def test_a_copy_is_equal_and_independent(tree, duplicate):
    tree.update_inventory("P0", {"VCPU": {"total": 8}})
    tree.update_traits("P0", ["CUSTOM_A"])
    tree.update_aggregates("P0", ["A"])
    tree.update_resources("P0", {"VPMEM": {"a"}})
    other = duplicate(tree)
    uuids = tree.get_provider_uuids()
    assert other.get_provider_uuids() == uuids
    assert [other.data(uuid) for uuid in uuids] == [tree.data(uuid) for uuid in uuids]
    other.remove("N0")
    other.add_traits("H1", "CUSTOM_B")
    assert tree.get_provider_uuids() == uuids
    assert tree.data("H1").traits == set()


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda tree: pickle.loads(pickle.dumps(tree))]
)
def test_a_copy_of_an_empty_tree_can_be_used(duplicate):
    other = duplicate(ProviderTree())
    other.new_root("host1", "H1")
    assert other.exists("host1")


def test_a_tree_within_something_is_copied_once(tree):
    first, second = copy.deepcopy([tree, tree])
    assert first is second is not tree


def test_a_copy_waits_for_a_change_that_is_under_way(tree):
    entered, finish = threading.Event(), threading.Event()

    def traits():
        entered.set()
        finish.wait()
        yield "CUSTOM_A"

    copies = []
    changing = threading.Thread(target=lambda: tree.update_traits("H1", traits()))
    copying = threading.Thread(target=lambda: copies.append(copy.deepcopy(tree)))
    changing.start()
    try:
        assert entered.wait(10)
        copying.start()
        copying.join(0.1)
        assert copying.is_alive()
    finally:
        finish.set()
    changing.join()
    copying.join()
    assert copies[0].data("H1").traits == {"CUSTOM_A"}
