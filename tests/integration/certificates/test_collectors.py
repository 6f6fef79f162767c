"""Collectors with certificates: who gets in, who doesn't, and from when on."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509

from mtd.core.errors import Unauthenticated
from mtd.model.collector import CollectorCertificate, CollectorState
from mtd.model.tenant import Quotas
from mtd.pb.admin.v1 import collector_service_pb2 as pb
from mtd.pb.ingest.v1 import enrollment_service_pb2 as enrollment_pb
from mtd.security.ca import Authority
from mtd.security.certificates import (
    certificate_pem,
    facts_of,
    key_pem,
    load_certificates,
    new_key,
    request_pem,
)
from mtd.security.enrolment import parse_token
from mtd.storage.stores.collectors import CollectorStore
from mtd.storage.stores.enrolments import EnrolmentStore, Member
from mtd.testing.metrics import metric
from tests.integration.certificates.kit import (
    CODE,
    DAY_US,
    HOME,
    Hub,
    Shown,
    as_tenant,
    fails,
    rows,
    until,
    with_hub,
)

WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def serial_of(shown: Shown) -> str:
    assert shown.chain is not None
    return facts_of(load_certificates(shown.chain, "chain")[0]).serial


def test_a_collector_enrols_and_is_known(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        shown, issued = await hub.collector("edge-1")
        assert (issued.collector_name, list(issued.tenant_ids)) == ("edge-1", [HOME])
        assert issued.collector_port == hub.server.client_port
        assert issued.authorities == hub.ca
        assert b"PRIVATE" not in issued.SerializeToString()
        left = issued.expire_time.ToDatetime(dt.UTC) - dt.datetime.now(dt.UTC)
        assert dt.timedelta(days=29) < left <= dt.timedelta(days=30)
        renewed = await hub.renew(shown)
        assert renewed.collector_id == issued.collector_id
        assert facts_of(load_certificates(renewed.certificate_chain, "c")[0]).subject == "CN=edge-1"
        found = (await hub.admin.GetCollector(pb.GetCollectorRequest(collector="edge-1"))).collector
        assert (found.id, found.state, len(found.certificates)) == (
            issued.collector_id,
            pb.COLLECTOR_STATE_ACTIVE,
            2,
        )
        [entry] = hub.audit.of("collector.enroll")
        assert (entry.outcome, entry.caller, entry.tenant_id) == ("OK", "edge-1", HOME)
        renewals = hub.audit.of("RenewCertificate")
        assert [(entry.caller_kind, entry.caller, entry.outcome) for entry in renewals] == [
            ("collector", "edge-1", "OK")
        ]

    with_hub(tmp_path, postgres_dsn, body)


def test_a_token_is_good_once(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        before = metric("mtd_app_enrolments_refused_total", reason="replayed")
        token = await hub.invite("edge-1")
        results = await asyncio.gather(*(hub.enrol(token) for _ in range(8)), return_exceptions=True)
        good = [one for one in results if not isinstance(one, BaseException)]
        assert len(good) == 1
        refused = [one for one in results if isinstance(one, grpc.aio.AioRpcError)]
        assert {one.code() for one in refused} == {CODE.UNAUTHENTICATED}
        assert len(refused) == 7
        await hub.renew(good[0][0])  # who was first isn't shut out by the others
        assert metric("mtd_app_enrolments_refused_total", reason="replayed") - before == 7
        entries = [entry for entry in hub.audit.of("collector.enroll") if entry.outcome != "OK"]
        assert len(entries) == 7
        assert {(entry.outcome, entry.tenant_id, entry.target) for entry in entries} == {
            ("UNAUTHENTICATED", HOME, "collector=edge-1")
        }
        assert all("replayed" in entry.detail["reason"] for entry in entries)
        [used] = rows(postgres_dsn, "SELECT used_at IS NOT NULL, used_by_peer FROM mtd.enrolment_token")
        assert used[0]
        assert used[1].startswith("ipv4:127.0.0.1:")

    with_hub(tmp_path, postgres_dsn, body)


def test_tokens_that_expired_or_were_never_given_out(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        token = await hub.invite("edge-1")
        head, secret = token[:21], token[22:86]
        guessed = token.replace(secret, secret[::-1])
        hub.clock.now += 10 * 60_000_000 + 1
        for wrong, reason in (
            (token, "expired"),
            (guessed, "unknown"),
            ("mtde_x", "unknown"),
            ("", "unknown"),
        ):
            before = metric("mtd_app_enrolments_refused_total", reason=reason)
            failed = await fails(hub.enrol(wrong))
            assert failed.code() is CODE.UNAUTHENTICATED
            assert metric("mtd_app_enrolments_refused_total", reason=reason) == before + 1
        assert len({entry.detail["reason"] for entry in hub.audit.of("collector.enroll")}) == 3
        told = str(hub.audit.entries)
        assert secret not in told
        assert secret[::-1] not in told
        assert head.startswith("mtde_")
        assert rows(postgres_dsn, "SELECT count(*) FROM mtd.certificate") == [(0,)]

    with_hub(tmp_path, postgres_dsn, body)


def test_a_request_that_is_no_good_leaves_the_token_good(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        token = await hub.invite("edge-1")
        request = enrollment_pb.EnrollRequest(enrollment_token=token, certificate_request=b"junk")
        assert (await fails(hub.enrollment.Enroll(request))).code() is CODE.INVALID_ARGUMENT
        await hub.enrol(token)

    with_hub(tmp_path, postgres_dsn, body)


def test_who_guesses_tokens_has_to_wait(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        token = await hub.invite("edge-1")
        codes = [(await fails(hub.enrol("mtde_x"))).code() for _ in range(12)]
        assert codes == [CODE.UNAUTHENTICATED] * 10 + [CODE.RESOURCE_EXHAUSTED] * 2
        assert (await fails(hub.enrol(token))).code() is CODE.RESOURCE_EXHAUSTED  # from the same address
        hub.clock.now += 6_000_000
        await hub.enrol(token)

    with_hub(tmp_path, postgres_dsn, body)


def test_the_ca_s_signature_alone_lets_nobody_in(tmp_path: Path, postgres_dsn: str) -> None:
    """Handshakes with certificates of others fail; one that the CA signed and the database doesn't have is refused."""

    async def body(hub: Hub) -> None:
        _, issued = await hub.collector("edge-1")
        key = new_key()

        def signed_by(authority: Authority, days: float, now_us: int) -> Shown:
            made = authority.issue_collector(
                key.public_key(), issued.collector_id, "edge-1", [HOME], now_us, days
            )
            return Shown(key_pem(key), certificate_pem(made))

        stranger = Authority.new("mtd internal CA", hub.clock.now, 100)
        itself = Authority(key, Authority.new("edge-1", hub.clock.now, 1).certificate)
        own, _ = hub.certificates.authorities._signing()
        expired = signed_by(own, 1, hub.clock.now - 2 * DAY_US)
        for shown in (signed_by(stranger, 30, hub.clock.now), signed_by(itself, 30, hub.clock.now), expired):
            assert (await fails(hub.renew(shown))).code() is CODE.UNAVAILABLE
        before = metric("mtd_app_collectors_refused_total", reason="unknown")
        failed = await fails(hub.renew(signed_by(own, 30, hub.clock.now)))
        assert failed.code() is CODE.UNAUTHENTICATED
        assert "enrol again" in (failed.details() or "")
        assert metric("mtd_app_collectors_refused_total", reason="unknown") == before + 1
        assert hub.audit.entries[-1].outcome == "UNAUTHENTICATED"

    with_hub(tmp_path, postgres_dsn, body)


