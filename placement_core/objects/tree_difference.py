"""What differs between two provider trees, in lines for people to read.

It works on what `ProviderTree.content` returns, so it sees neither generations nor order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Content = Mapping[str, Any]


def describe(before: Content, after: Content) -> list[str]:
    """The lines that lead from one content to the other; none when they are the same."""
    titles = {
        uuid: f"{provider['name']} ({uuid})"
        for content in (after, before)
        for uuid, provider in content["providers"].items()
    }
    lines = []
    if before["root"] != after["root"]:
        lines.append(f"root: {before['root']} -> {after['root']}")
    for uuid in sorted(titles, key=titles.__getitem__):
        old, new = before["providers"].get(uuid), after["providers"].get(uuid)
        if old is None:
            lines.append(f"provider {titles[uuid]}: added")
        if new is None:
            lines.append(f"provider {titles[uuid]}: removed")
        changes = _provider_changes(old or _nothing(new), new or _nothing(old), titles)
        lines.extend(f"provider {titles[uuid]}: {change}" for change in changes)
    lines.extend(_allocation_changes(before["allocations"], after["allocations"], titles))
    return lines


def _nothing(other: Content) -> Content:
    """A provider that has nothing, in the place of the other: all that differs is what it has."""
    return {**other, "inventories": {}, "traits": [], "aggregates": []}


def _provider_changes(old: Content, new: Content, titles: Mapping[str, str]) -> Iterator[str]:
    if old["name"] != new["name"]:
        yield f"name: {old['name']} -> {new['name']}"
    if old["parent"] != new["parent"]:
        above = [titles.get(parent, parent) for parent in (old["parent"], new["parent"])]
        yield f"parent: {above[0]} -> {above[1]}"
    for resource_class in sorted({*old["inventories"], *new["inventories"]}):
        change = _record_change(
            old["inventories"].get(resource_class), new["inventories"].get(resource_class)
        )
        if change:
            yield f"inventory of {resource_class}: {change}"
    for what in ("traits", "aggregates"):
        was, is_now = set(old[what]), set(new[what])
        changes = [f"+{value}" for value in sorted(is_now - was)]
        changes += [f"-{value}" for value in sorted(was - is_now)]
        if changes:
            yield f"{what}: {', '.join(changes)}"


def _record_change(old: Content | None, new: Content | None) -> str:
    if old is None or new is None:
        word = "added" if old is None else "removed"
        return (
            word + ": " + ", ".join(f"{key} {value}" for key, value in (old or new or {}).items())
        )
    return ", ".join(
        f"{key} {old.get(key)} -> {new.get(key)}"
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
    )


def _allocation_changes(old: Content, new: Content, titles: Mapping[str, str]) -> Iterator[str]:
    for consumer in sorted({*old, *new}):
        if old.get(consumer) == new.get(consumer):
            continue
        was, is_now = _flat(old.get(consumer, {})), _flat(new.get(consumer, {}))
        for uuid, resource_class in sorted({*was, *is_now}):
            amounts = [held.get((uuid, resource_class), 0) for held in (was, is_now)]
            if amounts[0] != amounts[1]:
                yield (
                    f"consumer {consumer}: {resource_class} on {titles.get(uuid, uuid)}: "
                    f"{amounts[0]} -> {amounts[1]}"
                )


def _flat(held: Content) -> dict[tuple[str, str], int]:
    return {
        (uuid, resource_class): amount
        for uuid, amounts in held.items()
        for resource_class, amount in amounts.items()
    }
