"""Resource providers: created, found, renamed, moved and deleted."""

from __future__ import annotations

from uuid import uuid4

import pytest
import sqlalchemy as sa

from placement_core import exceptions
from placement_core.db import tables as t
from tests.functional.ops.dump import dump
from tests.functional.ops.forest import make, make_tree, shape
from tests.functional.ops.rows import execute

UUID = "2290d4af-9e6e-400b-9d65-1ee01376f71a"


def generations(placement):
    return {p.name: p.generation for p in placement.resource_providers.list()}


# --- create --------------------------------------------------------------------------------------


def test_a_new_provider_is_a_root_of_generation_0(placement):
    made = placement.resource_providers.create(name="compute-1")
    assert made.generation == 0
    assert made.parent_provider_uuid is None
    assert made.root_provider_uuid == made.uuid
    assert made.created_at is not None
    assert placement.resource_providers.get(made.uuid) == made
    assert placement.resource_providers.get(name="compute-1") == made


def test_every_spelling_of_a_uuid_is_stored_canonically(placement):
    spellings = [
        UUID.replace("-", ""),
        UUID.upper(),
        f"{{{UUID}}}",
        f"urn:uuid:{UUID}",
        UUID.replace("-", "").upper(),
    ]
    for number, spelling in enumerate(spellings):
        made = placement.resource_providers.create(name=f"p{number}", uuid=spelling)
        assert made.uuid == made.root_provider_uuid == UUID
        with pytest.raises(exceptions.ResourceProviderExists) as caught:
            placement.resource_providers.create(name="other", uuid=spelling)
        assert (caught.value.field, caught.value.value) == ("uuid", UUID)
        placement.resource_providers.delete(UUID)


def test_what_is_no_uuid_is_refused(placement):
    before = dump(placement)
    for uuid in ("", "x", UUID[:-1], UUID + "0", 5, b"2290d4af9e6e400b9d651ee01376f71a"):
        with pytest.raises(exceptions.InvalidUUID) as caught:
            placement.resource_providers.create(name="p", uuid=uuid)
        assert caught.value.value == uuid
        assert repr(uuid) in str(caught.value)
    assert dump(placement) == before


def test_names_and_uuids_are_taken_once(placement):
    first = placement.resource_providers.create(name="first")
    second = placement.resource_providers.create(name="second")
    before = dump(placement)
    with pytest.raises(exceptions.ResourceProviderExists, match="name: first already exists"):
        placement.resource_providers.create(name="first")
    with pytest.raises(exceptions.ResourceProviderExists, match=f"uuid: {first.uuid} already"):
        placement.resource_providers.create(name="third", uuid=first.uuid)
    third = placement.resource_providers.create(name="third", parent=second.uuid)
    before = dump(placement)
    for uuid in (first.uuid, third.uuid):
        with pytest.raises(exceptions.ResourceProviderExists) as caught:
            placement.resource_providers.create(name="first", uuid=uuid, parent=second.uuid)
        assert (caught.value.field, caught.value.value) in [("name", "first"), ("uuid", uuid)]
    assert dump(placement) == before


def test_names_of_the_wrong_kind_or_length_are_refused(placement):
    before = dump(placement)
    for name in ("", "x" * 201, 5, None, b"bytes", ["compute-1"]):
        with pytest.raises(exceptions.InvalidName) as caught:
            placement.resource_providers.create(name=name)
        assert caught.value.value == name
    assert dump(placement) == before


def test_names_may_be_any_text_of_200_characters(placement):
    for name in ("x" * 200, "ä" * 200, "🖥" * 200, "実験室/ラック 7: node-3 %_*'\"\\", " "):
        made = placement.resource_providers.create(name=name)
        assert made.name == name
        assert placement.resource_providers.get(name=name).uuid == made.uuid
        assert [p.uuid for p in placement.resource_providers.list(name=name)] == [made.uuid]


def test_text_that_no_database_can_store_is_refused(placement):
    made = make(placement, "p")
    before = dump(placement)
    for name in ("half a pair \ud83d", "\udfff"):
        with pytest.raises(exceptions.InvalidArgument):
            placement.resource_providers.create(name=name)
        with pytest.raises(exceptions.InvalidArgument):
            placement.resource_providers.update(made, name=name)
    assert dump(placement) == before


