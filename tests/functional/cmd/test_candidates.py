"""placement-manage candidates, and doc/candidates.rst: whatever it shows is what happens."""

from __future__ import annotations

import contextlib
import doctest
import importlib.metadata
import json
import logging
import pathlib
import re
import shlex
import textwrap
from collections.abc import Iterator

import pytest
from microversion_parse import parse_version_string
from oslo_config import cfg
from oslo_log import formatters

import placement_core
from placement_api import conf as api_conf
from placement_api import deploy
from placement_api.cmd import candidates
from placement_api.environ import call
from placement_core import conf as placement_conf
from placement_core import exceptions
from placement_core.cmd import manage
from tests.functional.cmd.conftest import Run, read_only

GUIDE = pathlib.Path(__file__).parents[3] / "doc" / "candidates.rst"

HOST = "c0000000-0000-4000-8000-000000000001"
GPU = "c0000000-0000-4000-8000-000000000002"
POOL = "c0000000-0000-4000-8000-000000000003"
RACK = "c0000000-0000-4000-8000-00000000000a"


@pytest.fixture
def cloud(placement_url: str) -> str:
    """A host with a GPU, and a pool that serves it."""
    with placement_core.connect(placement_url) as placement:
        placement.traits.create("CUSTOM_FAST")
        placement.resource_providers.create(name="compute-1", uuid=HOST)
        placement.resource_providers.create(name="compute-1_gpu0", uuid=GPU, parent=HOST)
        placement.resource_providers.create(name="storage-1", uuid=POOL)
        placement.inventories.replace(HOST, {"VCPU": {"total": 8}})
        placement.inventories.replace(GPU, {"VGPU": {"total": 2}})
        placement.inventories.replace(POOL, {"DISK_GB": {"total": 100}})
        placement.traits.replace(POOL, ["MISC_SHARES_VIA_AGGREGATE"])
        for uuid in HOST, POOL:
            placement.aggregates.replace(uuid, [RACK])
    return placement_url


# --- list ----------------------------------------------------------------------------------------

QUERY = "resources=VCPU:2,DISK_GB:20&resources_GPU=VGPU:1"


@pytest.mark.parametrize(
    "query",
    [
        QUERY,
        f"?{QUERY}",
        f"/allocation_candidates?{QUERY}",
        f"http://controller/placement/allocation_candidates?{QUERY}",
        f'"GET /placement/allocation_candidates?{QUERY}" status: 200 len: 5 microversion: 1.39',
        f" {QUERY.replace('&', ';')}\n",
    ],
)
def test_list(run: Run, cloud: str, query: str) -> None:
    result = run("candidates", "list", query, database=cloud)
    assert (result.code, result.err) == (0, "")
    header, *lines = (line.split() for line in result.out.splitlines())
    assert header == ["CANDIDATE", "PROVIDER", "UUID", "RESOURCES", "GROUPS"]
    assert lines == [
        ["1", "compute-1", HOST, "VCPU:2", "''"],
        ["1", "storage-1", POOL, "DISK_GB:20", "''"],
        ["1", "compute-1_gpu0", GPU, "VGPU:1", "_GPU"],
    ]


def test_list_shows_providers_of_groups_without_resources(run: Run, cloud: str) -> None:
    query = f"resources_G=VGPU:1&member_of_ROOT={RACK}&same_subtree=_G,_ROOT&group_policy=none"
    result = run("candidates", "list", query, database=cloud)
    assert [line.split() for line in result.out.splitlines()[1:]] == [
        ["1", "compute-1_gpu0", GPU, "VGPU:1", "_G"],
        ["1", "compute-1", HOST, "-", "_ROOT"],
    ]


@pytest.mark.parametrize("version", ["1.10", "1.28", "1.34", "1.39", "latest"])
def test_list_as_json_is_the_answer_of_the_api_and_names(
    run: Run, cloud: str, version: str
) -> None:
    query = "resources=VCPU:2,DISK_GB:20"
    result = run("candidates", "list", query, "--json", "--microversion", version, database=cloud)
    assert (result.code, result.err) == (0, "")
    document = json.loads(result.out)
    names = document.pop("provider_names")
    assert {HOST: "compute-1", POOL: "storage-1"}.items() <= names.items()
    with application(cloud) as app:
        reply = call(app, "GET", f"/allocation_candidates?{query}", microversion=version)
    assert document == json.loads(reply.body)


