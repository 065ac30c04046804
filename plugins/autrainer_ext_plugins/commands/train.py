"""Command `train`: the host's command, which removes the folders of runs that never started."""

import shutil
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from autrainer.core.scripts import AbstractScript

from .arguments import reporting_errors
from .hosts import compose

_LIBRARIES = {"MLFlowLogger": "mlflow", "TensorBoardLogger": "tensorboard"}


class TidyTrainScript(AbstractScript):
    """Train, and remove the folders of runs that failed before training started.

    The host creates the folder of a run before it reads the data. If reading fails, for example
    because of a wrong path, the folder stays and makes `postprocess` fail.

    Args:
        host: The host's script.
    """

    def __init__(self, host: AbstractScript) -> None:
        super().__init__(
            host.command,
            host.description,
            host.extended_description,
            "Examples:\n"
            "  autrainer-ext train -cn ext_demo\n"
            "  autrainer-ext train -cn ext_demo model=CPMobile-5k iterations=5",
            unknown_args=True,
        )
        self._host = host

    def main(self, args: dict) -> None:
        """Run the command.

        Args:
            args: Parsed arguments.

        Raises:
            CommandLineError: If the library of a logger is not installed.
        """
        start, overrides = time.time(), sys.argv[1:]
        with reporting_errors(self.parser):
            _check_loggers(overrides)
        try:
            self._host.main(args)
        except BaseException:
            _remove_unstarted(overrides, start)
            raise


def _check_loggers(overrides: list[str]) -> None:
    """Check that the libraries of the loggers are installed.

    The host notices their absence when it saves the results: it trains to the end, then fails.
    """
    try:
        loggers = compose(overrides, "config").get("loggers") or []
    except Exception:
        return  # the configuration is wrong: the host reports it
    for logger in loggers:
        path = logger if isinstance(logger, str) else next(iter(logger))
        name = path.rpartition(".")[2]
        library = _LIBRARIES.get(name)
        if library and find_spec(library) is None:
            raise ValueError(
                f"Logger '{name}' needs {library}, which is not installed: "
                "pip install 'autrainer-ext[logging]'."
            )


def _remove_unstarted(overrides: list[str], since: float) -> None:
    try:
        runs = list(Path(compose(overrides, "config").hydra.sweep.dir).glob("*/"))
    except Exception:
        return  # the configuration is wrong: no folder was created
    for run in runs:
        # the host saves the untrained model as soon as data and model are loaded
        if run.stat().st_mtime >= since and not (run / "_initial").exists():
            shutil.rmtree(run)
