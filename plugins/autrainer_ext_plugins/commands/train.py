"""Command `train`: the host's, without the remains of runs that never started."""

import shutil
import sys
import time
from pathlib import Path

from autrainer.core.scripts import AbstractScript

from .hosts import compose


class TidyTrainScript(AbstractScript):
    """Train, and remove the folders of runs that failed before they had a model.

    The host makes the folder of a run before it looks at the data. A run that fails there, over
    a wrong path or a table that lacks a column, leaves a folder that `postprocess` stumbles
    over.

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
        return  # the configuration itself is wrong: no run was made
    for run in runs:
        # the host saves the untrained model once data and model are there
        if run.stat().st_mtime >= since and not (run / "_initial").exists():
            shutil.rmtree(run)
