"""Handlers: a module per resource, each function one method of one path.

They read top to bottom as policy, parse, op, render. What is decided by a microversion is decided
here; what an operation means, and whether it may be, is decided by the op.
"""
