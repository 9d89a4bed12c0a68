"""Commands as an operator runs them: processes of their own, whose output is what counts."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from collections.abc import Mapping, Sequence


def run(
    command: Sequence[str | pathlib.Path],
    *,
    directory: pathlib.Path,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a command in a directory and return what it prints.

    :param environment: in place of our own.
    :raises subprocess.CalledProcessError: with all of the output as a note.
    """
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
    try:
        done.check_returncode()
    except subprocess.CalledProcessError as error:
        error.add_note(done.stdout + done.stderr)
        raise
    return done.stdout


def manage(url: str, *arguments: str, directory: pathlib.Path) -> str:
    """Run our `placement-manage` on a database."""
    ours = [sys.executable, "-m", "placement_core.cmd.manage", "--database", url]
    return run([*ours, *arguments], directory=directory)