def test_limits(run: Run, cloud: str) -> None:
    with placement_core.connect(cloud) as placement:
        for n in range(5):
            uuid = placement.resource_providers.create(name=f"compute-{n + 2}").uuid
            placement.inventories.replace(uuid, {"VCPU": {"total": 8}})

    def count(*arguments: str) -> int:
        result = run("candidates", "list", *arguments, database=cloud)
        return len(result.out.splitlines()) - 1

    assert count("resources=VCPU:1") == 6
    assert count("resources=VCPU:1&limit=2") == 2
    assert count("resources=VCPU:1&limit=2", "--limit", "3") == 3
    result = run("candidates", "list", "resources=VCPU:1", "--limit", "0", database=cloud)
    assert result.code == 2
    assert "'0' is not a whole number of 1 or more" in result.err


def test_without_candidates_a_line_says_why(run: Run, cloud: str) -> None:
    result = run("candidates", "list", "resources=VCPU:9", database=cloud)
    assert (result.code, result.out) == (candidates.NONE, "")
    assert result.err == (
        "no candidates: VCPU:9: 1 of 3 providers have VCPU, capacity of VCPU removed 1. "
        "Nearest: compute-1 lacks 1 of VCPU\n"
    )
    result = run("candidates", "list", "resources=VCPU:9", "--json", database=cloud)
    assert result.code == candidates.NONE
    assert json.loads(result.out) == {
        "allocation_requests": [],
        "provider_names": {},
        "provider_summaries": {},
    }
    assert result.err.startswith("no candidates: VCPU:9: ")


# --- explain -------------------------------------------------------------------------------------


def test_explain(run: Run, cloud: str) -> None:
    query = "resources=VCPU:2&resources_GPU=VGPU:3"
    result = run("candidates", "explain", query, database=cloud)
    assert (result.code, result.err) == (candidates.NONE, "")
    assert result.out == textwrap.dedent(f"""\
        FOR                  CONSTRAINT         REMOVED  LEFT
        VCPU:2               inventory of VCPU  2        1
        group _GPU (VGPU:3)  inventory of VGPU  2        1
        group _GPU (VGPU:3)  capacity of VGPU   1        0
        trees                all                0        2
        trees                VCPU               1        1
        trees                group _GPU         1        0

        Nearest:
          - compute-1_gpu0 lacks 1 of VGPU  ({GPU})

        There are no candidates.
        """)


def test_explain_where_there_are_candidates(run: Run, cloud: str) -> None:
    result = run("candidates", "explain", "resources=VCPU:2", database=cloud)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[-2:] == ["", "There are candidates."]
    assert "Nearest" not in result.out


def test_explain_as_json(run: Run, cloud: str) -> None:
    query = "resources=VCPU:9&resources_GPU=VGPU:3"
    result = run("candidates", "explain", query, "--json", database=cloud)
    assert (result.code, result.err) == (candidates.NONE, "")
    document = json.loads(result.out)
    assert document["possible"] is False
    assert document["unseen"] == 0
    assert [(group["suffix"], group["resources"]) for group in document["groups"]] == [
        ("", {"VCPU": 9}),
        ("_GPU", {"VGPU": 3}),
    ]
    assert document["groups"][0]["steps"] == [
        {"constraint": "inventory of VCPU", "removed": 2, "left": 1},
        {"constraint": "capacity of VCPU", "removed": 1, "left": 0},
    ]
    assert document["trees"][0] == {"constraint": "all", "removed": 0, "left": 2}
    assert document["misses"] == [
        {
            "uuid": uuid,
            "name": name,
            "root_uuid": HOST,
            "suffixes": suffixes,
            "lacks": lacks,
            "role": "",
        }
        for uuid, name, suffixes, lacks in (
            (HOST, "compute-1", [""], ["lacks 1 of VCPU"]),
            (GPU, "compute-1_gpu0", ["_GPU"], ["lacks 1 of VGPU"]),
        )
    ]


def test_what_else_a_tree_lacks_and_how_many_are_told_of(run: Run, cloud: str) -> None:
    with placement_core.connect(cloud) as placement:
        uuid = placement.resource_providers.create(name="compute-2").uuid
        placement.inventories.replace(uuid, {"VCPU": {"total": 1}})
    query = "resources=VCPU:9&resources_GPU=VGPU:3"
    lines = run("candidates", "explain", query, database=cloud).out.splitlines()
    at = lines.index("Nearest:")
    assert lines[at + 1 : at + 4] == [
        f"  - compute-1 lacks 1 of VCPU  ({HOST})",
        f"  + compute-1_gpu0 lacks 1 of VGPU  ({GPU})",
        f"  - compute-2 lacks 8 of VCPU and has no VGPU  ({uuid})",
    ]
    out = run("candidates", "explain", query, "--nearest", "1", database=cloud).out
    assert "compute-1_gpu0" in out
    assert "compute-2" not in out


