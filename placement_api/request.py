"""The request as handlers see it: who asks, at which version, what for, over which database.

A `Request` is a WebOb request with the parts of this service that a handler needs. Reading the
body and the query string, with everything that can be wrong with them, is here; what they mean is
in `schemas` and `query`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final

import orjson
from microversion_parse import Version
from oslo_config import cfg
from oslo_context.context import RequestContext
from oslo_log import log
from webob.request import BaseRequest

from placement_api import errors, policy, query
from placement_api.schemas.base import Schema
from placement_api.summaries import SummaryCache
from placement_core import Placement

LOG = log.getLogger(__name__)

# Reshaping the widest trees takes some hundred kilobytes; whoever sends more has made a mistake.
MOST_BODY: Final = 8 * 1024 * 1024  # bytes

ROOT_PATHS: Final = ("", "/")


def is_root(environ: Mapping[str, Any]) -> bool:
    """Whether this asks for the root document, which everybody may see."""
    return environ.get("PATH_INFO", "") in ROOT_PATHS


class Request(BaseRequest):
    """One request.

    :ivar placement: the ops, on the database of the application.
    :ivar conf: its configuration.
    :ivar summaries: of trees, as earlier answers had them.
    :ivar version: the microversion that the client wants.
    :ivar context: the caller: user, project, roles.
    """

    placement: Placement
    conf: cfg.ConfigOpts
    summaries: SummaryCache
    enforcer: policy.Enforcer
    version: Version
    context: RequestContext

    def authorize(self, rule: str, target: Mapping[str, Any] | None = None) -> None:
        """Refuse a caller that policy does not allow this to.

        :param target: what the rule is about; by default what belongs to the caller's project.
        :raises errors.Forbidden: naming the rule.
        """
        if target is None:
            target = {"project_id": self.context.project_id, "user_id": self.context.user_id}
        try:
            policy.authorize(self.enforcer, self.context, rule, target)
        except policy.Forbidden as error:
            raise errors.Forbidden(str(error)) from error

    def json_body(self, schema: Schema) -> Any:
        """The body, decoded and checked.

        :raises errors.BadRequest: it is no JSON, or `schema` does not take it.
        """
        body = self._read_body()
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise errors.BadRequest(f"Malformed JSON: {error}") from error
        problem = schema.problem(value)
        if problem is None and rb"\u0000" in body:
            problem = _nul_in(value)
        if problem is not None:
            raise errors.BadRequest(f"JSON does not validate: {problem}")
        return value

    @contextmanager
    def provider_comes_first(self, uuid: str) -> Iterator[None]:
        """Where a provider that does not exist is to be told before all faults of the body.

        It is looked up when the body has faults, and not at all when it has none: the op is
        going to do that.
        """
        try:
            yield
        except errors.BadRequest:
            self.placement.resource_providers.get(uuid)
            raise

    @cached_property
    def query_pairs(self) -> Sequence[tuple[str, str]]:
        """The parameters, decoded, in their order.

        :raises errors.BadRequest: they can't be decoded.
        """
        return decoded_query(self.query_string)

    def query_values(self, schema: Schema) -> dict[str, str]:
        """The last value of each parameter, checked.

        :raises errors.BadRequest: `schema` does not take them.
        """
        return check_query(schema, self.query_pairs)

    def _read_body(self) -> bytes:
        length = self.content_length
        if length is None:
            if not self.environ.get("wsgi.input_terminated"):
                return b""
            length = MOST_BODY + 1  # a chunked body ends by itself
        if length > MOST_BODY and self.content_length is not None:
            raise _too_large()
        stream = self.environ["wsgi.input"]
        parts, missing = [], length
        while missing:
            try:
                part = stream.read(missing)
            except (TimeoutError, BlockingIOError) as error:
                raise errors.RequestTimeout("The body did not arrive in time.") from error
            except Exception as error:
                # Each server has exceptions of its own for a client that breaks the protocol.
                LOG.debug("The body could not be read: %s", error)
                raise errors.BadRequest("The body could not be read.") from error
            if not part:
                break
            parts.append(part)
            missing -= len(part)
        if missing and self.content_length is not None:
            raise errors.BadRequest(
                f"The body is shorter than the content-length header says: {length - missing} "
                f"bytes of {length}."
            )
        if not missing and self.content_length is None:
            raise _too_large()
        return b"".join(parts)


def decoded_query(text: str) -> Sequence[tuple[str, str]]:
    """The parameters of a query string, decoded, in their order.

    :raises errors.BadRequest: they can't be decoded.
    """
    with telling_bad_queries():
        return query.pairs(text)


def check_query(schema: Schema, pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The last value of each parameter.

    :raises errors.BadRequest: `schema` does not take them.
    """
    values = dict(pairs)
    problem = schema.problem(values)
    if problem is not None:
        raise errors.BadRequest(f"{query.PREFIX}{problem}")
    return values


def _too_large() -> errors.RequestEntityTooLarge:
    return errors.RequestEntityTooLarge(f"The body is larger than {MOST_BODY} bytes.")


def _nul_in(value: Any) -> str | None:
    """What is wrong with a text that holds a NUL character, which PostgreSQL cannot store."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, str) and "\0" in item:
            return f"{item[:100]!r} holds a NUL character"
    return None


@contextmanager
def telling_bad_queries() -> Iterator[None]:
    """Turn what the query grammars refuse into a 400."""
    try:
        yield
    except query.BadQuery as error:
        raise errors.BadRequest(error.message, code=error.code or errors.UNDEFINED) from error
