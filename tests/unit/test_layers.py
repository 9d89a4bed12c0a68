"""Who knows what: HTTP stays at its door, and microversions in their module."""

from __future__ import annotations

import ast
import pathlib
import re
import subprocess
import sys

import placement_core

HTTP_LIBRARIES = {
    "aiohttp",
    "flask",
    "gunicorn",
    "httpx",
    "jsonschema",
    "keystoneauth1",
    "keystonemiddleware",
    "microversion_parse",
    "oslo_middleware",
    "oslo_policy",
    "requests",
    "routes",
    "urllib3",
    "webob",
    "werkzeug",
    "wsgiref",
}

IMPORT = "import placement_core"
WORK = """
with placement_core.connect("sqlite://", create=True) as placement:
    host = placement.resource_providers.create(name="compute-17")
    placement.inventories.replace(host.uuid, {"VCPU": {"total": 8}})
    placement.resource_providers.tree(host.uuid).to_json_line()
"""
REPORT = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"


def modules_after(program: str, *arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\n{REPORT}", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "", "importing a library is no occasion for warnings"
    return set(done.stdout.split())


def test_importing_the_library_imports_no_http_library():
    loaded = modules_after(IMPORT)
    assert "placement_core" in loaded
    assert not loaded & HTTP_LIBRARIES


def test_using_the_library_imports_no_http_library():
    loaded = modules_after(IMPORT + WORK)
    assert "sqlalchemy" in loaded
    assert not loaded & HTTP_LIBRARIES


STARTING = """
import os, sys
os.environ["OS_PLACEMENT_DATABASE__CONNECTION"] = sys.argv[1]
os.environ["OS_API__AUTH_STRATEGY"] = "noauth2"
sys.argv[1:] = []
import placement_api.wsgi
"""


def test_a_service_starts_without_what_takes_long_to_import(tmp_path: pathlib.Path) -> None:
    """Alembic makes tables, keystonemiddleware is for Keystone, and the others are for nobody."""
    url = f"sqlite:///{tmp_path}/placement.sqlite"
    modules_after(f"{IMPORT}\nplacement_core.connect({url!r}, create=True).close()")
    loaded = modules_after(STARTING, url)
    assert "placement_api" in loaded
    assert not loaded & {"alembic", "mako", "keystonemiddleware", "keystoneauth1", "dns"}


def test_an_error_of_the_database_is_raised_and_not_printed_too():
    program = (
        IMPORT
        + """
with placement_core.connect("sqlite://", create=True) as placement:
    try:
        placement.resource_providers.get(object())
    except placement_core.exceptions.InvalidArgument:
        pass
"""
    )
    assert "placement_core" in modules_after(program)


def numbers_of_versions(path: pathlib.Path) -> list[str]:
    """Places where a program (not a text about it) writes a microversion."""
    tree = ast.parse(path.read_text())
    texts = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    found = []
    for node in ast.walk(tree):
        is_version = False
        if isinstance(node, ast.Constant) and id(node) not in texts:
            value = node.value
            is_version = isinstance(value, float | str) and bool(
                re.fullmatch(r"1\.[1-9]\d?", str(value))
            )
        elif isinstance(node, ast.Tuple) and len(node.elts) == 2:
            pair = [item.value for item in node.elts if isinstance(item, ast.Constant)]
            is_version = len(pair) == 2 and pair[0] == 1 and pair[1] in range(1, 100)
        if is_version:
            found.append(f"{path.name}:{node.lineno}")
    return found


def test_microversions_are_written_in_one_module():
    root = pathlib.Path(placement_core.__file__).parents[1]
    paths = [
        path
        for package in ("placement_core", "placement_api")
        for path in (root / package).rglob("*.py")
        if path.name != "microversion.py"
    ]
    assert len(paths) > 100
    assert [place for path in paths for place in numbers_of_versions(path)] == []


def test_handlers_fit_on_a_screen():
    root = pathlib.Path(placement_core.__file__).parents[1] / "placement_api" / "handlers"
    functions = [
        node
        for path in root.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]
    assert len(functions) > 40
    assert [f.name for f in functions if f.end_lineno - f.lineno >= 40] == []
