"""Rename a custom resource class to a standard one.

Clouds that had VGPUs before there was a class for them have CUSTOM_VGPU_OLD in inventories and
allocations. Here both become VGPU, on whatever provider of a tree they are, root or child.

RENAMED_CLASSES tells `verify` that a unit of the one is a unit of the other: without it, everybody
would seem to have lost what they had, and every tree would be refused. A tree in which a provider
has inventory of both classes is refused; which of the two is right is not for a script to guess.

The old class itself stays in the list of classes; delete it when all trees are done.
"""

RENAMED_CLASSES = {"CUSTOM_VGPU_OLD": "VGPU"}


def transform(tree):
    renamed = [tree.rename_class(old, new) for old, new in RENAMED_CLASSES.items()]
    return tree if any(renamed) else None