def test_a_zero_byte_in_a_name_is_stored_or_refused(placement):
    """PostgreSQL knows no such text; the others have nothing against it."""
    name = "nul \x00"
    if placement.context.engine.name != "postgresql":
        made = placement.resource_providers.create(name=name)
        assert placement.resource_providers.get(name=name) == made
        return
    before = dump(placement)
    with pytest.raises(exceptions.InvalidArgument):
        placement.resource_providers.create(name=name)
    for arguments in ({"name": name}, {"uuid": name}):
        with pytest.raises((exceptions.NotFound, exceptions.InvalidArgument)):
            placement.resource_providers.get(**arguments)
    assert dump(placement) == before


def test_a_child_has_its_parents_root(placement):
    root = placement.resource_providers.create(name="root")
    child = placement.resource_providers.create(name="child", parent=root.uuid)
    grandchild = placement.resource_providers.create(name="grandchild", parent=child.uuid)
    assert (child.parent_provider_uuid, child.root_provider_uuid) == (root.uuid, root.uuid)
    assert (grandchild.parent_provider_uuid, grandchild.root_provider_uuid) == (
        child.uuid,
        root.uuid,
    )
    assert generations(placement) == {"root": 0, "child": 0, "grandchild": 0}


def test_a_parent_has_to_exist_and_be_spelled_as_it_is_stored(placement):
    root = placement.resource_providers.create(name="root", uuid=UUID)
    before = dump(placement)
    for parent in (str(uuid4()), root.uuid.upper(), root.uuid.replace("-", ""), "root", ""):
        with pytest.raises(exceptions.InvalidParent, match="does not exist") as caught:
            placement.resource_providers.create(name="child", parent=parent)
        assert (caught.value.parent, caught.value.name) == (parent, "child")
        with pytest.raises(exceptions.InvalidParent, match="does not exist"):
            placement.resource_providers.update(root.uuid, name="new", parent=parent)
    for parent in (root, 5, b"x"):
        with pytest.raises(exceptions.InvalidArgument):
            placement.resource_providers.create(name="child", parent=parent)
        with pytest.raises(exceptions.InvalidArgument):
            placement.resource_providers.update(root.uuid, name="new", parent=parent)
    assert dump(placement) == before


def test_a_provider_is_not_its_own_parent(placement):
    for parent in (UUID, UUID.upper()):
        with pytest.raises(exceptions.InvalidParent) as caught:
            placement.resource_providers.create(name="child", uuid=UUID, parent=parent)
        assert "parent provider UUID cannot be same as UUID" in str(caught.value)
        assert f'"child", {UUID}:' in str(caught.value)
    # That it exists already makes no difference.
    placement.resource_providers.create(name="child", uuid=UUID)
    with pytest.raises(exceptions.InvalidParent, match="cannot be same"):
        placement.resource_providers.create(name="child", uuid=UUID, parent=UUID)


# --- get and tree --------------------------------------------------------------------------------


def test_what_is_not_there_is_not_found(placement):
    make(placement, "p")
    unknown = str(uuid4())
    for verb in ("get", "tree", "delete", "update"):
        with pytest.raises(exceptions.ResourceProviderNotFound) as caught:
            getattr(placement.resource_providers, verb)(unknown)
        assert caught.value.uuid == unknown
        assert f"No resource provider with uuid {unknown} found" in str(caught.value)
    with pytest.raises(exceptions.ResourceProviderNotFound, match="with name q found"):
        placement.resource_providers.get(name="q")


def test_get_wants_a_uuid_or_a_name(placement):
    made = make(placement, "p")
    for arguments in ({}, {"uuid": made, "name": "p"}):
        with pytest.raises(exceptions.InvalidArgument):
            placement.resource_providers.get(**arguments)


def test_uuids_are_looked_up_as_they_are_spelled(placement):
    placement.resource_providers.create(name="p", uuid=UUID)
    for spelling in (UUID.upper(), UUID.replace("-", ""), f"{UUID} "):
        for verb in ("get", "tree", "delete", "update"):
            with pytest.raises(exceptions.ResourceProviderNotFound):
                getattr(placement.resource_providers, verb)(spelling)


