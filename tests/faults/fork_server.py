"""Run commands in forks of one process, and kill them at a chosen operation on files.

Reads one job per line from standard input, as JSON, and answers each with a line of JSON. The
process imports the large libraries once; a fork starts in milliseconds.
"""

import importlib
import json
import os
import resource
import signal
import sys
import traceback

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate"}


def run(job: dict, report: int) -> None:
    """Run a command in this process; the kill comes before the operation with number `kill_at`.

    Args:
        job: `script` ("module:function"), `arguments`, `folder` to work in, `log`, and `kill_at`
            and the largest `file_size`, which may be None.
        report: File descriptor to which the number of operations is written.
    """
    os.chdir(job["folder"])
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    root, count = os.path.realpath(job["folder"]), 0

    def hook(event: str, arguments: tuple) -> None:
        nonlocal count
        writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if not (writes or event in CHANGES) or not isinstance(
            arguments[0], str | bytes | os.PathLike
        ):
            return
        path = os.path.realpath(os.fsdecode(arguments[0]))
        if path.startswith(root + os.sep):
            count += 1
            if count == job["kill_at"]:
                os.kill(os.getpid(), signal.SIGKILL)

    if job["file_size"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["file_size"], resource.RLIM_INFINITY))
    sys.argv = sys.orig_argv = [job["script"].partition(":")[0], *job["arguments"]]
    module, _, function = job["script"].partition(":")
    code = 0
    sys.addaudithook(hook)
    try:
        getattr(importlib.import_module(module), function)()
    except SystemExit as exit:
        code = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
        print(exit.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 70
    os.write(report, json.dumps({"code": code, "operations": count}).encode())


def serve() -> None:
    """Answer jobs until standard input ends."""
    import torch

    for name in (
        "autrainer.training",
        "autrainer_ext_plugins.cli",
        "autrainer_ext.serving.inference",
    ):
        importlib.import_module(name)
    torch.set_num_threads(1)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            run(json.loads(line), writing)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
        os.close(writing)
        with open(reading, "rb") as answer:
            content = answer.read()
        os.waitpid(child, 0)
        print(content.decode() or json.dumps({"code": -9}), flush=True)


if __name__ == "__main__":
    serve()
