"""The settings: one TOML file and DICOMNODE_… environment variables, validated at start-up.

Only this module reads either. Everything else is handed the value objects below. `deploy/node.example.toml`
documents every key.
"""

import ipaddress
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as SourceError

from storage.records import Recipe

from .errors import SettingsError

OWN_MANUFACTURER = "dicomnode"
OWN_MODEL_NAME = "DICOM fusion node"
OWN_IMPLEMENTATION_UID = "2.25.121269323804319364077447225693689891652"
OWN_IMPLEMENTATION_VERSION = "DICOMNODE_0_2"
INSTANCE_CREATOR_UID = "2.25.179858346835829526883544295948488748509"
"""Who we are, in every file and on every association: what comes back with it is never fused again."""


def _ae_title(value: str) -> str:
    if not re.fullmatch(r"[^\\\x00-\x1f]{1,16}", value) or not value.strip():
        raise ValueError("an AE title has 1 to 16 characters, no backslash, and is not blank (PS3.5 6.2)")
    return value


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{value!r} is no time zone here; write one such as Europe/Berlin") from error
    return value


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError as error:
        raise ValueError(f"{value!r} is no address or network such as 192.0.2.7 or 192.0.2.0/24") from error
    return value


def _certificate_name(value: str) -> str:
    """A fingerprint may be written in groups, as openssl prints it."""
    scheme, _, digits = value.partition(":")
    if scheme.lower() != "sha256" or not digits:
        return value
    digits = digits.replace(":", "").lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError("a fingerprint is sha256: and 64 hexadecimal digits")
    return f"sha256:{digits}"


