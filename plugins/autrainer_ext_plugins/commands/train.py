"""Command `train`: the host's command, which removes the folders of runs that never started."""

import shutil
import sys
import time
from pathlib import Path

from autrainer.core.scripts import AbstractScript

from .hosts import compose


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
        """
        start, overrides = time.time(), sys.argv[1:]
        try:
            self._host.main(args)
        except BaseException:
            _remove_unstarted(overrides, start)
            raise


def _remove_unstarted(overrides: list[str], since: float) -> None:
    try:
        runs = list(Path(compose(overrides, "config").hydra.sweep.dir).glob("*/"))
    except Exception:
        return  # the configuration is wrong: no folder was created
    for run in runs:
        # the host saves the untrained model as soon as data and model are loaded
        if run.stat().st_mtime >= since and not (run / "_initial").exists():
            shutil.rmtree(run)
