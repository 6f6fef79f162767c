from mtd.model.command import Rows
from mtd_collector_system.health import one_row_per_sensor


def sensors(rows: Rows) -> dict[str, tuple[str, str]]:
    """Return sensor -> its quantity and value."""
    return {
        row.pop("name").decode(): (quantity, value.decode())
        for row in one_row_per_sensor(rows).dicts()
        for quantity, value in [next((key, row[key]) for key in row if key != "name")]
    }


def test_both_shapes_become_one() -> None:
    six = Rows(1, {"voltage": (b"24.5",), "temperature": (b"41",)})
    seven = Rows(2, {"name": (b"voltage", b"temperature"), "value": (b"24.5", b"41"), "type": (b"V", b"C")})
    assert (
        sensors(six)
        == sensors(seven)
        == {"voltage": ("voltage", "24.5"), "temperature": ("temperature", "41")}
    )


def test_columns_that_only_other_routers_fill_say_nothing_of_this_one() -> None:
    """After some polls of routers of both versions, one pattern reads both, and has the columns of both."""
    empty, two_empty = (None,), (None, None)
    six = Rows(
        1, {"voltage": (b"24.5",), "temperature": (b"41",), "name": empty, "value": empty, "type": empty}
    )
    assert sensors(six) == {"voltage": ("voltage", "24.5"), "temperature": ("temperature", "41")}
    seven = Rows(
        2,
        {
            "voltage": two_empty,
            "name": (b"fan1-speed", b"psu1-state"),
            "value": (b"4200", b"ok"),
            "type": (b"RPM", b""),
        },
    )
    assert sensors(seven) == {"fan1-speed": ("fan-speed", "4200"), "psu1-state": ("state", "ok")}
