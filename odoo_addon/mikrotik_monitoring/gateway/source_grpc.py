"""Values from mtd itself, over gRPC."""

import threading
import time

from .source import MAX_ROWS, Series, SourceError, checked

PAGE = 10_000
CATALOGUE_S = 600.0
"""For how long the words of states are kept."""


class Catalogues:
    """The words of states by metric, of each connection. Threads share it."""

    def __init__(self, clock=time.monotonic):
        self._clock = clock
        self._lock = threading.Lock()
        self._known = {}

    def states(self, key, ask):
        """Return the words of all states of a connection, asking at most once in ten minutes."""
        with self._lock:
            until, states = self._known.get(key, (0.0, {}))
        if until > self._clock():
            return states
        catalogue = ask(lambda client: client.list_metrics())
        states = {metric.key: dict(metric.states) for metric in catalogue.metrics if metric.states}
        with self._lock:
            self._known[key] = (self._clock() + CATALOGUE_S, states)
        return states


CATALOGUES = Catalogues()


class GrpcSource:
    """Asks mtd. `ask` makes a call: it is given a function of a client, and returns what that returns."""

    def __init__(self, key, ask, catalogues=CATALOGUES):
        self._key = key
        self._ask = ask
        self._catalogues = catalogues

    def latest(self, devices, patterns=()):
        """Return the newest value of each series. Raises SourceError `rows`."""
        found, token = [], ""
        for _number in range(MAX_ROWS // PAGE + 1):
            page = self._page(devices, patterns, token)
            found += page.values
            token = page.next_token
            if not token:
                break
        if token or len(found) > MAX_ROWS:
            raise SourceError("rows")
        states = self._states()
        return [_newest(value, states) for value in found]

    def history(self, device, patterns, plan):
        """Return values over time, in buckets where the plan has them. Raises SourceError `rows`."""
        answer = self._ask(
            lambda client: client.query_range(
                device,
                list(patterns),
                start=plan.start_us,
                end=plan.end_us,
                max_points=plan.points,
                resolution=plan.resolution,
            )
        )
        states = self._states()
        return checked([_over_time(device, one, answer.bucket_us, states) for one in answer.series], plan)

    def _page(self, devices, patterns, token):
        return self._ask(
            lambda client: client.query_latest(
                list(devices), list(patterns), page_size=PAGE, page_token=token
            )
        )

    def _states(self):
        return self._catalogues.states(self._key, self._ask)


def _newest(value, states):
    return Series(
        device=value.device_id,
        metric=value.metric,
        instance=value.instance,
        label=value.label,
        key=value.key,
        unit=value.unit,
        times_us=(_microseconds(value.collected_at),),
        values=(value.value,),
        whole=() if value.value_int is None else (value.value_int,),
        texts=states.get(value.metric, {}),
    )


def _over_time(device, one, bucket_us, states):
    is_counter = one.lane == "counter"
    return Series(
        device=device,
        metric=one.metric,
        instance=one.instance,
        label=one.label,
        key=one.key,
        unit=one.unit,
        times_us=one.times_us,
        values=[float(value) for value in one.values] if is_counter else one.values,
        whole=one.values if is_counter else (),
        minimum=one.minimum,
        maximum=one.maximum,
        texts=states.get(one.metric, {}),
        bucket_us=bucket_us,
    )


def _microseconds(moment):
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 1_000_000 + moment.microsecond