def test_the_tree_of_any_of_its_providers(placement):
    made = make_tree(placement, "a", "a/b", "a/b/c", "x", "x/y")
    for name in "abc":
        tree = placement.resource_providers.tree(made[name])
        assert tree.root_provider_uuid == made["a"]
        assert [provider.name for provider in tree.providers] == ["a", "b", "c"]


# --- update --------------------------------------------------------------------------------------


def test_rename_leaves_all_else_alone(placement):
    made = make_tree(placement, "a", "a/b")
    placement.inventories.replace(made["b"], {"VCPU": {"total": 1}})
    renamed = placement.resource_providers.update(made["b"], name="c")
    assert (renamed.name, renamed.generation) == ("c", 1)
    assert shape(placement) == {"a": (None, "a"), "c": ("a", "a")}
    placement.resource_providers.update(made["b"], name="c")
    placement.resource_providers.update(made["b"])
    placement.resource_providers.update(made["b"], name="")
    assert placement.resource_providers.get(made["b"]).name == ""
    assert generations(placement) == {"a": 0, "": 1}
    # The old name is free again.
    make(placement, "b")


def test_rename_to_what_cannot_be_changes_nothing(placement):
    made = make_tree(placement, "a", "b", "c")
    before = dump(placement)
    for name in ("x" * 201, 5, None):
        with pytest.raises(exceptions.InvalidName):
            placement.resource_providers.update(made["a"], name=name, parent=made["b"])
    with pytest.raises(exceptions.ResourceProviderExists) as caught:
        placement.resource_providers.update(made["a"], name="c", parent=made["b"])
    assert (caught.value.field, caught.value.value) == ("name", "c")
    assert dump(placement) == before


def test_a_subtree_moves_with_its_top(placement):
    made = make_tree(placement, "a", "a/b", "a/b/c", "a/b/c/d", "a/b/e", "x", "x/y")
    placement.inventories.replace(made["d"], {"VCPU": {"total": 1}})
    server = str(uuid4())
    placement.allocations.update(server, {made["d"]: {"VCPU": 1}})
    before = generations(placement)
    moved = placement.resource_providers.update(made["b"], parent=made["y"])
    assert (moved.parent_provider_uuid, moved.root_provider_uuid) == (made["y"], made["x"])
    assert shape(placement) == {
        "a": (None, "a"),
        "b": ("y", "x"),
        "c": ("b", "x"),
        "d": ("c", "x"),
        "e": ("b", "x"),
        "x": (None, "x"),
        "y": ("x", "x"),
    }
    assert generations(placement) == before
    assert [p.name for p in placement.resource_providers.tree(made["a"]).providers] == ["a"]
    assert placement.resource_providers.tree(made["a"]).allocations == {}
    assert server in placement.resource_providers.tree(made["d"]).allocations


def test_a_subtree_becomes_a_tree_and_a_tree_a_subtree(placement):
    made = make_tree(placement, "a", "a/b", "a/b/c")
    freed = placement.resource_providers.update(made["b"], parent=None)
    assert (freed.parent_provider_uuid, freed.root_provider_uuid) == (None, made["b"])
    assert shape(placement) == {"a": (None, "a"), "b": (None, "b"), "c": ("b", "b")}
    placement.resource_providers.update(made["b"], parent=None)
    assert shape(placement) == {"a": (None, "a"), "b": (None, "b"), "c": ("b", "b")}
    # The former root under what was at its bottom.
    placement.resource_providers.update(made["a"], parent=made["c"], name="z")
    assert shape(placement) == {"z": ("c", "b"), "b": (None, "b"), "c": ("b", "b")}
    assert set(generations(placement).values()) == {0}


def test_a_provider_moves_within_its_tree(placement):
    made = make_tree(placement, "a", "a/b", "a/b/c", "a/b/c/d", "a/e")
    placement.resource_providers.update(made["c"], parent=made["e"])
    placement.resource_providers.update(made["b"], parent=made["d"])
    assert shape(placement) == {
        "a": (None, "a"),
        "b": ("d", "a"),
        "c": ("e", "a"),
        "d": ("c", "a"),
        "e": ("a", "a"),
    }


