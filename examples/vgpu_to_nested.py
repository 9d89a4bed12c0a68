"""Move VGPUs from the root provider to a child provider for each physical GPU.

A host that reports its VGPUs as one inventory of its root provider gets children named
`<host>_pgpu0`, `<host>_pgpu1`, ..., each with the VGPUs of one GPU, and every consumer's VGPUs go
to one of them: the biggest first, each to the first GPU with room for all of it. Reserved units
are taken from the last GPUs; min_unit, max_unit, step_size and allocation_ratio stay as they are.

Set VGPUS_PER_GPU to what your GPUs are configured for. A host on which some consumer fits on no
single GPU is refused, unless MAY_SPLIT allows for its VGPUs to come from several.
"""

VGPUS_PER_GPU = 8
MAY_SPLIT = False


def transform(tree):
    if "VGPU" not in tree.root.inventories:
        return None
    gpus = add_gpus(tree, tree.remove_inventory(tree.root, "VGPU"))
    root = tree.root.uuid
    held = {c: tree.allocations[c][root]["VGPU"] for c in tree.consumers(root, "VGPU")}
    for consumer in sorted(held, key=lambda consumer: (-held[consumer], consumer)):
        place(tree, consumer, held[consumer], gpus)
    return tree


def add_gpus(tree, record):
    """Split the inventory; GPUs that are reserved as a whole are the last ones."""
    total, reserved = record["total"], record["reserved"]
    sizes = [min(VGPUS_PER_GPU, total - start) for start in range(0, total, VGPUS_PER_GPU)]
    shares = []
    for size in reversed(sizes):
        shares.insert(0, min(size, reserved))
        reserved -= shares[0]
    return [
        tree.add_provider(
            f"{tree.root.name}_pgpu{number}",
            parent=tree.root,
            inventories={"VGPU": {**record, "total": size, "reserved": share}},
        )
        for number, (size, share) in enumerate(zip(sizes, shares, strict=True))
    ]


def place(tree, consumer, amount, gpus):
    for gpu in gpus:
        if tree.free(gpu, "VGPU") >= amount:
            tree.move(consumer, "VGPU", source=tree.root, target=gpu)
            return
    if not MAY_SPLIT:
        raise ValueError(f"no GPU has room for the {amount} VGPU of consumer {consumer}")
    for gpu in gpus:
        step = gpu.inventories["VGPU"]["step_size"]
        part = min(amount, max(0, int(tree.free(gpu, "VGPU") // step * step)))
        if part:
            tree.move(consumer, "VGPU", source=tree.root, target=gpu, amount=part)
            amount -= part
