"""Plain links: `https://example.org/table.csv`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from automl_agent.fetching.addresses import filled, shown
from automl_agent.fetching.partial import Stamp
from automl_agent.fetching.protocol import Brought, Found
from automl_agent.fetching.web import Web


class Links:
    """Files behind links of one scheme, `http` or `https`."""

    def __init__(self, scheme: str) -> None:
        self.scheme = scheme
        self.title = f"{scheme} links"

    def fetch(self, name: str, folder: Path, web: Web) -> Brought:
        done = web.download(filled(name), folder)
        return Brought(main=done.path.name, title=shown(name), stamp=done.stamp)

    def changed(self, name: str, stamp: Stamp, web: Web) -> bool:
        return web.changed(filled(name), stamp)

    def search(self, words: Sequence[str], web: Web) -> tuple[Found, ...]:  # noqa: ARG002
        return ()


HTTP, HTTPS = Links("http"), Links("https")
