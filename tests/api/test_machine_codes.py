"""X-Novalike-Error: every kind of error is documented, and named in the answers."""

import inspect
import re
from pathlib import Path

import pytest

import novalike
from novalike import exception
from novalike.api.http import application
from novalike.api.openstack import dialect
from tests.api.client import PROJECT

DOCUMENT = Path(novalike.__file__).parent.parent / "docs" / "compute-api.md"


def kinds():
    """All errors which an answer of this API may name."""
    modules = (exception, application, dialect)
    found = {one for module in modules for _, one in inspect.getmembers(module, inspect.isclass) if issubclass(one, exception.NovalikeError)}
    return {one.machine_code(): one.code for one in found} | {"unexpected": 500}


def test_every_word_is_documented():
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d{3})", DOCUMENT.read_text(), re.MULTILINE)
    assert {word: int(code) for word, code in rows} == kinds()


@pytest.mark.parametrize(("method", "path", "body", "word"), [
    ("GET", "/servers/nothing", None, "not-found"), ("POST", "/servers", {}, "invalid"), ("PATCH", "/servers", None, "method-not-allowed"),
    ("GET", "/os-cells", None, "gone"), ("PUT", f"/os-quota-sets/{PROJECT}", {"quota_set": {}}, "forbidden"),
    ("GET", "/nowhere", None, "not-found"),
])
def test_answers_name_it(member, method, path, body, word):
    assert member(method, path, body).headers["X-Novalike-Error"] == word


def test_other_answers_do_not(member, nobody, app, services):
    assert "X-Novalike-Error" not in member.get("/servers").headers
    assert nobody.get("/servers").headers["X-Novalike-Error"] == "unauthorized"
    assert member.at("2.9999").get("/servers").headers["X-Novalike-Error"] == "not-acceptable"
