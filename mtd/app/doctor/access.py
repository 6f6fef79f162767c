"""Checks of who may do what: users, roles, tokens, and the walls between tenants."""

from __future__ import annotations

from mtd.api.login.config import LoginMode
from mtd.app.doctor.patient import Patient, named
from mtd.app.doctor.results import CHECKS, Result, failed, passed, warned
from mtd.model.principal import Role
from mtd.security.config import Personal
from mtd.storage.examination import door_login_problem

_ACCESS = "access"
_WALLS = "tenants"
_MOST_SUPER_ADMINS = 5
_FEW_USERS = 3


@CHECKS.add("access.loopback", _ACCESS, "programs of this machine")
def loopback(patient: Patient) -> Result:
    """Trusted, they are super-admins without saying who they are."""
    if not patient.settings.security.trust_loopback:
        return passed("they have to say who they are, as all others")
    if patient.settings.login.public_base_url:
        return failed(
            "browsers come through a proxy: what it passes on from this machine, and doesn't say so, is super-admin",
            "make a super-admin user or token, then set security.trust_loopback = false (docs/tls.md)",
        )
    return warned(
        "whoever may run programs on this machine is super-admin, and in the audit log without a name",
        "make a super-admin user or token, then set security.trust_loopback = false",
    )


@CHECKS.add("access.users", _ACCESS, "somebody who may administrate")
def users(patient: Patient) -> Result:
    """Without trust in loopback, nobody could change anything."""
    counts = patient.schema.users()
    tokens = patient.schema.tokens()
    words = ", ".join(f"{count} {role}" for role, count in counts.items()) or "no users"
    if counts.get(Role.SUPER_ADMIN.word) or tokens.super_admins:
        return passed(words)
    mend = "make a super-admin: `mtd user add NAME --super-admin`"
    if patient.settings.security.trust_loopback:
        return warned(f"{words}: only programs of this machine may administrate", mend)
    return failed(
        f"{words}: nobody may administrate", f"{mend}, with security.trust_loopback = true for the time"
    )


@CHECKS.add("access.roles", _ACCESS, "roles of users")
def roles(patient: Patient) -> Result:
    """Rights that nobody needs are somebody's way in."""
    counts = patient.schema.users()
    everybody, high = sum(counts.values()), counts.get(Role.SUPER_ADMIN.word, 0)
    admins = high + counts.get(Role.ADMIN.word, 0)
    if high > _MOST_SUPER_ADMINS:
        return warned(
            f"{high} users are super-admins", "give them roles in their tenants, and keep two or three"
        )
    if everybody > _FEW_USERS and admins == everybody:
        return warned(
            f"all {everybody} users are admins", "make those who look viewers, and the NOC operators"
        )
    return passed(f"{admins} of {everybody} users are admins or above")


@CHECKS.add("access.login", _ACCESS, "how people log in")
def login(patient: Patient) -> Result:
    """With passwords of mtd's own, or an identity provider that may ask for a second factor."""
    settings = patient.settings
    if settings.login.mode is LoginMode.OIDC:
        return passed(f"by {settings.oidc.issuer}")
    return warned(
        "with passwords of mtd's own, and no second factor",
        'use an identity provider with a second factor: login.mode = "oidc"',
    )


@CHECKS.add("access.tokens", _ACCESS, "API tokens")
def tokens(patient: Patient) -> Result:
    """They lie around in configurations of others."""
    found = patient.schema.tokens()
    wrong = []
    if found.endless:
        wrong.append(f"never expire: {named(found.endless)}")
    if found.unbounded:
        wrong.append(f"may be used for anything: {named(found.unbounded)}")
    if found.super_admins:
        wrong.append(f"are of super-admins: {named(found.super_admins)}")
    if wrong:
        return warned(
            f"of {found.good}, these {'; these '.join(wrong)}",
            "make tokens that expire, have the scopes that they need and no more, and belong to a tenant",
        )
    return passed(f"{found.good}, all of them expire and are bounded")


@CHECKS.add("walls.tables", _WALLS, "row-level security")
def tables(patient: Patient) -> Result:
    """PostgreSQL itself keeps tenants apart."""
    examined = patient.schema
    open_ones, partitions = examined.open_tables(), examined.granted_partitions()
    if open_ones or partitions:
        return failed(
            f"not behind the wall: {named([*open_ones, *partitions])}",
            "somebody changed the schema: `mtd migrate` on an empty database shows how it has to be (docs/tenants.md)",
        )
    return passed("on every table, and no partition can be read past it")


@CHECKS.add("walls.roles", _WALLS, "roles in PostgreSQL")
def database_roles(patient: Patient) -> Result:
    """What doors work as must not be able to pass the walls."""
    wrong = patient.schema.open_roles()
    if wrong:
        return failed(
            f"{named(wrong)} could log in or pass row-level security",
            "ALTER ROLE ... NOLOGIN NOSUPERUSER NOBYPASSRLS",
        )
    settings = patient.settings.database
    if not settings.read_dsn():
        return passed("doors have a login of their own in mtd's PostgreSQL, which can't pass the walls")
    door_dsn = settings.read_door_dsn()
    if door_dsn:
        problem = door_login_problem(door_dsn)
        if problem:
            return failed(problem, "give doors a login for this only: docs/tenants.md")
        return passed("doors have a login of their own, which can't pass the walls")
    return warned(
        "doors log in as the owner of the tables, and lay its rights down",
        "make a login for doors, and set database.door_dsn: docs/tenants.md",
    )


@CHECKS.add("privacy.subscribers", _WALLS, "names of subscribers")
def subscribers(patient: Patient) -> Result:
    """What isn't kept can't be lost."""
    privacy = patient.settings.privacy
    kept = [str(tenant) for tenant, choice in privacy.tenants.items() if choice is Personal.KEPT]
    if privacy.subscribers is Personal.KEPT:
        return warned(
            "logins, addresses and host names of subscribers are kept as routers tell them",
            'set privacy.subscribers = "hashed", unless you have the right and the need to keep them',
        )
    if kept:
        return warned(f"kept as they are for the tenants {named(kept)}", "see whether those need them")
    if patient.settings.syslog.enabled:
        return warned(
            "replaced by pseudonyms, but for lines of routers' logs, which hold them as routers write them",
            "have routers send fewer topics, keep lines shorter (database.retention.logs_days), or none: docs/syslog.md",
        )
    return passed("replaced by pseudonyms before they are written down")
