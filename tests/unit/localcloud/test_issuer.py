"""Tokens of a stand-in for GitLab or GitHub, as the local AWS takes them."""

from __future__ import annotations

import json

import pytest
from moto.iam.models import iam_backends

from localcloud.aws import web_identity
from localcloud.aws.options import ACCOUNT, PARTITION, Options, configure, current
from localcloud.aws.patching import Refused
from localcloud.issuer import issuing
from localcloud.layout import Layout

URL = "https://gitlab.com"
CLAIMS = {"aud": URL, "sub": "project_path:example/shop:ref_type:branch:ref:main"}


@pytest.fixture(autouse=True)
def aws(layout: Layout) -> object:
    before = current()
    iam_backends[ACCOUNT][PARTITION].create_open_id_connect_provider(URL, [], [URL], [])
    layout.cluster_file.parent.mkdir(parents=True)
    configure(Options(issuers=layout.cluster_file.with_name("issuers.json")))
    yield
    configure(before)
    iam_backends[ACCOUNT][PARTITION].open_id_providers.clear()


def test_its_tokens_are_good_while_it_issues_and_no_longer(layout: Layout) -> None:
    with issuing(layout, URL) as sign, issuing(layout, URL) as other:
        token = sign(CLAIMS)
        assert web_identity.verified(token)["sub"] == CLAIMS["sub"]
        assert web_identity.verified(other(CLAIMS))["aud"] == URL
        with pytest.raises(Refused, match="signature"):
            web_identity.verified(token[:-4] + "AAAA")
    with pytest.raises(Refused, match="verification key"):
        web_identity.verified(token)


def test_others_that_are_trusted_stay_so(layout: Layout) -> None:
    file = layout.cluster_file.with_name("issuers.json")
    file.write_text(json.dumps({"https://elsewhere": {"keys": [{"kid": "theirs"}]}}))
    with issuing(layout, URL):
        assert len(json.loads(file.read_text())) == 2
    assert json.loads(file.read_text())["https://elsewhere"] == {"keys": [{"kid": "theirs"}]}
