"""Upgrade scripts: loaded from a path, and run on one tree at a time.

A script is a plain Python file with a function `transform(tree)` that returns the tree as it
should be, or None to leave it alone. The first line of its docstring is the upgrade's title, and a
dict `RENAMED_CLASSES = {"CUSTOM_OLD": "NEW"}` names classes whose units go on under another name.
Whether what it returns can be is for `checking` to say.
"""

from __future__ import annotations

import hashlib
import inspect
import pathlib
import sys
import traceback
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from placement_core import exceptions
from placement_core.objects import ProviderTree


@dataclass(frozen=True)
class Script:
    """A script, ready to be run.

    :ivar path: as it was given.
    :ivar title: one line that says what the upgrade does.
    :ivar transform: the script's own function.
    :ivar renamed_classes: `{old: new}`.
    :ivar digest: SHA-256 of the source, in hexadecimal.
    """

    path: str
    title: str
    transform: Callable[[ProviderTree], object]
    renamed_classes: Mapping[str, str]
    digest: str

    def run(self, before: ProviderTree) -> ProviderTree | None:
        """What the script makes of a tree; the tree itself is not touched.

        :returns: a tree that shares nothing with `before`, or None to leave it alone.
        :raises exceptions.TransformRefused: the script failed, or returned no such thing.
        """
        try:
            after = self.transform(before.copy())
        except KeyboardInterrupt:
            raise
        # Nothing that a script raises, sys.exit() included, may take the whole run with it.
        except BaseException as error:
            raise self._refusal(before, self._what_happened(error)) from error
        if after is not None and not isinstance(after, ProviderTree):
            reason = f"transform returned {_shown(after)}, neither a ProviderTree nor None"
            raise self._refusal(before, reason)
        return after

    def _what_happened(self, error: BaseException) -> str:
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == self.path
        ]
        where = f", {pathlib.PurePath(self.path).name} line {lines[-1]}" if lines else ""
        message = _text(error)
        return f"transform raised {type(error).__name__}{': ' + message if message else ''}{where}"

    @staticmethod
    def _refusal(tree: ProviderTree, reason: str) -> exceptions.TransformRefused:
        return exceptions.TransformRefused(
            root=tree.root_provider_uuid, name=tree.root.name, reason=reason
        )


def load(path: str) -> Script:
    """Load a script.

    :raises exceptions.ScriptError: there is no such file, it is no Python, it fails when it is
        loaded, or it lacks what makes it a script.
    """
    try:
        source = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise exceptions.ScriptError(script=path, reason=str(error.strerror)) from error
    digest = hashlib.sha256(source).hexdigest()
    namespace = _executed(path, source, digest)
    return Script(
        path=path,
        title=_title(namespace, path),
        transform=_transform(namespace, path),
        renamed_classes=_renamed_classes(namespace, path),
        digest=digest,
    )


def _executed(path: str, source: bytes, digest: str) -> Mapping[str, Any]:
    try:
        code = compile(source, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        where = f"line {error.lineno}: " if error.lineno else ""
        raise exceptions.ScriptError(script=path, reason=f"{where}{error.msg}") from error
    except ValueError as error:
        raise exceptions.ScriptError(script=path, reason=str(error)) from error
    module = types.ModuleType(f"placement_upgrade_script_{digest[:16]}")
    module.__file__ = path
    # Dataclasses, among others, look their module up by name.
    sys.modules[module.__name__] = module
    try:
        exec(code, module.__dict__)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == path]
        where = f" in line {lines[-1]}" if lines else ""
        reason = f"it fails when it is loaded{where}: {type(error).__name__}: {_text(error)}"
        raise exceptions.ScriptError(script=path, reason=reason) from error
    return module.__dict__


def _title(namespace: Mapping[str, Any], path: str) -> str:
    lines = (namespace.get("__doc__") or "").strip().splitlines()
    return lines[0].strip() if lines else pathlib.PurePath(path).stem


def _transform(namespace: Mapping[str, Any], path: str) -> Callable[[ProviderTree], object]:
    transform = namespace.get("transform")
    if not callable(transform):
        raise exceptions.ScriptError(script=path, reason="it has no function transform(tree)")
    try:
        inspect.signature(transform).bind(None)
    except TypeError as error:
        reason = f"transform cannot be called with a tree alone: {error}"
        raise exceptions.ScriptError(script=path, reason=reason) from error
    return transform  # type: ignore[no-any-return]


def _renamed_classes(namespace: Mapping[str, Any], path: str) -> Mapping[str, str]:
    renamed = namespace.get("RENAMED_CLASSES", {})
    complaint = None
    if not isinstance(renamed, dict):
        complaint = f"not {_shown(renamed)}"
    elif not all(isinstance(name, str) and name for pair in renamed.items() for name in pair):
        complaint = f"of names of resource classes, not {_shown(renamed)}"
    elif renamed.keys() & renamed.values():
        names = ", ".join(sorted(renamed.keys() & renamed.values()))
        complaint = f"in which nothing is both an old name and a new one, as {names} is"
    if complaint:
        reason = f"RENAMED_CLASSES has to be a dict {{old: new}}, {complaint}"
        raise exceptions.ScriptError(script=path, reason=reason)
    return dict(renamed)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(its text cannot be had)"


def _shown(value: object) -> str:
    try:
        shown = repr(value)
    except Exception:
        shown = f"a {type(value).__name__}"
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
