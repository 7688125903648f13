"""/os-keypairs: requests and answers."""

import base64
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from novalike.db import quotas
from tests.api.client import PROJECT, USER

NEWEST = "2.104"
_PUBLIC = ed25519.Ed25519PrivateKey.from_private_bytes(b"\1" * 32).public_key()
KEY = _PUBLIC.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def imported(client, name="k", version=NEWEST, **fields):
    return client.at(version).post("/os-keypairs", {"keypair": {"name": name, "public_key": f"{KEY} me@host", **fields}})


def test_import_shows_the_md5_of_the_key(member):
    answer = imported(member)
    digest = hashlib.md5(base64.b64decode(KEY.split()[1])).hexdigest()
    assert answer.status == 201
    assert answer.json == {"keypair": {
        "name": "k", "public_key": f"{KEY} me@host", "type": "ssh", "user_id": USER,
        "fingerprint": ":".join(digest[i:i + 2] for i in range(0, 32, 2)),
    }}


def test_generated_keys_belong_together_and_the_private_one_shows_once(member):
    made = member.at("2.91").post("/os-keypairs", {"keypair": {"name": "k"}}).json["keypair"]
    private = serialization.load_pem_private_key(made["private_key"].encode(), None)
    public = private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    assert made["public_key"] == f"{public} Generated-by-Nova"
    assert "private_key" not in member.at("2.91").get("/os-keypairs/k").json["keypair"]


def test_generated_certificates(member):
    made = member.at("2.2").post("/os-keypairs", {"keypair": {"name": "win", "type": "x509"}}).json["keypair"]
    certificate = x509.load_pem_x509_certificate(made["public_key"].encode())
    private = serialization.load_pem_private_key(made["private_key"].encode(), None)
    assert private.public_key() == certificate.public_key()
    assert made["type"] == "x509"
    again = member.at("2.92").post("/os-keypairs", {"keypair": {"name": "2", "type": "x509", "public_key": made["public_key"]}})
    assert again.json["keypair"]["fingerprint"] == made["fingerprint"]


def test_codes_and_keys_by_version(member):
    first = member.at("2.1").post("/os-keypairs", {"keypair": {"name": "a", "public_key": KEY}})
    assert (first.status, set(first.json["keypair"])) == (200, {"name", "public_key", "fingerprint", "user_id"})
    second = member.at("2.2").post("/os-keypairs", {"keypair": {"name": "b", "public_key": KEY, "type": "ssh"}})
    assert (second.status, second.json["keypair"]["type"]) == (201, "ssh")
    full = {"created_at", "deleted", "deleted_at", "fingerprint", "id", "name", "public_key", "updated_at", "user_id"}
    assert set(member.at("2.1").get("/os-keypairs/a").json["keypair"]) == full
    assert set(member.at("2.2").get("/os-keypairs/a").json["keypair"]) == full | {"type"}
    assert set(member.at("2.1").get("/os-keypairs").json["keypairs"][0]["keypair"]) == {"name", "public_key", "fingerprint"}
    assert member.at("2.1").delete("/os-keypairs/a").status == 202
    assert member.at("2.2").delete("/os-keypairs/b").status == 204
    assert member.delete("/os-keypairs/b").status == 404


@pytest.mark.parametrize(("version", "fields", "word"), [
    ("2.1", {"name": ""}, "name"),
    ("2.1", {"name": "a/b"}, "name"),
    ("2.1", {"name": "a@b"}, "name"),
    ("2.91", {"name": "a.b"}, "name"),
    ("2.92", {"name": "a/b"}, "name"),
    ("2.92", {"name": " a"}, "name"),
    ("2.1", {"name": "k", "type": "ssh"}, "type"),
    ("2.2", {"name": "k", "type": "gpg"}, "type"),
    ("2.9", {"name": "k", "user_id": "x"}, "user_id"),
    ("2.92", {"name": "k"}, "public_key"),
    ("2.1", {"name": "k", "public_key": "no key"}, "public_key"),
    ("2.1", {"name": "k", "public_key": "ssh-rsa !!!"}, "public_key"),
    ("2.1", {"name": "k", "public_key": "ssh-rsa QUJD"}, "public_key"),
    ("2.1", {"name": "k", "public_key": KEY.replace("ssh-ed25519", "ssh-rsa")}, "public_key"),
    ("2.1", {"name": "k", "public_key": f"{KEY}\n{KEY}"}, "public_key"),
    ("2.1", {"name": "k", "public_key": ""}, "public_key"),
    ("2.2", {"name": "k", "public_key": KEY, "type": "x509"}, "public_key"),
])
def test_wrong_fields_are_refused_by_name(member, version, fields, word):
    answer = member.at(version).post("/os-keypairs", {"keypair": fields})
    assert answer.status == 400, answer.json
    assert word in answer.fault


def test_names_of_2_92(member):
    assert imported(member, "me@host.example").status == 201
    assert member.at(NEWEST).get("/os-keypairs/me@host.example").status == 200


def test_duplicates_conflict(member):
    imported(member)
    assert imported(member).fault == "Key pair 'k' already exists."
    assert imported(member).status == 409


def test_key_pairs_belong_to_users(member, stranger, admin):
    imported(member)
    assert stranger.get("/os-keypairs/k").status == 404
    assert stranger.at("2.10").get(f"/os-keypairs?user_id={USER}").status == 403
    assert stranger.at("2.10").delete(f"/os-keypairs/k?user_id={USER}").status == 403
    assert imported(stranger, "z", user_id=USER).status == 403
    assert imported(admin, "theirs", user_id="other-user").json["keypair"]["user_id"] == "other-user"
    assert [k["keypair"]["name"] for k in stranger.get("/os-keypairs").json["keypairs"]] == ["theirs"]
    assert admin.at("2.10").get("/os-keypairs/theirs?user_id=other-user").status == 200
    assert admin.at("2.10").delete("/os-keypairs/theirs?user_id=other-user").status == 204


def test_an_unknown_user_is_refused(admin, services):
    services.identity.missing.add("ghost")
    assert imported(admin, user_id="ghost").status == 400


def test_the_list_is_paged_from_2_35(member):
    for name in ("c", "a", "b"):
        imported(member, name)
    page = member.at("2.35").get("/os-keypairs?limit=2").json
    assert [k["keypair"]["name"] for k in page["keypairs"]] == ["a", "b"]
    assert page["keypairs_links"] == [{"rel": "next", "href": "http://localhost/v2.1/os-keypairs?limit=2&marker=b"}]
    assert "keypairs_links" not in member.at("2.35").get("/os-keypairs?limit=2&marker=b").json
    assert len(member.at("2.34").get("/os-keypairs?limit=2").json["keypairs"]) == 3
    assert member.at("2.35").get("/os-keypairs?marker=zz").status == 400
    assert member.at("2.75").get("/os-keypairs?color=blue").status == 400
    assert member.at("2.74").get("/os-keypairs?color=blue").status == 200


def test_quota(member, services):
    services.cells.shared.write(quotas.set_limits, PROJECT, None, {"key_pairs": 1}, now=services.clock.now())
    assert imported(member, "a").status == 201
    refused = imported(member, "b")
    assert (refused.status, refused.fault) == (403, "Quota exceeded, too many key pairs.")
