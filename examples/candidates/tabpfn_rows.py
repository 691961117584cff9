"""TabPFN as a plug-in: a model that learns in context remembers its rows instead of weights."""

import tabpfn
from plain_state import load_arrays, save_arrays
from table_model import TableModel

TITLE = "TabPFN"
TAGS = ("tabpfn", "prior fitted network", "in context", "transformer")
PORTFOLIO = [{}]
SPACE = {}
REQUIRES = ("tabpfn",)
CONDITIONS = {"rows": "<= 10000"}


class Model(TableModel):
    MODE = "matrix"

    def learn(self, matrix, target, weights):
        self.rows = {"matrix": matrix, "target": target}
        kind = tabpfn.TabPFNClassifier if self.classifies else tabpfn.TabPFNRegressor
        self.model = kind(random_state=self.seed).fit(matrix, target)

    def answer(self, matrix):
        return self.model.predict_proba(matrix) if self.classifies else self.model.predict(matrix)

    def store(self, folder):
        save_arrays(folder / "rows.npz", self.rows)

    def restore(self, folder):
        rows = load_arrays(folder / "rows.npz")
        self.learn(rows["matrix"], rows["target"], None)
