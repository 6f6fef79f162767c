"""Settings of the browser console."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ConsoleConfig(BaseModel):
    """The browser console, at the HTTP door below ``/console/``."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool = Field(default=True, description="Whether the console is served.")
    max_viewers: int = Field(
        default=250, ge=1, description="Consoles open at a time; further ones are refused."
    )
    max_tenants: int = Field(
        default=50,
        ge=1,
        description="Tenants that may be looked at at a time: what is live of each takes memory.",
    )
    tenant_linger_s: float = Field(
        default=300.0,
        ge=0,
        description="What is live of a tenant is kept for so long after the last console closed, so that its trends are"
        " there when one opens again. Of the first tenant it always is.",
    )
    max_message_bytes: int = Field(
        default=64 * 1024, ge=1024, description="Most that a console may send without completing a message."
    )
    ping_s: float = Field(
        default=20.0, gt=0, description="A silent console is pinged after this many seconds."
    )
    timeout_s: float = Field(
        default=60.0,
        gt=0,
        description="A console that is silent for so many seconds, pings included, is cut off.",
    )
    deadline_s: float = Field(default=15.0, gt=0, description="Longest wait for an answer of the database.")
