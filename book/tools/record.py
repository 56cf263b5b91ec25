"""Execute chapters and store what they show: ``make outputs``, or ``record.py replay`` for one.

A chapter that shows what it showed before is written back byte for byte: no clock, no random
id, no version number enters the file. `conftest.py` runs the same kernel in the same
environment and compares.
"""

import base64
import io
import os
import sys
import threading
import time
from pathlib import Path

import nbformat
import psutil
from joblib import Parallel, delayed
from nbclient import NotebookClient
from PIL import Image

BOOK = Path(__file__).parents[1]
COLOURS = 256  # of a stored figure
CELL_TIMEOUT = 600  # seconds; a whole chapter has 180

# Everything outside of a chapter that could change what it prints or draws.
ENV = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "SOURCE_DATE_EPOCH": "0",
    "TQDM_DISABLE": "1",
    "COLUMNS": "80",
    "SDL_VIDEODRIVER": "dummy",
    "SDL_AUDIODRIVER": "dummy",
    "PYGAME_HIDE_SUPPORT_PROMPT": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "IPYKERNEL_CELL_NAME": "<cell>",
}
# The first cell of every chapter: Colab's set-up, which the site leaves out.
SETUP = Path(__file__).with_name("colab.py")
SETUP_METADATA = {"cellView": "form", "jupyter": {"source_hidden": True}, "tags": ["remove-cell"]}
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}

# The order in which two cores finish soonest. A chapter that is not named comes first.
LONGEST_FIRST = (
    "pixels",
    "lunar_lander",
    "cartpole",
    "takeaways",
    "ablation",
    "your_environment",
    "distributional",
    "write_dqn",
    "debugging",
    "target_network",
    "naive_network",
    "tabular_limits",
    "replay",
    "double_dqn",
    "dueling",
    "noisy_networks",
    "rainbow",
    "better_memory",
    "time_limits",
    "luck",
    "tuning",
)


def longest_first(path: Path) -> int:
    """Sorts chapters by the time they take; whatever is no chapter comes last."""
    if path.suffix != ".ipynb":
        return len(LONGEST_FIRST)
    return LONGEST_FIRST.index(path.stem) if path.stem in LONGEST_FIRST else -1


def make_client(notebook, folder: Path) -> NotebookClient:
    """The client that records and checks; its kernel starts in `folder`."""
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name=KERNEL["name"],
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(folder)}},
    )
    # Without this a cell that uses an Output widget may wait for its whole timeout.
    client.widget_registry = {}
    return client


def kernel_env() -> dict[str, str]:
    """The environment of a chapter's kernel."""
    return {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"} | ENV


class PeakMemory(threading.Thread):
    """The most memory that the children of this process held together, in bytes."""

    def __init__(self):
        super().__init__(daemon=True)
        self.bytes = 0
        self._stop_asked = threading.Event()

    def run(self):
        """Look every fifth of a second until asked to stop."""
        while not self._stop_asked.wait(0.2):
            self.bytes = max(self.bytes, sum(map(_resident, psutil.Process().children(True))))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._stop_asked.set()
        self.join()


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:  # it ended meanwhile
        return 0


def stderr_cells(notebook) -> list[int]:
    """Which code cells wrote to standard error, counted from 0 as nbval does."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [
        number
        for number, cell in enumerate(code)
        if any(output.get("name") == "stderr" for output in cell.outputs)
    ]


def strip_views(outputs) -> None:
    """Take out the widgets' live views, whose ids are random; their HTML stays."""
    for output in outputs:
        output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)


def lighten_figures(outputs) -> None:
    """Store figures as palette images: a third of the bytes, and no difference to the eye."""
    for output in outputs:
        data = output.get("data", {})
        if "image/png" not in data:
            continue
        figure = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
        if figure.mode == "P":
            continue
        palette = figure.convert("RGB").quantize(
            COLOURS, method=Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE
        )
        file = io.BytesIO()
        palette.save(file, "png", optimize=True)
        data["image/png"] = base64.encodebytes(file.getvalue()).decode()


def tidy(notebook) -> None:
    """Remove what changes from run to run or from machine to machine."""
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    )
    for number, cell in enumerate(notebook.cells):
        cell.setdefault("id", f"cell-{number}")
        cell.metadata.pop("execution", None)
        strip_views(cell.get("outputs", []))
        lighten_figures(cell.get("outputs", []))


def set_up_first(notebook) -> None:
    """Let the chapter begin with the set-up cell as it stands in colab.py."""
    if notebook.cells[0].get("id") != SETUP.stem:
        notebook.cells.insert(0, nbformat.v4.new_code_cell(id=SETUP.stem))
    notebook.cells[0].metadata = nbformat.from_dict(SETUP_METADATA)
    notebook.cells[0].source = SETUP.read_text(encoding="utf-8").strip()


def record(path: Path) -> str:
    """Execute one chapter, store its outputs, and say how it went.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell raises; the file is left as it was.
        RuntimeError: if a cell writes to standard error; likewise.
    """
    before = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(before, as_version=4)
    set_up_first(notebook)
    start = time.perf_counter()
    with PeakMemory() as peak:
        make_client(notebook, path.parent).execute(env=kernel_env())
    seconds = time.perf_counter() - start
    if noisy := stderr_cells(notebook):
        raise RuntimeError(f"{path.name}: code cells {noisy} wrote to standard error")
    tidy(notebook)
    after = nbformat.writes(notebook) + "\n"
    if after != before:  # whole or not at all: a full disk must not cost the chapter
        unfinished = path.with_suffix(".tmp")
        try:
            unfinished.write_text(after, encoding="utf-8", newline="\n")
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        unfinished.replace(path)
    change = "unchanged" if after == before else "changed"
    return f"{path.stem:<16} {seconds:6.1f} s  {peak.bytes / 2**20:6.0f} MB  {change}"


def try_record(path: Path) -> str | None:
    """Print the outcome of `record`; return the chapter's name if it failed."""
    try:
        print(record(path), flush=True)
    except Exception as error:
        print(f"{path.stem:<16} FAILED: {error}", file=sys.stderr, flush=True)
        return path.stem
    return None


def main(names: list[str]) -> int:
    """Record the named chapters, or all, two at a time."""
    paths = [BOOK / f"{Path(name).stem}.ipynb" for name in names] or [*BOOK.glob("*.ipynb")]
    if missing := [path.name for path in paths if not path.is_file()]:
        sys.exit(f"no such chapter: {', '.join(missing)}")
    outcomes = Parallel(n_jobs=min(2, len(paths) or 1))(
        delayed(try_record)(path) for path in sorted(paths, key=longest_first)
    )
    failed = [name for name in outcomes if name]
    return f"failed: {', '.join(failed)}" if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
