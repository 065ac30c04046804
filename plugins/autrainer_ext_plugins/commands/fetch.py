"""Command `fetch`: the host's command, with data sets from a local folder."""

from typing import Any

import hydra
from autrainer.core.scripts import FetchScript


class FetchSourceScript(FetchScript):
    """Fetch data sets and models; pass the setting `source` to the data set if it is set.

    The host calls `Dataset.download(path=...)`. For a data set whose configuration has a `source`
    that is not null, this command calls `Dataset.download(path=..., source=...)`.
    """

    datasets: dict[str, dict[str, Any]]

    def __init__(self) -> None:
        super().__init__()
        self.epilog = (
            "Examples:\n"
            "  autrainer-ext fetch -cn ext_fsdd\n"
            "  autrainer-ext fetch -cn ext_fsdd ++dataset.source=recordings"
        )

    def _download_datasets(self) -> None:
        sourced = {name: data for name, data in self.datasets.items() if data.get("source")}
        self.datasets = {name: data for name, data in self.datasets.items() if name not in sourced}
        super()._download_datasets()
        for name, dataset in sourced.items():
            print(f" - {name} (from {dataset['source']})")
            hydra.utils.instantiate(
                {"_target_": f"{dataset['_target_']}.download"},
                path=dataset["path"],
                source=dataset["source"],
            )
