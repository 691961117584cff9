"""XGBoost as a plug-in: the base class of the table candidates prepares rows, and stores what is around the model."""

import xgboost
from table_model import TableModel

TITLE = "XGBoost"
TAGS = ("xgboost", "xgb", "gradient boosting", "boosting", "tree", "trees")
PORTFOLIO = [{"n_estimators": 300, "learning_rate": 0.05, "max_depth": 6, "subsample": 0.8}]
SPACE = {
    "learning_rate": {"type": "float", "low": 0.01, "high": 0.2, "log": True},
    "max_depth": {"type": "int", "low": 3, "high": 9},
}
REQUIRES = ("xgboost",)


class Model(TableModel):
    DEFAULTS = PORTFOLIO[0]

    def _new(self):
        kind = xgboost.XGBClassifier if self.classifies else xgboost.XGBRegressor
        return kind(**self.params, random_state=self.seed, n_jobs=self.threads)

    def learn(self, matrix, target, weights):
        self.model = self._new().fit(matrix, target, sample_weight=weights)

    def answer(self, matrix):
        return self.model.predict_proba(matrix) if self.classifies else self.model.predict(matrix)

    def store(self, folder):
        self.model.save_model(folder / "xgboost.json")

    def restore(self, folder):
        self.model = self._new()
        self.model.load_model(folder / "xgboost.json")
