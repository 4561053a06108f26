"""The app: addresses with a token, tables that are corrected, pages, the calculator."""

import base64
import io
import re
import tempfile
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from annostat import AnnostatError
from annostat.app import columns as of_columns
from annostat.app import create_app
from annostat.app.columns import Column, Table, arguments, looked_at
from annostat.app.running import run
from annostat.cli import main

pytest.importorskip("flask", reason="needs the extra annostat[app]")
TOKEN = "t" * 24
DATA = Path(__file__).parent.parent / "docs" / "data"


@pytest.fixture
def client():
    return create_app(token=TOKEN, limit_mb=1).test_client()


@pytest.fixture(scope="module")
def small():
    """A table that is computed in seconds."""
    rng = np.random.default_rng(0)
    truth = rng.normal(50, 10, 40).round(1)
    table = pd.DataFrame({"patient": [f"P{i}" for i in range(40)]})
    for name in ("first", "second"):
        table[name] = (truth + rng.normal(0, 3, 40)).round(1)
    table["net"] = (truth + rng.normal(0, 1, 40)).round(1)
    table["<b>odd</b>"] = 1
    return table.to_csv(index=False).encode()


def get(client, path, **options):
    options.setdefault("base_url", "http://127.0.0.1:8000")
    return client.get(path, **options)


def post(client, path, data, **options):
    options.setdefault("base_url", "http://127.0.0.1:8000")
    return client.post(path, data=data, content_type="multipart/form-data", **options)


def given(client, data, name="ef.csv", kind="auto"):
    found = post(client, f"/{TOKEN}/table", {"table": (io.BytesIO(data), name), "kind": kind})
    return found


def test_only_the_address_with_the_token_is_answered(client):
    assert get(client, f"/{TOKEN}/").status_code == 200
    for path in (
        "/",
        "/x/",
        f"/{TOKEN[:-1]}/",
        "/static/x",
        f"/{TOKEN}x/",
        f"/{TOKEN}/none/report",
    ):
        assert get(client, path).status_code == 404, path
    # A site whose name was made to point here.
    for host in ("evil.example", "127.0.0.1.evil.example:8000"):
        assert get(client, f"/{TOKEN}/", base_url=f"http://{host}").status_code == 404
    with pytest.raises(AnnostatError, match="16 characters"):
        create_app(token="short")


def test_pages_load_nothing_and_tell_nobody(client):
    found = get(client, f"/{TOKEN}/")
    assert "default-src 'none'" in found.headers["Content-Security-Policy"]
    assert found.headers["Referrer-Policy"] == "no-referrer"
    assert found.headers["Cache-Control"] == "no-store" and "Set-Cookie" not in found.headers
    assert b"<script" not in found.data and b"http://" not in found.data


def test_a_table_is_dropped_corrected_and_read(client, small):
    before = set(Path(tempfile.gettempdir()).glob("annostat-app-*"))
    answer = given(client, small)
    assert answer.status_code == 303
    address = answer.headers["Location"]
    page = get(client, address).get_data(as_text=True)
    assert "ef.csv: 40 rows" in page and "&lt;b&gt;odd&lt;/b&gt;" in page and "<b>odd" not in page
    assert page.count("<option selected>") == 5
    key = address.split("/")[2]
    wrong = post(client, f"/{TOKEN}/{key}/report", {"role": ["Item"] * 5, "kind": "values"})
    assert wrong.status_code == 400 and b"two columns or more must be Annotation" in wrong.data
    roles = ["Item", "Annotation", "Annotation", "Model", "Not used"]
    form = {"role": roles, "kind": "values", "unit": "points"}
    done = post(client, f"/{TOKEN}/{key}/report", form)
    assert done.status_code == 303, done.get_data(as_text=True)
    report = get(client, done.headers["Location"]).get_data(as_text=True)
    assert "Correct the columns" in report and "40 items" in report and "net is" in report
    assert "annostat report ef.csv --item patient --rounds first second --model net" in report
    saved = get(client, f"/{TOKEN}/{key}/annostat.html")
    assert "attachment" in saved.headers["Content-Disposition"]
    assert "Correct the columns" not in saved.get_data(as_text=True)
    # The form remembers what was said.
    assert get(client, address).get_data(as_text=True).count("<option selected>Annotation") == 2
    assert set(Path(tempfile.gettempdir()).glob("annostat-app-*")) <= before


