"""Files outlive releases: what every noun looks like when written, pinned for good."""

from __future__ import annotations

import hashlib
import pathlib

import orjson
import pytest

from placement_core import exceptions, objects
from placement_core.objects import base, fields
from tests.unit.objects import samples

STORED = orjson.loads((pathlib.Path(__file__).parent / "primitives-1.0.json").read_bytes())
SAMPLES = {noun.obj_name(): noun for noun in samples.one_of_each()}

# When one of these fails, a field was added, removed or changed. Raise the VERSION of the noun
# (and of those that contain it), teach its obj_make_compatible the way back, add a file of
# primitives at the new version next to the old one, and only then write the new fingerprint here.
FINGERPRINTS = {
    "Aggregate": "1.0-6301068c88319135",
    "Allocation": "1.0-555922d07f43a3c2",
    "Consumer": "1.0-a0bfcc6255443b8c",
    "ConsumerType": "1.0-3bd237724a7c00ce",
    "Inventory": "1.0-b88b89cc30ae99a0",
    "Project": "1.0-007f7692cd2dc8b7",
    "ProviderTree": "1.0-e7862e7107e08504",
    "ResourceClass": "1.0-3bd237724a7c00ce",
    "ResourceProvider": "1.0-8716201dad248fd4",
    "Trait": "1.0-3bd237724a7c00ce",
    "TreeChange": "1.0-866223bf0f78ea92",
    "TreeProvider": "1.0-fa2f80c6bf78575c",
    "TreeRefusal": "1.0-638dffb667b45c17",
    "TreesOutcome": "1.0-61fecc209c3e63bf",
    "UpgradeFile": "1.0-ed37c93ca4d40e90",
    "UpgradeSummary": "1.0-d1416f2eba254328",
    "Usage": "1.0-9084879b48477231",
    "UsageGroup": "1.0-b3dfc73f4013dab8",
    "User": "1.0-007f7692cd2dc8b7",
}


def fingerprint(noun: type[base.ovo_base.VersionedObject]) -> str:
    # The library's own is only to be had together with test frameworks that are not used here.
    lines = [f"{noun.OBJ_SERIAL_NAMESPACE} {noun.OBJ_PROJECT_NAMESPACE}"]
    for name, field in sorted(noun.fields.items()):
        kind = type(field._type).__name__
        of = getattr(field, "objname", "")
        lines.append(f"{name} {kind} {of} {field.nullable} {field.default}")
    lines.append(repr(sorted(noun.obj_relationships.items())))
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return f"{noun.VERSION}-{digest[:16]}"


def test_every_noun_keeps_its_version_and_fields():
    nouns = base.PlacementObjectRegistry.obj_classes()
    assert {name: fingerprint(versions[0]) for name, versions in nouns.items()} == FINGERPRINTS


def test_a_changed_field_changes_the_fingerprint():
    class Aggregate(objects.Aggregate):
        fields = fields.declare(uuid=fields.StringField(nullable=True))

    assert fingerprint(Aggregate) != fingerprint(objects.Aggregate)


def test_every_noun_is_stored_exported_and_sampled():
    nouns = set(base.PlacementObjectRegistry.obj_classes())
    assert set(STORED) == set(SAMPLES) == nouns
    assert set(objects.__all__) == nouns | {"PlacementObject"}


@pytest.mark.parametrize("name", sorted(STORED))
def test_what_version_1_0_wrote_can_be_read(name):
    read = objects.PlacementObject.from_json_line(orjson.dumps(STORED[name]))
    assert type(read) is getattr(objects, name)
    assert read == SAMPLES[name]
    assert read.obj_what_changed() == set()


@pytest.mark.parametrize("name", sorted(STORED))
def test_the_primitive_is_that_of_version_1_0(name):
    assert orjson.loads(SAMPLES[name].to_json_line()) == STORED[name]


@pytest.mark.parametrize("name", sorted(STORED))
def test_a_line_comes_back_as_it_went(name):
    noun = type(SAMPLES[name])
    line = SAMPLES[name].to_json_line()
    assert line.endswith(b"}\n") and line.count(b"\n") == 1
    assert noun.from_json_line(line) == SAMPLES[name]
    assert noun.from_json_line(line).to_json_line() == line


def test_equal_trees_give_equal_lines():
    one, other = samples.tree(), samples.tree()
    of_server = other.allocations.pop(samples.SERVER)
    other.allocations[samples.SERVER] = of_server
    assert list(one.allocations) != list(other.allocations)
    assert one.to_json_line() == other.to_json_line()


