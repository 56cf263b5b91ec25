"""Where a result comes from: versions, processor and commit."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import torch


def machine() -> dict:
    """Versions and processor: where they match, results repeat exactly."""
    names = ("torch", "gymnasium", "numpy")
    return {
        "versions": {"python": platform.python_version(), **{n: version(n) for n in names}},
        "processor": f"{_processor()}, {torch.backends.cpu.get_cpu_capability()}",
    }


def commit() -> str:
    """The commit of the code that runs, with ``+`` behind it where files were changed since."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
        tracked = [*git, "status", "--porcelain", "--untracked-files=no"]
        changed = subprocess.run(tracked, capture_output=True, text=True)
    except FileNotFoundError:  # no git here
        return "unknown"
    if head.returncode or changed.returncode:
        return "unknown"
    return head.stdout.strip() + "+" * bool(changed.stdout.strip())


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():  # a processor's name alone can stand for several generations
        fields = dict(
            (part.strip() for part in line.split(":", 1))
            for line in cpuinfo.read_text().splitlines()
            if ":" in line
        )
        if "model name" in fields:
            generation = (
                f"{key} {fields[key]}" for key in ("cpu family", "model") if key in fields
            )
            return ", ".join((fields["model name"], *generation))
    return platform.processor() or platform.machine()
