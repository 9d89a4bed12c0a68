"""A provider tree drawn for the terminal: what each provider has, and how much of it is in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from placement_core.cmd import output
from placement_core.objects import ProviderTree, TreeProvider
from placement_core.objects.inventory import InventoryRecord, capacity

BAR_WIDTH = 20
_MOST_NAMES = 6  # traits or aggregates that are listed, and not just counted

# Colours by how full something is, the fullest first.
_COLOURS = ((1.0, "bright_red"), (0.9, "red"), (0.7, "yellow"), (0.0, "green"))


def draw(tree: ProviderTree, console: Console, *, notes: Sequence[str] = ()) -> None:
    """Print a tree, each provider with its inventories below its name.

    :param notes: lines to print at the end.
    """
    used = usage(tree)
    branches: dict[str | None, Tree] = {}
    for _, provider in tree.walk():
        label = _label(provider, used.get(provider.uuid, {}), console)
        above = branches.get(provider.parent_provider_uuid)
        branches[provider.uuid] = above.add(label) if above else Tree(label)
    console.print(branches[tree.root_provider_uuid])
    for note in notes:
        console.print(note)


def draw_provider(tree: ProviderTree, provider: TreeProvider, console: Console) -> None:
    """Print one provider of a tree, and what it has, without those above and below it."""
    console.print(_label(provider, usage(tree).get(provider.uuid, {}), console))


def usage(tree: ProviderTree) -> dict[str, dict[str, int]]:
    """How much is in use: `{provider uuid: {class: amount}}`."""
    used: dict[str, dict[str, int]] = {}
    for held in tree.allocations.values():
        for provider, amounts in held.items():
            of_provider = used.setdefault(provider, {})
            for resource_class, amount in amounts.items():
                of_provider[resource_class] = of_provider.get(resource_class, 0) + amount
    return used


def moves(before: ProviderTree, after: ProviderTree) -> list[str]:
    """A line for each consumer that holds something elsewhere than before, or under another name.

    `consumer <uuid>: 2 VGPU on compute-17 -> 2 VGPU on compute-17_pgpu0`
    """
    names = {p.uuid: p.name for tree in (before, after) for p in tree.providers}
    lines = []
    for consumer in sorted({*before.allocations, *after.allocations}):
        had, has = (_amounts(tree.allocations.get(consumer, {})) for tree in (before, after))
        sides = []
        for side, other in ((had, has), (has, had)):
            surplus = {place: amount - other.get(place, 0) for place, amount in side.items()}
            parts = [
                f"{amount} {resource_class} on {names[provider]}"
                for (provider, resource_class), amount in surplus.items()
                if amount > 0
            ]
            sides.append(", ".join(parts) or "nothing")
        if sides != ["nothing", "nothing"]:
            lines.append(f"consumer {consumer}: {' -> '.join(sides)}")
    return lines


def _amounts(held: Mapping[str, Mapping[str, int]]) -> dict[tuple[str, str], int]:
    return {
        (provider, resource_class): amount
        for provider, amounts in held.items()
        for resource_class, amount in amounts.items()
    }


def _label(provider: TreeProvider, used: dict[str, int], console: Console) -> RenderableType:
    title = Text(provider.name, style="bold")
    title.append(f"  {provider.uuid}", style="dim not bold")
    if provider.generation is None:
        title.append("  new", style="cyan not bold")
    else:
        title.append(f"  generation {provider.generation}", style="dim not bold")
    parts: list[RenderableType] = [title]
    for noun, names in (("trait", provider.traits), ("aggregate", provider.aggregates)):
        if names:
            parts.append(Text(_names(noun, sorted(names)), style="dim"))
    if provider.inventories:
        parts.append(_inventories(provider, used, console))
    return Group(*parts)


def _names(noun: str, names: Sequence[str]) -> str:
    more = ", ..." if len(names) > _MOST_NAMES else ""
    return f"{output.count(len(names), noun)}: {', '.join(names[:_MOST_NAMES])}{more}"


def _inventories(provider: TreeProvider, used: dict[str, int], console: Console) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for justify in ("left", "left", "right", "right", "left"):
        grid.add_column(justify=justify, no_wrap=True)
    for resource_class in sorted(provider.inventories):
        record = provider.inventories[resource_class]
        most = capacity(record["total"], record["reserved"], record["allocation_ratio"])
        amount = used.get(resource_class, 0)
        share = amount / most if most > 0 else float(amount > 0)
        grid.add_row(
            resource_class,
            bar(share, ascii_only=not console.encoding.lower().startswith("utf")),
            f"{amount} / {output.number(most)}",
            f"{share:.0%}",
            Text(_record(record), style="dim"),
        )
    return grid


def _record(record: InventoryRecord) -> str:
    ratio = output.number(record["allocation_ratio"])
    return f"total {record['total']}, reserved {record['reserved']}, ratio {ratio}"


def bar(share: float, *, ascii_only: bool = False) -> Text:
    """A bar that is full at a share of 1; whatever is in use at all shows."""
    filled = min(BAR_WIDTH, max(round(share * BAR_WIDTH), int(share > 0)))
    full, empty = ("#", ".") if ascii_only else ("█", "░")
    colour = next((colour for lowest, colour in _COLOURS if share >= lowest), "green")
    text = Text(full * filled, style=colour)
    text.append(empty * (BAR_WIDTH - filled), style="dim")
    return text
