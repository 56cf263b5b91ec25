"""How ``pytest --nbval`` checks a chapter against the outputs stored in it.

nbval collects the cells, reads their tags, sanitizes and compares. nbclient, which recorded
the outputs (see record.py), executes them, in the same environment. Beyond what nbval does:

* a kernel that dies fails its cell at once, and the rest of that chapter is skipped;
* a cell that was never run, or that writes to standard error, or has stored some, fails;
* figures are compared: at most `PNG_TOLERANCE` apart, and none missing;
* the tag ``approx`` lets the digits of an output differ, ``approx-25`` by at most 25 per
  cent; words must be the same, and figures of about the same size;
* what failed is shown on one page, old and new outputs side by side (see report.py), and marked
  in its file by GitHub Actions.
"""

import base64
import copy
import json
import math
import re
import sys
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbval.plugin import IPyNbCell, IPyNbFile, coalesce_streams

sys.path.insert(0, str(Path(__file__).parent / "tools"))
from record import (
    CELL_TIMEOUT,
    kernel_env,
    lighten_figures,
    longest_first,
    make_client,
    strip_views,
)
from report import Change, alt_text, from_failures, line_of

# Root mean square over pixels and channels, of 255. Data moved by 0.1 % give about 1.3,
# by 1 % about 9; one other letter in a title gives about 10; the palette
# of a stored figure less than 1.
PNG_TOLERANCE = 2.0
# Tick labels change the size of a tightly cropped figure a little.
SIZE_TOLERANCE = 0.1

NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:,\d{3})*(?:\.\d*)?(?:[eE][-+]?\d+)?")


def pytest_configure(config):
    """Settings that a bare ``pytest --nbval`` shall have too."""
    option = config.option
    if option.nbval_sanitize_with is None:
        option.nbval_sanitize_with = str(Path(__file__).with_name("nbval_sanitize.cfg"))
    if option.nbval and getattr(option, "dist", "no") not in {"no", "loadfile", "loadscope"}:
        raise pytest.UsageError("a chapter runs in one kernel: add --dist loadfile")


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    """Take the place of nbval's own collector."""
    found = yield
    return [
        Chapter.from_parent(parent, path=file_path) if isinstance(node, IPyNbFile) else node
        for node in found
    ]


def pytest_collection_modifyitems(items):
    """Chapters first and the longest first, so that no core waits for a late one."""
    items.sort(key=lambda item: longest_first(item.path))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Add to the report of a failed cell what it showed; xdist sends it on."""
    report = yield
    if report.failed and isinstance(item, Cell):
        report.change = json.dumps(asdict(item.change(str(call.excinfo.value))))
    return report


def pytest_terminal_summary(terminalreporter, config):
    """Where the report is, and the seconds that each chapter took, its kernel's start included."""
    failed = terminalreporter.stats.get("failed", []) + terminalreporter.stats.get("error", [])
    for line in from_failures(failed, config.rootpath / "_build" / "report"):
        terminalreporter.write_line(line)
    seconds = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            path = getattr(report, "nodeid", "").partition("::")[0]
            if path.endswith(".ipynb"):
                seconds[Path(path).stem] += getattr(report, "duration", 0.0)
    if seconds:
        terminalreporter.section("seconds per chapter")
        for name, spent in sorted(seconds.items(), key=lambda pair: -pair[1]):
            terminalreporter.write_line(f"{name:<20} {spent:6.1f}")


class Chapter(IPyNbFile):
    """A notebook with a kernel of its own."""

    client = None
    broken_by = None  # the cell after which this kernel is of no use

    def setup(self):
        """Start the kernel on a copy of the chapter that has no outputs."""
        notebook = copy.deepcopy(self.nb)
        self.code_cells = []
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
                self.code_cells.append((index, cell))
        self.client = make_client(notebook, self.path.parent)
        self._kernel_context = self.client.setup_kernel(env=kernel_env())
        self._kernel_context.__enter__()
        self.setup_sanitize_files()
        self.skip_compare = tuple(key for key in self.skip_compare if key != "image/png")

    def teardown(self):
        """Stop the kernel, if it still lives."""
        if self.client is not None:
            self._kernel_context.__exit__(None, None, None)
            self.client = None

    def collect(self):
        """Each code cell is a test."""
        for item in super().collect():
            yield Cell.from_parent(
                self,
                name=item.name,
                cell_num=item.cell_num,
                cell=item.cell,
                options=item.options,
            )