def test_changed_fields_are_written_in_order_and_read_back():
    trait = objects.Trait(updated_at=None, name="CUSTOM_A", created_at=None)
    primitive = trait.obj_to_primitive()
    assert primitive["versioned_object.changes"] == ["created_at", "name", "updated_at"]
    assert objects.Trait.from_json_line(trait.to_json_line()).obj_what_changed() == {
        "created_at",
        "name",
        "updated_at",
    }


# --- other versions ------------------------------------------------------------------------------


@pytest.fixture
def newer_trait(monkeypatch):
    """A Trait 1.1, with a field more, as a later release might have it."""

    class Trait(objects.Trait):
        VERSION = "1.1"
        fields = fields.declare(description=fields.StringField(nullable=True))

        def obj_make_compatible(self, primitive, target_version):
            super().obj_make_compatible(primitive, target_version)
            if target_version == "1.0":
                primitive.pop("description", None)

    known = base.PlacementObjectRegistry.obj_classes()
    monkeypatch.setitem(known, "Trait", [])
    return base.PlacementObjectRegistry.register(Trait)


def test_a_newer_release_reads_what_an_older_one_wrote(newer_trait):
    read = objects.PlacementObject.from_json_line(orjson.dumps(STORED["Trait"]))
    assert type(read) is newer_trait
    assert read.name == "HW_CPU_X86_AVX2" and read.created_at == samples.CREATED
    assert not read.obj_attr_is_set("description")


def test_a_newer_release_writes_for_an_older_one(newer_trait):
    newer = newer_trait.from_values(
        name="HW_CPU_X86_AVX2",
        created_at=samples.CREATED,
        updated_at=samples.UPDATED,
        description="AVX2",
    )
    assert newer.obj_to_primitive(target_version="1.0") == STORED["Trait"]
    assert newer.obj_to_primitive()["versioned_object.data"]["description"] == "AVX2"


@pytest.mark.parametrize("name", ["Consumer", "ProviderTree"])
def test_nouns_within_nouns_are_converted_too(name):
    class Newer(type(SAMPLES[name])):
        VERSION = "1.1"

        @classmethod
        def obj_name(cls):
            return name

    base.PlacementObjectRegistry.objectify(Newer)
    newer = Newer.from_values(
        **{field: getattr(SAMPLES[name], field) for field in SAMPLES[name].fields}
    )
    assert newer.obj_to_primitive(target_version="1.0") == STORED[name]


@pytest.mark.parametrize("version", ["1.1", "2.0"])
def test_a_version_from_the_future_is_refused(version):
    primitive = {**STORED["Trait"], "versioned_object.version": version}
    with pytest.raises(exceptions.UnreadableRecord, match=rf"{version} of Trait is not supported"):
        objects.Trait.from_json_line(orjson.dumps(primitive))


# --- what is no record ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"", "JSONDecodeError"),
        (b'{"versioned_object.name": "Tra', "JSONDecodeError"),
        (b"\xff\xfe", "JSONDecodeError"),
        (b"null", "TypeError"),
        (b"[]", "TypeError"),
        (b"{}", "KeyError: 'versioned_object.namespace'"),
    ],
)
def test_a_line_that_is_no_primitive_is_refused(line, complaint):
    with pytest.raises(exceptions.UnreadableRecord, match=complaint):
        objects.PlacementObject.from_json_line(line)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"versioned_object.name": "Spaceship"}, "Unsupported object type Spaceship"),
        ({"versioned_object.namespace": "nova"}, "Unsupported object type nova.ProviderTree"),
        ({"versioned_object.data": 7}, "TypeError"),
        ({"versioned_object.data": {"allocations": [1]}}, "allocations has to be a mapping"),
        ({"versioned_object.data": {"providers": ["x"]}}, "TypeError"),
        ({"versioned_object.data": {"root_provider_uuid": [1]}}, "A string is required"),
    ],
)
def test_a_primitive_of_the_wrong_shape_is_refused(change, complaint):
    line = orjson.dumps({**STORED["ProviderTree"], **change})
    with pytest.raises(exceptions.UnreadableRecord, match=complaint):
        objects.ProviderTree.from_json_line(line)


def test_another_noun_than_the_one_asked_for_is_refused():
    line = SAMPLES["Trait"].to_json_line()
    with pytest.raises(
        exceptions.UnreadableRecord, match="a Trait where a ProviderTree should be"
    ):
        objects.ProviderTree.from_json_line(line)