def test_without_a_certificate_nobody_comes_by_the_port_of_collectors(
    tmp_path: Path, postgres_dsn: str
) -> None:
    async def body(hub: Hub) -> None:
        await hub.collector("edge-1")
        bare = grpc.aio.secure_channel(
            f"127.0.0.1:{hub.server.client_port}", grpc.ssl_channel_credentials(hub.ca)
        )
        hub.channels.append(bare)
        assert (await fails(hub.renew(Shown(), channel=bare))).code() is CODE.UNAVAILABLE
        # By the other port it is a caller like others, and no collector.
        assert (await fails(hub.renew(Shown()))).code() is CODE.PERMISSION_DENIED

    with_hub(tmp_path, postgres_dsn, body)


def test_a_revoked_certificate_is_out_at_once(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        shown, _ = await hub.collector("edge-1")
        other, _ = await hub.collector("edge-2")
        channel = hub.channel(shown)
        await hub.renew(shown, channel=channel)
        before = metric("mtd_app_collectors_refused_total", reason="revoked")
        answer = await hub.admin.RevokeCollector(
            pb.RevokeCollectorRequest(collector="edge-1", serial=serial_of(shown), reason="stolen")
        )
        assert answer.revoked == 1
        # On the connection that it has, as on a new one.
        for through in (channel, hub.channel(shown)):
            failed = await fails(hub.renew(shown, channel=through))
            assert (failed.code(), "was revoked" in (failed.details() or "")) == (CODE.UNAUTHENTICATED, True)
        assert metric("mtd_app_collectors_refused_total", reason="revoked") == before + 2
        refused = [entry for entry in hub.audit.of("RenewCertificate") if entry.outcome == "UNAUTHENTICATED"]
        assert len(refused) == 2
        assert "edge-1" in refused[0].detail["reason"]
        await hub.renew(other)
        kept = {one.serial: one.revoke_reason for one in answer.collector.certificates}
        assert kept[serial_of(shown)] == "stolen"
        again = await fails(
            hub.admin.RevokeCollector(pb.RevokeCollectorRequest(collector="edge-1", serial=serial_of(shown)))
        )
        assert again.code() is CODE.NOT_FOUND

    with_hub(tmp_path, postgres_dsn, body)


def test_what_another_daemon_revokes_is_out_as_soon_as_it_is_told(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        shown, _ = await hub.collector("edge-1")
        channel = hub.channel(shown)
        await hub.renew(shown, channel=channel)
        collectors = hub.certificates.collectors
        assert collectors is not None
        told = collectors._told
        rows(postgres_dsn, "UPDATE mtd.certificate SET revoked_at = now(), revoked_reason = 'elsewhere'")
        await until(lambda: collectors._told > told)
        assert (await fails(hub.renew(shown, channel=channel))).code() is CODE.UNAUTHENTICATED

    with_hub(tmp_path, postgres_dsn, body)


def test_a_collector_that_is_disabled_is_out_until_it_is_enabled(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        shown, _ = await hub.collector("edge-1")
        waiting = await hub.invite("edge-1")
        disabled = await hub.admin.DisableCollector(pb.DisableCollectorRequest(collector="edge-1"))
        assert disabled.collector.state == pb.COLLECTOR_STATE_DISABLED
        assert (await fails(hub.renew(shown))).code() is CODE.UNAUTHENTICATED
        assert (await fails(hub.enrol(waiting))).code() is CODE.UNAUTHENTICATED
        assert (await fails(hub.invite("edge-1"))).code() is CODE.INVALID_ARGUMENT
        enabled = await hub.admin.EnableCollector(pb.EnableCollectorRequest(collector="edge-1"))
        assert enabled.collector.state == pb.COLLECTOR_STATE_ACTIVE
        await hub.renew(shown)

    with_hub(tmp_path, postgres_dsn, body)


def test_revoking_all_ends_invitations_too(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        shown, _ = await hub.collector("edge-1")
        waiting = await hub.invite("edge-1")
        answer = await hub.admin.RevokeCollector(pb.RevokeCollectorRequest(collector="edge-1"))
        assert answer.revoked == 2
        assert (await fails(hub.renew(shown))).code() is CODE.UNAUTHENTICATED
        assert (await fails(hub.enrol(waiting))).code() is CODE.UNAUTHENTICATED
        again, _ = await hub.collector("edge-1")
        await hub.renew(again)

    with_hub(tmp_path, postgres_dsn, body)


@pytest.mark.parametrize("how", ["disable", "revoke"])
def test_who_is_shut_out_meanwhile_stays_out(tmp_path: Path, postgres_dsn: str, how: str) -> None:
    """What an administrator does while a certificate is being signed counts."""

    async def body(hub: Hub) -> None:
        shown, issued = await hub.collector("edge-1")
        token = parse_token(await hub.invite("edge-1"))
        assert shown.chain is not None
        assert token is not None
        fingerprint = facts_of(load_certificates(shown.chain, "chain")[0]).fingerprint
        now_us, made = hub.clock.now_us(), CollectorStore(hub.doors)
        ended: list[asyncio.Task[Any]] = []

        async def sign(member: Member) -> CollectorCertificate:
            if how == "disable":
                ended.append(asyncio.create_task(made.disable(HOME, "edge-1", now_us)))
            else:
                ended.append(asyncio.create_task(made.revoke(HOME, "edge-1", "", "stolen", now_us)))
            async with asyncio.timeout(15):
                # It is done, or waits for who is being let in.
                while not ended[0].done() and not await asyncio.to_thread(rows, postgres_dsn, WAITING):
                    await asyncio.sleep(0.01)
            return CollectorCertificate(b"f" * 32, "1", b"a" * 32, now_us, now_us + DAY_US)

        store = EnrolmentStore(hub.writer)
        if how == "disable":
            await store.enrol(token.token_id, token.secret_hash, "peer", now_us, sign)
        else:
            await store.renew(issued.collector_id, fingerprint, now_us, sign)
        await ended[0]
        found = await made.get(HOME, "edge-1", now_us)
        if how == "disable":
            assert found.state is CollectorState.DISABLED
        else:
            assert [one.serial for one in found.certificates if one.revoked_us is None] == []

    with_hub(tmp_path, postgres_dsn, body)


def test_what_was_revoked_renews_nothing(tmp_path: Path, postgres_dsn: str) -> None:
    """Though it let its collector in a moment ago."""

    async def body(hub: Hub) -> None:
        shown, issued = await hub.collector("edge-1")
        assert shown.chain is not None
        fingerprint = facts_of(load_certificates(shown.chain, "chain")[0]).fingerprint
        await hub.admin.RevokeCollector(pb.RevokeCollectorRequest(collector="edge-1"))

        async def sign(member: Member) -> CollectorCertificate:
            raise AssertionError("signed for one that was revoked")

        with pytest.raises(Unauthenticated, match="revoked"):
            await EnrolmentStore(hub.writer).renew(issued.collector_id, fingerprint, hub.clock.now_us(), sign)

    with_hub(tmp_path, postgres_dsn, body)


def test_enrolling_again_ends_the_certificates_before(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        lost, issued = await hub.collector("edge-1")
        new, again = await hub.collector("edge-1")
        assert again.collector_id == issued.collector_id
        await hub.renew(new)
        assert (await fails(hub.renew(lost))).code() is CODE.UNAUTHENTICATED

    with_hub(tmp_path, postgres_dsn, body)


def test_a_certificate_that_expires_on_an_open_connection(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        shown, _ = await hub.collector("edge-1")
        channel = hub.channel(shown)
        await hub.renew(shown, channel=channel)
        hub.clock.now += 31 * DAY_US
        before = metric("mtd_app_collectors_refused_total", reason="expired")
        assert (await fails(hub.renew(shown, channel=channel))).code() is CODE.UNAUTHENTICATED
        assert metric("mtd_app_collectors_refused_total", reason="expired") == before + 1

    with_hub(tmp_path, postgres_dsn, body)


def test_a_stolen_certificate_is_of_no_use_for_another_tenant(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        other = await hub.tenant("other")
        shown, _ = await hub.collector("edge-1")
        await hub.renew(shown, tenant=HOME)
        before = metric("mtd_api_access_refused_total", reason="tenant")
        for tenant in ("other", other, "nobody's", "'; DROP TABLE mtd.tenant; --"):
            failed = await fails(hub.renew(shown, tenant=tenant))
            assert (failed.code(), "may not work for the tenant" in (failed.details() or "")) == (
                CODE.PERMISSION_DENIED,
                True,
            )
        assert metric("mtd_api_access_refused_total", reason="tenant") == before + 4
        refused = [
            entry for entry in hub.audit.of("RenewCertificate") if entry.outcome == "PERMISSION_DENIED"
        ]
        assert len(refused) == 4
        # Nor does it open what collectors have no business with.
        stub = type(hub.admin)(hub.channel(shown))
        assert (await fails(stub.ListCollectors(pb.ListCollectorsRequest()))).code() is CODE.PERMISSION_DENIED

    with_hub(tmp_path, postgres_dsn, body)


def test_a_collector_serves_the_tenants_that_it_was_given(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        second, third = await hub.tenant("second"), await hub.tenant("third")
        shown, _ = await hub.collector("edge-1")
        request = pb.SetServedTenantsRequest(collector="edge-1", tenants=["second", third])
        given = await hub.admin.SetServedTenants(request)
        assert set(given.collector.served_tenant_ids) == {second, third}
        renewed = await hub.renew(shown, tenant="second")
        assert set(renewed.tenant_ids) == {HOME, second, third}
        assert {entry.tenant_id for entry in hub.audit.of("RenewCertificate")} == {second}
        await hub.tenancy.tenants.update("third", {"enabled"}, enabled=False)
        await hub.certificates.collectors.refresh()  # type: ignore[union-attr]
        assert (await fails(hub.renew(shown, tenant="third"))).code() is CODE.PERMISSION_DENIED
        await hub.admin.SetServedTenants(pb.SetServedTenantsRequest(collector="edge-1"))
        assert (await fails(hub.renew(shown, tenant="second"))).code() is CODE.PERMISSION_DENIED
        unknown = pb.SetServedTenantsRequest(collector="edge-1", tenants=["nobody's"])
        assert (await fails(hub.admin.SetServedTenants(unknown))).code() is CODE.NOT_FOUND

    with_hub(tmp_path, postgres_dsn, body)


def test_a_tenant_sees_its_own_collectors_only(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        await hub.tenant("other")
        _, issued = await hub.collector("edge-1")
        theirs = as_tenant("other")
        for name in ("edge-1", issued.collector_id, "nothing"):
            failed = await fails(
                hub.admin.GetCollector(pb.GetCollectorRequest(collector=name), metadata=theirs)
            )
            assert (failed.code(), failed.details()) == (CODE.NOT_FOUND, f"there is no collector {name!r}")
            revoke = pb.RevokeCollectorRequest(collector=name)
            assert (await fails(hub.admin.RevokeCollector(revoke, metadata=theirs))).code() is CODE.NOT_FOUND
        await hub.collector("edge-1", "other")  # names are each tenant's own
        answer = await hub.admin.ListCollectors(pb.ListCollectorsRequest(), metadata=theirs)
        assert [one.name for one in answer.collectors] == ["edge-1"]
        assert answer.collectors[0].id != issued.collector_id

    with_hub(tmp_path, postgres_dsn, body)


def test_pages_and_quota(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        await hub.tenant("small", Quotas(collectors=3))
        for number in range(3):
            await hub.invite(f"edge-{number}", "small")
        await hub.invite("edge-1", "small")  # known already
        refused = await fails(hub.invite("edge-9", "small"))
        assert (refused.code(), "may have 3 collectors" in (refused.details() or "")) == (
            CODE.RESOURCE_EXHAUSTED,
            True,
        )
        names, token = [], ""
        while True:
            page = await hub.admin.ListCollectors(
                pb.ListCollectorsRequest(page_size=2, page_token=token), metadata=as_tenant("small")
            )
            names += [one.name for one in page.collectors]
            token = page.next_page_token
            if not token:
                break
        assert names == ["edge-0", "edge-1", "edge-2"]
        await hub.admin.DisableCollector(
            pb.DisableCollectorRequest(collector="edge-0"), metadata=as_tenant("small")
        )
        await hub.invite("edge-9", "small")
        enable = pb.EnableCollectorRequest(collector="edge-0")
        assert (await fails(hub.admin.EnableCollector(enable, metadata=as_tenant("small")))).code() is (
            CODE.RESOURCE_EXHAUSTED
        )

    with_hub(tmp_path, postgres_dsn, body)


def test_a_collector_can_t_fill_the_table(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        shown, _ = await hub.collector("edge-1")
        channel = hub.channel(shown)
        for _ in range(9):
            await hub.renew(shown, channel=channel)
        assert (await fails(hub.renew(shown, channel=channel))).code() is CODE.RESOURCE_EXHAUSTED
        hub.clock.now += 20 * DAY_US
        assert rows(postgres_dsn, "SELECT count(*) FROM mtd.certificate") == [(10,)]

    with_hub(tmp_path, postgres_dsn, body)


def test_requests_of_anybody_break_nothing(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        shown, _ = await hub.collector("edge-1")
        channel: Any = hub.channel(shown)
        good = request_pem(new_key(), "e")
        method = channel.unary_unary(
            "/mtd.pb.ingest.v1.EnrollmentService/RenewCertificate",
            request_serializer=enrollment_pb.RenewCertificateRequest.SerializeToString,
        )
        for junk in (b"", b"\0" * 100, good[:-40], good * 100, good.replace(b"A", b"B")):
            request = enrollment_pb.RenewCertificateRequest(certificate_request=junk)
            assert (await fails(method(request))).code() is CODE.INVALID_ARGUMENT

    with_hub(tmp_path, postgres_dsn, body)


def test_a_proxy_is_given_the_list_of_those_revoked(tmp_path: Path, postgres_dsn: str) -> None:
    path = tmp_path / "revoked.crl"

    async def body(hub: Hub) -> None:
        shown, _ = await hub.collector("edge-1")
        await until(path.exists)
        await hub.admin.RevokeCollector(pb.RevokeCollectorRequest(collector="edge-1"))

        def listed() -> bool:
            crl = x509.load_pem_x509_crl(path.read_bytes())
            return crl.get_revoked_certificate_by_serial_number(int(serial_of(shown), 16)) is not None

        await until(listed)
        assert path.stat().st_mode & 0o777 == 0o644

    with_hub(tmp_path / "data", postgres_dsn, body, certificates={"crl_file": path})
