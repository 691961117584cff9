"""Links and named data sets become local files: what is loaded, kept, resumed, refused, and found by words."""

from __future__ import annotations

import gzip
import io
import json
import time
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

import data_server as stand_in
from automl_agent import Settings, build_graph
from automl_agent.errors import ConfigurationError, InputError
from automl_agent.events import Remark
from automl_agent.fetching import addresses, arff, built_in, registry, web
from automl_agent.fetching.addresses import shown
from automl_agent.fetching.cache import origin_of
from automl_agent.fetching.finding import asks_to_find, keywords, offered
from automl_agent.fetching.partial import Stamp
from automl_agent.fetching.protocol import Brought, Found
from automl_agent.fetching.registry import source_of, sources
from automl_agent.fetching.resolving import localised, suggested_target
from automl_agent.fetching.web import Web
from automl_agent.records import Question, Request
from data_server import DataServer, Page
from table_cases import shop

TABLE = "a,b\n" + "".join(f"{i},{i * i}\n" for i in range(5000))
QUESTION = Question(field="data", text="Which data?")


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No proxy and no key of the machine gets into a test."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HF_TOKEN",
                 "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "no-key"))
    monkeypatch.setattr(web, "PAUSE", 0.001)


@pytest.fixture
def server(monkeypatch):
    with DataServer() as running:
        for name in ("OPENML_ENDPOINT", "HF_ENDPOINT", "HF_DATASETS_SERVER", "KAGGLE_API_ENDPOINT"):
            monkeypatch.setenv(name, running.base)
        monkeypatch.setenv("OPENML_SEARCH_ENDPOINT", f"{running.base}/es")
        yield running


@pytest.fixture
def dead(monkeypatch):
    """No server anywhere: connections are refused."""
    for name in ("OPENML_ENDPOINT", "OPENML_SEARCH_ENDPOINT", "HF_ENDPOINT", "HF_DATASETS_SERVER",
                 "KAGGLE_API_ENDPOINT"):  # fmt: skip
        monkeypatch.setenv(name, "http://127.0.0.1:9")


class Fetch:
    """Resolves what is given, as a run does."""

    def __init__(self, home: Path) -> None:
        self.home, self.said = home, []

    def __call__(self, *given: str, seconds: float = 10.0, max_mb: float = 50.0, **request) -> list[Path]:
        asked = Request(words="x", data=given, **request)
        done = localised(asked, self.home, max_mb=max_mb, seconds=seconds, say=self.said.append)
        return [Path(place) for place in done.data]

    def fails(self, *given: str, match: str, **options) -> str:
        with pytest.raises(InputError, match=match) as caught:
            self(*given, **options)
        assert "\n" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def fetch(tmp_path):
    return Fetch(tmp_path / "home")


