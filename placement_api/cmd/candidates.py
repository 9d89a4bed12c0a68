"""placement-manage candidates: what the API would answer to a query, and why it would not.

Queries are those of GET /allocation_candidates, so that one from a log can be asked again. The
database is asked directly; no service is needed, and nothing is changed.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

import orjson
from microversion_parse import Version
from oslo_config import cfg

import placement_core
from placement_api import microversion, query
from placement_api.candidates import Renderer
from placement_api.query.groups import candidate_request
from placement_api.schemas import allocation_candidates as schemas
from placement_api.summaries import SummaryCache
from placement_core import exceptions
from placement_core.cmd import database, output
from placement_core.ops.allocation_candidates import CandidateRequest, Explanation

NONE = 3  # the exit code when there are no candidates

_CODES = """\
Exit code:
  0    there are candidates
  1    an error, of the query for example
  2    a wrong command line
  3    there are none
"""

_QUERY = """\
QUERY is the query string of GET /allocation_candidates; all before a '?' is left out, so that a
line of a log or a whole URL will do. Quote it: shells have a use for '&' and '!'.
"""

_LIST = f"""\
List the candidates for a request: which providers could serve it together, with amounts, and
with the suffixes of the groups that each of them serves. Without any, a line on stderr says why.

{_QUERY}
--json prints the document that the API answers with, and with it
  provider_names   {{uuid: name}} of all providers in it

{_CODES}
examples:
  placement-manage candidates list 'resources=VCPU:4,MEMORY_MB:8192&limit=10'
  placement-manage candidates list '/allocation_candidates?resources=VGPU:1' --json
"""

_EXPLAIN = f"""\
Tell why there are no candidates for a request, or so few: how many providers each constraint
removes, how many trees are left when all groups have to be served together, and which providers
come nearest.

{_QUERY}
--json prints an object:
  possible   whether there are candidates
  groups     a list: suffix, resources, steps, left, sharing; the group without a suffix has an
             entry for each class
  trees      a list of steps
  misses     a list, when there are none: uuid, name, root_uuid, suffixes, lacks, role
  unseen     how many trees were not tried, because there are many
Steps are objects: constraint, removed, left. Those of a class begin with its inventory.

{_CODES}
examples:
  placement-manage candidates explain 'resources=VCPU:4&required=HW_CPU_X86_AVX512F'
  placement-manage candidates explain 'resources=VCPU:64' --json
