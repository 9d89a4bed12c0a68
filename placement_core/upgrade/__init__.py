"""Offline upgrades: a script, run over every provider tree of a cloud, safely.

    script = upgrade.load("examples/vgpu_to_nested.py")
    upgrade.plan(placement, script, "vgpu.plan.jsonl")
    upgrade.apply(placement, script, journal_path="vgpu.journal.jsonl")
    upgrade.verify(placement, "vgpu.journal.jsonl")
    upgrade.undo(placement, "vgpu.journal.jsonl")

`script` loads and runs scripts, `checking` says whether a result may be; `planning`, `applying`,
`undoing`, `verifying` and `inspecting` are the commands; `execution` carries changes out for two
of them; `files` and `journal` are what is kept on disk. Trees are read and written by
`ops.provider_trees`, and nothing here prints: what is going on is told to a `Progress`.
"""

from placement_core.upgrade.applying import apply
from placement_core.upgrade.files import default_journal_path, default_plan_path
from placement_core.upgrade.inspecting import Status, status
from placement_core.upgrade.planning import Preview, Summary, plan, preview
from placement_core.upgrade.progress import Progress, Silent
from placement_core.upgrade.report import Failure, Report
from placement_core.upgrade.script import Script, load
from placement_core.upgrade.undoing import undo
from placement_core.upgrade.verifying import Verification, verify

__all__ = [
    "Failure",
    "Preview",
    "Progress",
    "Report",
    "Script",
    "Silent",
    "Status",
    "Summary",
    "Verification",
    "apply",
    "default_journal_path",
    "default_plan_path",
    "load",
    "plan",
    "preview",
    "status",
    "undo",
    "verify",
]
