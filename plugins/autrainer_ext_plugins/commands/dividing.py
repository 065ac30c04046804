"""Options of commands that divide their work among processes or jobs of a cluster."""

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from autrainer_ext.serving.shards import (
    Shard,
    Shards,
    Start,
    StartedShards,
    SubmittedJobs,
    python_command,
    start_processes,
)

from .arguments import positive_int

# settings of submitit for any cluster; others have the name of the cluster before theirs
_COMMON = ("timeout_min", "cpus_per_task", "gpus_per_node", "tasks_per_node", "mem_gb", "nodes")
_IGNORED = ("_target_", "submitit_folder", "name", "max_num_timeout", "stderr_to_stdout")


def add_dividing_options(parser: argparse.ArgumentParser) -> None:
    """Add the options `-j` and `--launcher`, and the hidden `--shard` of started processes.

    Args:
        parser: Parser of the command.
    """
    parser.add_argument(
        "-j",
        "--jobs",
        type=positive_int,
        default=1,
        metavar="N",
        help="Number of processes to divide the work among. Default: 1.",
    )
    parser.add_argument(
        "--launcher",
        metavar="L",
        help="Start them as jobs: slurm (an array), local, or the name of a configuration in\n"
        "conf/hydra/launcher. Default: processes of this machine.",
    )
    parser.add_argument("--shard", nargs=3, help=argparse.SUPPRESS)


def read_shards(
    args: Any,  # noqa: ANN401  arguments of different commands
    beside: Path,
    *,
    arguments: Sequence[str] = (),
) -> Shards:
    """Choose how the work of a command is divided.

    Args:
        args: Arguments of the command, with `jobs`, `launcher`, `shard` and perhaps `quiet`.
        beside: File or folder beside which temporary files may be written.
        arguments: Arguments to append in the started processes.

    Raises:
        ValueError: If the launcher does not exist or is not installed.
    """
    if args.shard is not None:
        index, count, folder = args.shard
        return Shard(int(index), int(count), Path(folder))
    if args.jobs == 1 and args.launcher is None:
        return Shards()
    start: Start = start_processes
    if args.launcher is not None:
        start = _read_launcher(args.launcher)
    return StartedShards(
        python_command([*sys.argv[1:], *arguments]),
        args.jobs,
        beside=beside,
        start=start,
        quiet=getattr(args, "quiet", False),
    )


def _read_launcher(name: str) -> SubmittedJobs:
    """Settings of a launcher of sweeps, for jobs of this package."""
    from omegaconf import OmegaConf

    from autrainer_ext.configurations import configuration_names
    from autrainer_ext.errors import unknown_name

    from .hosts import compose

    if find_spec("submitit") is None:
        raise ValueError(
            f"Launcher '{name}' needs submitit, which is not installed: "
            "pip install 'autrainer-ext[cluster]'."
        )
    known = [each for each in configuration_names("hydra/launcher") if each != "joblib"]
    full = f"submitit_{name}" if f"submitit_{name}" in known else name
    if full not in known:
        raise unknown_name("launcher", name, ("slurm", "local", *known))
    config = compose([f"hydra/launcher={full}"], None).hydra.launcher
    cluster = "slurm" if str(config.get("_target_")).endswith("SlurmLauncher") else "local"
    values = {key: config[key] for key in config if key not in _IGNORED}
    settings = {
        key if key in _COMMON else f"{cluster}_{key}": OmegaConf.to_object(value)
        if OmegaConf.is_config(value)
        else value
        for key, value in values.items()
    }
    return SubmittedJobs(cluster, settings | {"name": "autrainer-ext"})
