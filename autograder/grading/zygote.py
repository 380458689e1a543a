"""The process that imports once and forks a jailed child per submission. Runs inside the sandbox.

Started as `python zygote.py CONTROL_FD '{"imports": [...], "setup": [...], "jail": true}'`. It imports the modules,
runs the lesson's own first cells, and then forks. The host sends one message per submission on the control socket:
JSON limits, with the submission's own channel attached. The zygote never reads a byte that a submission wrote.
"""

import gc
import importlib
import json
import os
import socket
import sys
import warnings


def main(control: socket.socket, options: dict) -> None:
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import jail
    import runner

    gc.disable()  # nothing that imports make is garbage
    shell = runner.make_shell()
    failed = import_all(options["imports"]) or runner.run_setup(shell, options["setup"])
    gc.freeze()  # collections in the children leave the pages that they share with us alone
    gc.enable()
    baseline = address_space()
    control.send(json.dumps({"ready": True, "failed": failed}).encode())
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 65536, 1)
        if not message:
            os._exit(0)
        child = os.fork()
        if child == 0:
            control.close()
            channel = socket.socket(fileno=descriptors[0])
            limits = json.loads(message)
            limits["address_space"] = baseline + limits["memory"]
            try:
                (jail.enter if options["jail"] else jail.pretend)(channel, limits)
            except OSError as error:
                channel.send(b"E" + str(error).encode())
                os._exit(1)
            runner.serve(channel, shell, limits)
            os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)
        os.waitpid(child, 0)  # it lives for a millisecond: pid 1 of the jail belongs to the sandbox's init


def import_all(names: list[str]) -> str:
    failed = []
    for name in names:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                importlib.import_module(name)
        except Exception as error:
            failed.append(f"import {name}: {type(error).__name__}: {error}")
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        torch.set_num_threads(1)
        torch.nn.Linear(2, 2)(torch.ones(1, 2))
    return "; ".join(failed)


def address_space() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), json.loads(sys.argv[2]))
