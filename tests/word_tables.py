"""Looks at tables, made by hand, and families that see them: for the tests of understanding."""

from __future__ import annotations

from automl_agent.records import Request
from automl_agent.tasks.family import Peek, PeekColumn
from automl_agent.tasks.tables.family import TableFamily


def numbers(name: str, distinct: int = 500) -> PeekColumn:
    return PeekColumn(name, "number", distinct, ("1.5", "2.25", "3.1"))


def whole(name: str, distinct: int = 60) -> PeekColumn:
    return PeekColumn(name, "number", distinct, tuple(str(value) for value in range(min(distinct, 20))))


def labels(name: str, *values: str) -> PeekColumn:
    return PeekColumn(name, "category", len(values), values)


def flag(name: str, *values: str) -> PeekColumn:
    return PeekColumn(name, "boolean", 2, values or ("No", "Yes"))


def other(name: str, kind: str) -> PeekColumn:
    return PeekColumn(name, kind, 900, ("2020-01-01",))


def table(name: str, *columns: PeekColumn, rows: int = 1000) -> Peek:
    return Peek((f"{name}.csv",), "table", rows, columns)


TABLES = {
    "cancer": table("cancer", numbers("mean_radius"), numbers("mean_texture"), numbers("radius_error"),
                    labels("diagnosis", "benign", "malignant"), rows=569),
    "letters": table("letters", other("id", "id"), labels("diagnosis", "B", "M"), numbers("radius_mean")),
    "diamonds": table("diamonds", numbers("carat"), labels("cut", "Ideal", "Good", "Fair"),
                      labels("color", "G", "E"), numbers("depth"), numbers("table"), whole("price", 1500),
                      numbers("x"), numbers("y"),
                      numbers("z")),
    "telco": table("telco", other("customerID", "id"), labels("gender", "Male", "Female"), whole("tenure", 73),
                   whole("SeniorCitizen", 2), labels("Contract", "Month-to-month", "Two year"),
                   numbers("MonthlyCharges"), numbers("TotalCharges"), flag("Churn")),
    "titanic": table("titanic", other("PassengerId", "id"), whole("Survived", 2), whole("Pclass", 3),
                     other("Name", "text"), labels("Sex", "male", "female"), numbers("Age", 88), numbers("Fare"),
                     rows=891),
    "iris": table("iris", numbers("sepal_length", 35), numbers("petal_width", 22),
                  labels("species", "setosa", "versicolor", "virginica"), rows=150),
    "housing": table("housing", numbers("longitude"), numbers("housing_median_age", 52), whole("population"),
                     numbers("median_income"), numbers("median_house_value"),
                     labels("ocean_proximity", "INLAND", "BAY")),
    "wine": table("wine", numbers("alcohol"), numbers("pH"), whole("quality", 6), rows=1599),
    "credit": table("credit", numbers("age", 50), numbers("income"), labels("purpose", "car", "education"),
                    labels("status", "good", "bad")),
    "flights": table("flights", other("date", "date"), labels("carrier", "UA", "AA"), numbers("dep_time"),
                     numbers("dep_delay"), numbers("distance")),
    "staff": table("staff", other("EmployeeNumber", "id"), numbers("Age", 45), labels("Attrition", "No", "Yes"),
                   numbers("MonthlyIncome"), labels("Department", "Sales", "R&D")),
    "shop": table("shop", other("date", "date"), labels("store", "A", "B", "C"), whole("visitors"), numbers("sales"),
                  flag("promo", "0", "1")),
    "odd": table("odd", numbers("qx_7"), numbers("Zeta 12"), labels("blorp", "aa", "bb", "cc"), numbers("VarName3"),
                 flag("kk.flag", "0", "1"), other("uid", "id"), numbers("größe (m²)")),
    "plain": table("plain", numbers("a"), numbers("b"), flag("target", "0", "1")),
    "sms": table("sms", other("message", "text"), labels("label", "ham", "spam")),
    "glass": table("glass", numbers("RI"), numbers("Na"), whole("type_code", 7)),
    "letter": table("letter", numbers("width"), numbers("height"), whole("class", 26)),
}  # fmt: skip


class Looking(TableFamily):
    """A table family that sees what it is told to see; it counts its looks."""

    def __init__(self, kind, seen):
        super().__init__(kind)
        self.seen = seen
        self.looks: list[Request] = []

    def peek(self, request):
        self.looks.append(request)
        return self.seen


def families(seen: Peek | None) -> dict[str, Looking]:
    return {family.name: family for family in (Looking("classification", seen), Looking("regression", seen))}
