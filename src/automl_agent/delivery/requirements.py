"""What a bundle must have installed: found in the imports of its own files, pinned to the versions that trained it."""

from __future__ import annotations

import ast
import sys
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from automl_agent.tasks.syntax import parsed

_PROBE = "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=3)"
_DISTRIBUTIONS = {"sklearn": "scikit-learn", "yaml": "pyyaml", "PIL": "pillow"}


def requirements(folder: Path) -> list[str]:
    """Lines `package==version` for all that the Python files in `folder` import."""
    sources = [path.read_text(encoding="utf-8") for path in folder.rglob("*.py")]
    own = {path.stem for path in folder.glob("*.py")}
    modules = {module for source in sources for module in _imports(source)} - own - set(sys.stdlib_module_names)
    packages = {_distribution(module) for module in modules}
    # A build's own mark ("2.5.0+cpu") is no version that a registry knows.
    return sorted(f"{package}=={version(package).partition('+')[0]}" for package in packages if package)


def dockerfile(packages: list[str]) -> str:
    """An image that serves the bundle as an unprivileged user."""
    system = ""
    if any(line.startswith("lightgbm==") for line in packages):
        system = (
            "RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*\n"
        )
    return f"""FROM python:{sys.version_info.major}.{sys.version_info.minor}-slim
{system}WORKDIR /bundle
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 OMP_WAIT_POLICY=PASSIVE
USER 65534:65534
EXPOSE 8000
HEALTHCHECK --start-period=30s CMD ["python", "-c", "{_PROBE}"]
CMD ["python", "serve.py", "--host", "0.0.0.0"]
"""


@lru_cache(maxsize=256)
def _imports(source: str) -> frozenset[str]:
    """Top-level names of the modules that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return frozenset(found)


def _distribution(module: str) -> str:
    """The package that provides a module; empty when it is not installed (an optional import that was not used)."""
    name = _DISTRIBUTIONS.get(module, module)
    try:
        version(name)
    except PackageNotFoundError:
        return next(iter(packages_distributions().get(module, [])), "")
    return name
