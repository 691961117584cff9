"""Hostile data of the other families: clusters, texts, images, series and graphs."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from hostile_case import (
    FORMULA,
    INJECTION,
    SCRIPT,
    Case,
    Content,
    cut,
    encoded,
    graph,
    link,
    messages,
    picture,
    pictures,
    put,
    waves,
    zipped,
)
from table_cases import shop

Files = Mapping[str, Content]

# ---------------------------------------------------------------- clusters


def clusters(table: Content, *refused: str, **right: Any) -> Case:
    words = "Find groups of similar customers"
    return Case("tabular_clustering", {"table.csv": table}, words, ("table.csv",), (), refused, (), right)


PLAIN = shop(120).drop(columns="churn")
CLUSTERS = {
    "clusters_of_few_rows": clusters(PLAIN.head(12), "at least 20"),
    "clusters_of_equal_rows": clusters(pd.concat([PLAIN.head(1)] * 60), "no column"),
    "clusters_of_nothing": clusters(pd.DataFrame({"a": [None] * 60, "b": ""}), "no column", "'a' is empty"),
    "clusters_of_ids": clusters(pd.DataFrame({"id": range(60), "code": [f"u{n:04d}" for n in range(60)]}), "no column"),
    "clusters_of_a_header": clusters("age,income,city\n", "no rows"),
    "clusters_with_infinities": clusters(PLAIN.assign(age=[np.inf, -np.inf, 1e300, None] * 30, big=2**70), rows=120),
    "clusters_of_two_rows_often": clusters(pd.concat([PLAIN.head(2)] * 60), rows=120),
    "clusters_with_instructions": clusters(PLAIN.assign(city=[INJECTION, SCRIPT, FORMULA] * 40), rows=120),
}

# ---------------------------------------------------------------- texts


def texts(files: Content | Files, *refused: str, data: tuple[str, ...] = ("table.csv",),
          words: str = "Which desk answers a message? It is a text classification.", argv: tuple[str, ...] = (),
          **right: Any) -> Case:  # fmt: skip
    files = files if isinstance(files, dict) else {"table.csv": files}  # type: ignore[dict-item]
    return Case("text_classification", files, words, data, argv, refused, (), right)


def mail(**more: Content) -> dict[str, Content]:
    """A folder of texts for each of two classes."""
    kept = {f"mail/{row.desk}/{n}.txt": row.message for n, row in enumerate(messages().itertuples())}
    return {**kept, **{f"mail/{name}": content for name, content in more.items()}}


FOLDER = {"data": ("mail",), "words": "Which desk answers a message?"}
TEXTS = {
    "empty_texts": texts(messages().assign(message=""), "message", argv=("--set", "text=message")),
    "one_text": texts(messages().assign(message="the same words in every row"), "the same text",
                      argv=("--set", "text=message")),
    "texts_of_one_class": texts(messages().assign(desk="bill"), "'desk' has one value only"),
    "texts_in_a_cut_file": texts({"table.parquet": cut(messages())}, "table.parquet", "damaged",
                                 data=("table.parquet",)),
    "texts_of_one_folder": texts({f"mail/bill/{n}.txt": "one class" for n in range(30)}, "mail", **FOLDER),
    "empty_files": texts({f"mail/{desk}/{n}.txt": b"" for desk in ("bill", "post") for n in range(20)}, "text",
                         **FOLDER),
    "binary_files": texts(mail(**{"bill/x.txt": b"\0\1" * 500, "post/y.txt": b"\x89PNG" + bytes(99)}), rows=90,
                          says=["2"], **FOLDER),
    "files_of_all_encodings": texts(mail(**{"bill/a.txt": "charged für card".encode("cp1252"),
                                            "bill/b.txt": "charged card".encode("utf-16"),
                                            "post/c.txt": "parcel \N{SNOWMAN}".encode()[:-1],
                                            "post/d.txt": "parcel box".encode("utf-8-sig")}), rows=94, **FOLDER),
    "a_huge_file": texts(mail(**{"bill/big.txt": "charged card " * 200_000}), rows=91, says=["1"], **FOLDER),
    "a_link_out_of_the_texts": texts(mail(**{"bill/evil.txt": link("../../../secret.txt")}) |
                                     {"secret.txt": "secret"}, rows=90, **FOLDER),
    "instructions_in_texts": texts(messages().assign(message=[INJECTION + str(n) for n in range(45)] +
                                   [f"{SCRIPT} {FORMULA} parcel {n} {n}" for n in range(45)],
                                   desk=["bill"] * 45 + ["post"] * 45), rows=90),
    "texts_with_missing_rows": texts(messages().assign(message=[None, " ", *messages()["message"][2:]]), rows=88),
    "texts_of_signs": texts(messages().assign(message=["\u202e\u200f\u0000 \N{SNOWMAN} card " + "é " * n
                                                       for n in range(90)]), rows=90,
                            argv=("--family", "text_classification", "--set", "text=message")),
}  # fmt: skip

# ---------------------------------------------------------------- images


def images(files: Files, *refused: str, data: tuple[str, ...] = ("set",), **right: Any) -> Case:
    return Case("image_classification", files, "Classify these images", data, (), refused, (), right)


def with_images(*odd: bytes, **more: Content) -> dict[str, Content]:
    """Sound images, and odd ones in the first class."""
    names = {f"set/along/odd{number}.png": content for number, content in enumerate(odd)}
    return {**pictures(), **names, **{f"set/{name}": content for name, content in more.items()}}


def exploding() -> bytes:
    """A PNG that says that it has 3.6 billion pixels."""
    header = bytearray(encoded(picture(0, 0)))
    header[16:24] = (60_000).to_bytes(4, "big") * 2
    header[29:33] = zlib.crc32(header[12:29]).to_bytes(4, "big")
    return bytes(header)


def frames() -> bytes:
    first, *rest = (Image.fromarray(picture(0, number)) for number in range(3))
    return encoded(first, "GIF", save_all=True, append_images=rest)


def halves(form: str) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    whole = encoded(noise, form)
    return whole[: len(whole) // 2]


def archived(files: Files, extra: Mapping[str, bytes] | None = None) -> Content:
    return zipped({**{name: content for name, content in files.items() if isinstance(content, bytes)}, **(extra or {})})


GREY = np.full((20, 20), 100, np.uint8)
COLOUR = np.dstack([GREY, GREY // 2, GREY // 4])
LISTED = pd.DataFrame({"file": [f"{kind}/{n:02d}.png" for kind in ("along", "across") for n in range(14)],
                       "kind": ["a", "b"] * 14})  # fmt: skip


def listed(*names: str) -> dict[str, Content]:
    """A table of images; the first of them are called otherwise."""
    names = (*names, *LISTED["file"][len(names) :])
    return {**pictures(), "set/labels.csv": LISTED.assign(file=names)}


def ways_out(path: Path) -> None:
    """A table of images, the first two of which are elsewhere: by an absolute name, and through a linked folder."""
    others = [str(path.parent.parent / "private" / "secret.png"), "out/secret.png"]
    LISTED.assign(file=[*others, *LISTED["file"][2:]]).to_csv(path, index=False)


IMAGES = {
    "images_of_one_class": images({name: content for name, content in pictures().items() if "along" in name},
                                  "'label' has one value only"),
    "images_that_are_texts": images(dict.fromkeys(pictures(), "broken"), "Only 0 of 28 images"),
    "a_single_image": images({"a.png": encoded(GREY)}, "single image", data=("a.png",)),
    "images_in_a_cut_zip": images({"set.zip": cut(archived(pictures()))}, "set.zip", "damaged", data=("set.zip",)),
    "exploding_images": images(with_images(exploding()), rows=28, says=["1 of 29 images of more than"]),
    "cut_images": images(with_images(*map(halves, ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"))), rows=28,
                         says=["7 of 35 images that are damaged"]),
    "animated_images": images(with_images(frames()), rows=29, says=["1 of 29 images have several frames"]),
    "images_of_all_modes": images(with_images(
        encoded(Image.fromarray(COLOUR).convert("CMYK"), "JPEG"), encoded(GREY.astype(np.uint16) * 257),
        encoded(Image.fromarray(COLOUR).convert("P")), encoded(Image.fromarray(GREY).convert("1")),
        encoded(Image.fromarray(COLOUR).convert("RGBA"))), rows=33),
    "images_of_one_pixel": images(with_images(encoded(GREY[:1, :1]), encoded(COLOUR[:1, :1])), rows=30),
    "images_of_one_line": images(with_images(encoded(np.zeros((1, 20_000), np.uint8))), rows=29, says=["scaled down"]),
    "images_with_wrong_suffix": images({**with_images(encoded(COLOUR, "JPEG")), "set/along/x.jpg": encoded(GREY)},
                                       rows=30),
    "images_that_are_empty": images(with_images(b"", b"<svg/>"), rows=28, says=["2 of 30 images that are no images"]),
    "images_out_of_the_folder": images({**pictures(), "secret.png": encoded(GREY),
                                        "set/along/link.png": link("../../secret.png")}, rows=28),
    "a_zip_with_a_way_out": images({"set.zip": archived(pictures(), {"../../evil.png": encoded(GREY)})},
                                   data=("set.zip",), rows=28),
    "a_zip_with_a_huge_image": images({"set.zip": archived(pictures(), {"set/along/x.png": bytes(70 * 2**20)})},
                                      data=("set.zip",), rows=28),
    "names_of_images_elsewhere": images({**listed("../secret.png", "/etc/passwd", "nowhere.png"),
                                         "secret.png": encoded(GREY)}, rows=25, says=["3 of 28"]),
    "images_by_ways_out": images({**pictures(), "private/secret.png": encoded(GREY), "set/out": link("../private"),
                                  "set/labels.csv": ways_out}, rows=26, says=["2 of 28"]),
    "instructions_in_image_folders": images(pictures(names=(FORMULA.replace("/", "_"), INJECTION.replace("/", "_"))),
                                            rows=28),
}  # fmt: skip

# ---------------------------------------------------------------- series


def series(table: Content, *refused: str, words: str = "Forecast the load for the next 12 hours",
           name: str = "table.csv", argv: tuple[str, ...] = (), question: tuple[str, ...] = (),
           **right: Any) -> Case:  # fmt: skip
    return Case("forecasting", {name: table}, words, (name,), argv, refused, question, right)


def with_load(values: Any) -> pd.DataFrame:
    return waves().assign(load=values)


SERIES = {
    "a_short_series": series(waves(20), "steps"),
    "a_series_of_one_value": series(with_load(3.0), "'load' has one value only"),
    "a_series_of_one_row": series(waves(1), "'load' has one value only"),
    "a_series_of_nothing": series("time,load\n", "no rows"),
    "a_series_of_gaps_only": series(with_load(None), "load"),
    "a_series_of_words": series(with_load(["much", "little"] * 100), "numbers",
                                argv=("--family", "forecasting", "--target", "load")),
    "a_series_without_times": series(waves().drop(columns="time"), argv=("--family", "forecasting"),
                                     question=("Which column holds the time",)),
    "a_series_at_one_time": series(waves().assign(time="2024-01-01"), "'time' has one value only"),
    "two_series_in_one": series(pd.concat([waves(), waves()]), "no column tells the series apart"),
    "irregular_times": series(waves().assign(time=pd.Timestamp("2024-01-01") + pd.to_timedelta(
        np.cumsum(np.random.default_rng(0).integers(1, 9999, 200)), unit="s")), "is not regular"),
    "a_cut_series": series(cut(waves()), "table.parquet", "damaged", name="table.parquet"),
    "unsorted_times": series(waves().sample(frac=1, random_state=0), rows=200),
    "gaps_and_repeated_times": series(pd.concat([waves().drop(index=range(50, 60)), waves().iloc[[100]]]), rows=190,
                                      says=["10 ", "1 row"]),
    "infinite_values": series(with_load([*[np.inf, -np.inf, None], *waves()["load"][3:]]), rows=197),
    "impossible_days": series(waves().assign(time=["2024-02-30 00:00:00", *waves()["time"].astype(str)[1:]]), rows=199),
    "times_of_many_zones": series(waves().assign(time=[f"{time:%Y-%m-%dT%H:%M:%S}+0{n // 100}:00" for n, time in
                                                       enumerate(waves()["time"])]), rows=199),
    "huge_values": series(with_load(waves()["load"] * 1e300), "1e+150", "another unit"),
    "instructions_in_series": series(pd.concat([waves().assign(shop=INJECTION), waves().assign(shop=SCRIPT),
                                                waves().assign(shop=FORMULA)]), rows=600),
}  # fmt: skip

# ---------------------------------------------------------------- graphs

NODES, EDGES = graph()


def nodes(table: Content = NODES, edges: Content = EDGES, *refused: str, **right: Any) -> Case:
    data = ("nodes.csv", "edges.csv")
    return network({"nodes.csv": table, "edges.csv": edges}, *refused, data=data, **right)


def network(files: Files, *refused: str, data: tuple[str, ...] | None = None, **right: Any) -> Case:
    words, argv = "Predict the label of each node", ("--family", "node_classification", "--target", "label")
    return Case("node_classification", files, words, data or (next(iter(files)),), argv, refused, (), right)


def arrays(**given: Any) -> Content:
    return lambda path: np.savez_compressed(path, **given)


def xml(head: str = "") -> str:
    inside = "".join(f'<node id="n{n}"><data key="k">{"ab"[n % 2]}</data></node>' for n in range(40))
    inside += "".join(f'<edge source="n{n}" target="n{(n + 2) % 40}"/>' for n in range(40))
    keys = '<key id="k" for="node" attr.name="label" attr.type="string"/>'
    return f'<?xml version="1.0"?>{head}<graphml>{keys}<graph edgedefault="undirected">{inside}</graph></graphml>'


LABELS = np.arange(40) % 2
RING = np.stack([np.arange(40), (np.arange(40) + 2) % 40], axis=1)
ENTITIES = '<!DOCTYPE g [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'


def oversized(path: Path) -> None:
    put(path, zipped({"edges.npy": bytes(300 * 2**20), "label.npy": b""}))


GRAPHS = {
    "self_loops_only": nodes(NODES, EDGES.assign(target=EDGES["source"]), "no edge between two"),
    "edges_of_strangers": nodes(NODES, EDGES.assign(source="x", target="y"), "No graph was found"),
    "no_edges": nodes(NODES, "source,target\n", "edges.csv"),
    "an_empty_file_of_edges": nodes(NODES, b"", "edges.csv"),
    "nodes_of_one_class": nodes(NODES.assign(label="red"), EDGES, "one value only"),
    "nodes_without_labels": nodes(NODES.assign(label=None), EDGES, "label"),
    "labels_of_numbers": nodes(NODES.assign(label=np.random.default_rng(0).normal(size=90)), EDGES, "too many"),
    "arrays_of_objects": network({"g.npz": arrays(edges=RING, label=np.array([{}, []], object))}, "g.npz",
                                 "Python objects"),
    "cut_arrays": network({"g.npz": cut(arrays(edges=RING, label=LABELS))}, "g.npz", "damaged"),
    "arrays_that_explode": network({"g.npz": oversized}, "g.npz", "far more"),
    "arrays_that_do_not_fit": network({"g.npz": arrays(edges=RING, label=LABELS[:9], x=np.ones((40, 3)))}, "g.npz"),
    "edges_beyond_the_nodes": network({"g.npz": arrays(edges=np.concatenate([RING, [[-5, 3], [2, 10**9]]]),
                                                       label=LABELS)}, rows=40),
    "entities_that_explode": network({"g.graphml": xml(ENTITIES)}, "g.graphml", "entities"),
    "cut_graphml": network({"g.graphml": cut(xml())}, "g.graphml", "not well-formed"),
    "graphml": network({"g.graphml": xml()}, rows=40),
    "edges_of_all_kinds": nodes(pd.concat([NODES, NODES.iloc[[3]], NODES.iloc[[0]].assign(node="lonely")]),
                                pd.concat([EDGES, EDGES.head(5), pd.DataFrame({"source": ["n1", "n2", None],
                                                                               "target": ["nobody", "n2", "n3"]})]),
                                rows=91, says=["not there", "from a node to itself", "stands further up"]),
    "instructions_in_graphs": nodes(NODES.replace({"label": {"red": INJECTION, "blue": SCRIPT}}).assign(
        node=[f"{FORMULA}{n}" for n in range(90)]), EDGES.map(lambda name: f"{FORMULA}{name[1:]}"), rows=90),
}  # fmt: skip
CASES: dict[str, Case] = CLUSTERS | TEXTS | IMAGES | SERIES | GRAPHS
