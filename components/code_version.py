"""A fingerprint of the code that a component runs, so that a change of code invalidates its cache.

TFX's cache knows a component's inputs and properties but not its code, so the fingerprint is passed
as a property. The files are derived from the imports: a list kept by hand would drift.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

PACKAGES = (
    "base", "records", "images", "storage", "judging", "traffic", "monitoring", "review", "trainer",
    "serving", "components", "pipeline",
)  # fmt: skip
"""The project's own: an installation has the packages of others beside them."""

_ROOT = Path(__file__).parent.parent


def code_version(*modules: str, root: Path = _ROOT) -> str:
    """Return a fingerprint of modules and of all project files that they import: 16 hex digits.

    Args:
        modules: Dotted names, such as `components.judge.executor`; a component passes `__name__`.
        root: Folder of the packages.

    Raises:
        ModuleNotFoundError: The project has no such module.
    """
    digest = hashlib.sha256()
    for file in source_files(*modules, root=root):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(root)} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def source_files(*modules: str, root: Path = _ROOT) -> list[Path]:
    """Return the files of modules and of all project modules that they import, sorted.

    Imports within functions count, and so do modules named by a string, as in
    `[sys.executable, "-m", "serving.embedded"]`; those for type checking alone don't.

    Args:
        modules: See `code_version`.
        root: See `code_version`.

    Raises:
        ModuleNotFoundError: The project has no such module.
    """
    for module in modules:
        if _file(module, root) is None:
            raise ModuleNotFoundError(f"{root} has no module '{module}'", name=module)
    found: dict[str, Path] = {}
    pending = list(modules)
    while pending:
        name = pending.pop()
        file = _file(name, root)
        if file is None or name in found:
            continue
        found[name] = file
        pending += _imported_names(file.read_bytes())
        pending += [name.rpartition(".")[0]]  # importing a module imports its package
    return sorted(found.values())


def _file(module: str, root: Path) -> Path | None:
    path = root.joinpath(*module.split("."))
    if module.partition(".")[0] not in PACKAGES:
        return None
    return next((f for f in (path / "__init__.py", path.with_suffix(".py")) if f.is_file()), None)


@functools.cache
def _imported_names(source: bytes) -> tuple[str, ...]:
    """Dotted names that may be modules' (`from a import b`: a and a.b), from a file's content."""
    return tuple(_names(ast.parse(source)))


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        if node.module is None or node.level:
            raise NotImplementedError(f"relative import: {ast.unparse(node)}")
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        if "." in node.value and node.value.replace(".", "").isidentifier():
            yield from (node.value, f"{node.value}.__main__")
    elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        for branch in node.orelse:
            yield from _names(branch)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _names(child)
