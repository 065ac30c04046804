"""`fetch`: the host's, for datasets that may also be taken from a local `source`."""

import hydra
from autrainer.core.scripts import FetchScript


class FetchSourceScript(FetchScript):
    """Fetches datasets and models; hands `source` to the dataset where it is set.

    The host calls `Dataset.download(path=...)`. A dataset configuration with a `source` that
    is not null gets `Dataset.download(path=..., source=...)`.
    """

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
