"""What the tests of the package share: where things are, and a worker that serves there."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent.resolve()
SOURCE = HERE.parents[1]
BUILD = Path(os.environ["BUILD"])
WORK = Path(os.environ["WORK"])
STAGE = WORK / "stage"  # where it is installed to
PREFIX = WORK / "moved"  # and where it then is
LIB = PREFIX / os.environ["LIBDIR"]
CLUSTERD = PREFIX / "bin/clusterd"

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
DEADLINE = 20  # seconds


def run(*command, **more):
    """What the command prints. Ends the test if it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def status(conf):
    asked = subprocess.run(
        [CLUSTERD, "status", "--json", conf], capture_output=True, text=True, check=False
    )
    return json.loads(asked.stdout) if asked.returncode == 0 else None


def wait_until_running(master, conf):
    """Gives the port."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end and master.poll() is None:
        now = status(conf)
        if now and now["state"] == "running":
            return int(now["listeners"][0]["address"].rpartition(":")[2])
    raise TimeoutError("clusterd did not start")


def echo(port):
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as client:
        client.sendall(b"ping\n")
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := client.recv(64):
            answer += piece
    return answer


def serve(worker):
    """Runs the worker under the installed clusterd: it gives back what a client sends."""
    with tempfile.TemporaryDirectory(prefix="clusterd-") as folder:
        conf, log = Path(folder, "app.conf"), Path(folder, "log")
        conf.write_text(
            'workers = 2\n[[listen]]\naddress = "127.0.0.1:0"\n'
            f'[worker]\ncommand = ["{worker}"]\n[control]\nsocket = "ctl.sock"\n',
            encoding="utf-8",
        )
        with log.open("wb") as out:
            master = subprocess.Popen([CLUSTERD, "start", conf], stdout=out, stderr=out)
        try:
            port = wait_until_running(master, conf)
            answers = {echo(port) for _ in range(4)}
            run(CLUSTERD, "stop", conf)
            code = master.wait(DEADLINE)
        except Exception as error:
            sys.exit(f"{worker}: {error!r}\n{log.read_text(encoding='utf-8')}")
        finally:
            if master.poll() is None:
                master.kill()
                master.wait()
    if answers != {b"ping\n"} or code != 0:
        sys.exit(f"{worker}: answered {answers}, and clusterd ended with {code}")
