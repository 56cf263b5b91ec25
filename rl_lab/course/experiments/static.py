"""The texts of the experiments: ES modules for a kernel, classic scripts for the site.

An experiment NAME is a file ``NAME.js`` in this folder that ends with
``export default { render };``. It imports nothing; a first line
``// needs: cartpole.js dqn.js`` names files of this folder that are put before it, and
``common.js`` always is. So a widget's module is one text, and so is a script that works
from ``file://``, where browsers refuse ES modules.
"""

import base64
import json
import re
from pathlib import Path

from rl_lab.course.stored import verify_checksum

HERE = Path(__file__).parent
DATA = HERE.parents[2] / "book" / "data"  # in a checkout
ASSET_KINDS = (".safetensors", ".json", ".csv")

EXPORT = re.compile(r"^export default \{ render \};\s*$", re.MULTILINE)
NEEDS = re.compile(r"^// needs:(.*)$", re.MULTILINE)


def experiments() -> list[str]:
    """Return the names of all experiments, in order."""
    return sorted(p.stem for p in HERE.glob("*.js") if EXPORT.search(_read(p.name)))


def module_source(name: str) -> str:
    """Return the ES module of an experiment: what it needs, then ``NAME.js``.

    Raises:
        ValueError: if there is no such experiment, or its file ends without the export.
    """
    if not (HERE / f"{name}.js").is_file():
        raise ValueError(f"there is no experiment {name!r}; there are: {', '.join(experiments())}")
    text = _read(f"{name}.js")
    if len(EXPORT.findall(text)) != 1:
        raise ValueError(f"{name}.js must end with one line `export default {{ render }};`")
    found = NEEDS.search(text)
    return "\n".join(map(_read, ["common.js", *(found[1].split() if found else [])])) + "\n" + text


def classic_script(name: str) -> str:
    """Return a script that registers the experiment as ``window.rlExperiments[NAME]``."""
    body = EXPORT.sub(
        f"(window.rlExperiments ??= {{}})[{json.dumps(name)}] = {{ render }};", module_source(name)
    )
    return f'(() => {{\n"use strict";\n{body}\n}})();\n'


def loader_script() -> str:
    """Return the script that brings a page's experiments to life; it comes after the others."""
    return _read("loader.js")


def stylesheet() -> str:
    """Return the style of all experiments."""
    return _read("common.css")


def asset_path(name: str) -> Path:
    """Return the file of a stored data set that experiments read.

    It is looked for in the checkout, and then where the notebooks are (``data``,
    ``book/data``).

    Raises:
        FileNotFoundError: if it is in none of these folders.
        ValueError: if it is damaged.
    """
    folders = (DATA, Path("data"), Path("book", "data"))
    for folder in folders:
        for kind in ASSET_KINDS:
            if (path := folder / f"{name}{kind}").is_file():
                return verify_checksum(path)
    raise FileNotFoundError(
        f"no {name}{{{','.join(ASSET_KINDS)}}} in {', '.join(map(str, folders))}: run in a "
        "checkout of the course, or put its folder book/data beside the notebook"
    )


def asset_script(name: str) -> str:
    """Return a script that keeps a stored data set, in base64, as ``window.rlAssets[NAME]``."""
    coded = base64.b64encode(asset_path(name).read_bytes()).decode()
    return f"(window.rlAssets ??= {{}})[{json.dumps(name)}] =\n{json.dumps(coded)};\n"


def _read(file: str) -> str:
    return (HERE / file).read_text(encoding="utf-8")