class Cell(IPyNbCell):
    """A code cell, executed and compared with its stored outputs."""

    def runtest(self):
        """Execute, then compare."""
        if self.options["skip"]:
            pytest.skip("tagged nbval-skip")
        if self.parent.broken_by:
            pytest.skip(f"{self.parent.broken_by} broke this chapter's kernel")
        if self.cell.source.strip() and self.cell.execution_count is None:
            self.raise_cell_error(
                "this cell was never run: run the notebook as a whole, and save it"
            )
        self.test_outputs = outputs = coalesce_streams(self.execute())
        if any(output.get("name") == "stderr" for output in outputs):
            text = "".join(o.text for o in outputs if o.get("name") == "stderr")
            self.raise_cell_error("the cell wrote to standard error", text)
        stored = coalesce_streams(self.cell.outputs)
        if any(output.get("name") == "stderr" for output in stored):
            self.raise_cell_error(
                "a progress bar or a warning is stored with this cell (it is standard error), and "
                "neither can be compared: switch it off, run the notebook again, and save it"
            )
        if self.options["check"] and not self.compare_outputs(outputs, stored):
            self.raise_cell_error("Cell outputs differ", "\n".join(self.comparison_traceback))

    def change(self, says: str) -> Change:
        """What the cell showed, beside what is stored."""
        _, executed = self.parent.code_cells[self.cell_num]
        path = self.path.relative_to(self.config.rootpath).as_posix()
        line = line_of(self.path, self.cell.get("id", ""))
        stored, new = (json.loads(json.dumps(cell.outputs)) for cell in (self.cell, executed))
        for outputs in (stored, new):
            lighten_figures(outputs)
        return Change(
            path, self.cell_num, self.cell.source, says, stored, new, alt_text(self.cell), line
        )

    def execute(self):
        """Run the cell in the chapter's kernel and return its outputs."""
        index, cell = self.parent.code_cells[self.cell_num]
        if self.options["check_exception"]:
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), "raises-exception"]
        try:
            self.parent.client.execute_cell(cell, index)
        except CellExecutionError as error:
            # A claim that does not hold leaves the kernel as usable as it was.
            if error.ename not in {"AssertionError", "ClaimFailed"}:
                self.parent.broken_by = self.name
            self.raise_cell_error(f"the cell raised {error.ename}", error.traceback)
        except CellTimeoutError:
            self.parent.broken_by = self.name
            self.raise_cell_error(f"the cell took more than {CELL_TIMEOUT} seconds")
        except DeadKernelError:
            self.parent.broken_by = self.name
            self.raise_cell_error("the kernel died in this cell")
        strip_views(cell.outputs)
        return cell.outputs

    def compare_outputs(self, test, ref, skip_compare=None):
        """nbval's comparison, after figures and approximate numbers were judged."""
        test, ref = copy.deepcopy(test), copy.deepcopy(ref)
        tags = [re.fullmatch(r"approx(?:-(\d+))?", t) for t in self.cell.metadata.get("tags", [])]
        approx = next(filter(None, tags), None)
        if approx:
            tolerance = int(approx[1]) / 100 if approx[1] else math.inf
            for new, old in zip(test, ref, strict=False):
                settle_texts(new, old, tolerance)
        for new, old in zip(figures(test), figures(ref), strict=False):
            settle_figure(new, old, same_size_only=bool(approx))
        return super().compare_outputs(test, ref, skip_compare)


def settle_texts(new, old, tolerance: float) -> None:
    """Make two outputs' texts equal where only digits differ, by no more than `tolerance`."""
    for new_part, old_part in ((new, old), (new.get("data", {}), old.get("data", {}))):
        for key in new_part.keys() & old_part.keys() - {"image/png", "output_type", "name"}:
            texts = new_part[key], old_part[key]
            if all(isinstance(text, str) for text in texts) and close(*texts, tolerance):
                old_part[key] = new_part[key]


def close(new: str, old: str, tolerance: float) -> bool:
    """Whether two texts have the same words, and numbers within a relative `tolerance`."""

    def words(text):  # rules and blanks grow with numbers: an array prints 12.5] but 7. ]
        return re.sub(r"[-\s]+", "", NUMBER.sub("#", text))

    def numbers(text):
        return [float(found.replace(",", "")) for found in NUMBER.findall(text)]

    return words(new) == words(old) and all(
        abs(a - b) <= tolerance * max(abs(a), abs(b)) or a == b
        for a, b in zip(numbers(new), numbers(old), strict=True)
    )


def figures(outputs) -> list[dict]:
    """The data of those outputs that hold a PNG."""
    return [o["data"] for o in outputs if "image/png" in o.get("data", {})]


def settle_figure(new: dict, old: dict, *, same_size_only: bool) -> None:
    """Replace two PNGs by one word if they look the same, else by what is wrong."""
    pixels = [
        iio.imread(base64.b64decode(data["image/png"]), extension=".png")[..., :3].astype(float)
        for data in (new, old)
    ]
    sizes = [image.shape[:2] for image in pixels]
    if same_size_only:
        alike = all(abs(a - b) <= SIZE_TOLERANCE * max(a, b) for a, b in zip(*sizes, strict=True))
        found = f"figure of size {sizes[0]} instead of {sizes[1]}"
    elif sizes[0] != sizes[1]:
        alike, found = False, f"figure of size {sizes[0]} instead of {sizes[1]}"
    else:
        rms = float(np.sqrt(np.mean((pixels[0] - pixels[1]) ** 2)))
        alike, found = rms <= PNG_TOLERANCE, f"figure that differs by {rms:.1f} of 255"
    old["image/png"] = "figure"
    new["image/png"] = "figure" if alike else found
