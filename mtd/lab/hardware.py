"""What the simulated routers are made of: boards and their interfaces."""

from __future__ import annotations

from dataclasses import dataclass

from mtd.lab.wave import Dice

DYNAMIC_FIRST_ID = 0xF00001
GIGABIT_BPS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Board:
    """A model, as ``/system/resource`` and ``/system/routerboard`` tell it."""

    name: str
    architecture: str
    cpu: str
    cpu_count: int
    cpu_mhz: int
    memory_bytes: int
    disk_bytes: int
    firmware_type: str


BOARDS_V6 = (
    Board("RB2011UiAS", "mipsbe", "MIPS 74Kc V4.12", 1, 600, 128 << 20, 128 << 20, "ar9344"),
    Board("CCR1036-8G-2S+", "tile", "tilegx", 36, 1200, 4096 << 20, 1024 << 20, "tilegx"),
    Board("RB1100AHx4", "arm", "ARMv7", 4, 1400, 1024 << 20, 128 << 20, "al2"),
)
BOARDS_V7 = (
    Board("RB5009UG+S+", "arm64", "ARM64", 4, 1400, 1024 << 20, 1024 << 20, "70x0"),
    Board("CCR2004-16G-2S+", "arm64", "ARM64", 4, 1700, 4096 << 20, 128 << 20, "al64"),
    Board("CCR2116-12G-4S+", "arm64", "ARM64", 16, 2000, 16384 << 20, 128 << 20, "al64v3"),
)

# As operators write them: plain, UTF-8, code pages of old Windows, "=" inside, none at all.
_COMMENTS = (
    b"Uplink to core-1",
    "Łącze światłowodowe".encode(),
    "абонент Иванов".encode("cp1251"),
    b"",
    b"cust=4711 / vlan=100",
    "Cañón norte".encode("latin-1"),
    b"",
    b"100% reserved, do not touch",
)


@dataclass(frozen=True, slots=True)
class Interface:
    """The fixed facts of an interface. ``index`` is its row in all arrays."""

    index: int
    id: str
    name: str
    type: str
    default_name: str
    mac_address: str
    mtu: int
    l2mtu: int
    speed_bps: int
    comment: bytes
    dynamic: bool = False
    slave: bool = False
    disabled: bool = False
    connected: bool = True


def board_for(version_major: int, dice: Dice) -> Board:
    """Pick a board that runs this major version."""
    boards = BOARDS_V6 if version_major < 7 else BOARDS_V7
    return boards[dice.between(0, len(boards) - 1)]


def build_interfaces(count: int, pppoe: int, key: int) -> list[Interface]:
    """Return ``count`` lasting interfaces, then ``pppoe`` dynamic ones."""
    dice = Dice(key, 1)
    mac = dice.between(0, 0xFFFF)
    lasting = [_lasting(index, count, mac, dice) for index in range(count)]
    return lasting + [_dynamic(count + number, number) for number in range(pppoe)]


def _lasting(index: int, count: int, mac: int, dice: Dice) -> Interface:
    """Two SFP+ ports, ethernet, then bonding, bridge and VLANs on top of them."""
    ethers = min(count, 18)
    idle = index > 2 and dice.between(0, 9) == 0
    disabled = index > 2 and dice.between(0, 14) == 0
    common = {
        "index": index,
        "id": f"*{index + 1:X}",
        "mac_address": f"64:D1:54:{mac >> 8:02X}:{mac & 0xFF:02X}:{index & 0xFF:02X}",
        "comment": _COMMENTS[dice.between(0, len(_COMMENTS) - 1)] if index else _COMMENTS[0],
        "disabled": disabled,
        "connected": not (idle or disabled),
    }
    if index < 2 and count > 4:
        name = f"sfp-sfpplus{index + 1}"
        return _interface(common, name, "ether", name, mtu=1500, l2mtu=1584, speed=10 * GIGABIT_BPS)
    if index < ethers:
        name = f"ether{index - 1 if count > 4 else index + 1}"
        slave = index >= ethers - 4 and count > 18
        return _interface(common, name, "ether", name, mtu=1500, l2mtu=1584, speed=GIGABIT_BPS, slave=slave)
    if index == ethers:
        return _interface(common, "bond1", "bond", "", mtu=1500, l2mtu=1584, speed=2 * GIGABIT_BPS)
    if index == ethers + 1:
        return _interface(common, "bridge1", "bridge", "", mtu=1500, l2mtu=1584, speed=4 * GIGABIT_BPS)
    return _interface(common, f"vlan{100 + index}", "vlan", "", mtu=1500, l2mtu=1580, speed=GIGABIT_BPS)


def _interface(
    common: dict[str, object],
    name: str,
    kind: str,
    default_name: str,
    *,
    mtu: int,
    l2mtu: int,
    speed: int,
    slave: bool = False,
) -> Interface:
    return Interface(
        name=name,
        type=kind,
        default_name=default_name,
        mtu=mtu,
        l2mtu=l2mtu,
        speed_bps=speed,
        slave=slave,
        **common,  # type: ignore[arg-type]
    )


def _dynamic(index: int, number: int) -> Interface:
    return Interface(
        index=index,
        id=f"*{DYNAMIC_FIRST_ID + number:X}",
        name=f"<pppoe-subscriber{number + 1}>",
        type="pppoe-in",
        default_name="",
        mac_address="",
        mtu=1480,
        l2mtu=0,
        speed_bps=GIGABIT_BPS // 10,
        comment=b"",
        dynamic=True,
    )
