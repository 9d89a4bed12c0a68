"""ProviderTree: inventory, traits and aggregates, and what counts as a change of them."""

from __future__ import annotations

import pytest

FULL = {
    "total": 8,
    "reserved": 0,
    "min_unit": 1,
    "max_unit": 2147483647,
    "step_size": 1,
    "allocation_ratio": 1.0,
}


# --- inventory -----------------------------------------------------------------------------------


def test_inventory_is_updated_when_it_is_another(tree):
    assert not tree.has_inventory("H1")
    assert tree.has_inventory_changed("host1", {"VCPU": FULL})
    assert tree.update_inventory("H1", {"VCPU": FULL}, generation=10)
    assert tree.has_inventory("H1")
    assert not tree.has_inventory_changed("H1", {"VCPU": FULL})
    assert not tree.update_inventory("H1", {"VCPU": dict(FULL)}, generation=11)
    assert tree.data("H1").generation == 11
    assert not tree.update_inventory("H1", {"VCPU": FULL})
    assert tree.data("H1").generation == 11


@pytest.mark.parametrize(
    ("stored", "wanted", "changed"),
    [
        pytest.param({}, {}, False, id="nothing"),
        pytest.param({}, None, False, id="none at all"),
        pytest.param({"VCPU": FULL}, None, True, id="cleared"),
        pytest.param({"VCPU": FULL}, {"PCPU": FULL}, True, id="another class"),
        pytest.param({"VCPU": FULL}, {"VCPU": FULL, "PCPU": FULL}, True, id="one more class"),
        pytest.param({"VCPU": {"total": 8}}, {"VCPU": FULL}, True, id="more fields"),
        pytest.param({"VCPU": FULL}, {"VCPU": {"total": 8}}, False, id="defaults left out"),
        pytest.param({"VCPU": FULL}, {"VCPU": {"total": 9}}, True, id="another total"),
        pytest.param({"VCPU": FULL}, {"VCPU": {**FULL, "reserved": 1}}, True, id="another field"),
        # Written, it would get the default back.
        pytest.param(
            {"VCPU": {**FULL, "reserved": 1}}, {"VCPU": {"total": 8}}, True, id="a field dropped"
        ),
        pytest.param(
            {"VCPU": {**FULL, "unheard_of": 1}}, {"VCPU": FULL}, False, id="no default known"
        ),
    ],
)
def test_when_an_inventory_counts_as_changed(tree, stored, wanted, changed):
    tree.update_inventory("H1", stored)
    assert tree.has_inventory_changed("H1", wanted) is changed


def test_inventory_is_cleared(tree):
    tree.update_inventory("H1", {"VCPU": FULL})
    assert tree.update_inventory("H1", None)
    assert tree.data("H1").inventory == {}


def test_what_is_given_is_copied(tree):
    inventory = {"VCPU": {"total": 8}}
    tree.update_inventory("H1", inventory)
    inventory["VCPU"]["total"] = 9
    assert tree.data("H1").inventory == {"VCPU": {"total": 8}}


def test_what_is_returned_is_a_copy(tree):
    tree.update_inventory("H1", {"VCPU": {"total": 8}})
    data = tree.data("H1")
    data.inventory["VCPU"]["total"] = 9
    data.traits.add("CUSTOM_A")
    data.aggregates.add("AGG")
    data.resources["VPMEM"] = 1
    assert tree.data("H1")[4:] == ({"VCPU": {"total": 8}}, set(), set(), {})
    with pytest.raises(AttributeError):
        data.name = "another"


def test_sharing_providers(tree):
    assert not tree.has_sharing_provider("DISK_GB")
    tree.update_inventory("P0", {"DISK_GB": {"total": 100}})
    assert not tree.has_sharing_provider("DISK_GB")
    tree.add_traits("P0", "MISC_SHARES_VIA_AGGREGATE")
    assert tree.has_sharing_provider("DISK_GB")
    assert not tree.has_sharing_provider("VCPU")


# --- traits, aggregates, resources ---------------------------------------------------------------


def test_traits(tree):
    assert tree.update_traits("H1", ["CUSTOM_A", "CUSTOM_B"], generation=4)
    assert not tree.update_traits("host1", {"CUSTOM_B", "CUSTOM_A"}, generation=5)
    assert tree.data("H1").generation == 5
    assert tree.have_traits_changed("H1", ["CUSTOM_A"])
    assert not tree.have_traits_changed("H1", ["CUSTOM_B", "CUSTOM_A"])
    assert tree.have_traits_changed("H1", None)
    tree.add_traits("H1", "CUSTOM_C", "CUSTOM_A")
    tree.remove_traits("H1", "CUSTOM_B", "CUSTOM_D")
    assert tree.data("H1").traits == {"CUSTOM_A", "CUSTOM_C"}
    assert tree.has_traits("H1", []) and tree.has_traits("H1", ["CUSTOM_C"])
    assert not tree.has_traits("H1", ["CUSTOM_C", "CUSTOM_D"])
    assert tree.update_traits("H1", None)
    assert tree.data("H1").traits == set()


def test_no_traits_to_add_or_remove(tree):
    tree.add_traits("nobody")
    tree.remove_traits("nobody")


def test_aggregates(tree):
    assert tree.update_aggregates("H1", ["A", "B"], generation=4)
    assert not tree.update_aggregates("host1", {"B", "A"}, generation=5)
    assert tree.data("H1").generation == 5
    assert tree.have_aggregates_changed("H1", ["A"])
    assert not tree.have_aggregates_changed("H1", ["B", "A"])
    assert tree.have_aggregates_changed("H1", None)
    tree.add_aggregates("H1", "C", "A")
    tree.remove_aggregates("H1", "B", "D")
    assert tree.data("H1").aggregates == {"A", "C"}
    assert tree.in_aggregates("H1", []) and tree.in_aggregates("H1", ["C"])
    assert not tree.in_aggregates("H1", ["C", "D"])
    assert tree.update_aggregates("H1", None)
    assert tree.data("H1").aggregates == set()


def test_resources(tree):
    assert tree.update_resources("H1", {"VPMEM": {"a"}})
    assert not tree.update_resources("H1", {"VPMEM": {"a"}})
    assert tree.data("H1").resources == {"VPMEM": {"a"}}
    assert tree.update_resources("H1", None)