def test_what_is_no_table_is_refused(client, small):
    for data, name, said in (
        (b"", "", "choose a table first"),
        (b"x", "a.exe", "a table is one of .csv"),
        (b"\x00\xff", "a.parquet", "annostat-app"),
        (b"", "a.csv", "a.csv"),
    ):
        found = given(client, data, name)
        text = found.get_data(as_text=True)
        assert found.status_code == 400
        if said != "annostat-app":
            assert said in text
        assert "annostat-app-" not in text and "Traceback" not in text
    large = client.post(
        f"/{TOKEN}/table",
        base_url="http://127.0.0.1:8000",
        data=b"x" * 1_200_000,
        content_type="multipart/form-data; boundary=x",
    )
    assert large.status_code == 413 and b"larger than 1 MB" in large.data
    # No path of the sender's is taken.
    assert given(client, small, "../../etc/x.csv").status_code == 303


def test_old_tables_are_forgotten(client, small):
    first, *_ = [given(client, small).headers["Location"] for _ in range(5)]
    assert get(client, first).status_code == 404


def test_the_calculator(client):
    page = get(client, f"/{TOKEN}/published").get_data(as_text=True)
    assert "difference of two sessions" in page and "<pre>" not in page
    form = {"sd": "5.7", "correlation": "0.801", "n": "50", "unit": "points"}
    form |= {"score-rmse": "5.17", "score-n": "1277"}
    text = post(client, f"/{TOKEN}/published", form).get_data(as_text=True)
    assert "4.03" in text and "annostat bounds --sd=5.7" in text
    picture = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', text)
    drawn = base64.b64decode(picture[1]).decode()
    assert drawn.lstrip().startswith("<?xml") and "reported 5.17" in drawn
    some = post(client, f"/{TOKEN}/published", {"sd": "5.7"}).get_data(as_text=True)
    assert "Give the number of patients for an interval." in some
    for form, said in (
        ({"unit": "x"}, b"give the SD or the correlation"),
        ({"sd": "many"}, b"SD must be a number"),
        ({"sd": "5,7"}, b"write 5.7"),
        ({"sd": "-1"}, b"sd must be"),
        ({"sd": "5", "convention": "x"}, b"must be one of the list"),
    ):
        found = post(client, f"/{TOKEN}/published", form)
        assert found.status_code == 400 and said in found.data, found.get_data(as_text=True)


def test_columns_are_guessed_as_the_command_line_does(tmp_path):
    table = looked_at(DATA / "ef.csv", "ef.csv")
    roles = {c.name: c.role for c in table.columns}
    assert roles["patient"] == "Item" and roles["first"] == roles["second"] == "Annotation"
    picks = looked_at(DATA / "picks.csv", "picks.csv")
    assert {c.name: c.role for c in picks.columns}["model"] == "Model"
    wide = tmp_path / "wide.csv"
    wide.write_text(",".join(f"c{i}" for i in range(300)) + "\n" + ",".join("1" * 300) + "\n")
    with pytest.raises(AnnostatError, match="300 columns"):
        looked_at(wide, "wide.csv")


def test_columns_become_a_command():
    names = ("patient", "a", "b", "net", "site", "fps", "who")
    table = Table("t.csv", 9, tuple(Column(n, "", "", "") for n in names))
    roles = ["Item", "Annotation", "Annotation", "Model", "Group", "Frame rate", "Patient"]
    args, words = arguments(table, roles, {"kind": "picks", "unit": "--x", "exchangeable": "yes"})
    assert args == (
        "--item patient --rounds a b --model net --cluster who --by site --fps fps --kind picks "
        "--unit=--x --exchangeable"
    ).split(" ")
    assert words == "9 rows, 2 rounds (a, b), 1 model (net)"
    for changed, said in (
        (["Group", *roles[1:]], "one column may be Group"),
        (["Item", "x", *roles[2:]], "words of the list"),
        (roles[1:], "words of the list"),
    ):
        with pytest.raises(AnnostatError, match=said):
            arguments(table, changed, {})
    with pytest.raises(AnnostatError, match="kind must be"):
        arguments(table, roles, {"kind": "x"})
    odd = Table("t.csv", 9, (Column("--output", "", "", ""), *table.columns[1:]))
    with pytest.raises(AnnostatError, match="begins with a hyphen"):
        arguments(odd, roles, {})
    assert set(of_columns.KINDS) >= {"auto", "values", "picks"}


