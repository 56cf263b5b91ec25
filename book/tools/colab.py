# @title Set-up for Google Colab; anywhere else this cell does nothing
import importlib.util

# Where the course is. Empty: the place from which Colab opened this notebook.
REPOSITORY, REF = "", ""


def fetch_course(repository, ref):
    """Bring the course to a Colab machine: its files, its library, and what that needs."""
    import importlib.metadata
    import json
    import os
    import re
    import subprocess
    import sys
    import tempfile
    import urllib.parse
    import urllib.request

    def run(*command):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")

    repository = repository or os.environ.get("BOOK_REPOSITORY_URL", "")
    ref = ref or os.environ.get("BOOK_REF", "")
    if not repository:
        host = os.environ.get("COLAB_JUPYTER_IP", "172.28.0.12")
        port = os.environ.get("KMP_TARGET_PORT", "9000")
        try:
            with urllib.request.urlopen(f"http://{host}:{port}/api/sessions", timeout=10) as answer:
                opened = urllib.parse.unquote(json.load(answer)[0]["path"])
        except (OSError, LookupError, ValueError):
            opened = ""
        found = re.search(r"(https://github\.com/[^/]+/[^/]+)/blob/(.+)/book/", opened)
        if not found:
            raise RuntimeError(
                "This notebook does not know where the course is. Write the address of its "
                "repository into this cell, REPOSITORY, REF = 'https://github.com/...', 'main', "
                "and run it again; or open the notebook with the Colab button of the course's site."
            )
        repository, ref = found.groups()
    course = os.path.join(tempfile.gettempdir(), "dqn-course")
    run("git", "init", "-q", course)
    run("git", "-C", course, "fetch", "-q", "--depth", "1", repository, ref or "HEAD")
    run("git", "-C", course, "checkout", "-q", "-f", "--detach", "FETCH_HEAD")
    # Asking for the versions that are here keeps them, and nothing has to be restarted.
    keep = [f"{name}=={importlib.metadata.version(name)}" for name in ("torch", "numpy")]
    run(sys.executable, "-m", "pip", "install", "-q", f"{course}[course]", *keep)
    importlib.invalidate_caches()
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # videos are drawn without a window
    os.chdir(os.path.join(course, "book"))


if importlib.util.find_spec("google") and importlib.util.find_spec("google.colab"):
    fetch_course(REPOSITORY, REF)
