"""The small sets that come with scikit-learn: `sklearn:wine`. `sklearn:california_housing` is loaded from figshare."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl_agent.errors import InputError
from automl_agent.fetching.partial import Stamp
from automl_agent.fetching.protocol import Brought, Found
from automl_agent.fetching.web import Web

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class _Set:
    target: str
    """What the target column is called here: scikit-learn calls it `target`."""
    about: str
    rows: int


SETS = {
    "wine": _Set("cultivar", "chemical analysis of wines from three cultivars", 178),
    "breast_cancer": _Set("diagnosis", "breast cancer: is a tumour (tumor) malignant or benign", 569),
    "diabetes": _Set("progression", "progression of diabetes in patients after one year", 442),
    "iris": _Set("species", "species of iris flowers by their petals and sepals", 150),
    "digits": _Set("digit", "handwritten digits of 8 by 8 pixels, as a table", 1797),
    "california_housing": _Set("MedHouseVal", "house prices (housing values) in districts of California", 20640),
}
HOUSING = "https://ndownloader.figshare.com/files/5976036"
HOUSING_SHA256 = "aaa5c9a6afe2225cc2aed2723682ae403280c4a3695a2ddda4ffb5d8215ea681"
"""Address and checksum as in `sklearn.datasets.fetch_california_housing`. Never loaded from there by our tests."""


class BuiltIn:
    scheme = "sklearn"
    title = "scikit-learn"

    def fetch(self, name: str, folder: Path, web: Web) -> Brought:
        known = SETS.get(name)
        if known is None:
            raise InputError(f"scikit-learn has no data set {name!r} here.", hint=f"There are: {', '.join(SETS)}.")
        frame = _housing(_archive(folder, web)) if name == "california_housing" else _shipped(name, known.target)
        frame.to_parquet(folder / f"{name}.parquet", index=False)
        return Brought(f"{name}.parquet", f"{name} of scikit-learn", known.target)

    def changed(self, name: str, stamp: Stamp, web: Web) -> bool:  # noqa: ARG002
        return False

    def search(self, words: Sequence[str], web: Web) -> tuple[Found, ...]:  # noqa: ARG002
        return tuple(Found(f"sklearn:{name}", name, known.about, known.rows) for name, known in SETS.items())


def _shipped(name: str, target: str) -> pd.DataFrame:
    import pandas as pd
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    frame = pd.DataFrame(bunch.data, columns=list(map(str, bunch.feature_names)))
    classes = [] if name == "digits" else [str(each) for each in getattr(bunch, "target_names", [])]
    frame[target] = [classes[code] for code in bunch.target] if classes else bunch.target
    return frame


def _archive(folder: Path, web: Web) -> bytes:
    path = web.download(HOUSING, folder, name=".cal_housing.tgz").path
    content = path.read_bytes()
    path.unlink()
    if hashlib.sha256(content).hexdigest() != HOUSING_SHA256:
        raise InputError("The file of california_housing is damaged: its checksum is another one.", hint="Try again.")
    return content


def _housing(content: bytes) -> pd.DataFrame:
    """The table as `sklearn.datasets.fetch_california_housing` makes it: means per household, target in 100,000."""
    import pandas as pd

    names = ["Longitude", "Latitude", "HouseAge", "Rooms", "Bedrooms", "Population", "Households", "MedInc", "Value"]
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        member = archive.extractfile("CaliforniaHousing/cal_housing.data")
        assert member is not None
        raw = pd.read_csv(member, header=None, names=names)
    homes = raw["Households"]
    return pd.DataFrame({
        "MedInc": raw["MedInc"], "HouseAge": raw["HouseAge"], "AveRooms": raw["Rooms"] / homes,
        "AveBedrms": raw["Bedrooms"] / homes, "Population": raw["Population"],
        "AveOccup": raw["Population"] / homes, "Latitude": raw["Latitude"], "Longitude": raw["Longitude"],
        "MedHouseVal": raw["Value"] / 100_000,
    })  # fmt: skip


SOURCE = BuiltIn()
