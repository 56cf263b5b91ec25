"""The whole book is printed by Chromium, and the first page leads to it."""

import shutil
import sys

import pytest
from places import ROOT

sys.path.insert(0, str(ROOT / "book" / "tools"))

from whole import FILES, main


@pytest.mark.slow
def test_a_pdf_has_every_chapter(site_folder, tmp_path):
    site = shutil.copytree(site_folder, tmp_path / "site")
    main("pdf", site)  # stops at an equation or an image that cannot be shown
    printed = (site / FILES["pdf"]).read_bytes()
    assert printed.startswith(b"%PDF") and printed.count(b"/Subtype /Link") > 200
    assert FILES["pdf"] in (site / "book/index.html").read_text(encoding="utf-8")
