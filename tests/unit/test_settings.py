"""The settings file: what is wrong is named, with what is allowed, and the documented example is the truth."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from dicomnode.errors import SettingsError
from dicomnode.settings import (
    AuditSettings,
    DatabaseSettings,
    GateSettings,
    Hl7Settings,
    LogSettings,
    MatchingSettings,
    NodeSettings,
    NotifySettings,
    PeerSettings,
    PrefetchSettings,
    RecipeSettings,
    RuleSettings,
    SendingSettings,
    Settings,
    StorageSettings,
    TlsSettings,
    WebSettings,
    WorkerSettings,
    load_settings,
)

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy" / "node.example.toml"

SECTIONS: dict[str, type[BaseModel]] = {
    "node": NodeSettings,
    "tls": TlsSettings,
    "storage": StorageSettings,
    "database": DatabaseSettings,
    "peers": PeerSettings,
    "matching": MatchingSettings,
    "prefetch": PrefetchSettings,
    "rules": RuleSettings,
    "recipes": RecipeSettings,
    "workers": WorkerSettings,
    "sending": SendingSettings,
    "web": WebSettings,
    "notify": NotifySettings,
    "hl7": Hl7Settings,
    "log": LogSettings,
    "audit": AuditSettings,
}
EXAMPLES_OWN = {"peers": {"ae_title"}, "rules": {"name", "fixed", "moving", "destinations"}, "recipes": {"gate"}}
"""Keys whose value in the example is an example."""

RULE = '[[rules]]\nname = "PET on CT"\nfixed = "CT"\nmoving = ["PT"]\n'


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DICOMNODE_NODE__PORT", "DICOMNODE_RULES", "DICOMNODE_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def settings(folder: Path, text: str) -> Settings:
    path = folder / "node.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as raised:
        settings(folder, text)
    return str(raised.value)


@pytest.mark.parametrize(
    ("text", "place", "allowed"),
    [
        ("[node]\nprot = 104", "node.prot", "port"),
        ("[nodes]\nport = 104", "nodes", "node"),
        ('[peers.pacs]\nae_title = "A"\ncommitment = true', "peers.pacs.commitment", "storage_commitment"),
        ("[recipes.x.gate]\nmax_error = 1", "recipes.x.gate.max_error", "max_expected_error_mm"),
        (RULE + "window = 3", "rules.0.window", "window_hours"),
        ('[peers.pacs]\nhost = "a"', "peers.pacs.ae_title", "required"),
        ('[node]\nport = "many"', "node.port", "integer"),
        ("[node]\nport = 70000", "node.port", "65535"),
        ("[node]\nacse_timeout_s = 0", "node.acse_timeout_s", "greater than 0"),
        ('[node]\nae_title = "MORE THAN SIXTEEN"', "node.ae_title", "1 to 16"),
        ('[node]\nae_title = "BACK\\\\SLASH"', "node.ae_title", "no backslash"),
        ('[node]\nae_title = "   "', "node.ae_title", "blank"),
        ('[node]\ntime_zone = "Mars/Olympus"', "node.time_zone", "Europe/Berlin"),
        (RULE.replace("CT", "US"), "rules.0.fixed", "'CT', 'MR', 'PT' or 'NM'"),
        (RULE.replace('["PT"]', "[]"), "rules.0.moving", "at least 1"),
        ('[workers]\nreview = "send"', "workers.review", "'hold' or 'send_flagged'"),
        ('[recipes.x]\noutputs = ["fused"]', "recipes.x.outputs.0", "fused_colour"),
        ("[recipes.x.gate]\nmin_overlap = 2", "recipes.x.gate.min_overlap", "less than or equal to 1"),
        (RULE + 'recipe = "fast"\n[recipes.careful]\n', "'fast'", "careful, default"),
        (RULE + 'destinations = ["pax"]\n[peers.pacs]\nae_title = "A"', "'pax'", "pacs"),
        (RULE + 'destinations = ["pax"]\n', "'pax'", "none"),
        (RULE + RULE, "'PET on CT'", "its own"),
        ('[peers.a]\nae_title = "A"\naddresses = ["192.0.2.300"]', "peers.a.addresses.0", "192.0.2.0/24"),
        ('[peers.a]\nae_title = "A"\ncertificates = ["sha256:12"]', "peers.a.certificates.0", "64 hexadecimal"),
        ('[peers.a]\nae_title = "A"\ntls = true', "peers", "'a' speaks TLS"),
        ("[node]\nplain = false", "node.plain", "nobody"),
        ("[node]\ntls = true", "node.tls", "tls.certificate and tls.key"),
        ('[node]\ntls = true\n[tls]\ncertificate = "c"\nkey = "k"', "tls.ca", "require_client_certificate"),
        ("[node\n", "node.toml", "TOML"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(tmp_path: Path, text: str, place: str, allowed: str) -> None:
    sentence = refusal(tmp_path, text)
    assert place in sentence
    assert allowed in sentence
    assert str(tmp_path / "node.toml") in sentence


def test_every_wrong_key_is_named_at_once(tmp_path: Path) -> None:
    sentence = refusal(tmp_path, "[node]\nport = -1\n[web]\nports = 1\n")
    assert "node.port" in sentence
    assert "web.ports" in sentence


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=re.escape(str(tmp_path / "none.toml"))):
        load_settings(tmp_path / "none.toml")


def test_the_environment_comes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMNODE_NODE__PORT", "11113")
    loaded = settings(tmp_path, '[node]\nport = 104\nae_title = "FILE"\n')
    assert (loaded.node.port, loaded.node.ae_title) == (11113, "FILE")
    monkeypatch.setenv("DICOMNODE_NODE__PROT", "1")
    assert "node.prot" in refusal(tmp_path, "")


def test_tables_and_lists_in_the_environment_are_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMNODE_RULES", '[{"name": "a", "fixed": "CT", "moving": ["MR"]}]')
    assert settings(tmp_path, "").rules[0].moving == ("MR",)
    monkeypatch.setenv("DICOMNODE_RULES", "CT with MR")
    assert "JSON" in refusal(tmp_path, "")


def test_without_a_file_the_defaults_hold_and_the_ledger_lies_below_the_storage() -> None:
    loaded = load_settings()
    assert loaded.recipes.keys() == {"default"}
    assert loaded.database_url == f"sqlite:///{Path('dicomnode-data/ledger.sqlite').absolute()}"


def test_a_peer_uses_our_certificate_unless_it_has_its_own(tmp_path: Path) -> None:
    text = '[tls]\ncertificate = "c"\nkey = "k"\nca = "a"\n'
    text += '[peers.x]\nae_title = "X"\ntls = true\n[peers.y]\nae_title = "Y"\ntls = true\ntls_ca = "b"\n'
    text += 'tls_certificate = "d"\ntls_key = "l"\n[peers.z]\nae_title = "Z"\n'
    peers = settings(tmp_path, text).peers
    assert [(p.tls_ca, p.tls_certificate, p.tls_key) for p in peers.values()] == [
        ("a", "c", "k"),
        ("b", "d", "l"),
        ("", "", ""),
    ]


def test_fingerprints_are_read_as_openssl_prints_them(tmp_path: Path) -> None:
    digits = ":".join(["AB"] * 32)
    loaded = settings(tmp_path, f'[peers.x]\nae_title = "X"\ncertificates = ["SHA256:{digits}", "pacs:1"]')
    assert loaded.peers["x"].certificates == ("sha256:" + "ab" * 32, "pacs:1")


def test_settings_do_not_change(tmp_path: Path) -> None:
    loaded = settings(tmp_path, RULE)
    with pytest.raises(ValueError, match="frozen"):
        loaded.rules[0].window_hours = 3


def test_the_example_is_valid_and_shows_every_key_with_its_default() -> None:
    load_settings(EXAMPLE)
    example = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    assert example.keys() == Settings.model_fields.keys() == SECTIONS.keys()
    shown = {
        **example,
        "peers": example["peers"]["pacs"],
        "rules": example["rules"][0],
        "recipes": example["recipes"]["default"],
    }
    for name, model in SECTIONS.items():
        _shows_every_key(shown[name], model, name)
    _shows_every_key(shown["recipes"]["gate"], GateSettings, "gate")


def _shows_every_key(shown: dict[str, Any], model: type[BaseModel], name: str) -> None:
    assert shown.keys() == model.model_fields.keys(), name
    for key, field in model.model_fields.items():
        if key in EXAMPLES_OWN.get(name, set()):
            continue
        default = field.get_default(call_default_factory=True)
        assert default is not PydanticUndefined, f"{name}.{key} has no default to show"
        value = tuple(shown[key]) if isinstance(shown[key], list) else shown[key]
        assert value == (str(default) if isinstance(default, Path) else default), f"{name}.{key}"


def test_the_settings_page_explains_every_key_of_every_section() -> None:
    page = (ROOT / "docs" / "administrators" / "settings.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    explained = {
        re.match(r"`\[+([a-z0-9]+(?:\.[A-Z]+(?:\.gate)?)?)\]+`", section).group(1): set(  # type: ignore[union-attr]
            re.findall(r"^\| `([a-z_]+)` \|", section, flags=re.MULTILINE)
        )
        for section in sections
        if section.startswith("`[")
    }
    models: dict[str, type[BaseModel]] = {
        **SECTIONS,
        "peers.NAME": PeerSettings,
        "recipes.NAME": RecipeSettings,
        "recipes.NAME.gate": GateSettings,
    }
    del models["peers"], models["recipes"]
    wanted = {name: set(model.model_fields) for name, model in models.items()}
    wanted["recipes.NAME"].remove("gate")
    assert explained == wanted
