"""Command `preprocess`: the host's command, which completes what a killed call left.

The host skips a data set if the folder of its features exists, complete or not. The command of this
package computes the missing features first; that of the host is refused by `refuse_unfinished`.
"""

import sys
from typing import Any

import autrainer
from autrainer.core.scripts import PreprocessScript
from autrainer.core.scripts.preprocess_script import PreprocessArgs
from omegaconf import OmegaConf

from autrainer_ext.atomic import atomic_file, remove_leftovers
from autrainer_ext.configurations import find_configuration

from .hosts import compose

_KEYS = ("path", "features_subdir", "index_column", "file_type", "file_handler")


class CompletePreprocessScript(PreprocessScript):
    """Compute the features of data sets, and those that a killed call left out."""

    def __init__(self) -> None:
        super().__init__()
        self.epilog = "Example: autrainer-ext preprocess -cn ext_fsdd -n 2"

    def main(self, args: PreprocessArgs) -> None:
        """Run the command.

        Args:
            args: Parsed arguments.
        """
        for dataset, preprocessing in _configured(sys.argv[1:]):
            _complete(dataset, preprocessing, quiet=args.update_frequency == 0)
        super().main(args)


def refuse_unfinished(overrides: list[str]) -> None:
    """Refuse to preprocess data sets whose features are incomplete.

    Args:
        overrides: Arguments after the command.

    Raises:
        ValueError: If features are missing or truncated.
    """
    from autrainer_ext.datasets.features import unfinished_features

    for dataset, _ in _configured(overrides):
        missing = unfinished_features(dataset)
        if missing:
            raise ValueError(
                f"Features '{dataset['path']}/{dataset['features_subdir']}' lack {len(missing)} "
                f"recordings, the first one is '{missing[0]}': delete the folder, or complete it "
                "with autrainer-ext preprocess."
            )


def _complete(dataset: dict[str, Any], preprocessing: dict[str, Any], *, quiet: bool) -> None:
    """Compute the features that are missing or truncated."""
    from autrainer.datasets.utils import AbstractFileHandler
    from autrainer.transforms import SmartCompose
    from tqdm import tqdm

    from autrainer_ext.compat import apply_transform
    from autrainer_ext.datasets.features import feature_path, unfinished_features

    files = unfinished_features(dataset)
    if not files:
        return
    build = autrainer.instantiate_shorthand
    reader = build(preprocessing["file_handler"], instance_of=AbstractFileHandler)
    writer = build(dataset["file_handler"], instance_of=AbstractFileHandler)
    pipeline = SmartCompose([build(transform) for transform in preprocessing["pipeline"]])
    remove_leftovers(feature_path(dataset, files[0]).parent)
    for file in tqdm(files, desc="Missing features", unit="file", disable=quiet):
        features = apply_transform(pipeline, reader.load(f"{dataset['path']}/default/{file}"))
        with atomic_file(feature_path(dataset, file)) as part:
            writer.save(part, features)


def _configured(overrides: list[str]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Data sets of a sweep with their preprocessing; none if the configuration is wrong."""
    try:
        config = compose(overrides, "config")
        swept = OmegaConf.select(config, "hydra.sweeper.params.dataset")
        names = [part for text in overrides if text.startswith("dataset=") for part in _split(text)]
        names = names or _split(f"dataset={swept}" if swept else "")
        rest = [text for text in overrides if not text.startswith("dataset=")]
        configs = [compose([*rest, f"dataset={name}"], "config") for name in names] or [config]
        datasets = [{key: _plain(each.dataset[key]) for key in _KEYS} for each in configs]
        paths = [find_configuration("preprocessing", data["features_subdir"]) for data in datasets]
        return [
            (dataset, _plain(OmegaConf.load(path)))
            for dataset, path in zip(datasets, paths, strict=True)
            if path is not None  # else the features are the user's own
        ]
    except Exception:
        return []  # the host reports the error


def _split(override: str) -> list[str]:
    return [name.strip() for name in override.partition("=")[2].split(",") if name.strip()]


def _plain(value: Any) -> Any:  # noqa: ANN401  any node of a configuration
    is_node = OmegaConf.is_config(value)
    return OmegaConf.to_container(value, resolve=True) if is_node else value