def test_a_command_that_fails_says_so_in_its_words(monkeypatch):
    with pytest.raises(AnnostatError, match=r"none\.csv"):
        run("bounds", ["none.csv"])
    monkeypatch.setattr("annostat.app.running.SECONDS", 0)
    with pytest.raises(AnnostatError, match="took more than"):
        run("bounds", ["--sd", "5"])


def test_the_command_needs_flask_and_a_free_port(monkeypatch, capsys):
    monkeypatch.setattr("annostat.app.server.create_app", lambda **_: missing())

    def missing():
        raise AnnostatError("the app needs Flask: pip install 'annostat[app]'")

    with pytest.raises(SystemExit) as stop:
        main(["app", "--no-browser"])
    assert stop.value.code == 2 and "annostat[app]" in capsys.readouterr().err


@pytest.fixture
def address():
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, create_app(token=TOKEN), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}/{TOKEN}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("name", ["lidc-diameter", "lidc", "lidc-malignancy"])
def test_a_bundled_table_is_there_to_try(client, name):
    assert f'value="{name}"' in get(client, f"/{TOKEN}/").text
    taken = post(client, f"/{TOKEN}/example", {"example": name})
    assert taken.status_code == 303
    page = get(client, taken.location).text
    assert f"{name}.csv: " in page and "<strong>Read</strong> " in page
    rows, readings = ("896", 4) if name == "lidc-malignancy" else ("1,868", 4)
    assert f"{rows} items (nodule)" in page and f"{readings} rounds" in page
    assert page.count("<option selected>Annotation") == 4 and "checked> The order" in page
    assert "<option selected>Patient" in page
    wrong = post(client, f"/{TOKEN}/example", {"example": "../../etc/passwd"})
    assert wrong.status_code == 400 and "example must be one of" in wrong.text


def test_what_will_be_read_is_said_before_anything_is_computed(client, small):
    where = given(client, small).location
    page = get(client, where).text
    assert "ef.csv: 40 items (patient), 2 rounds (first, second)" in page
    form = {"role": ["Item", "Annotation", "Annotation", "Model", "Not used"], "kind": "values"}
    page = post(client, where, form).text
    assert "2 rounds (first, second), 1 model (net). Not used: &lt;b&gt;odd" in page
    form["role"] = ["Item", "Annotation", "Not used", "Not used", "Not used"]
    page = post(client, where, form).text
    assert "Not readable so:" in page and "two columns or more must be Annotation" in page
    assert "<option selected>Annotation" in page and "<h2" not in page


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1000])
def test_in_a_real_browser(browser, address, small, tmp_path, width):
    path = tmp_path / "ef.csv"
    path.write_bytes(small)
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )

    from selenium.webdriver.support.ui import WebDriverWait

    def find(how):
        return browser.find_element("css selector", how)

    def leave(element):
        """Click, and wait for the page that follows.

        A mark on the old page's window tells the two apart: asking the old element instead may
        fail in ways of its own while the browser is between the pages.
        """
        browser.execute_script("window.isOld = true")
        element.click()
        follows = "return !window.isOld && document.readyState === 'complete'"
        WebDriverWait(browser, 60).until(lambda _: browser.execute_script(follows))

    def fits():
        inside = "return document.documentElement.scrollWidth <= window.innerWidth"
        assert browser.execute_script(inside), browser.current_url

    browser.get(address)
    fits()
    find("#table").send_keys(str(path))
    find("input[value=values]").click()
    leave(find("main form button"))
    assert "ef.csv: 40 rows" in find("h1").text
    fits()
    assert "2 rounds (first, second)" in find(".read").text
    choice = find("select[aria-label='what net is']")
    choice.find_element("xpath", "option[.='Model']").click()
    find("input[name=unit]").send_keys("points")
    leave(find("button[formaction]"))
    assert "1 model (net)" in find(".read").text
    fits()
    leave(find("main form button"))
    assert "net is" in find(".answer").text
    fits()
    leave(browser.find_element("link text", "← Correct the columns"))
    assert find("input[name=unit]").get_attribute("value") == "points"
    browser.get(address + "published")
    find("#sd").send_keys("5.7")
    leave(find("main form button"))
    assert "4.03" in find("pre").text
    fits()
    assert not [e for e in browser.get_log("browser") if e["level"] == "SEVERE"]
