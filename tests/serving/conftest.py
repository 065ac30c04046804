"""Models, and a SLURM cluster of one node without systemd, accounting and changes of /etc."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import autrainer
import numpy as np
import pytest
import soundfile
import torch

from autrainer_ext.models import CPMobile
from autrainer_ext.serving.model_directory import write_model_directory

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "srun", "sinfo")
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
SchedulerParameters=batch_sched_delay=1,sched_interval=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=2000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
LABELS = [f"class {index}" for index in range(4)]


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    torch.manual_seed(0)
    network = CPMobile(4, base_channels=8, n_blocks=[1, 1], strides=[[1, 1], [2, 2]])
    configurations = Path(autrainer.__file__).parents[1] / "autrainer-configurations"
    directory = tmp_path_factory.mktemp("served") / "model"
    log_mel = configurations / "preprocessing/log_mel_16k.yaml"
    write_model_directory(directory, network, LABELS, log_mel)
    return str(directory)


@pytest.fixture
def model_without_resampling(model, tmp_path):
    directory = shutil.copytree(model, tmp_path / "fixed rate")
    handler = directory / "preprocess_file_handler.yaml"
    text = handler.read_text()
    assert "target_sample_rate: 16000" in text
    handler.write_text(text.replace("target_sample_rate: 16000", "target_sample_rate: null"))
    return str(directory)


def noise(n_samples, channels=1, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, (n_samples, channels))


@pytest.fixture
def recordings(tmp_path):
    """Usable files of many kinds and lengths, some in sub-folders."""
    folder = tmp_path / "recordings"
    (folder / "sub folder/deep").mkdir(parents=True)
    for index, n_samples in enumerate([8000, 8000, 12000, 8000, 20000, 8001]):
        soundfile.write(folder / f"{index}.wav", noise(n_samples, seed=index), 16000)
    for subtype in ("PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"):
        soundfile.write(folder / f"{subtype}.wav", noise(8000), 16000, subtype=subtype)
    soundfile.write(folder / "stereo.wav", noise(8000, 2), 16000)
    soundfile.write(folder / "high.wav", noise(22050), 44100)
    soundfile.write(folder / "low.wav", noise(4000), 8000)
    soundfile.write(folder / 'übung 日本, "q".wav', noise(8000), 16000)
    soundfile.write(folder / "sub folder/deep/inner.wav", noise(8000), 16000)
    return str(folder)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """Run a SLURM cluster on this machine; submit to it with the environment as it is."""
    reason = _reason_against()
    if reason:
        pytest.skip(reason)
    pytest.importorskip("submitit", reason="needs autrainer-ext[cluster]")
    with _cluster(tmp_path_factory.mktemp("slurm")) as path, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(path))
        yield


def _reason_against():
    """Why no cluster can be started here, or None."""
    if os.name != "posix" or os.geteuid() != 0:
        return "needs root to start SLURM"
    missing = [name for name in PROGRAMS if _which(name) is None]
    if missing:
        return f"needs {', '.join(missing)} (Debian: slurmctld slurmd slurm-client munge)"
    return None


@contextmanager
def _cluster(folder):
    """Start the daemons; the path of their configuration."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    host = socket.gethostname().split(".")[0]
    path = folder / "slurm.conf"
    path.write_text(CONFIGURATION.format(host=host, folder=folder, ports=_free_ports(2)))
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    environment = {**os.environ, "SLURM_CONF": str(path)}
    munge = ["--force", "--foreground", f"--key-file={key}", f"--socket={folder}/munge.socket"]
    munge += [f"--{name}-file={folder}/munged.{name}" for name in ("pid", "log", "seed")]
    daemons = []
    try:
        for command in (["munged", *munge], ["slurmctld", "-D", "-c"], ["slurmd", "-D"]):
            with open(folder / f"{command[0]}.out", "wb") as output:
                daemons.append(
                    subprocess.Popen(
                        [_which(command[0]), *command[1:]],
                        env=environment,
                        stdout=output,
                        stderr=output,
                    )
                )
            time.sleep(0.5)
        _wait_until_idle(environment, folder)
        yield path
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait()


def _wait_until_idle(environment, folder):
    for _ in range(120):
        state = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"], env=environment, capture_output=True, text=True
        )
        if state.stdout.strip() == "idle":
            return
        time.sleep(0.5)
    logs = "\n".join(path.read_text(errors="replace")[-800:] for path in folder.glob("*.log"))
    raise RuntimeError(f"SLURM does not start: {state.stdout} {state.stderr}\n{logs}")


def _which(name):
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def _free_ports(number):
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
