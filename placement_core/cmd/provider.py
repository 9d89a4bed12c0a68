"""placement-manage provider: resource providers listed, shown, and drawn as trees."""

from __future__ import annotations

import argparse
import fnmatch
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from placement_core import Placement, exceptions
from placement_core.cmd import database, output, tree_view
from placement_core.objects import ProviderTree, ResourceProvider, TreeProvider
from placement_core.objects.inventory import capacity

_LIST = """\
List resource providers, sorted by name.

--json prints a list of objects:
  uuid, name, generation
  parent_provider_uuid   null for a root
  root_provider_uuid

examples:
  placement-manage provider list --name 'compute-1*'
  placement-manage provider list --tree compute-17 --json
"""

_PROVIDER_JSON = """\
  uuid, name, generation
  parent_provider_uuid   null for a root
  root_provider_uuid
  traits, aggregates     sorted lists
  inventories            {class: {total, reserved, min_unit, max_unit, step_size,
                         allocation_ratio, capacity, used}}
  allocations            {consumer uuid: {class: amount}}
"""

_SHOW = f"""\
Show one resource provider: its place in the tree, traits and aggregates, and of each resource
class how much there is and how much of it is in use.

--json prints an object:
{_PROVIDER_JSON}
examples:
  placement-manage provider show compute-17
  placement-manage provider show 7cfa8ab1-2b4f-4c45-a7a5-8e8e4b4c1a33 --json
"""

_TREE = f"""\
Draw the whole tree that a resource provider belongs to, from its root, with a bar of usage for
each resource class.

--json prints an object:
  root_provider_uuid
  providers              a list, parents before their children, each with:
{_PROVIDER_JSON}
examples:
  placement-manage provider tree compute-17
  placement-manage provider tree compute-17_gpu0 --json
"""


def add_parsers(subparsers: Any) -> None:
    """Add the category to the command line."""
    text = "list resource providers, show one, draw trees"
    category = subparsers.add_parser("provider", help=text, description=text.capitalize())
    category.set_defaults(run=output.print_help(category))
    commands = category.add_subparsers(title="commands", dest="command", metavar="COMMAND")

    def add(name: str, run: Callable[..., int], text: str, description: str) -> Any:
        parser = commands.add_parser(
            name,
            help=text,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("--json", action="store_true", help="print JSON")
        database.add_option(parser)
        parser.set_defaults(run=run)
        return parser

    parser = add("list", list_providers, "list resource providers", _LIST)
    parser.add_argument(
        "--name", dest="name_glob", metavar="GLOB", help="only those whose name matches"
    )
    parser.add_argument(
        "--tree", metavar="UUID_OR_NAME", help="only those in the same tree as this provider"
    )
    for name, run, text, description in (
        ("show", show, "show one resource provider", _SHOW),
        ("tree", tree, "draw a provider tree", _TREE),
    ):
        parser = add(name, run, text, description)
        parser.add_argument("provider", metavar="UUID_OR_NAME")


def list_providers(conf: cfg.ConfigOpts, arguments: Any) -> int:
    with database.connect(conf, read_only=True) as placement:
        in_tree = None
        if arguments.tree is not None:
            in_tree = find(placement, arguments.tree).root_provider_uuid
        found = placement.resource_providers.list(in_tree=in_tree)
        providers = sorted(
            (p for p in found if fnmatch.fnmatchcase(p.name, arguments.name_glob or "*")),
            key=lambda provider: provider.name,
        )
    if arguments.json:
        output.print_json([_values(provider) for provider in providers])
        return 0
    rows = [(p.name, p.uuid, str(p.generation), p.parent_provider_uuid or "-") for p in providers]
    output.print_columns(("NAME", "UUID", "GENERATION", "PARENT"), rows)
    return 0


def show(conf: cfg.ConfigOpts, arguments: Any) -> int:
    whole, provider = _read(conf, arguments.provider)
    if arguments.json:
        output.print_json(_details(whole, provider, tree_view.usage(whole)))
        return 0
    console = output.console()
    tree_view.draw_provider(whole, provider, console)
    parent = provider.parent_provider_uuid
    console.print(f"parent: {whole.provider(parent).name if parent else 'none'}")
    console.print(f"root: {whole.root.name}")
    below = [child.name for child in whole.children(provider)]
    console.print(f"children: {', '.join(below) or 'none'}")
    console.print(f"consumers: {len(whole.consumers(provider))}")
    return 0


def tree(conf: cfg.ConfigOpts, arguments: Any) -> int:
    whole, _ = _read(conf, arguments.provider)
    if arguments.json:
        used = tree_view.usage(whole)
        providers = [_details(whole, provider, used) for provider in whole.providers]
        root = whole.root_provider_uuid
        output.print_json({"root_provider_uuid": root, "providers": providers})
        return 0
    note = output.count(len(whole.allocations), "consumer")
    tree_view.draw(whole, output.console(), notes=[note])
    return 0


def find(placement: Placement, uuid_or_name: str) -> ResourceProvider:
    """The provider of this uuid, or else of this name.

    :raises ResourceProviderNotFound: there is neither.
    """
    for by in ("uuid", "name"):
        try:
            found: ResourceProvider = placement.resource_providers.get(**{by: uuid_or_name})
        except exceptions.ResourceProviderNotFound:
            continue
        return found
    raise exceptions.ResourceProviderNotFound(uuid=uuid_or_name, by="uuid or name")


def _read(conf: cfg.ConfigOpts, uuid_or_name: str) -> tuple[ProviderTree, TreeProvider]:
    with (
        database.connect(conf, read_only=True) as placement,
        placement.transaction(read_only=True),
    ):
        uuid = find(placement, uuid_or_name).uuid
        whole: ProviderTree = placement.resource_providers.tree(uuid)
    return whole, whole.provider(uuid)


def _values(provider: ResourceProvider) -> dict[str, Any]:
    return {
        "uuid": provider.uuid,
        "name": provider.name,
        "generation": provider.generation,
        "parent_provider_uuid": provider.parent_provider_uuid,
        "root_provider_uuid": provider.root_provider_uuid,
    }


def _details(
    whole: ProviderTree, provider: TreeProvider, used: dict[str, dict[str, int]]
) -> dict[str, Any]:
    of_provider = used.get(provider.uuid, {})
    return {
        "uuid": provider.uuid,
        "name": provider.name,
        "generation": provider.generation,
        "parent_provider_uuid": provider.parent_provider_uuid,
        "root_provider_uuid": whole.root_provider_uuid,
        "traits": sorted(provider.traits),
        "aggregates": sorted(provider.aggregates),
        "inventories": {
            name: {
                **record,
                "capacity": capacity(
                    record["total"], record["reserved"], record["allocation_ratio"]
                ),
                "used": of_provider.get(name, 0),
            }
            for name, record in provider.inventories.items()
        },
        "allocations": {
            consumer: held[provider.uuid]
            for consumer, held in whole.allocations.items()
            if provider.uuid in held
        },
    }
