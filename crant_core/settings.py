"""The settings of the library: what people's programs and the service have in common.

Each field is the environment variable `CRANT_<NAME>`, or a file of that name in the folder that `CRANT_SECRETS_FOLDER`
names (`/run/secrets`, where container engines put them); lists and mappings are JSON. They are read when they are
needed, never when a module is imported.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput

_SECRETS = "/run/secrets"
_CRANTS_SEATABLE = "https://cloud.seatable.io"


class LibrarySettings(BaseSettings):
    """Which datasets there are, and how to get at them."""

    model_config = SettingsConfigDict(env_prefix="CRANT_", extra="ignore", frozen=True, hide_input_in_errors=True)

    datasets: list[Dataset] = Field(default=[], description="Datasets beside the presets")
    default_dataset: str = Field(default="latest", description="The dataset that is meant where none is named")
    cave_tokens: dict[str, SecretStr] = Field(
        default={},
        description="CAVE token by server address; servers not named here use caveclient's own token files",
    )
    annotation_tokens: dict[str, SecretStr] = Field(
        default={}, description="Account token by address of a server of annotations"
    )
    crant_table_token: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("CRANTTABLE_TOKEN", "CRANT_SEATABLE_API_TOKEN"),
        description="Account token for CRANT's annotations, under the names that crantpy gives it",
    )
    cache_folder: Path = Field(
        default=Path("~/.cache/crant"),
        description="Where answers that never change are kept between runs; a disk of the machine, not of a network",
    )
    cache_megabytes: int = Field(default=1024, ge=1, description="How much of them is kept; the oldest go first")
    internal_hosts: list[str] = Field(
        default=[],
        description="Hosts of internal networks that cloud paths and notifications of jobs may name beside public ones",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment first, then the files of secrets, if their folder is there."""
        folder = Path(os.environ.get("CRANT_SECRETS_FOLDER", _SECRETS))
        files = (SecretsSettingsSource(settings_cls, secrets_dir=folder),) if folder.is_dir() else ()
        return init_settings, env_settings, *files

    def token(self, server: str) -> str | None:
        """Return the token for a server; None if none is set."""
        return _secret(self.cave_tokens, server)

    def annotation_token(self, server: str) -> str | None:
        """Return the token for a server of annotations; None if none is set. CRANT's goes to CRANT's server only."""
        mine = self.crant_table_token if server.rstrip("/") == _CRANTS_SEATABLE else None
        return _secret(self.annotation_tokens, server) or (mine.get_secret_value() if mine else None)


def library_settings() -> LibrarySettings:
    """Read the settings as they are now.

    Raises
    ------
    InvalidInput
        One of them cannot be read; the message does not show what it is, because it may be a token.
    """
    try:
        return LibrarySettings()
    except (SettingsError, ValidationError) as error:
        hint = "lists and mappings are JSON; see deploy/env.example"
        raise InvalidInput(f"a CRANT_ setting cannot be read: {error}", hint=hint) from error


def _secret(tokens: Mapping[str, SecretStr], server: str) -> str | None:
    by_address = {address.rstrip("/"): token for address, token in tokens.items()}
    secret = by_address.get(server.rstrip("/"))
    return secret.get_secret_value() if secret else None
