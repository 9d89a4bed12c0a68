"""What all nouns have in common, and the types of their fields."""

from __future__ import annotations

import copy
import datetime
import pickle
import subprocess
import sys

import pytest

from placement_core import objects
from placement_core.objects import base
from tests.unit.objects import samples

NAMES = ("uuid", "name", "generation", "parent_provider_uuid", "root_provider_uuid")
ROW = (samples.CHILD, "gpu0", 7, samples.ROOT, samples.ROOT)


def test_values_are_taken_as_they_are():
    marker = object()
    provider = objects.ResourceProvider.from_values(uuid=marker, name="gpu0")
    assert provider.uuid is marker
    assert provider.name == "gpu0"
    assert provider.obj_what_changed() == set()


def test_rows_make_what_values_make():
    from_rows = objects.ResourceProvider.from_rows(NAMES, [ROW, ROW])
    from_values = objects.ResourceProvider.from_values(**dict(zip(NAMES, ROW, strict=True)))
    assert from_rows == [from_values, from_values]
    assert from_rows[0] is not from_rows[1]


def test_names_of_no_field_are_refused():
    with pytest.raises(KeyError, match="nmae"):
        objects.Trait.from_values(nmae="CUSTOM_A")
    with pytest.raises(KeyError, match="nmae"):
        objects.Trait.from_rows(["nmae"], [])


def test_a_row_of_another_width_is_refused():
    with pytest.raises(ValueError, match="zip"):
        objects.ResourceProvider.from_rows(NAMES, [ROW[:-1]])


def test_a_change_is_remembered_by_one_object_only():
    one, other = objects.ResourceProvider.from_rows(NAMES, [ROW, ROW])
    one.name = "gpu1"
    assert one.obj_get_changes() == {"name": "gpu1"}
    assert other.obj_what_changed() == set()


def test_the_constructor_converts_and_checks():
    assert objects.Usage(used="12").used == 12
    with pytest.raises(ValueError, match="twelve"):
        objects.Usage(used="twelve")


def test_a_field_without_a_value_says_so():
    with pytest.raises(AttributeError, match="updated_at"):
        _ = objects.Trait(name="CUSTOM_A").updated_at


def test_nouns_are_compared_by_their_values():
    one, other = objects.ResourceProvider.from_rows(NAMES, [ROW, ROW])
    assert one == other
    other.generation += 1
    assert one != other
    other.generation -= 1
    assert one == other  # that it was changed and changed back is no part of its value
    other.created_at = None
    assert one != other  # None is a value, and one has none
    assert objects.Project(external_id="a") != objects.User(external_id="a")
    assert objects.Trait(name="A") != "A"


def test_nouns_cannot_be_hashed():
    with pytest.raises(TypeError, match="unhashable"):
        hash(objects.Aggregate(uuid=samples.AGGREGATE))


@pytest.mark.parametrize("noun", samples.one_of_each(), ids=lambda noun: noun.obj_name())
def test_copies_are_equal(noun):
    assert copy.deepcopy(noun) == noun
    assert pickle.loads(pickle.dumps(noun)) == noun


def test_a_noun_is_shown_by_what_tells_it_apart():
    shown = {noun.obj_name(): repr(noun) for noun in samples.one_of_each()}
    assert shown["Trait"] == "Trait(name='HW_CPU_X86_AVX2')"
    assert shown["Consumer"] == (
        f"Consumer(uuid='{samples.SERVER}', project=Project(external_id='demo'), "
        "user=User(external_id='alice'), consumer_type=ConsumerType(name='INSTANCE'), "
        "generation=3)"
    )
    assert (
        shown["ProviderTree"] == f"ProviderTree(root='{samples.ROOT}', providers=2, consumers=2)"
    )
    assert repr(objects.Trait()) == "Trait()"
    assert repr(objects.ProviderTree()) == "ProviderTree()"


def test_custom_names():
    assert objects.Trait(name="CUSTOM_GOLD").is_custom
    assert not objects.Trait(name="HW_CPU_X86_AVX2").is_custom
    assert objects.ResourceClass(name="CUSTOM_FPGA").is_custom
    assert not objects.ResourceClass(name="VCPU").is_custom


def test_the_registry_is_not_that_of_other_projects():
    class Aggregate(base.ovo_base.VersionedObject):
        """What a compute service in the same process has under this name."""

        VERSION = "1.3"

    shared = base.ovo_base.VersionedObjectRegistry.obj_classes()
    assert "ProviderTree" not in shared
    base.ovo_base.VersionedObjectRegistry.register(Aggregate)
    try:
        sample = objects.Aggregate(uuid=samples.AGGREGATE)
        assert type(base.PlacementObject.from_json_line(sample.to_json_line())) is type(sample)
        assert base.PlacementObjectRegistry.obj_classes()["Aggregate"] == [objects.Aggregate]
    finally:
        del shared["Aggregate"]


def test_importing_the_nouns_warns_of_nothing():
    imported = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import placement_core.objects.base"],
        capture_output=True,
        text=True,
    )
    assert (imported.returncode, imported.stderr) == (0, "")


# --- field types ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        datetime.datetime(2024, 5, 6, 7, 8, 9, 10),
        datetime.datetime(2024, 5, 6, 7, 8, 9, 10, datetime.UTC),
        datetime.datetime(2024, 5, 6, 9, 8, 9, 10, datetime.timezone(datetime.timedelta(hours=2))),
        "2024-05-06T07:08:09.000010Z",
        "2024-05-06 07:08:09.000010",
    ],
)
def test_a_timestamp_is_naive_utc_to_the_microsecond(given):
    trait = objects.Trait(name="CUSTOM_A", created_at=given, updated_at=None)
    assert trait.created_at == datetime.datetime(2024, 5, 6, 7, 8, 9, 10)
    primitive = trait.obj_to_primitive()["versioned_object.data"]
    assert primitive["created_at"] == "2024-05-06T07:08:09.000010Z"
    assert primitive["updated_at"] is None


@pytest.mark.parametrize("given", [1714979289, "yesterday"])
def test_what_is_no_timestamp_is_refused(given):
    with pytest.raises(ValueError, match=str(given)):
        objects.Trait(created_at=given)


def test_sets_are_written_sorted():
    names = [f"CUSTOM_{letter}" for letter in "ABCDEFGH"]
    provider = objects.TreeProvider(traits=[*reversed(names), "CUSTOM_B"], aggregates=())
    assert provider.traits == set(names)
    primitive = provider.obj_to_primitive()["versioned_object.data"]
    assert primitive == {"traits": names, "aggregates": []}


@pytest.mark.parametrize("given", ["CUSTOM_A", 7, ["CUSTOM_A", 7]])
def test_what_is_no_set_of_strings_is_refused(given):
    with pytest.raises(ValueError, match="traits has to"):
        objects.TreeProvider(traits=given)


def test_plain_values_are_held_not_copied():
    held = {"VCPU": samples.record(8)}
    provider = objects.TreeProvider(inventories=held)
    assert provider.inventories is held
    with pytest.raises(ValueError, match="inventories has to be a mapping, not 7"):
        provider.inventories = 7
