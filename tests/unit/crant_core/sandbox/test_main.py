from __future__ import annotations

import re

import httpx
import pytest

from crant_core.sandbox import __main__ as main
from crant_core.sandbox.announcement import announcement
from crant_core.sandbox.live import open_sandbox
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox


def test_it_announces_an_address_that_answers(sandbox: Sandbox):
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", sandbox.url)
    assert httpx.get(f"{sandbox.url}/healthz").text == "ok"


def test_the_announcement_can_be_pasted_and_names_a_current_root():
    text = announcement(open_sandbox("f" * 32, neurons.world()), "http://127.0.0.1:1")
    first, *rest = text.splitlines()
    code = "\n".join(line.removeprefix("    ") for line in rest)
    assert first == "sandbox CAVE on http://127.0.0.1:1"
    compile(code, "pasted", "exec")
    assert f"is_latest_roots([{neurons.live_roots()[0]}])" in code


@pytest.mark.parametrize("token", ["", "secret", "F" * 32, "f" * 31])
def test_a_token_that_the_clients_would_refuse_is_refused_here(token, capsys):
    with pytest.raises(SystemExit):
        main._parser().parse_args(["--token", token])
    assert "32" in capsys.readouterr().err


def test_without_a_token_each_start_gets_its_own():
    assert re.fullmatch("[0-9a-f]{32}", main._parser().parse_args([]).token)
