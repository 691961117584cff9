"""Related tables: many rows of one to one row of another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl_agent.agents.understanding.prompt import understand
from automl_agent.errors import InputError
from automl_agent.nodes.parse_request import answered
from automl_agent.records import Question, Request, TaskSpec
from automl_agent.tasks.registry import families
from automl_agent.tasks.tables.acquiring import acquire
from automl_agent.tasks.tables.reading import read_table
from automl_agent.tasks.tables.sources import Sources, find_sources

ORDERS, CUSTOMERS = 60, 12


@pytest.fixture(autouse=True)
def _home(place):
    """Joined tables are kept in the library's home."""


def customers(key: str = "customer_id") -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame({
        key: np.arange(100, 100 + CUSTOMERS),
        "age": random.integers(20, 60, CUSTOMERS),
        "segment": random.choice(["home", "firm"], CUSTOMERS),
        "note": [f"n{i}" for i in range(CUSTOMERS)],
    })  # fmt: skip


def orders(**more) -> pd.DataFrame:
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"order_id": np.arange(ORDERS), "customer_id": random.integers(100, 100 + CUSTOMERS, ORDERS),
                          "amount": random.normal(50, 9, ORDERS).round(2)})  # fmt: skip
    frame["returned"] = np.where(frame["customer_id"] % 2 == 0, "yes", "no")
    return frame.assign(**more)


def put(**tables: pd.DataFrame) -> tuple[str, ...]:
    for name, frame in tables.items():
        frame.to_csv(f"{name}.csv", index=False)
    return tuple(str(Path(f"{name}.csv").absolute()) for name in tables)


def found(words: str, *data: str, **given) -> Sources:
    sources = find_sources(Request(words=words, data=data, **given))
    assert sources is not None
    return sources


def test_customers_are_joined_to_their_orders():
    sources = found("Predict which orders are returned", *put(orders=orders(), customers=customers()))
    assert sources.question is None and sources.table.name == "orders.csv + customers.csv"
    (joined,) = sources.joined
    assert (joined.name, joined.key, joined.columns) == ("customers.csv", "customer_id", ("age", "segment", "note"))
    table = read_table(sources.table).frame
    expected = orders().merge(customers(), on="customer_id", how="left")
    assert list(table) == list(expected) and table.astype(str).equals(expected.astype(str))


def test_the_order_of_the_files_does_not_matter():
    sources = found("Predict which orders are returned", *put(customers=customers(), orders=orders()))
    assert sources.table.name == "orders.csv + customers.csv"


def test_an_id_is_what_another_table_calls_it():
    sources = found("Predict returned", *put(orders=orders(), customers=customers("id")), target="returned")
    assert sources.joined[0].key == "customer_id"
    assert "id" not in read_table(sources.table).frame


def test_rows_without_a_partner_stay():
    sources = found("Predict returned", *put(orders=orders(), customers=customers().iloc[:8]))
    table = read_table(sources.table).frame
    assert len(table) == ORDERS and table["age"].isna().sum() == sources.joined[0].lost > 0


def test_names_that_are_taken():
    sources = found("Predict returned", *put(orders=orders(note="x"), customers=customers()))
    assert sources.joined[0].columns == ("age", "segment", "customers_note")


def test_three_tables():
    products = pd.DataFrame({"product_id": [1, 2, 3], "price": [9, 8, 7], "maker_id": [5, 6, 5]})
    data = put(orders=orders(product_id=np.arange(ORDERS) % 3 + 1), customers=customers(), products=products)
    sources = found("Predict returned", *data)
    assert [each.name for each in sources.joined] == ["customers.csv", "products.csv"]
    makers = pd.DataFrame({"maker_id": [5, 6], "land": ["CH", "NO"]})
    data = put(orders=orders(product_id=np.arange(ORDERS) % 3 + 1), products=products, makers=makers)
    sources = found("Predict returned", *data)
    assert [(each.name, each.key) for each in sources.joined] == [
        ("products.csv", "product_id"),
        ("makers.csv", "maker_id"),
    ]
    assert "land" in read_table(sources.table).frame


