"""Command `train`: the host's command, which removes the folders of runs that never started."""

import os
import shutil
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from autrainer.core.scripts import AbstractScript
from omegaconf import DictConfig

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
            CommandLineError: If the library of a logger or the launcher is not installed.
        """
        start = time.time()
        try:
            config = compose(sys.argv[1:], "config")
        except Exception:
            return self._host.main(args)  # the configuration is wrong: the host reports it
        with reporting_errors(self.parser):
            _check_loggers(config)
            is_parallel = _prepare_launcher(config)
        try:
            self._host.main(args)
        except BaseException:
            if not is_parallel:  # other runs may be about to start
                _remove_unstarted(Path(config.hydra.sweep.dir), start)
            raise


def _check_loggers(config: DictConfig) -> None:
    """Check that the libraries of the loggers are installed.

    The host notices their absence when it saves the results: it trains to the end, then fails.
    """
    for logger in config.get("loggers") or []:
        path = logger if isinstance(logger, str) else next(iter(logger))
        name = path.rpartition(".")[2]
        library = _LIBRARIES.get(name)
        if library and find_spec(library) is None:
            raise ValueError(
                f"Logger '{name}' needs {library}, which is not installed: "
                "pip install 'autrainer-ext[logging]'."
            )


def _prepare_launcher(config: DictConfig) -> bool:
    """Check that the launcher is installed, and give its processes one thread each.

    Returns:
        Whether runs are side by side.
    """
    target = str(config.hydra.launcher.get("_target_"))
    if target.startswith("hydra._internal."):
        return False
    if find_spec(".".join(target.split(".")[:2])) is None:
        raise ValueError(
            f"Launcher '{target.rpartition('.')[2]}' is not installed: "
            "pip install 'autrainer-ext[cluster]'."
        )
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # they inherit it
    return True


def _remove_unstarted(training: Path, since: float) -> None:
    for run in list(training.glob("*/")):
        # the host saves the untrained model as soon as data and model are loaded
        if run.stat().st_mtime >= since and not (run / "_initial").exists():
            shutil.rmtree(run)