def test_no_loop_at_any_depth(placement):
    made = make_tree(placement, "a", "a/b", "a/b/c", "a/b/c/d", "other")
    before = dump(placement)
    for name, below in [("a", "a"), ("a", "b"), ("a", "d"), ("b", "b"), ("b", "c"), ("b", "d")]:
        with pytest.raises(exceptions.InvalidParent) as caught:
            placement.resource_providers.update(made[name], parent=made[below], name="new")
        assert "creating loop in the provider tree is not allowed." in str(caught.value)
        assert (caught.value.uuid, caught.value.parent) == (made[name], made[below])
    assert dump(placement) == before


def test_a_parent_that_may_not_be_left(placement):
    made = make_tree(placement, "a", "a/b", "a/b/c", "x")

    def update(provider, parent, **more):
        return placement.resource_providers.update(
            made[provider], parent=made[parent] if parent else None, may_move=False, **more
        )

    before = dump(placement)
    with pytest.raises(exceptions.InvalidParent, match="re-parenting a provider is not"):
        update("b", "x", name="new")
    with pytest.raises(exceptions.InvalidParent, match=r"re-parenting|loop"):
        update("b", "c", name="new")
    with pytest.raises(exceptions.InvalidParent, match="un-parenting a provider is not"):
        update("b", None, name="new")
    with pytest.raises(exceptions.InvalidParent, match="creating loop"):
        update("a", "c", name="new")
    assert dump(placement) == before
    # What is no move, or a first parent, passes.
    update("b", "a")
    update("a", None)
    assert dump(placement)["resource_providers"] == before["resource_providers"]
    update("a", "x")
    assert shape(placement) == {
        "a": ("x", "x"),
        "b": ("a", "x"),
        "c": ("b", "x"),
        "x": (None, "x"),
    }


# --- delete --------------------------------------------------------------------------------------


def test_a_provider_that_is_needed_stays(placement):
    made = make_tree(placement, "a", "a/b")
    server = str(uuid4())
    for name in "ab":
        placement.inventories.replace(made[name], {"VCPU": {"total": 1}})
    placement.allocations.update(server, {made[name]: {"VCPU": 1} for name in "ab"})
    before = dump(placement)
    with pytest.raises(exceptions.ResourceProviderHasChildren) as caught:
        placement.resource_providers.delete(made["a"])
    assert caught.value.uuid == made["a"]
    with pytest.raises(exceptions.ResourceProviderInUse) as caught:
        placement.resource_providers.delete(made["b"])
    assert caught.value.uuid == made["b"]
    assert dump(placement) == before
    placement.allocations.delete(server)
    placement.resource_providers.delete(made["b"])
    assert generations(placement) == {"a": 2}
    placement.resource_providers.delete(made["a"])
    assert placement.resource_providers.list() == []


def test_nothing_of_a_deleted_provider_stays(placement):
    kept, gone = make(placement, "kept"), make(placement, "gone")
    aggregate = str(uuid4())
    for provider in (kept, gone):
        placement.inventories.replace(provider, {"VCPU": {"total": 1}, "DISK_GB": {"total": 1}})
        placement.traits.replace(provider, ["HW_CPU_X86_AVX"])
        placement.aggregates.replace(provider, [aggregate])
    placement.resource_providers.delete(gone)
    after = dump(placement)
    counts = {
        "resource_providers": 1,
        "inventories": 2,
        "resource_provider_traits": 1,
        "resource_provider_aggregates": 1,
        "placement_aggregates": 1,
    }
    assert {table: len(after[table]) for table in counts} == counts
    # Uuid and name are free, and nothing is inherited.
    again = placement.resource_providers.create(name="gone", uuid=gone)
    assert again.generation == 0
    assert placement.inventories.list(gone) == []
    assert placement.traits.for_provider(gone) == []
    assert placement.aggregates.for_provider(gone) == []


# --- data from before there were trees -----------------------------------------------------------


def forget_roots(placement, *uuids):
    providers = t.resource_providers
    execute(
        placement,
        sa.update(providers).where(providers.c.uuid.in_(uuids)).values(root_provider_id=None),
    )