AeTitle = Annotated[str, AfterValidator(_ae_title)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
NetworkText = Annotated[str, AfterValidator(_network)]
CertificateName = Annotated[str, AfterValidator(_certificate_name)]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
Modality = Literal["CT", "MR", "PT", "NM"]
MatterKind = Literal["review", "failed", "quarantine", "peer"]
CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
OutputKind = Literal[
    "registered_series",
    "fused_colour",
    "spatial_registration",
    "quality_report",
    "parametric_map",
    "expected_error",
    "jacobian",
    "contribution",
    "explanation",
    "fused_together",
]
ExplanationKind = Literal["saliency", "class_activation", "relevance", "attention"]


class Section(BaseModel):
    """A table of the settings: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NodeSettings(Section):
    """`[node]`: who the node is on the DICOM network and how much it lets in."""

    ae_title: AeTitle = "FUSIONNODE"
    host: str = "127.0.0.1"
    port: Port = 11112
    plain: bool = True
    tls: bool = False
    tls_port: Port = 2762
    patient_id_domain: str = "LOCAL"
    time_zone: TimeZone = "UTC"
    require_called_ae_title: bool = True
    accept_unknown_peers: bool = False
    max_associations: Annotated[int, Field(ge=1)] = 25
    max_pdu_bytes: Annotated[int, Field(ge=0)] = 131072
    max_instance_bytes: Annotated[int, Field(ge=1)] = 8 << 30
    receiver: Literal["direct", "pynetdicom"] = "direct"
    acse_timeout_s: Seconds = 30
    dimse_timeout_s: Seconds = 60
    network_timeout_s: Seconds = 60
    institution_name: str = ""
    station_name: str = "FUSIONNODE"
    device_serial_number: str = "0"


class TlsSettings(Section):
    """`[tls]`: our certificate, and whose certificates are believed. PEM files, read again when they change."""

    certificate: str = ""
    key: str = ""
    ca: str = ""
    require_client_certificate: bool = True


class StorageSettings(Section):
    """`[storage]`: where objects lie and how much room is kept."""

    path: Path = Path("dicomnode-data")
    reserve_bytes: Annotated[int, Field(ge=0)] = 512 * 1024 * 1024
    sync_filesystem: bool = True


class DatabaseSettings(Section):
    """`[database]`: the ledger. Empty means SQLite below the storage path."""

    url: str = ""


class PeerSettings(Section):
    """`[peers.NAME]`: another application entity."""

    ae_title: AeTitle
    host: str = "127.0.0.1"
    port: Port = 104
    addresses: tuple[NetworkText, ...] = ()
    certificates: tuple[CertificateName, ...] = ()
    max_associations: Annotated[int, Field(ge=0)] = 0
    tls: bool = False
    tls_check_host: bool = True
    tls_ca: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    patient_id_domain: str = ""
    storage_commitment: bool = False
    transfer_syntaxes: tuple[str, ...] = ()
    commitment_timeout_s: Seconds = 300
    commitment_report: Literal["new", "same", "refuse"] = "new"
    prefetch: Literal["no", "move", "get", "dicomweb"] = "no"
    dicomweb_url: str = ""
    dicomweb_authorization: str = Field(default="", repr=False)
    count_by_find: bool = False
    rejection_notes: bool = True
    delete: Literal["none", "dicomweb", "orthanc"] = "none"
    orthanc_url: str = ""

    @model_validator(mode="after")
    def _dicomweb_has_an_address(self) -> "PeerSettings":
        if self.dicomweb_url and not re.match(r"https?://[^/]", self.dicomweb_url):
            raise ValueError("dicomweb_url is an address such as https://pacs.hospital.example/dicom-web")
        if self.prefetch == "dicomweb" and not self.dicomweb_url:
            raise ValueError('prefetch = "dicomweb" needs dicomweb_url')
        if self.delete == "dicomweb" and not self.dicomweb_url:
            raise ValueError('delete = "dicomweb" needs dicomweb_url')
        if self.delete == "orthanc" and not re.match(r"https?://[^/]", self.orthanc_url):
            raise ValueError('delete = "orthanc" needs orthanc_url, such as http://192.0.2.7:8042')
        return self


class MatchingSettings(Section):
    """`[matching]`: when a series is whole and which series may be of one patient."""

    quiet_time_s: Seconds = 30
    announced_wait_s: Seconds = 1800
    file_in: Literal["triggering", "fixed"] = "triggering"


class RuleSettings(Section):
    """`[[rules]]`: one kind of pair to fuse."""

    name: str
    fixed: Modality
    moving: tuple[Modality, ...] = Field(min_length=1)
    body_part: str = ""
    window_hours: Seconds = 72
    recipe: str = "default"
    destinations: tuple[str, ...] = ()
    prefetch_from: tuple[str, ...] = ()
    send_quality_when_rejected: bool = False


class PrefetchSettings(Section):
    """`[prefetch]`: how much is asked of peers for the partners that rules miss, and how patiently."""

    delay_s: Annotated[float, Field(ge=0)] = 300
    max_studies: Annotated[int, Field(ge=1)] = 2
    max_age_days: Annotated[int, Field(ge=1)] = 3650
    max_instances: Annotated[int, Field(ge=1)] = 10000
    max_at_once: Annotated[int, Field(ge=1)] = 1
    max_per_day: Annotated[int, Field(ge=1)] = 200
    poll_s: Seconds = 5
    first_retry_s: Seconds = 60
    longest_retry_s: Seconds = 3600
    max_attempts: Annotated[int, Field(ge=1)] = 12


class GateSettings(Section):
    """`[recipes.NAME.gate]`: the limits of the verdict. Clinical defaults."""

    max_expected_error_mm: Seconds = 2.5
    max_error_bound_mm: Seconds = 5.0
    max_header_rotation_deg: Seconds = 45.0
    min_overlap: Annotated[float, Field(gt=0, le=1)] = 0.5


class RecipeSettings(Section):
    """`[recipes.NAME]`: how a pair is registered, fused and written."""

    registrar: str = "auto"
    registrar_parameters: dict[str, Any] = Field(default_factory=dict)
    method: str = "auto"
    experimental: bool = False
    method_parameters: dict[str, Any] = Field(default_factory=dict)
    outputs: tuple[OutputKind, ...] = (
        "registered_series",
        "fused_colour",
        "spatial_registration",
        "quality_report",
    )
    explanation_kinds: tuple[ExplanationKind, ...] = ()
    fused_multi_frame: bool = False
    label_pixels: bool = True
    deformed_suv: bool = False
    gate: GateSettings = GateSettings()

    def recipe(self, name: str) -> Recipe:
        """The value that a plan carries."""
        return Recipe(
            name=name,
            registrar=self.registrar,
            registrar_parameters=self.registrar_parameters,
            method=self.method,
            method_parameters=self.method_parameters,
            outputs=self.outputs,
            output_parameters={
                "explanation_kinds": list(self.explanation_kinds),
                "fused_multi_frame": self.fused_multi_frame,
                "label_pixels": self.label_pixels,
                "deformed_suv": self.deformed_suv,
            },
            gate=self.gate.model_dump(),
        )


class WorkerSettings(Section):
    """`[workers]`: who runs the cases."""

    count: Annotated[int, Field(ge=0)] = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    lease_s: Seconds = 60
    max_attempts: Annotated[int, Field(ge=1)] = 3
    retry_delay_s: Seconds = 30
    poll_s: Seconds = 1.0
    review: Literal["hold", "send_flagged"] = "hold"
    review_volumes: bool = True


class SendingSettings(Section):
    """`[sending]`: how patient the outbox is."""

    poll_s: Seconds = 1.0
    first_retry_s: Seconds = 10
    longest_retry_s: Seconds = 3600
    max_attempts: Annotated[int, Field(ge=1)] = 100


class WebSettings(Section):
    """`[web]`: the pages, and health and metrics, over HTTP; port 0 turns it off."""

    host: str = "127.0.0.1"
    port: Port = 0
    certificate: str = ""
    key: str = ""
    plain_http: bool = False
    trusted_proxies: tuple[NetworkText, ...] = ()
    public_url: str = ""
    session_hours: Seconds = 12
    idle_minutes: Seconds = 30


def _quiet_time(value: str) -> str:
    if value and not re.fullmatch(rf"{CLOCK}-{CLOCK}", value):
        raise ValueError(f"{value!r} is no span of a day such as 22:00-06:00")
    return value


def _time_of_day(value: str) -> str:
    if value and not re.fullmatch(CLOCK, value):
        raise ValueError(f"{value!r} is no time of day such as 07:00")
    return value


class NotifySettings(Section):
    """`[notify]`: who is told that something waits, how and when. Without an address nobody is."""

    at_once: tuple[MatterKind, ...] = ("review", "failed", "quarantine", "peer")
    summary_at: Annotated[str, AfterValidator(_time_of_day)] = ""
    quiet: Annotated[str, AfterValidator(_quiet_time)] = ""
    review_hours: Annotated[float, Field(ge=0)] = 0.0
    remind_hours: Annotated[float, Field(gt=0)] = 24.0
    peer_attempts: Annotated[int, Field(ge=1)] = 3
    poll_s: Seconds = 30.0
    timeout_s: Seconds = 20.0
    mail_to: tuple[str, ...] = ()
    mail_from: str = ""
    smtp_host: str = ""
    smtp_port: Port = 587
    smtp_tls: Literal["none", "starttls", "tls"] = "starttls"
    smtp_ca: str = ""
    smtp_user: str = ""
    smtp_password: str = Field(default="", repr=False)
    webhook: str = ""
    webhook_secret: str = Field(default="", repr=False)

    @model_validator(mode="after")
    def _can_be_sent(self) -> "NotifySettings":
        if self.mail_to and not (self.mail_from and self.smtp_host):
            raise ValueError("mail_to needs mail_from and smtp_host")
        if self.webhook and not self.webhook.startswith(("https://", "http://")):
            raise ValueError("webhook is a URL that begins with https:// or http://")
        return self


class Hl7Settings(Section):
    """`[hl7]`: ADT messages of the patient administration, by MLLP; port 0 turns it off."""

    host: str = "127.0.0.1"
    port: Port = 0
    tls: bool = False
    senders: tuple[NetworkText, ...] = ("127.0.0.0/8", "::1/128")
    charset: str = "utf-8"
    issuers: dict[str, str] = Field(default_factory=dict)
    max_message_bytes: Annotated[int, Field(ge=1024)] = 1 << 20
    idle_timeout_s: Seconds = 3600


class LogSettings(Section):
    """`[log]`: one line an event, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    json_lines: bool = False


class AuditSettings(Section):
    """`[audit]`: what the node has to account for, in the XML of PS3.15 A.5."""

    file: str = ""
    syslog: str = ""
    syslog_ca: str = ""
    source_id: str = ""
    queue: Annotated[int, Field(ge=1)] = 10000


class Settings(BaseSettings):
    """The whole file."""

    model_config = SettingsConfigDict(env_prefix="DICOMNODE_", env_nested_delimiter="__", extra="forbid", frozen=True)

    node: NodeSettings = NodeSettings()
    tls: TlsSettings = TlsSettings()
    storage: StorageSettings = StorageSettings()
    database: DatabaseSettings = DatabaseSettings()
    peers: dict[str, PeerSettings] = Field(default_factory=dict)
    matching: MatchingSettings = MatchingSettings()
    prefetch: PrefetchSettings = PrefetchSettings()
    rules: tuple[RuleSettings, ...] = ()
    recipes: dict[str, RecipeSettings] = Field(default_factory=lambda: {"default": RecipeSettings()})
    workers: WorkerSettings = WorkerSettings()
    sending: SendingSettings = SendingSettings()
    web: WebSettings = WebSettings()
    notify: NotifySettings = NotifySettings()
    hl7: Hl7Settings = Hl7Settings()
    log: LogSettings = LogSettings()
    audit: AuditSettings = AuditSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment comes before the file."""
        return env_settings, init_settings

    @field_validator("recipes")
    @classmethod
    def _keep_a_default(cls, recipes: dict[str, RecipeSettings]) -> dict[str, RecipeSettings]:
        return {"default": RecipeSettings(), **recipes}

    @field_validator("peers")
    @classmethod
    def _peers_use_our_certificate(
        cls, peers: dict[str, PeerSettings], info: ValidationInfo
    ) -> dict[str, PeerSettings]:
        """What a peer does not say about TLS is said by `[tls]`."""
        tls = info.data.get("tls", TlsSettings())
        return {name: _with_certificates_of(tls, name, peer) if peer.tls else peer for name, peer in peers.items()}

    @model_validator(mode="after")
    def _somebody_can_come_in(self) -> "Settings":
        if not (self.node.plain or self.node.tls):
            raise ValueError("node.plain and node.tls are both false: nobody could reach the node")
        if self.node.tls and not (self.tls.certificate and self.tls.key):
            raise ValueError("node.tls needs tls.certificate and tls.key, two PEM files")
        if self.node.tls and self.tls.require_client_certificate and not self.tls.ca:
            raise ValueError(
                "tls.ca is empty: name the PEM file of the authorities whose clients are believed, "
                "or set tls.require_client_certificate = false"
            )
        return self

    @model_validator(mode="after")
    def _pages_have_both_files(self) -> "Settings":
        if bool(self.web.certificate) != bool(self.web.key):
            raise ValueError("web.certificate and web.key, two PEM files, belong together; one of them is empty")
        return self

    @model_validator(mode="after")
    def _names_lead_somewhere(self) -> "Settings":
        names = [rule.name for rule in self.rules]
        for rule in self.rules:
            if names.count(rule.name) > 1:
                raise ValueError(f"two rules are called {rule.name!r}; cases name their rule, so each needs its own")
            if rule.recipe not in self.recipes:
                raise ValueError(
                    f"rule {rule.name!r} names the recipe {rule.recipe!r}; known are {', '.join(sorted(self.recipes))}"
                )
            known = ", ".join(sorted(self.peers)) or "none"
            for destination in rule.destinations:
                if destination not in self.peers:
                    raise ValueError(f"rule {rule.name!r} sends to the peer {destination!r}; known are {known}")
            for source in rule.prefetch_from:
                if source not in self.peers:
                    raise ValueError(f"rule {rule.name!r} asks the peer {source!r}; known are {known}")
                if self.peers[source].prefetch == "no":
                    raise ValueError(
                        f"rule {rule.name!r} asks the peer {source!r}: say in its prefetch how, move, get or dicomweb"
                    )
        return self

    @property
    def database_url(self) -> str:
        """The ledger's address."""
        return self.database.url or f"sqlite:///{(self.storage.path / 'ledger.sqlite').absolute()}"


def _with_certificates_of(tls: TlsSettings, name: str, peer: PeerSettings) -> PeerSettings:
    own = {} if peer.tls_certificate else {"tls_certificate": tls.certificate, "tls_key": tls.key}
    filled = peer.model_copy(update={"tls_ca": peer.tls_ca or tls.ca, **own})
    if not filled.tls_ca:
        raise ValueError(f"peer {name!r} speaks TLS: name in its tls_ca or in tls.ca who signed its certificate")
    return filled


def load_settings(path: Path | None = None) -> Settings:
    """Settings of the file at `path` (or none) and the environment.

    Raises `SettingsError` that names each wrong key and what is allowed.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"the settings file {path} cannot be read: {error.strerror}") from error
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"the settings file {path} is not TOML: {error}") from error
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError(_explain(error, path)) from error
    except SourceError as error:
        raise SettingsError(
            f"the environment variables DICOMNODE_…: {error}; tables and lists are JSON there"
        ) from error


def _explain(error: ValidationError, path: Path | None) -> str:
    lines = [f"the settings{f' in {path}' if path else ''} are wrong:"]
    for problem in error.errors():
        place = ".".join(str(part) for part in problem["loc"])
        lines.append(f"  {place}: {_sentence(problem)}" if place else f"  {_sentence(problem)}")
    return "\n".join(lines)


def _sentence(problem: ErrorDetails) -> str:
    """What is wrong, and what is allowed in its place."""
    if problem["type"] == "extra_forbidden":
        return f"no such key; there are {', '.join(sorted(_keys_at(problem['loc'][:-1])))}"
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    return f"{problem['msg']}, not {problem['input']!r}" if problem["type"] != "missing" else "this key is required"


def _keys_at(place: Sequence[str | int]) -> Sequence[str]:
    """The keys of the section at `place`."""
    kind: Any = Settings
    for step in place:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = kind.model_fields[str(step)].annotation
        else:  # a table of sections by name, or a list of them
            kind = next(argument for argument in reversed(get_args(kind)) if argument is not Ellipsis)
    return tuple(kind.model_fields)
