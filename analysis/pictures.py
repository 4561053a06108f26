"""Pictures that stand beside a command in the documentation: docs/images/*.png and *.svg.

`python -m analysis.pictures` runs each command with --plot, then takes the pictures of pages in
Debian's Chromium, at the width of a desktop and of a phone, light and dark.
"""

from __future__ import annotations

import shlex
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from analysis.gallery import DOCS, within
from annostat.cli import main as annostat

IMAGES = DOCS / "images"
# Picture: the command of the page that shows it, in docs/data.
DRAWN = {
    "categories.svg": "bounds --example lidc-malignancy --positive 4,5",
    "interchange.svg": "interchange --example lidc-diameter --margin 0.2",
    "concentration.png": "concentration errors.csv --column ours --rounds first second "
    "--list swapped.csv",
    "scaling.png": "scaling --example echodfkd --ceiling 0.933 --floor-se 0.005",
    "limits.png": "bounds ef.csv --rounds first second --unit points",
    "masks.png": "masks --example lidc-masks",
    "lidc.png": "fit-afd --example lidc",
}
REPORT = "report ef.csv --rounds first second --model small --model large --unit points -o"
ROUNDS = ("Item", "Annotation", "Annotation", "Model", "Model")


class Look(NamedTuple):
    """How a page is looked at."""

    name: str
    width: int
    height: int
    scheme: str = "light"


REPORTS = (Look("report.png", 1000, 900), Look("report-phone.png", 390, 760, "dark"))
APPS = (Look("app.png", 1000, 860),)


def run(command: str) -> None:
    """Run a command of annostat; end if it fails."""
    try:
        annostat(shlex.split(command))
    except SystemExit as stop:
        if stop.code:
            raise


@contextmanager
def browser() -> Iterator[Any]:
    """Give a Chromium without a window."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "hide-scrollbars"):
        options.add_argument(f"--{flag}")
    service = webdriver.ChromeService(executable_path="/usr/bin/chromedriver")
    opened = webdriver.Chrome(options=options, service=service)
    try:
        yield opened
    finally:
        opened.quit()


def look(page: Any, how: Look, out: Path) -> None:
    """Take the picture of what the browser shows at a width and in a scheme."""
    size = {"width": how.width, "height": how.height, "deviceScaleFactor": 1}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**size, "mobile": how.width < 600})
    scheme = {"name": "prefers-color-scheme", "value": how.scheme}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    page.get_screenshot_as_file(str(out / how.name))


@contextmanager
def served() -> Iterator[str]:
    """Serve the app on this computer; give its address."""
    from werkzeug.serving import make_server

    from annostat.app import create_app

    token = "a-token-for-the-picture"
    server = make_server("127.0.0.1", 0, create_app(token=token), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}/{token}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def pages(out: Path) -> None:
    """Take the pictures of the report and of the app."""
    with browser() as page, tempfile.TemporaryDirectory() as folder, within(DOCS / "data"):
        report = Path(folder) / "report.html"
        run(f"{REPORT} {shlex.quote(str(report))}")
        page.get(report.as_uri())
        for how in REPORTS:
            look(page, how, out)
        with served() as address:
            page.get(address)
            table = DOCS / "data" / "ef.csv"
            page.find_element("css selector", "#table").send_keys(str(table))
            page.find_element("css selector", "main form button").click()
            for i, role in enumerate(ROUNDS):
                choice = page.find_elements("css selector", "select[name=role]")[i]
                choice.find_element("xpath", f"option[.='{role}']").click()
            page.find_element("css selector", "input[name=unit]").send_keys("points")
            page.find_element("css selector", "button[formaction]").click()
            for how in APPS:
                look(page, how, out)


def main(out: Path = IMAGES) -> None:
    """Draw all of them."""
    with within(DOCS / "data"):
        for name, command in DRAWN.items():
            run(f"{command} --plot {shlex.quote(str(out / name))}")
    pages(out)


if __name__ == "__main__":
    main()
