"""Prove Binder without Binder: ``make proofs``, or ``python tests/launch/binder.py replay``.

A fresh clone and a fresh environment get what ``.binder/`` says; the Jupyter server of that
environment is started as Binder starts it, and every chapter executed over its REST and WebSocket
API, as a browser does. A chapter may use 1.5 GB of Binder's two, and six minutes of one core.
"""

import json
import os
import secrets
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import websocket
from shared import ROOT, chapters, fingerprint, hosted, new_venv, run, workshop

MEMORY = 1_500  # megabytes of the kernel and its children
SECONDS = 360  # of one core that a chapter takes; how long that is depends on who else is there
STEP = 600  # no cell takes longer


def install(folder: Path) -> tuple[Path, dict[str, str]]:
    """Build what Binder builds; returns the clone and the environment of its processes."""
    clone = folder / "clone"
    if not clone.exists():
        run("git", "clone", "--quiet", "--depth", "1", ROOT.as_uri(), clone)
    python = folder / "venv" / "bin" / "python"
    env = hosted(folder)
    env["PATH"] = f"{python.parent}{os.pathsep}{env['PATH']}"
    if not (folder / "installed").exists():
        new_venv(folder / "venv")
        try:
            run(".binder/postBuild", cwd=clone, env=env)
        except RuntimeError as error:
            if "torch" not in str(error):
                raise
            print("PyTorch's own index is out of reach: the same versions from pip's places.")
            ordinary = {"UV_TORCH_BACKEND": ""}
            if links := env.get("PIP_FIND_LINKS"):
                ordinary["UV_FIND_LINKS"] = links
            run(".binder/postBuild", cwd=clone, env=env | ordinary)
        (folder / "installed").touch()
    return clone, env


def image_size(folder: Path) -> float:
    """Megabytes of the installed packages."""
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    return sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) / 1e6


class Server:
    """A Jupyter server, spoken to as a browser does."""

    def __init__(self, process: subprocess.Popen, base: str, token: str):
        self.process, self.base, self.token = psutil.Process(process.pid), base, token

    def ask(self, path: str, body: dict | None = None, method: str | None = None) -> bytes:
        """Send a request, a POST where there is a body, and return the answer's bytes."""
        request = urllib.request.Request(
            self.base + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def usage(self) -> tuple[float, int]:
        """Processor seconds and megabytes of the kernel that runs, and of its children."""
        seconds, memory = 0.0, 0
        for child in self.process.children(recursive=True):
            try:
                seconds += sum(child.cpu_times()[:2])
                memory += child.memory_info().rss
            except psutil.Error:  # it ended meanwhile
                continue
        return seconds, memory // 2**20


@contextmanager
def jupyter(clone: Path, env: dict[str, str]):
    """The clone's server, started through ``.binder/start`` on one core."""
    token = secrets.token_hex(16)
    ports = [f"--ServerApp.{name}" for name in ("ip=127.0.0.1", "port=0", "open_browser=False")]
    command = [".binder/start", "jupyter", "lab", *ports, "--allow-root"]
    one_core = sorted(os.sched_getaffinity(0))[-1:]
    log = open(clone.parent / "server.log", "w+", encoding="utf-8")
    process = subprocess.Popen(
        command,
        cwd=clone,
        env=env | {"JUPYTER_TOKEN": token},
        stdout=log,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: os.sched_setaffinity(0, one_core),
    )
    try:
        yield Server(process, find_server(process, env), token)
    finally:
        process.terminate()
        process.wait(timeout=300)
        log.close()


def find_server(process: subprocess.Popen, env: dict[str, str]) -> str:
    """Wait until the server says where it is, and answers there; returns its address."""
    note = Path(env["HOME"], ".local/share/jupyter/runtime", f"jpserver-{process.pid}.json")
    for _ in range(3_000):
        if note.exists():
            base = json.loads(note.read_text())["url"]
            with suppress(OSError), urllib.request.urlopen(f"{base}api", timeout=60):
                return base
        if process.poll() is not None:
            raise RuntimeError("the server ended at once; see server.log")
        time.sleep(0.1)
    raise RuntimeError("the server did not start within five minutes")


def execute(connection: websocket.WebSocket, session: str, code: str) -> list[str]:
    """Have the kernel execute a cell; returns the errors it reports."""
    number = uuid.uuid4().hex
    header = {"msg_id": number, "username": "", "session": session, "version": "5.3"}
    header["msg_type"] = "execute_request"
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    connection.send(json.dumps(message | {"channel": "shell", "buffers": []}))
    errors, waiting_for = [], {"execute_reply", "idle"}
    while waiting_for:
        answer = connection.recv()
        if not isinstance(answer, str):
            continue  # widgets' binary messages
        answer = json.loads(answer)
        if answer["parent_header"].get("msg_id") != number:
            continue
        if answer["msg_type"] == "error":
            errors.append(f"{answer['content']['ename']}: {answer['content']['evalue']}")
        waiting_for -= {answer["msg_type"], answer["content"].get("execution_state")}
    return errors


def play(server: Server, name: str) -> tuple[float, int]:
    """Open a chapter, execute it from top to bottom, close it; returns its greatest usage."""
    path = f"book/{name}.ipynb"
    assert b"jupyter-config-data" in server.ask(f"lab/tree/{path}"), "JupyterLab does not open"
    cells = json.loads(server.ask(f"api/contents/{path}"))["content"]["cells"]
    seen, over = [], threading.Event()

    def watch():
        while not over.wait(0.1):
            seen.append(server.usage())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    wanted = {"path": path, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
    opened = json.loads(server.ask("api/sessions", wanted))
    session = uuid.uuid4().hex
    socket = server.base.replace("http", "ws", 1)
    channels = f"{socket}api/kernels/{opened['kernel']['id']}/channels?session_id={session}"
    connection = websocket.create_connection(
        channels, timeout=STEP, header=[f"Authorization: token {server.token}"]
    )
    try:
        for cell in (cell for cell in cells if cell["cell_type"] == "code"):
            errors = execute(connection, session, "".join(cell["source"]))
            expected = "raises-exception" in cell["metadata"].get("tags", [])
            if bool(errors) != expected:
                raise RuntimeError(f"{name}, cell {cell['id']}: {errors or 'no error'}")
    finally:
        connection.close()
        over.set()
        watcher.join()
        server.ask(f"api/sessions/{opened['id']}", method="DELETE")
    seconds, megabytes = map(max, zip(*seen, strict=True))
    return seconds, megabytes


def main(names: list[str]) -> None:
    """Install, start, and play the chapters."""
    folder = workshop("binder")
    clone, env = install(folder)
    print(f"packages: {image_size(folder):.0f} MB", flush=True)
    before = fingerprint(clone)
    with jupyter(clone, env) as server:
        for name in chapters(names):
            seconds, megabytes = play(server, name)
            print(f"{name:<16} {seconds:6.1f} s of one core {megabytes:6d} MB", flush=True)
            assert megabytes < MEMORY, f"{name} uses {megabytes} MB; {MEMORY} is the limit"
            assert seconds < SECONDS, f"{name} takes {seconds:.0f} s; {SECONDS} is the limit"
    after = fingerprint(clone)
    changed = sorted(path for path, _ in before.items() ^ after.items())
    assert not changed, f"chapters wrote into the checkout: {changed}"


if __name__ == "__main__":
    main(sys.argv[1:])
