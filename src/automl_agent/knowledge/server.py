"""A Chroma server that a team shares: what its members put there is found beside one's own notes.

A note lies there whole, under its name and a digest of its content, with the home that put it there. So nobody's notes
are overwritten: versions of one note lie side by side, and only what this home put there is ever taken out.

What the server answers is data of others. Notes are validated like files, likeness is computed here, and Chroma's own
reading of a collection (which builds embedding functions, and so runs code, as the server's configuration says) is kept
from it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import urlsplit

from automl_agent.errors import InputError
from automl_agent.knowledge.embedding import Embedding, embedding_name, scaled, slug
from automl_agent.knowledge.index import REACH, chroma
from automl_agent.knowledge.notes import received_note
from automl_agent.knowledge.ranking import Hit, document
from automl_agent.records import Note

TOKEN = "AUTOML_AGENT_KNOWLEDGE_TOKEN"
"""Environment variable of the token, sent as `Authorization: Bearer`."""
SECONDS = 5.0
"""For one answer of the server, all of it."""
BATCH = 50
"""Notes that are sent at once: half a megabyte of vectors or a little more."""

_T = TypeVar("_T")


class ServerError(Exception):
    """The server does not answer, answers late, refuses, or answers what is no answer."""


@dataclass(frozen=True)
class Access:
    """Where the server is, and what it is shown."""

    url: str
    port: int
    headers: dict[str, str]

    @classmethod
    def of(cls, address: str) -> Access:
        """Read `http(s)://host:port` or `host:port`, and the token from the environment.

        Raises:
            InputError: for any other address, or a token that cannot be sent.
        """
        hint = "Give http://HOST:PORT or HOST:PORT."
        try:
            parts = urlsplit(address if "://" in address else f"http://{address}")
            port = parts.port or (443 if parts.scheme == "https" else 8000)
        except ValueError as error:
            raise InputError("The address of the knowledge server cannot be read.", hint=hint) from error
        if parts.username is not None or parts.password is not None:  # not repeated: it is in no log yet
            raise InputError("The address of the knowledge server holds a password.", hint=f"Set {TOKEN} instead.")
        plain = re.fullmatch(r"[\w.:-]+", parts.hostname or "") and not parts.path.strip("/") and not parts.query
        if parts.scheme not in ("http", "https") or not plain:
            raise InputError(f"The knowledge server {address!r} is no address of a Chroma server.", hint=hint)
        host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
        return cls(f"{parts.scheme}://{host}:{port}", port, _token_header())

    def check(self) -> None:
        """Ask the server who we are to it.

        Raises:
            ServerError: when it does not answer as Chroma does, or not in time.
        """

        def ask() -> None:
            import httpx

            url = f"{self.url}/api/v2/auth/identity"
            answer = httpx.get(url, headers=self.headers, timeout=SECONDS)
            if answer.status_code in (401, 403):
                raise ServerError(f"it refuses us ({answer.status_code}): set {TOKEN} to the right token")
            if answer.status_code != 200:
                raise ServerError(f"it answers with status {answer.status_code}")
            try:
                fine = "tenant" in answer.json()
            except (ValueError, TypeError):
                fine = False
            if not fine:
                raise ServerError("what answers there is no Chroma server")

        _answer(ask)


class ServerIndex:
    """The collection of a server that holds vectors of this very embedding, so that versions never mix."""

    def __init__(self, address: str, embedding: Embedding, owner: str) -> None:
        """Connect; `owner` is the name of this home.

        Raises:
            InputError: when the address or the token is not valid.
            ServerError: when the server cannot be used.
        """
        access = Access.of(address)
        access.check()
        self.embedding, self.owner = embedding, owner
        self.left_out = 0
        """Notes of the last search that were not valid."""
        chromadb, function = chroma()
        settings = chromadb.config.Settings(
            _env_file=None,
            anonymized_telemetry=False,
            chroma_server_host=access.url,  # given here, too, so that no variable of Chroma's can contradict
            chroma_server_http_port=access.port,
        )

        def connect() -> tuple[Any, Any]:
            client = chromadb.HttpClient(
                access.url, access.port, access.url.startswith("https"), dict(access.headers), settings
            )
            return client, client.get_or_create_collection(
                f"automl-agent-{slug(embedding_name(embedding))}",
                embedding_function=function(embedding.embed_documents),
                configuration={"hnsw": {"space": "cosine"}},
            )

        self._client, self._collection = _answer(connect)
        model = self._collection.get_model()
        model.configuration_json, model.serialized_schema = {}, None  # else `add` builds what the server names

    def share(self, notes: Sequence[Note]) -> int:
        """Put these notes there, in place of what this home had put there under their names; how many were new.

        Raises:
            ServerError: when the server cannot be used.
        """
        if not notes:
            return 0
        want = {_key(note): note for note in notes}
        names = {note.id for note in notes}
        there = self._asked(lambda kept: set(kept.get(ids=list(want), include=[])["ids"]))
        mine = self._asked(lambda kept: _pairs(kept.get(where={"owner": self.owner}, include=["metadatas"])))
        fresh = [note for key, note in want.items() if key not in there]
        for start in range(0, len(fresh), BATCH):
            self._add(fresh[start : start + BATCH])
        self._delete([key for key, name in mine if name in names and key not in want])
        return len(fresh)

    def nearest(self, vector: Sequence[float], family: str | None) -> list[Hit]:
        """Notes of a family (or of all), most similar first, of several with one name the most similar.

        Raises:
            ServerError: when the server cannot be used.
        """
        rows = self._asked(
            lambda kept: _rows(
                kept.query(
                    query_embeddings=[list(vector)],
                    n_results=REACH,
                    where={"families": {"$contains": family}} if family else None,
                    include=["documents", "embeddings"],
                )
            )
        )
        hits = [_hit(text, row, vector) for text, row in rows]
        self.left_out = hits.count(None)
        valid = [hit for hit in hits if hit is not None and (family is None or family in hit.note.families)]
        by_name: dict[str, Hit] = {}
        for hit in sorted(valid, key=lambda hit: (-hit.similarity, hit.note.text)):
            by_name.setdefault(hit.note.id, hit)
        return list(by_name.values())

    def remove(self, name: str) -> int:
        """Take out what this home put there under a name; how many versions there were.

        Raises:
            ServerError: when the server cannot be used.
        """
        where = {"$and": [{"owner": self.owner}, {"note": name}]}
        return self._delete(self._asked(lambda kept: list(kept.get(where=where, include=[])["ids"])))

    def close(self) -> None:
        with suppress(Exception):  # Chroma leaves the connections of its two halves open
            self._client._server._session.close()
            self._client._admin_client._server._session.close()
        with suppress(Exception):
            self._client.close()

    def _add(self, notes: Sequence[Note]) -> None:
        vectors = self.embedding.embed_documents([document(note) for note in notes])
        self._asked(
            lambda kept: kept.add(
                ids=[_key(note) for note in notes],
                embeddings=[scaled(vector) for vector in vectors],
                documents=[_content(note) for note in notes],
                metadatas=[{"note": note.id, "owner": self.owner, "families": list(note.families)} for note in notes],
            )
        )

    def _delete(self, keys: list[str]) -> int:
        if keys:
            self._asked(lambda kept: kept.delete(ids=keys))
        return len(keys)

    def _asked(self, ask: Callable[[Any], _T]) -> _T:
        return _answer(lambda: ask(self._collection))


def _token_header() -> dict[str, str]:
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        return {}
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InputError(f"The token in {TOKEN} cannot be sent: it has blanks or other than ASCII characters.")
    return {"Authorization": f"Bearer {token}"}


def _key(note: Note) -> str:
    return f"{note.id}.{hashlib.sha256(_content(note).encode()).hexdigest()[:16]}"


def _content(note: Note) -> str:
    return note.model_dump_json(exclude={"relevance", "applies"})


def _pairs(found: Any) -> list[tuple[str, str]]:
    """Keys of a `get` with the names of the notes."""
    return [(key, str((meta or {}).get("note"))) for key, meta in zip(found["ids"], found["metadatas"], strict=True)]


def _rows(found: Any) -> list[tuple[object, Any]]:
    """Contents and vectors of the only query."""
    return list(zip(found["documents"][0], found["embeddings"][0], strict=True))


def _hit(text: object, row: Any, vector: Sequence[float]) -> Hit | None:
    """A note that the server returned; `None` when it or its vector is not valid."""
    import numpy as np

    try:
        note = received_note(text)
        theirs = np.asarray(row, dtype=np.float64)
    except (ValueError, TypeError):
        return None
    if theirs.shape != (len(vector),) or not np.isfinite(theirs).all():
        return None
    theirs /= np.linalg.norm(theirs) or 1.0
    return Hit(note, theirs.tolist(), float(theirs @ np.asarray(vector)))


def _answer(ask: Callable[[], _T]) -> _T:
    """What a question to the server comes to.

    Asked in a thread of its own, since the time limits of HTTP libraries hold for each piece of an answer, not for all
    of it, and Chroma's client has none. A thread that waits in vain ends with the process.

    Raises:
        ServerError: when there is no answer in time, an error, or one that cannot be understood.
    """
    answer: Future[_T] = Future()

    def work() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:  # whatever a strange answer makes Chroma raise
            answer.set_exception(error)

    Thread(target=work, daemon=True).start()
    try:
        return answer.result(timeout=SECONDS)
    except ServerError:
        raise
    except TimeoutError as error:
        raise ServerError(f"no answer within {SECONDS:g} s") from error
    except Exception as error:
        text = " ".join(str(error).split())
        raise ServerError(f"{type(error).__name__}: {text[:200]}") from error
