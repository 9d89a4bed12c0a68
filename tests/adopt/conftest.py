"""The published service's installation, for tests that run it; without one they are skipped."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest

from tests.adopt.peer import Peer

VARIABLE = "PLACEMENT_PEER_PYTHON"


@pytest.fixture(scope="session")
def _peer_python() -> pathlib.Path:
    named = os.environ.get(VARIABLE)
    if not named:
        pytest.skip(
            f"{VARIABLE} does not name a Python with openstack-placement in it"
            " ('make adopt' and 'tox -e adopt' make one)"
        )
    python = pathlib.Path(named).absolute()
    # Somebody who names one wants these tests to run.
    subprocess.run([python, "-c", "import placement, gunicorn"], check=True)
    return python


@pytest.fixture
def peer(_peer_python: pathlib.Path, tmp_path: pathlib.Path) -> Peer:
    """The published service, ready to be run."""
    return Peer(_peer_python, tmp_path)
