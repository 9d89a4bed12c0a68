"""The commands: what an operator types, and what comes back on the terminal.

They parse, call the domain, and print; nothing is decided here. `manage` is `placement-manage`,
the other modules are its categories and what these share.
"""