def parquet(frame: pd.DataFrame, metadata: dict[bytes, bytes] | None = None, groups: int = 1) -> bytes:
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(metadata)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=max(1, len(frame) // groups))
    return buffer.getvalue()


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


# ---------------------------------------------------------------- links


def test_a_link_becomes_a_file(server, fetch):
    link = server.put("/deep/table.csv", TABLE)
    (path,) = fetch(link)
    assert path.name == "table.csv" and path.read_text() == TABLE
    origin = origin_of(fetch.home, str(path))
    assert origin.given == link and len(origin.sha256["table.csv"]) == 64
    assert any("SHA-256" in line for line in fetch.said)
    assert [each.name for each in path.parent.iterdir()] == ["table.csv"]


def test_a_second_run_asks_only_whether_it_changed(server, fetch):
    link = server.put("/table.csv", TABLE)
    (path,) = fetch(link)
    assert fetch(link) == [path]
    assert [seen.headers.get("if-none-match") for seen in server.seen] == [None, '"v1"']
    server.put("/table.csv", "a\n1\n", version='"v2"')
    assert fetch(link)[0].read_text() == "a\n1\n"


def test_without_a_network_the_copy_is_used(server, fetch):
    link = server.put("/table.csv", TABLE)
    (path,) = fetch(link)
    server.shutdown()
    server.server_close()
    assert fetch(link) == [path]
    assert "copy" in fetch.said[-1]


def test_a_damaged_copy_is_fetched_anew(server, fetch):
    link = server.put("/table.csv", TABLE)
    (path,) = fetch(link)
    path.write_text("spoiled")
    assert fetch(link)[0].read_text() == TABLE


def test_a_copy_is_kept_until_there_is_a_better_one(server, fetch):
    link = server.put("/table.csv", TABLE)
    (path,) = fetch(link)
    server.put("/table.csv", "new\n" * 9000, version='"v2"', breaks=[0, 5000, 0, 0, 0])
    fetch.fails(link, match="broke 4 times")
    assert path.read_text() == TABLE
    assert fetch(link)[0].read_text() == "new\n" * 9000


def test_a_broken_connection_is_resumed(server, fetch):
    link = server.put("/table.csv", TABLE, breaks=[10_000, 20_000])
    assert fetch(link)[0].read_text() == TABLE
    ranges = [seen.headers.get("range") for seen in server.seen]
    assert ranges == [None, "bytes=10000-", "bytes=30000-"]


def test_a_later_run_goes_on_where_an_earlier_one_stopped(server, fetch):
    link = server.put("/table.csv", TABLE, breaks=[10_000, 1000, 1000, 1000])
    text = fetch.fails(link, match="broke 4 times")
    assert "are kept" in text
    assert fetch(link)[0].read_text() == TABLE
    assert server.seen[-1].headers["range"] == "bytes=13000-"


def test_another_version_is_not_glued_to_the_old_beginning(server, fetch):
    link = server.put("/table.csv", TABLE, breaks=[10_000, 0, 0, 0])
    fetch.fails(link, match="broke")
    server.put("/table.csv", "new\n" * 9000, version='"v2"')
    assert fetch(link)[0].read_text() == "new\n" * 9000


def test_without_a_version_a_file_is_loaded_from_the_start(server, fetch):
    link = server.put("/table.csv", TABLE, version=None, breaks=[10_000])
    assert fetch(link)[0].read_text() == TABLE
    assert not any("range" in seen.headers for seen in server.seen)


def test_what_was_packed_for_the_way_is_unpacked_and_never_resumed(server, fetch):
    packed = gzip.compress(TABLE.encode())
    link = server.put("/table.csv", packed, headers={"Content-Encoding": "gzip"}, breaks=[5000])
    assert fetch(link)[0].read_text() == TABLE
    assert not any("range" in seen.headers for seen in server.seen)


def test_a_part_that_is_too_long_is_thrown_away(server, fetch):
    link = server.put("/table.csv", TABLE, breaks=[10_000, 0, 0, 0])
    fetch.fails(link, match="broke")
    server.put("/table.csv", "a\n1\n")
    assert fetch(link)[0].read_text() == "a\n1\n"


@pytest.mark.parametrize(
    ("status", "match"),
    [(404, r"nothing at .*table\.csv \(404\)"), (410, "410"), (403, "may not be read"), (503, "cannot answer now"),
     (429, "cannot answer now"), (418, "refused the request")],
)  # fmt: skip
def test_statuses(server, fetch, status, match):
    fetch.fails(server.put("/table.csv", "x", status=status), match=match)


@pytest.mark.parametrize(
    ("body", "kind"),
    [("<!DOCTYPE html><html></html>", "text/html"), ("\n <html>", "application/octet-stream"),
     ("<!-- hello --><!doctype html>", "text/csv"), ("<div>", "text/html; charset=utf-8")],
)  # fmt: skip
def test_a_web_page_is_not_data(server, fetch, body, kind):
    fetch.fails(server.put("/table.csv", body, kind=kind), match="is a web page, not data")


def test_a_table_that_is_called_a_web_page_is_read(server, fetch):
    assert fetch(server.put("/table.csv", TABLE, kind="text/html"))[0].read_text() == TABLE


@pytest.mark.parametrize(
    ("page", "instead"),
    [("https://github.com/me/it/blob/main/a.csv", "https://raw.githubusercontent.com/me/it/main/a.csv"),
     ("https://www.kaggle.com/competitions/titanic/data", "kaggle:titanic"),
     ("https://www.kaggle.com/datasets/me/it", "kaggle:me/it"), ("https://www.openml.org/d/31", "openml:31"),
     ("https://huggingface.co/datasets/stanfordnlp/imdb", "hf:stanfordnlp/imdb")],
)  # fmt: skip
def test_pages_whose_data_can_be_had_say_how(page, instead):
    assert addresses.instead(page).endswith(instead)


def test_too_large(server, fetch):
    fetch.fails(server.put("/t.csv", b"1" * 30_000), match=r"too large.*at most 0 MB.*--max-download", max_mb=0.02)
    server.pages["/endless.csv"] = Page(b"1" * 30_000, headers={"Content-Encoding": "identity"})
    fetch.fails(server.base + "/endless.csv", match="too large", max_mb=0.02)


def test_too_slow(server, fetch):
    link = server.put("/slow.csv", TABLE, drip=0.05)
    started = time.monotonic()
    text = fetch.fails(link, match="was not loaded in time", seconds=0.6)
    assert "are kept" in text and time.monotonic() - started < 3


def test_silence(server, fetch):
    started = time.monotonic()
    fetch.fails(server.put("/silent.csv", TABLE, pause=20.0), match="in time|sent nothing", seconds=0.6)
    assert time.monotonic() - started < 3


def test_no_server_and_no_name(fetch):
    started = time.monotonic()
    fetch.fails("http://127.0.0.1:9/a.csv", match=r"cannot be reached.*network")
    fetch.fails("http://no.such.host.invalid/a.csv", match="cannot be reached", seconds=2.0)
    assert time.monotonic() - started < 5


def test_addresses_that_are_none(server, fetch):
    fetch.fails("ftp://example.org/a.csv", match=r"ftp:// links are not fetched.*https:")
    fetch.fails("http:///a.csv", match="not an address")
    server.pages["/out"] = Page(b"", 302, headers={"Location": "file:///etc/passwd"})
    fetch.fails(server.base + "/out", match="not http or https|not an address")
    server.pages["/round"] = Page(b"", 302, headers={"Location": "/round"})
    fetch.fails(server.base + "/round", match="circles")


def test_fetching_can_be_switched_off(server, fetch):
    fetch.fails(server.put("/table.csv", TABLE), match="switched off.*--max-download", max_mb=0)
    fetch.fails("openml:31", match="openml:31 is not a path", max_mb=0)
    assert not server.seen


def test_names_of_files(server, fetch):
    named = {"Content-Disposition": "attachment; filename*=UTF-8''../a%20b.csv"}
    assert fetch(server.put("/export", TABLE, headers=named))[0].name == "a_b.csv"
    assert fetch(server.put("/data", TABLE))[0].name == "data.csv"
    assert fetch(server.put("/t.csv.gz", gzip.compress(TABLE.encode()), kind="application/gzip"))[0].suffix == ".gz"


def test_secrets_of_a_link_are_not_told(server, fetch):
    link = server.base.replace("//", "//me:hush@") + "/table.csv?token=hush"
    server.put("/table.csv", "x", status=403)
    text = fetch.fails(link, match="403")
    server.put("/table.csv", TABLE, breaks=[2000, 0, 0, 0])
    text += fetch.fails(link, match="broke")
    assert not any(b"hush" in path.read_bytes() for path in fetch.home.rglob("*") if path.is_file())
    assert fetch(link)[0].read_text() == TABLE
    assert not any(b"hush" in path.read_bytes() for path in fetch.home.rglob("*") if path.is_file())
    assert "hush" not in text + "".join(fetch.said) and shown("https://me:hush@h/p?k=hush") == "https://h/p?...=..."
    assert not any("hush" in path.name for path in fetch.home.rglob("*"))


def test_secrets_of_a_link_may_be_variables(server, fetch, monkeypatch):
    server.pages["/table.csv"] = lambda seen: Page(TABLE.encode(), 200 if seen.query.get("key") == "hush" else 403)
    link = f"{server.base}/table.csv?key=${{AUTOML_LINK_KEY}}"
    fetch.fails(link, match="this variable is not set. Set AUTOML_LINK_KEY")
    monkeypatch.setenv("AUTOML_LINK_KEY", "hush")
    assert fetch(link)[0].read_text() == TABLE
    assert fetch(link)[0].read_text() == TABLE  # of what is here, once more
    assert not any("holds" in text for text in fetch.said)
    fetch.fails(f"{server.base}/${{AUTOML_LINK_KEY}}.csv", match="in the user, the password and the query")
    fetch.fails(f"{server.base}/table.csv?key=${{HOME}}", match="Accepted are AUTOML_LINK_NAME variables")


@pytest.mark.parametrize(("rest", "told"), [("?apikey=hush", True), ("?X-Amz-Signature=hush", True), ("?keys=3", False),
                                            ("?monkey=1&page=2", False), ("?sig=", False)])  # fmt: skip
def test_a_link_with_a_secret_is_remarked_on(server, fetch, rest, told):
    server.put("/table.csv", TABLE)
    fetch(f"{server.base}/table.csv{rest}")
    assert any("AUTOML_LINK_NAME" in text for text in fetch.said) is told


def test_paths_stay_paths(tmp_path, fetch, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "openml:31").write_text(TABLE)
    assert source_of("openml:31") is None
    for path in ("table.csv", r"C:\data\table.csv", "unknown:thing", "folder/with:colon.csv"):
        assert source_of(path) is None
    request = Request(words="x", data=("table.csv",))
    assert localised(request, tmp_path / "home", max_mb=1, seconds=1, say=print) is request


def test_test_data_are_fetched_too(server, fetch):
    link = server.put("/test.csv", TABLE)
    request = Request(words="x", data=("mine.csv",), test_data=link)
    done = localised(request, fetch.home, max_mb=1, seconds=5, say=print)
    assert Path(done.test_data).read_text() == TABLE and done.data == ("mine.csv",)


# ---------------------------------------------------------------- named sets


def test_sets_of_scikit_learn(fetch):
    for name in ("wine", "breast_cancer", "diabetes", "iris", "digits"):
        (path,) = fetch(f"sklearn:{name}")
        frame, known = pd.read_parquet(path), built_in.SETS[name]
        assert len(frame) == known.rows and frame[known.target].nunique() > 1
        assert suggested_target(Request(data=(str(path),)), fetch.home) == (known.target, f"{name} of scikit-learn")
    fetch.fails("sklearn:whine", match=r"no data set 'whine'.*wine")


def test_california_housing_needs_its_checksum(server, fetch, monkeypatch):
    monkeypatch.setattr(built_in, "HOUSING", server.put("/files/5976036", b"something else"))
    fetch.fails("sklearn:california_housing", match="checksum")


def test_the_table_of_california_housing():
    import tarfile

    content, line = io.BytesIO(), b"-122.23,37.88,41.0,880.0,129.0,322.0,126.0,8.3252,452600.0\n"
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        info = tarfile.TarInfo("CaliforniaHousing/cal_housing.data")
        info.size = len(line)
        archive.addfile(info, io.BytesIO(line))
    row = built_in._housing(content.getvalue()).iloc[0]
    assert row.round(3).tolist() == [8.325, 41.0, 6.984, 1.024, 322.0, 2.556, 37.88, -122.23, 4.526]


IRIS = pd.DataFrame({"id": [1.0, 2.0, 3.0], "width": [0.1, 0.2, None], "kind": ["a", "b", "a b"]})
ARFF = """% A comment
@RELATION iris
@attribute id numeric
@ATTRIBUTE 'width' REAL
@attribute kind {a,b,'a b'}

@DATA
% another
1,0.1,a
2,0.2,b
3,?,'a b'
"""


@pytest.mark.parametrize("form", ["parquet", "arff", "broken parquet"])
def test_openml(server, fetch, form):
    content = {"parquet": parquet(IRIS), "arff": b"", "broken parquet": b"PAR1"}[form]
    stand_in.openml(server, 61, "iris", parquet=content, arff=ARFF, default_target_attribute="kind",
                    row_id_attribute="id")  # fmt: skip
    (path,) = fetch("openml:iris")
    assert path.name == "iris.parquet"
    pd.testing.assert_frame_equal(pd.read_parquet(path), IRIS[["width", "kind"]], check_dtype=False)
    target, title = suggested_target(Request(data=(str(path),)), fetch.home)
    assert (target, title) == ("kind", "iris, version 1 (OpenML 61)")
    assert any("ignore these columns" in line and "id" in line for line in fetch.said)
    before = len(server.seen)
    assert fetch("openml:61", "openml:iris@1")[0].name == "iris.parquet"
    fetch("openml:iris")
    assert not any("iris/limit" in seen.path and "active" in seen.path for seen in server.seen[before:])


def test_openml_refuses(server, fetch):
    server.answer("/api/v1/json/data/9", {"error": {"code": "111", "message": "Unknown dataset"}}, 412)
    fetch.fails("openml:9", match="OpenML has no active data set 'openml:9'")
    fetch.fails("openml:no-such", match="no active data set")
    fetch.fails("openml:a/b", match="Accepted: openml:31")
    stand_in.openml(server, 5, "sparse", arff=ARFF, format="Sparse_ARFF")
    fetch.fails("openml:5", match="sparse")
    stand_in.openml(server, 6, "damaged", arff=ARFF, md5_checksum="0" * 32)
    fetch.fails("openml:6", match="checksum")


def test_arff_as_openml_writes_it(tmp_path):
    """Recorded files of OpenML that scikit-learn keeps for its tests."""
    import sklearn.datasets

    folder = Path(sklearn.datasets.__file__).parent / "tests" / "data" / "openml"
    if not folder.is_dir():
        pytest.skip("scikit-learn is installed without its tests")
    shapes, sparse = {}, []
    for packed in sorted(path for path in folder.glob("*/data-v1-*.arff.gz") if path.stat().st_size < 100_000):
        path = tmp_path / packed.parent.name
        path.write_bytes(gzip.decompress(packed.read_bytes()))
        try:
            table = arff.read_arff(path)
            shapes[packed.parent.name] = (table.num_rows, table.num_columns)
        except ValueError as error:
            sparse.append(str(error))
    assert set(sparse) <= {"it is a sparse ARFF file"}
    assert shapes["id_61"] == (150, 5) and shapes["id_1119"][1] == 16 and len(shapes) > 5, shapes


@pytest.mark.parametrize(("text", "match"), [("@relation x\n", "@data"), (ARFF + "1,2\n", "2 cells for 3 columns"),
                                             (ARFF + "{1 2}\n", "sparse")])  # fmt: skip
def test_arff_that_is_none(tmp_path, text, match):
    (tmp_path / "x.arff").write_text(text)
    with pytest.raises(ValueError, match=match):
        arff.read_arff(tmp_path / "x.arff")


FEATURES = {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}
LABELS = {b"huggingface": json.dumps({"info": {"features": FEATURES}}).encode()}


def reviews(*labels: int) -> bytes:
    return parquet(pd.DataFrame({"text": [f"t{i}" for i in range(len(labels))], "label": labels}), LABELS, groups=2)


def test_hugging_face(server, fetch):
    stand_in.hugging_face(server, "stanfordnlp/imdb", {
        ("plain_text", "train", 0): reviews(0, 1, 0), ("plain_text", "train", 1): reviews(1, 1),
        ("plain_text", "test", 0): reviews(1, 0), ("plain_text", "unsupervised", 0): reviews(-1),
    })  # fmt: skip
    server.answer("/api/datasets/imdb", {"id": "stanfordnlp/imdb"})
    (folder,) = fetch("hf:imdb")
    assert sorted(path.name for path in folder.iterdir()) == ["test.parquet", "train.parquet"]
    assert pd.read_parquet(folder / "train.parquet")["label"].tolist() == ["neg", "pos", "neg", "pos", "pos"]
    assert any("unsupervised" in line for line in fetch.said)
    assert origin_of(fetch.home, str(folder)).title == "stanfordnlp/imdb (plain_text)"


def test_hugging_face_with_one_part(server, fetch):
    stand_in.hugging_face(server, "me/it", {("default", "all", 0): reviews(-1, 1)})
    (path,) = fetch("hf:me/it")
    assert pd.read_parquet(path)["label"].fillna("").tolist() == ["", "pos"]


def test_hugging_face_refuses(server, fetch):
    stand_in.hugging_face(server, "me/glue", {("cola", "train", 0): reviews(0), ("mrpc", "train", 0): reviews(1, 1)})
    fetch.fails("hf:me/glue", match="several tables.*hf:me/glue@ and one of: cola, mrpc")
    fetch.fails("hf:me/glue@x", match="no part 'x'")
    assert fetch("hf:me/glue@mrpc")[0].name == "train.parquet"
    fetch.fails("hf:no-such", match="no public data set 'no-such'")
    fetch.fails("hf:a b", match="Accepted: hf:")
    stand_in.hugging_face(server, "me/two", {("d", "a", 0): reviews(0), ("d", "b", 0): reviews(1)})
    fetch.fails("hf:me/two", match="no part called train.*a, b")
    stand_in.hugging_face(server, "me/big", {("d", "train", 0): reviews(*[0] * 9000)})
    fetch.fails("hf:me/big", match="too large", max_mb=0.001)


def test_kaggle(server, fetch, monkeypatch):
    files = {"train.csv": TABLE, "test.csv": "a\n1\n", "sample_submission.csv": "a,b\n1,0\n"}
    stand_in.kaggle(server, "competitions/data/download-all/titanic", zipped(files))
    stand_in.kaggle(server, "datasets/download/me/it", zipped({"only.csv": TABLE}))
    text = fetch.fails("kaggle:titanic", match="Kaggle needs a key")
    assert "kaggle.json" in text and not server.seen
    monkeypatch.setenv("KAGGLE_USERNAME", "me")
    monkeypatch.setenv("KAGGLE_KEY", "wrong")
    fetch.fails("kaggle:titanic", match="does not accept your key")
    monkeypatch.setenv("KAGGLE_KEY", "secret")
    (folder,) = fetch("kaggle:titanic")
    assert sorted(path.name for path in folder.iterdir()) == sorted(files)
    (path,) = fetch("kaggle:me/it")
    assert path.name == "only.csv" and path.read_text() == TABLE
    fetch.fails("kaggle:no-such", match="no competition 'no-such'")
    server.pages["/api/v1/competitions/data/download-all/rules"] = Page(b"", 403)
    fetch.fails("kaggle:rules", match="https://www.kaggle.com/competitions/rules/rules")
    fetch.fails("kaggle:a/b/c", match="Accepted: kaggle:")
    kept = [path for path in fetch.home.rglob("*") if path.is_file()]
    assert not any(b"secret" in path.read_bytes() for path in kept)


def test_the_key_goes_to_kaggle_only(server, fetch, monkeypatch):
    with DataServer() as other:
        stored = other.put("/archive.zip", zipped({"a.csv": TABLE}), kind="application/zip")
        server.pages["/api/v1/datasets/download/me/it"] = Page(b"", 302, headers={"Location": stored})
        monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_x")
        fetch("kaggle:me/it")
        assert server.seen[0].headers["authorization"] == "Bearer KGAT_x"
        assert "authorization" not in other.seen[0].headers


def test_the_key_file_of_kaggle(server, fetch, monkeypatch, tmp_path):
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    (tmp_path / "kaggle.json").write_text("{")
    fetch.fails("kaggle:titanic", match=r"kaggle\.json cannot be read")
    (tmp_path / "kaggle.json").write_text('{"username": "me", "key": "secret"}')
    stand_in.kaggle(
        server, "competitions/data/download-all/titanic", zipped({"inner/a.csv": TABLE, "inner/b.csv": "b\n1\n"})
    )
    assert {path.name for path in fetch("kaggle:titanic")[0].iterdir()} == {"a.csv", "b.csv"}


@pytest.mark.parametrize("name", ["../evil.csv", "/etc/evil.csv", "C:\\evil.csv"])
def test_archives_cannot_leave_their_folder(server, fetch, monkeypatch, name):
    monkeypatch.setenv("KAGGLE_API_TOKEN", "x")
    server.put("/api/v1/datasets/download/me/it", zipped({name: TABLE}), kind="application/zip")
    fetch.fails("kaggle:me/it", match="leads out of it")


def test_an_archive_that_unpacks_to_too_much(server, fetch, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", "x")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"0" * 10**6)
    server.put("/api/v1/datasets/download/me/it", buffer.getvalue(), kind="application/zip")
    fetch.fails("kaggle:me/it", match="far more than is allowed", max_mb=0.01)


# ---------------------------------------------------------------- sources of others


class Shelf:
    scheme, title = "shelf", "The shelf"

    def fetch(self, name: str, folder: Path, web: Web) -> Brought:
        (folder / f"{name}.csv").write_text(TABLE)
        return Brought(f"{name}.csv", target="b")

    def changed(self, name: str, stamp: Stamp, web: Web) -> bool:
        return False

    def search(self, words, web: Web) -> tuple[Found, ...]:
        return (Found("shelf:houses", "houses", "Prices of houses", 3),)


class Point:
    value = "somewhere:SOURCE"

    def __init__(self, name: str, source: object) -> None:
        self.name, self.load = name, lambda: source


def test_another_package_adds_a_source(monkeypatch, fetch):
    sources.cache_clear()
    monkeypatch.setattr(registry, "entry_points", lambda group: [Point("shelf", Shelf())])
    assert fetch("shelf:top")[0].read_text() == TABLE
    sources.cache_clear()
    monkeypatch.setattr(registry, "entry_points", lambda group: [Point("a", Shelf()), Point("b", Shelf())])
    with pytest.raises(ConfigurationError, match="data source 'shelf'"):
        sources()
    sources.cache_clear()


def test_what_is_installed():
    sources.cache_clear()
    assert set(sources()) == {"http", "https", "hf", "kaggle", "openml", "sklearn"}


# ---------------------------------------------------------------- data that were only described


FINDING = ("I want to predict house prices, find data", "look for some data", "Search for a public data set of wines",
           "Finde einen passenden Datensatz", "get me data on cars")  # fmt: skip


@pytest.mark.parametrize("words", FINDING)
def test_words_that_ask_to_find_data(words):
    assert asks_to_find(words)


@pytest.mark.parametrize("words", ["Predict house prices", "Find patterns in my data", "find groups of customers",
                                   "the data are in a.csv", "Predict what data scientists earn"])  # fmt: skip
def test_words_that_do_not(words):
    assert not asks_to_find(words)


def test_what_is_looked_for():
    assert keywords("I want to predict house prices, find data") == ("house", "prices")


def es_hit(number: int, name: str, description: str) -> dict:
    return {"_source": {"data_id": number, "name": name, "description": description,
                        "qualities": {"NumberOfInstances": 1460.0}}}  # fmt: skip


def test_what_was_found_is_a_question(server, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", "x")
    server.answer("/es/data/_search", {"hits": {"hits": [es_hit(42165, "house_prices", "Ask a home buyer"),
                                                         es_hit(7, "wind", "Speeds")]}})  # fmt: skip
    server.answer("/api/datasets", [{"id": "me/house-price", "tags": ["tabular"]}, {"id": "x/houses", "private": True}])
    server.answer("/api/v1/datasets/list", [{"ref": "me/homes", "title": "House Prices", "subtitle": "of Ames"}])
    asked = offered(QUESTION, "I want to predict house prices, find data", sources())
    assert asked.field == "data"
    assert set(asked.choices) == {"openml:42165", "hf:me/house-price", "kaggle:me/homes", "sklearn:california_housing"}
    assert "openml:42165: house_prices, 1,460 rows: it is about 'house' and 'prices' (Ask a home buyer)" in asked.text
    assert server.asked("/es/data/_search")[0].body["query"]["bool"]["must"]["multi_match"]["query"] == "house prices"
    assert server.asked("/api/datasets")[0].query["search"] == "house prices"


def test_sources_that_fail_are_named(server):
    server.answer("/es/data/_search", {"unexpected": 1})
    server.pages["/api/datasets"] = Page(b"[]", pause=30)
    started = time.monotonic()
    asked = offered(QUESTION, "find data on wines", sources(), seconds=1.0)
    assert time.monotonic() - started < 2
    assert asked.choices == ("sklearn:wine",)
    assert "OpenML (KeyError)" in asked.text and "Kaggle (Kaggle needs a key" in asked.text
    assert "Hugging Face (" in asked.text


def test_without_a_network_and_without_a_hit(dead):
    started = time.monotonic()
    asked = offered(QUESTION, "find data on zebras", sources())
    assert time.monotonic() - started < 4
    assert asked.text.startswith(f"{QUESTION.text} Nothing was found for 'zebras'. Not searched: ")
    assert "OpenML (" in asked.text and not asked.choices and asked.field == "data"


def test_nothing_is_searched_without_a_subject_or_leave(dead):
    assert "do not say what data" in offered(QUESTION, "find data", sources()).text
    assert "switched off" in offered(QUESTION, "find data on wines", sources(), online=False).text


# ---------------------------------------------------------------- in a run


PLANS = Settings(plan_only=True, retrieval=False)


def planned(words: str, *data: str, graph=None, config=None, given=None):
    """Run as far as the plans; gives the state and the remarks."""
    graph = graph or build_graph()
    given = given or {"request": words, "data": list(data)}
    state, remarks = {}, []
    for mode, part in graph.stream(given, config, context=PLANS, stream_mode=["custom", "values"]):
        if mode == "values":
            state = part
        elif isinstance(part, Remark):
            remarks.append(part.text)
    return state, remarks


def test_a_run_on_a_link(server, place):
    state, remarks = planned("Predict churn", server.put("/shop.csv", shop().to_csv(index=False)))
    assert state["report"].status == "planned" and state["task"].target == "churn"
    assert state["request"].data[0].startswith(str(place / "home" / "fetched"))
    (dataset,) = state["task"].dataset
    assert (dataset.source, dataset.location) == ("link", f"{server.base}/shop.csv")
    assert any(text.startswith("Fetched ") for text in remarks)


def test_the_target_that_comes_with_a_set(place):
    state, _ = planned("Make a good model", "sklearn:wine")
    assert state["task"].target == "cultivar" and state["task"].dataset[0].source == "named"
    reason = next(each.reason for each in state["task"].inferences if each.field == "target")
    assert reason == "The words name no column; 'cultivar' is the target that comes with wine of scikit-learn."
    state, _ = planned("Predict the alcohol of wines", "sklearn:wine")
    assert state["task"].target == "alcohol"


def test_found_data_are_asked_for_and_then_used(dead, place):
    graph, config = build_graph(checkpointer=InMemorySaver()), {"configurable": {"thread_id": "1"}}
    planned("Predict the species of iris flowers, find data", graph=graph, config=config)
    (asked,) = graph.get_state(config).interrupts
    assert list(asked.value["question"]["choices"]) == ["sklearn:iris"]
    state, _ = planned("", graph=graph, config=config, given=Command(resume="sklearn:iris"))
    assert state["report"].status == "planned" and state["task"].target == "species"


def test_without_a_wish_for_data_nothing_is_searched(server, place):
    state, _ = planned("Predict house prices")
    assert state["report"].question.text == "Which data shall be learned from? Give the path of a file or folder."
    assert not server.seen


def test_a_resumed_run_does_not_load_again(server, place):
    frame = pd.DataFrame({"p": [1.5, 2.5] * 30, "q": [3, 1, 2] * 20, "r": ["u", "v", "w"] * 20})
    link = server.put("/plain.csv", frame.to_csv(index=False))
    graph, config = build_graph(checkpointer=InMemorySaver()), {"configurable": {"thread_id": "2"}}
    planned("Make a model of this", link, graph=graph, config=config)
    assert graph.get_state(config).interrupts[0].value["question"]["field"] == "target"
    state, _ = planned("", graph=graph, config=config, given=Command(resume="r"))
    assert state["report"].status == "planned" and len(server.seen) == 1


def test_what_a_server_sends_cannot_keep_a_pattern_busy() -> None:
    comments = b"<!---->" * 280
    assert web._MARKUP.match(comments + b"x") is None
    assert web._MARKUP.match(b" <!-- a -->\n<!-- - -- b -->" + b"<!DOCTYPE  HTML>") is not None
    assert arff._cells("a" + " " * 200_000 + "b, 'c d' ,?, ") == ["a" + " " * 200_000 + "b", "c d", None, None]