def test_a_provider_without_a_root_is_invisible(placement):
    made = make_tree(placement, "seen", "old")
    old = made["old"]
    placement.inventories.replace(old, {"VCPU": {"total": 1}})
    forget_roots(placement, old)
    before = dump(placement)
    assert [p.name for p in placement.resource_providers.list()] == ["seen"]
    for filters in ({"name": "old"}, {"uuid": old}, {"in_tree": old}, {"resources": {"VCPU": 1}}):
        assert placement.resource_providers.list(**filters) == []
    for verb in ("get", "tree", "update", "delete"):
        with pytest.raises(exceptions.ResourceProviderNotFound):
            getattr(placement.resource_providers, verb)(old)
    with pytest.raises(exceptions.ResourceProviderNotFound):
        placement.inventories.list(old)
    with pytest.raises(exceptions.ResourceProviderNotFound):
        placement.inventories.replace(old, {})
    with pytest.raises(exceptions.ResourceProviderNotFound):
        placement.reshaper.reshape({old: {}}, {})
    with pytest.raises(exceptions.UnknownAllocationProvider):
        placement.allocations.update(str(uuid4()), {old: {"VCPU": 1}})
    with pytest.raises(exceptions.InvalidParent, match="does not exist"):
        placement.resource_providers.create(name="child", parent=old)
    with pytest.raises(exceptions.InvalidParent, match="does not exist"):
        placement.resource_providers.update(made["seen"], parent=old)
    assert [root.name for root in placement.provider_trees.roots()] == ["seen"]
    assert placement.provider_trees.list([old]) == []
    # Its name and uuid are taken nevertheless.
    for arguments in ({"name": "old"}, {"name": "new", "uuid": old}):
        with pytest.raises(exceptions.ResourceProviderExists):
            placement.resource_providers.create(**arguments)
    assert dump(placement) == before


def test_missing_roots_are_set_in_portions(placement):
    made = make_tree(placement, *(f"old{n}" for n in range(5)), "seen")
    forget_roots(placement, *(uuid for name, uuid in made.items() if name != "seen"))
    assert len(placement.resource_providers.list()) == 1
    assert placement.resource_providers.set_missing_roots(max_count=2) == (2, 2)
    assert len(placement.resource_providers.list()) == 3
    assert placement.resource_providers.set_missing_roots() == (3, 3)
    assert placement.resource_providers.set_missing_roots() == (0, 0)
    assert shape(placement) == {name: (None, name) for name in made}
    assert set(generations(placement).values()) == {0}


def test_a_child_that_lacked_its_root_becomes_a_root_of_its_own(placement):
    made = make_tree(placement, "a", "a/b", "a/b/c")
    forget_roots(placement, made["b"], made["c"])
    placement.resource_providers.set_missing_roots()
    for name in "bc":
        assert placement.resource_providers.get(made[name]).root_provider_uuid == made[name]
        # Whatever its row says of a parent, everything can still be read and put right.
        tree = placement.resource_providers.tree(made[name])
        assert [provider.name for provider in tree.providers] == [name]
    roots = [root.uuid for root in placement.provider_trees.roots()]
    trees = placement.provider_trees.list(roots)
    assert [provider.name for tree in trees for provider in tree.providers] == ["a", "b", "c"]
    for tree in trees:
        placement.provider_trees.replace([(tree, tree)])
    with pytest.raises(exceptions.ResourceProviderHasChildren):
        placement.resource_providers.delete(made["a"])
    for name, above in (("b", "a"), ("c", "b")):
        placement.resource_providers.update(made[name], parent=None)
        placement.resource_providers.update(made[name], parent=made[above])
    assert shape(placement) == {"a": (None, "a"), "b": ("a", "a"), "c": ("b", "a")}


def test_missing_roots_are_counted(placement):
    made = make_tree(placement, "a", "a/b", "seen")
    assert placement.resource_providers.count_missing_roots() == 0
    forget_roots(placement, made["a"], made["b"])
    with placement.transaction(read_only=True):
        assert placement.resource_providers.count_missing_roots() == 2
    placement.resource_providers.set_missing_roots(max_count=1)
    assert placement.resource_providers.count_missing_roots() == 1
    placement.resource_providers.set_missing_roots()
    assert placement.resource_providers.count_missing_roots() == 0


def test_uuids_are_compared_by_every_letter(placement):
    provider = placement.resource_providers.create(
        name="cn", uuid="c0ffee00-0000-4000-8000-000000000001"
    )
    other = provider.uuid.upper()
    assert placement.resource_providers.list(uuid=other) == []
    assert placement.resource_providers.list(in_tree=other) == []
    assert placement.resource_providers.list(uuid=provider.uuid) == [provider]
    assert placement.resource_providers.list(in_tree=provider.uuid) == [provider]