def test_decimal_commas_of_two_files():
    orders().to_csv("orders.csv", index=False, sep=";", decimal=",")
    data = (str(Path("orders.csv").absolute()), *put(customers=customers()))
    table = read_table(found("Predict returned", *data).table).frame
    assert table["amount"].astype(float).round(2).tolist() == orders()["amount"].tolist()


def test_a_target_on_the_side_of_one_needs_sums():
    data = put(orders=orders(), customers=customers())
    with pytest.raises(InputError, match=r"'segment'.*customers\.csv.*sums or counts.*alone"):
        found("Predict it", *data, target="segment")
    assert found("Predict the segment. Use customers.csv alone.", *data, target="segment").table.name == "customers.csv"


def test_two_columns_that_could_link_are_asked_about():
    people = customers().assign(mail=[f"m{i}@x.org" for i in range(CUSTOMERS)])
    mails = [f"m{number - 100}@x.org" for number in orders()["customer_id"]]
    data = put(orders=orders(mail=mails), customers=people)
    request = Request(words="Predict which orders are returned", data=data)
    question = understand(request, families())
    assert isinstance(question, Question) and question.field == "join"
    assert question.choices == (
        "Join customers.csv to orders.csv by customer_id.", "Join customers.csv to orders.csv by mail.",
        "Use orders.csv alone.", "Use customers.csv alone.",
    )  # fmt: skip
    for choice, joined in zip(question.choices, (("customer_id",), ("mail",), (), ()), strict=True):
        again = answered(request, question, choice)
        sources = found(again.words, *again.data)
        assert sources.question is None and tuple(each.key for each in sources.joined) == joined
    task = understand(answered(request, question, question.choices[0]), families())
    assert isinstance(task, TaskSpec) and task.target == "returned"
    assert found("Predict returned, joined by mail", *data).joined[0].key == "mail"


def test_tables_that_have_nothing_in_common():
    data = put(a=pd.DataFrame({"x": range(9), "y": range(9)}), b=pd.DataFrame({"z": range(9), "w": range(9)}))
    with pytest.raises(InputError, match="not clear which one is meant"):
        found("Predict y", *data)


def test_parts_of_one_table_and_measured_values_are_no_links():
    with pytest.raises(InputError, match="not clear which one"):
        found("Predict returned", *put(a=orders(), b=orders()))
    heights = pd.DataFrame({"amount": orders()["amount"], "height": range(ORDERS)})
    with pytest.raises(InputError, match="not clear which one"):
        found("Predict returned", *put(a=orders(), b=heights))


def test_more_than_three_tables():
    data = put(orders=orders(), customers=customers(), a=customers(), b=customers())
    with pytest.raises(InputError, match="4 tables were found"):
        found("Predict returned", *data)


def test_a_text_beside_a_table_is_no_table():
    Path("notes.csv").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
    with pytest.raises(InputError, match="2 tables were found"):
        found("Predict returned", *put(orders=orders()), str(Path("notes.csv").absolute()))


def test_what_was_joined_is_told(tmp_path):
    request = Request(words="Predict returned", data=put(orders=orders(), customers=customers().iloc[:8]))
    task = TaskSpec(words="x", family="tabular_classification", target="returned")
    profile = acquire(task, request, tmp_path / "data", tmp_path / "private", seed=0, test_share=0.2,
                      kind="classification")  # fmt: skip
    told = next(each for each in profile.findings if each.kind == "joined")
    assert "customers.csv (8 rows, 3 columns) was joined by 'customer_id'" in told.text and told.count > 0
    assert "age" in told.columns
    late = TaskSpec(words="x", family="tabular_classification", target="segment")
    with pytest.raises(InputError, match=r"'segment', the target, is a column of customers\.csv"):
        acquire(late, request, tmp_path / "d2", tmp_path / "p2", seed=0, test_share=0.2, kind="classification")
