from __future__ import annotations

import os

import pytest
from cloudfiles import secrets

from crant_core.exports import TableExportClient
from crant_core.jobs.artifacts import CloudStore
from crant_core.sources.keys import complete_aws_keys


@pytest.fixture(autouse=True)
def _keys(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "")  # so that it is as before after the test
    monkeypatch.delenv("AWS_SESSION_TOKEN")
    monkeypatch.setattr(secrets, "CLOUD_VOLUME_SECRETS_DIR", str(tmp_path))


def test_lasting_keys_are_no_key_error_of_cloud_files():
    with pytest.raises(KeyError):
        secrets.aws_credentials("bucket")
    complete_aws_keys()
    assert secrets.aws_credentials("bucket")["AWS_ACCESS_KEY_ID"] == "secret"


@pytest.mark.parametrize("use", [lambda: CloudStore("s3://bucket/x"), lambda: TableExportClient("s3://bucket/x")])
def test_exports_and_the_store_of_results_see_to_it(use):
    use()
    assert os.environ["AWS_SESSION_TOKEN"] == ""


def test_passing_keys_keep_their_token_and_where_there_are_no_keys_nothing_is_set(monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    complete_aws_keys()
    assert os.environ["AWS_SESSION_TOKEN"] == "token"
    monkeypatch.delenv("AWS_SESSION_TOKEN")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    complete_aws_keys()
    assert "AWS_SESSION_TOKEN" not in os.environ
