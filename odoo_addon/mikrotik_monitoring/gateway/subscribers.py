"""What names subscribers: shown to those alone who may see data of subscribers."""

MARK = "<"
"""RouterOS names the interface of a session like `<pppoe-anna>`."""


def names_subscriber(label):
    """Return whether a label is that of a subscriber's session."""
    return label.startswith(MARK)


def without_subscribers(series):
    """Return the series that name no subscriber: neither now by their label, nor by their instance."""
    return [one for one in series if not (names_subscriber(one.label) or names_subscriber(one.instance))]
