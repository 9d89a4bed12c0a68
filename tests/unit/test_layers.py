"""The library knows nothing of HTTP: neither when it is imported nor when it is at work."""

from __future__ import annotations

import subprocess
import sys

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


def modules_after(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\n{REPORT}"], capture_output=True, text=True, check=True
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