"""

_ALL = "trees"  # what the table of an explanation calls them


def add_parsers(subparsers: Any) -> None:
    """Add the category to the command line of placement-manage."""
    text = "find allocation candidates, or why there are none"
    category = subparsers.add_parser("candidates", help=text, description=text.capitalize())
    category.set_defaults(run=output.print_help(category))
    commands = category.add_subparsers(title="commands", dest="command", metavar="COMMAND")

    def add(name: str, run: Callable[..., int], text: str, description: str) -> Any:
        parser = commands.add_parser(
            name,
            help=text,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("query", metavar="QUERY")
        parser.add_argument(
            "--microversion",
            metavar="X.Y",
            type=_version,
            default=microversion.LATEST,
            help=f"the version of the API that the query is of (default: {microversion.LATEST})",
        )
        parser.add_argument("--json", action="store_true", help="print JSON")
        database.add_option(parser)
        parser.set_defaults(run=run)
        return parser

    parser = add("list", list_candidates, "list allocation candidates", _LIST)
    parser.add_argument(
        "--limit",
        metavar="N",
        type=output.positive,
        help="most candidates, in place of the limit of the query",
    )
    parser = add("explain", explain, "tell why there are none, or so few", _EXPLAIN)
    parser.add_argument(
        "--nearest",
        metavar="N",
        type=output.positive,
        help="how many trees to name that come near",
    )


def _version(text: str) -> Version:
    known = f"from {microversion.ALLOCATION_CANDIDATES} to {microversion.LATEST}"
    try:
        version = microversion.requested(f"{microversion.SERVICE_TYPE} {text}")
    except ValueError:
        version = microversion.FIRST
    if version < microversion.ALLOCATION_CANDIDATES:
        raise argparse.ArgumentTypeError(f"{text!r} is no microversion {known}")
    return version


def parse(text: str, version: Version) -> CandidateRequest:
    """What a query asks for.

    :raises InvalidArgument: it is malformed; in the words of the API.
    """
    _, mark, after = text.partition("?")
    if mark:
        # A line of a log goes on behind the URL, which has neither blanks nor quotes.
        text = re.split(r'["\s]', after, maxsplit=1)[0]
    encoded = text.strip().encode()
    try:
        # As WSGI has it, each character stands for a byte.
        pairs = query.pairs(encoded.decode("latin-1"))
        problem = schemas.QUERY.at(version).problem(dict(pairs))
        if problem is not None:
            # Clients are shown the whole schema after it.
            raise query.BadQuery(f"{query.PREFIX}{problem.splitlines()[0]}")
        return candidate_request(pairs, version)
    except query.BadQuery as error:
        raise exceptions.InvalidArgument(reason=error.message) from error


# --- list ----------------------------------------------------------------------------------------


def list_candidates(conf: cfg.ConfigOpts, arguments: Any) -> int:
    wanted = parse(arguments.query, arguments.microversion)
    if arguments.limit is not None:
        wanted = replace(wanted, limit=arguments.limit)
    with database.connect(conf, read_only=True) as placement:
        renderer = Renderer(arguments.microversion, SummaryCache(), in_order=True)
        body, rows = placement.allocation_candidates.list(
            wanted, into=lambda found: (b"".join(renderer(found)), [*found])
        )
        if not rows:
            reason = placement.allocation_candidates.explain(wanted)
            print(f"no candidates: {reason}", file=sys.stderr)
        names = _names(placement) if rows else {}
    if arguments.json:
        _print_document(body, names)
    elif rows:
        _print_candidates(rows, names)
    return 0 if rows else NONE


def _names(placement: placement_core.Placement) -> Mapping[str, str]:
    return {provider.uuid: provider.name for provider in placement.resource_providers.list()}


def _print_document(body: bytes, names: Mapping[str, str]) -> None:
    document = orjson.loads(body)
    shown = {*document["provider_summaries"]}
    for each in document["allocation_requests"]:
        shown.update(uuid for uuids in each.get("mappings", {}).values() for uuid in uuids)
    document["provider_names"] = {uuid: names[uuid] for uuid in shown if uuid in names}
    output.print_json(document)


def _print_candidates(candidates: Iterable[Any], names: Mapping[str, str]) -> None:
    rows = []
    for number, candidate in enumerate(candidates, 1):
        groups: dict[str, list[str]] = {}
        for suffix, uuids in candidate.mappings.items():
            for uuid in uuids:
                groups.setdefault(uuid, []).append(suffix or "''")
        for uuid, suffixes in groups.items():
            amounts = candidate.allocations.get(uuid, {})
            asked = ",".join(f"{name}:{amount}" for name, amount in sorted(amounts.items()))
            row = str(number), names.get(uuid, "-"), uuid, asked or "-", ",".join(suffixes)
            rows.append(row)
    output.print_columns(("CANDIDATE", "PROVIDER", "UUID", "RESOURCES", "GROUPS"), rows)


# --- explain -------------------------------------------------------------------------------------


def explain(conf: cfg.ConfigOpts, arguments: Any) -> int:
    wanted = parse(arguments.query, arguments.microversion)
    more = {} if arguments.nearest is None else {"nearest": arguments.nearest}
    with database.connect(conf, read_only=True) as placement:
        explanation = placement.allocation_candidates.explain(wanted, **more)
        possible = explanation.possible
        if explanation.unseen and not possible:
            # Those that were not tried are worth a search, for somebody who asks.
            possible = bool(placement.allocation_candidates.list(replace(wanted, limit=1)))
    if arguments.json:
        output.print_json({**asdict(explanation), "possible": possible})
    else:
        _print_explanation(explanation)
        print()
        print("There are candidates." if possible else "There are no candidates.")
    return 0 if possible else NONE


def _print_explanation(explanation: Explanation) -> None:
    rows = [
        (group.title, step.constraint, f"{step.removed:,}", f"{step.left:,}")
        for group in explanation.groups
        for step in group.steps
    ]
    rows += [
        (_ALL, step.constraint, f"{step.removed:,}", f"{step.left:,}")
        for step in explanation.trees
    ]
    output.print_columns(("FOR", "CONSTRAINT", "REMOVED", "LEFT"), rows)
    if explanation.misses:
        print()
        print("Nearest:")
    root = None
    for miss in explanation.misses:
        mark = "+" if miss.root_uuid == root else "-"
        root = miss.root_uuid
        print(f"  {mark} {miss}  ({miss.uuid})")