def test_trees_that_were_not_tried_are_searched(
    run: Run, sqlite_placement: placement_core.Placement
) -> None:
    url = str(sqlite_placement.context.engine.url)
    with sqlite_placement.transaction():
        for n in range(1002):
            uuid = sqlite_placement.resource_providers.create(name=f"compute-{n}").uuid
            sqlite_placement.inventories.replace(uuid, {"VCPU": {"total": 8}})
    query = "resources=VCPU:1&required=HW_NUMA_ROOT"
    result = run("candidates", "explain", query, database=url)
    assert result.code == candidates.NONE
    assert re.search("trees +not tried +2 +1,000\n", result.out)
    sqlite_placement.traits.replace(uuid, ["HW_NUMA_ROOT"])
    result = run("candidates", "explain", query, database=url)
    assert result.code == 0
    assert result.out.endswith("There are candidates.\n")


# --- what is wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query, complaint",
    [
        ("resource=VCPU:1", "'resource' does not match any of the regexes"),
        ("resources=VCPU", "Got: VCPU."),
        ("resources=VCPU:four", "Requested resource VCPU expected positive integer amount"),
        ("resources=VCPU:1&limit=0", "'0' does not match '^[1-9][0-9]*$'"),
        ("resources=VCPU:1&member_of=rack", "contain valid UUID(s). Got: rack"),
        ("resources=VCPUS:1", "No such resource class VCPUS"),
        ("resources=VCPÜ:1", "No such resource class VCPÜ"),
        ("resources=VCPU:1&required=HW_NONE", "No such trait(s): HW_NONE."),
        ("resources1=VCPU:1&resources2=VCPU:1", '"group_policy" parameter is required'),
        ("", "There must be at least one resources or resources[$S] parameter."),
        ("resources=%ff", "'utf-8' codec can't decode byte 0xff"),
    ],
)
@pytest.mark.parametrize("command", ["list", "explain"])
def test_a_query_that_is_wrong(
    run: Run, sqlite_url: str, command: str, query: str, complaint: str
) -> None:
    assert run("db", "sync", database=sqlite_url).code == 0
    with placement_core.connect(sqlite_url):
        pass  # which adds the standard names
    result = run("candidates", command, query, database=sqlite_url)
    assert (result.code, result.out) == (1, "")
    assert complaint in result.error


def test_a_query_is_read_as_at_its_microversion(run: Run, cloud: str) -> None:
    query = "resources=VCPU:1&required=!CUSTOM_FAST"
    assert run("candidates", "list", query, database=cloud).code == 0
    result = run("candidates", "list", query, "--microversion", "1.17", database=cloud)
    assert result.code == 1
    assert result.error.endswith("Got: !CUSTOM_FAST")


@pytest.mark.parametrize("text", ["1.9", "1.99", "2.0", "1", "newest", ""])
def test_a_microversion_without_candidates(run: Run, text: str) -> None:
    result = run("candidates", "list", "resources=VCPU:1", "--microversion", text)
    assert result.code == 2
    assert f"{text!r} is no microversion from 1.10 to 1.39" in result.err


def test_parse_tells_what_the_api_tells() -> None:
    with pytest.raises(exceptions.InvalidArgument) as caught:
        candidates.parse("resources=VCPU:0", parse_version_string("1.39"))
    assert "Requested resource VCPU requires amount >= 1. Got: 0." in str(caught.value)


# --- the command ---------------------------------------------------------------------------------


@pytest.mark.parametrize("placement_url", ["mysql", "postgresql"], indirect=True)
@pytest.mark.parametrize("command", ["list", "explain"])
def test_an_account_that_can_only_read_will_do(run: Run, cloud: str, command: str) -> None:
    result = run("candidates", command, QUERY, database=read_only(cloud))
    assert (result.code, result.err) == (0, "")


def test_help(run: Run) -> None:
    result = run("candidates")
    assert (result.code, result.err) == (0, "")
    for command in ("list", "explain"):
        assert f"    {command}" in result.out
        help_text = run("candidates", command, "--help").out
        assert "3    there are none" in help_text
        assert "placement-manage candidates" in help_text


def test_a_process_of_its_own(run_process: Run, cloud: str) -> None:
    result = run_process("candidates", "list", "resources=VCPU:1", database=cloud)
    assert (result.code, result.err) == (0, "")
    assert "compute-1" in result.out
    result = run_process("candidates", "list", "resources=VCPU:9", database=cloud)
    assert result.code == candidates.NONE


