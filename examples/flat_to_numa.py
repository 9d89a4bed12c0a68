"""Split a flat host into two NUMA nodes.

VCPU and MEMORY_MB move from the root provider to two children, `<host>_numa0` and `<host>_numa1`,
that have the trait HW_NUMA_ROOT; all else (DISK_GB, ...) stays on the root. Total and reserved are
halved; step_size, min_unit and allocation_ratio stay, and max_unit is cut to a node's total.

A consumer goes to one node, the biggest first, each to the node that it leaves least room on. One
that is too big for either node is split over both, as evenly as there is room.
"""

CLASSES = ("VCPU", "MEMORY_MB")


def transform(tree):
    classes = [name for name in CLASSES if name in tree.root.inventories]
    if not classes:
        return None
    records = {name: tree.remove_inventory(tree.root, name) for name in classes}
    nodes = [add_node(tree, number, records) for number in (0, 1)]
    root, guests = tree.root.uuid, {}
    for consumer in {c for name in classes for c in tree.consumers(root, name)}:
        held = tree.allocations[consumer][root]
        guests[consumer] = {name: held[name] for name in classes if name in held}
    for consumer in sorted(guests, key=lambda c: ([-n for n in guests[c].values()], c)):
        place(tree, consumer, guests[consumer], nodes)
    return tree


def add_node(tree, number, records):
    halves = {}
    for name, record in records.items():
        total, reserved = ((record[key] + 1 - number) // 2 for key in ("total", "reserved"))
        units = {"max_unit": min(record["max_unit"], total)}
        halves[name] = {**record, "total": total, "reserved": reserved, **units}
    name = f"{tree.root.name}_numa{number}"
    return tree.add_provider(name, parent=tree.root, inventories=halves, traits=["HW_NUMA_ROOT"])


def place(tree, consumer, amounts, nodes):
    def left(node):
        return [tree.free(node, name) - amount for name, amount in amounts.items()]

    def small_enough(node):
        return all(n <= node.inventories[name]["max_unit"] for name, n in amounts.items())

    fitting = [node for node in nodes if min(left(node)) >= 0 and small_enough(node)]
    best = min(fitting, key=left, default=None)
    for name, amount in amounts.items():
        parts = [amount if node is best else 0 for node in nodes]
        if best is None:
            step = nodes[0].inventories[name]["step_size"]
            room = [int(tree.free(node, name) // step * step) for node in nodes]
            parts[0] = min(room[0], max(amount - room[1], amount // 2 // step * step))
            parts[1] = amount - parts[0]
        for node, part in zip(nodes, parts, strict=True):
            if part > 0:
                tree.move(consumer, name, source=tree.root, target=node, amount=part)
