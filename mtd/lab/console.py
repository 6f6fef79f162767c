"""A router's console: finds menus and commands, and keeps ready-made answers."""

from __future__ import annotations

from mtd.lab.menus.base import PRINT_COMMANDS, CommandError, Menu
from mtd.lab.menus.interface import interface_menus
from mtd.lab.menus.lte import lte_menus
from mtd.lab.menus.network import network_menus
from mtd.lab.menus.ppp import ppp_menus
from mtd.lab.menus.queues import queue_menus
from mtd.lab.menus.settings import settings_menus
from mtd.lab.menus.system import system_menus
from mtd.lab.menus.tools import tool_menus
from mtd.lab.menus.vpn import vpn_menus
from mtd.lab.menus.watching import watching_menus
from mtd.lab.menus.wireless import wireless_menus
from mtd.lab.render import Plan, print_plan
from mtd.lab.reply import Answer, ReplyFormat, encode_row
from mtd.lab.state import RouterState
from mtd.lab.wire import Request

_PLANS = 256
_STREAMING = (b"follow", b"follow-only", b"interval")


class Console:
    """The menus of one router."""

    def __init__(self, state: RouterState) -> None:
        self.state = state
        # Of two menus with one path the later one counts: settings are what others don't know better.
        found = [*settings_menus(state), *watching_menus(state)]
        found += [*system_menus(state), *interface_menus(state), *network_menus(state), *tool_menus(state)]
        found += [*wireless_menus(state), *lte_menus(state), *ppp_menus(state), *vpn_menus(state)]
        found += queue_menus(state)
        self.menus = {menu.path: menu for menu in found}
        self._folders = {""} | {
            path[:end]
            for path in self.menus
            for end in range(len(path) + 1)
            if path[end : end + 1] in ("", "/")
        }
        self._plans: dict[tuple[bytes, ...], Plan] = {}

    def known_plan(self, shape: tuple[bytes, ...]) -> Plan | None:
        """Return the ready-made answer to a sentence that was asked before."""
        return self._plans.get(shape)

    def resolve(self, path: str) -> tuple[Menu, str]:
        """Return the menu and the command's name; CommandError if there is none."""
        folder, _, command = path.rpartition("/")
        menu = self.menus.get(folder)
        if menu is None or command not in menu.commands():
            raise CommandError("no such command" if folder in self._folders else "no such command prefix")
        return menu, command

    def streams(self, menu: Menu, command: str, request: Request) -> bool:
        """Whether a request goes on until it is cancelled, or for a while."""
        if command in PRINT_COMMANDS:
            return command == "listen" or any(request.flag(flag) for flag in _STREAMING)
        return command in menu.streams or command in menu.monitors and not request.flag(b"once")

    def answer(self, request: Request, tick: int, reply: ReplyFormat) -> Answer:
        """Answer a request that isn't a stream, its end included."""
        menu, command = self.resolve(request.path)
        if command in PRINT_COMMANDS:
            plan = print_plan(self.state, menu, request)
            if len(self._plans) >= _PLANS:
                self._plans.clear()
            self._plans[request.shape] = plan
            return plan(tick, reply)
        found = self.once(menu, command, request, tick, reply)
        found.data += reply.done()
        return found

    def once(self, menu: Menu, command: str, request: Request, tick: int, reply: ReplyFormat) -> Answer:
        """Run an action, or take one reading of a monitor; without an end."""
        action = menu.actions.get(command) or menu.monitors[command]
        attributes = {
            key: value
            for key, value in request.attributes.items()
            if key not in (b"once", b"interval", b"duration", b".proplist")
        }
        rows = action(self.state, tick, attributes)
        encoded = [encode_row(row, None) for row in rows]
        return Answer(reply.rows([words for words, _ in encoded]), len(rows), sum(n for _, n in encoded))