def test_a_category_that_is_broken_is_no_obstacle_to_others(
    run: Run, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = importlib.metadata.EntryPoint("weather", "no_such_module", manage.FURTHER)
    monkeypatch.setattr(manage.importlib.metadata, "entry_points", lambda group: [broken])
    result = run("db", "sync", database=sqlite_url)
    assert result.code == 0
    (line,) = result.err.splitlines()
    assert line.startswith("warning: no category 'weather', as no_such_module fails: ")


# --- the guide -----------------------------------------------------------------------------------


@contextlib.contextmanager
def application(url: str) -> Iterator[deploy.WebApplication]:
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[], use_env=False)
    api_conf.register_opts(conf)
    conf.set_override("connection", url, group="placement_database")
    app = deploy.load(conf, strategy="noauth2")
    try:
        yield app
    finally:
        app.close()


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of a language."""
    pattern = rf"^\.\. code-block:: {language}\n\n((?:(?:    .*)?\n)+)"
    return [textwrap.dedent(found).strip() for found in re.findall(pattern, text, re.MULTILINE)]


@pytest.fixture
def guided(clean_environment: pathlib.Path) -> Iterator[str]:
    """The text of the guide, in a directory with the database that it begins with."""
    text = GUIDE.read_text()
    first = blocks(text, "pycon")[0]
    namespace = run_examples(first)
    yield text
    namespace["placement"].close()


def run_examples(text: str) -> dict[str, object]:
    namespace: dict[str, object] = {}
    examples = doctest.DocTestParser().get_doctest(text, namespace, "guide", None, 0)
    runner = doctest.DocTestRunner()
    printed: list[str] = []
    results = runner.run(examples, out=printed.append, clear_globs=False)
    assert results.attempted > 0
    assert results.failed == 0, "".join(printed)
    return examples.globs


def test_the_examples_in_python(clean_environment: pathlib.Path) -> None:
    namespace = run_examples(GUIDE.read_text())
    namespace["placement"].close()  # type: ignore[attr-defined]


def test_the_examples_at_a_prompt(run: Run, guided: str, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0
    for block in blocks(guided, "console"):
        for session in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = session.partition("\n")
            program, *arguments = shlex.split(command)
            if program == "export":
                monkeypatch.setenv(*arguments[0].split("=", 1))
                continue
            assert program == manage.PROGRAM
            result = run(*arguments)
            assert result.out.strip() == shown.strip(), command
            assert result.code == (candidates.NONE if "There are no candidates" in shown else 0)
            count += 1
    assert count == 4


def test_the_example_over_http(guided: str) -> None:
    [path] = re.findall(r"^    GET (\S+)$", guided, re.MULTILINE)
    [shown] = blocks(guided, "json")
    with application("sqlite:///cloud.sqlite") as app:
        reply = call(app, "GET", path, microversion="1.39")
    assert reply.status == 200
    requests = json.loads(reply.body)["allocation_requests"]
    assert len(requests) == 2
    assert json.loads(shown) in requests


def test_the_line_in_the_log(guided: str) -> None:
    [name, shown] = re.findall(r"^    INFO (\S+) \[.*\n((?:    .*\n)+)", guided, re.MULTILINE)[0]
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    conf = cfg.ConfigOpts()
    placement_conf.register_log_options(conf)
    conf([], default_config_files=[], default_config_dirs=[], use_env=False)
    handler = Lines()
    handler.setFormatter(
        formatters.ContextFormatter(
            config=conf, fmt=conf.logging_context_format_string, datefmt=None
        )
    )
    logger = logging.getLogger(name)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        with application("sqlite:///cloud.sqlite") as app:
            path = "/allocation_candidates?resources=VCPU:16"
            reply = call(app, "GET", path, microversion="1.39")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    (line,) = lines
    assert reply.header("x-openstack-request-id") in line
    assert line.split("] ", 1)[1] == " ".join(shown.split())


def test_the_options_are_as_the_guide_says(guided: str) -> None:
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[], use_env=False)
    api_conf.register_opts(conf)
    told = dict(re.findall(r"^``(\w+)`` {2,}(\S+) +[\w`]", guided, re.MULTILINE))
    assert float(told["foreign_change_interval"]) == conf.placement_core.foreign_change_interval
    assert told["forest"] == conf.placement_core.forest
    for option in (
        "randomize_allocation_candidates",
        "max_allocation_candidates",
        "allocation_candidates_generation_strategy",
    ):
        assert option in conf.placement
        assert f"``{option}``" in guided
