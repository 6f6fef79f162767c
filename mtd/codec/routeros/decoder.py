"""The incremental decoder: bytes in any pieces, answers out, never over its limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from mtd.codec.routeros.columns import RowsBuilder
from mtd.codec.routeros.errors import ProtocolDamaged
from mtd.codec.routeros.shapes import TAG, Draft, PatternCache, ShapeBook
from mtd.codec.routeros.words import END, INCOMPLETE, decode_length, encode_word
from mtd.model.command import Rows, Trap
from mtd.model.text import decode_text

if TYPE_CHECKING:
    from mtd.codec.routeros.patterns import RowPattern
    from mtd.model.command import Command

_BANG = 0x21  # every reply word begins with "!"
_ROW = b"\x03!re"
_DONE = b"\x05!done"
_PEEK = 64
_BURSTS = 24  # per feed: a stream that breaks out of the pattern time and again is read word by word
_LEAST_WINDOW = 8192  # bytes that are searched for rows at least
_DRAFTS_KEPT = 256
_IGNORED_KEPT = 256
# Compiling takes milliseconds of everybody's time: one at a time, so many at once, and then seldom.
_COMPILATIONS = 32.0
_COMPILATIONS_PER_S = 0.1


class Stamp(NamedTuple):
    """When bytes were received: monotonic seconds, and wall time in microseconds."""

    at: float
    us: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What a router may make us hold. A reply's own limits stand in its command."""

    word_bytes: int = 1024 * 1024
    sentence_bytes: int = 4 * 1024 * 1024
    sentence_words: int = 4096
    session_bytes: int = 32 * 1024 * 1024
    idle_sentences: int = 1024  # that belong to no answer, from one answer to the next


@dataclass(slots=True)
class Answer:
    """All that a router said to one tagged command, up to its ``!done``.

    ``overflow``: it went over the command's limits; its rows were thrown away.
    """

    tag: bytes
    rows: Rows
    stamp: Stamp
    size_bytes: int
    trap: Trap | None
    done: dict[str, bytes]
    overflow: bool


@dataclass(frozen=True, slots=True)
class Overflow:
    """The reply with this tag went over its limits; the rest of it will be skipped."""

    tag: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Fatal:
    """The router ends the session (``!fatal``)."""

    reason: str


Event = Answer | Overflow | Fatal


@dataclass(slots=True)
class Counts:
    """What the decoder met since it was made. Owners read differences."""

    sentences: int = 0
    rows: int = 0
    slow_rows: int = 0
    unknown_words: int = 0
    unknown_sentences: int = 0


@dataclass(slots=True)
class _Pending:
    """A reply under way."""

    tag: bytes
    tag_word: bytes
    done_sentence: bytes  # as it comes nearly always: without a word beyond the tag's
    command: Command
    book: ShapeBook
    draft: Draft | None
    rows: RowsBuilder = field(default_factory=RowsBuilder)
    stamp: Stamp | None = None
    size: int = 0
    taken: int = 0  # bytes of rows that were handed out already
    trap: Trap | None = None
    overflow: bool = False


class Decoder:
    """Decodes the stream of one session.

    The owner announces each command with `expect` before it sends it, and
    feeds what it receives. After `ProtocolDamaged` the decoder is of no more
    use. Sentences without a tag belong to the tag ``b""``.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        patterns: PatternCache | None = None,
        code_page: str = "latin-1",
    ) -> None:
        self.counts = Counts()
        self._limits = limits or Limits()
        self._patterns = patterns if patterns is not None else PatternCache()
        self._code_page = code_page
        self._pending: dict[bytes, _Pending] = {}
        self._hot: _Pending | None = None  # whose rows are probably next
        self._drafts: dict[Command, Draft] = {}  # which shape this router uses
        self._ignored: dict[bytes, None] = {}  # tags whose answers nobody waits for
        self._idle = 0  # sentences since the last answer that belong to none
        self._compilations = _COMPILATIONS
        self._compiled_at = 0.0
        self._may_compile = True
        self._fed_at = 0.0
        self._held = 0  # bytes of unfinished replies
        self._tail = bytearray()  # of an unfinished word
        self._need = 0  # bytes of tail that finish the word
        self._words: list[bytes] = []  # of an unfinished sentence
        self._sentence_size = 0
        self._stamp = Stamp(0.0, 0)  # when the current sentence began

    @property
    def in_flight(self) -> int:
        """How many commands aren't answered yet."""
        return len(self._pending)

    @property
    def held_bytes(self) -> int:
        """Bytes received for replies and sentences that aren't complete yet."""
        return self._held + len(self._tail) + self._sentence_size

    def received(self, tag: bytes) -> int:
        """Return how many bytes came of a reply that isn't complete; 0 if none is under way with this tag."""
        pending = self._pending.get(tag)
        return 0 if pending is None else pending.size

    def expect(self, tag: bytes, command: Command) -> None:
        """Announce a command; ``tag`` must not be in flight already."""
        if tag in self._pending:
            raise ValueError(f"tag {tag!r} is in flight already")
        book = self._patterns.book(command)
        draft = self._drafts.get(command)
        if draft is None and (draft := book.best()) is not None:
            self._use(command, draft)
        tag_word = encode_word(b".tag=" + tag)
        pending = _Pending(tag, tag_word, _DONE + tag_word + END, command, book, draft)
        self._pending[tag] = pending
        if self._hot is None:
            self._hot = pending

    def ignore(self, tag: bytes) -> None:
        """Announce a command whose answer, if there will be one, says nothing."""
        self._ignored[tag] = None
        if len(self._ignored) > _IGNORED_KEPT:
            del self._ignored[next(iter(self._ignored))]

    def take(self, tag: bytes) -> Rows:
        """Return the rows that an unfinished reply brought since the last time; they aren't held any more."""
        pending = self._pending.get(tag)
        if pending is None or pending.overflow or not pending.rows.count:
            return Rows()
        rows, pending.rows = pending.rows.build(), RowsBuilder()
        self._held -= pending.size - pending.taken
        pending.taken = pending.size
        return rows

    def feed(self, data: bytes, stamp: Stamp) -> list[Event]:
        """Take bytes as received at ``stamp``; return what they completed, in order.

        Raises `ProtocolDamaged` if the stream can't be read on.
        """
        self._may_compile = True
        self._fed_at = stamp.at
        if not self._tail and not self._words:
            self._stamp = stamp
        if self._tail:
            self._tail += data
            if len(self._tail) < self._need:
                return []
            buffer = bytes(self._tail)
            self._tail.clear()
        else:
            buffer = data
        events: list[Event] = []
        position = self._decode(buffer, stamp, events)
        if position < len(buffer):
            self._tail += buffer[position:] if position else buffer
        return events

    def _decode(self, buffer: bytes, stamp: Stamp, events: list[Event]) -> int:
        """Decode all complete sentences; return the position of the first unfinished word."""
        position, end = 0, len(buffer)
        bursts, window = _BURSTS, end
        while position < end:
            hot = self._hot
            if bursts and hot is not None and not self._words and buffer.startswith(_ROW, position):
                pattern = hot.draft.pattern if hot.draft is not None else None
                if pattern is not None:
                    bursts -= 1
                    before = position
                    until = min(end, before + window)
                    position = self._read_rows(hot, pattern, buffer, before, until, events)
                    # Where replies take turns, looking far ahead would be in vain time and again.
                    window = max(_LEAST_WINDOW, 4 * (position - before))
                    if position > before:
                        self._stamp = stamp
                        continue
            if hot is not None and not self._words and buffer.startswith(hot.done_sentence, position):
                position += len(hot.done_sentence)
                self.counts.sentences += 1
                self._account(hot, len(hot.done_sentence), 0, events)
                self._done(hot, {}, events)
                self._stamp = stamp
                continue
            position, complete = self._read_words(buffer, position)
            if not complete:
                break
            self._sentence_ended(events)
            self._stamp = stamp
        return position

    def _read_rows(
        self,
        pending: _Pending,
        pattern: RowPattern,
        buffer: bytes,
        position: int,
        end: int,
        events: list[Event],
    ) -> int:
        """Read rows by the pattern of their shape, as far as it goes and not beyond ``end``."""
        portion, after = pattern.read_portion(buffer, position, end, pending.tag_word)
        if portion is not None:
            self.counts.sentences += portion.count
            self.counts.rows += portion.count
            if self._account(pending, after - position, portion.count, events):
                pending.rows.add(portion)
        return after

    def _read_words(self, buffer: bytes, position: int) -> tuple[int, bool]:
        """Read the words of one sentence; say where it got to, and if that is the end of it."""
        words, limits, end = self._words, self._limits, len(buffer)
        longest, size = limits.word_bytes, self._sentence_size
        complete = False
        while position < end:
            length = buffer[position]
            start = position + 1
            if length >= 0x80:
                length, start = decode_length(buffer, position)
                if start == INCOMPLETE:
                    self._need = length
                    break
            if length == 0:
                size += start - position
                position = start
                complete = True
                break
            stop = start + length
            if not words or length > longest or size + length > limits.sentence_bytes:
                self._check(buffer, position, start, length, size)
            if stop > end:
                # Of a sentence's first word, the first byte is enough to know a stranger.
                self._need = (stop if words or start < end else start + 1) - position
                break
            words.append(buffer[start:stop])
            size += stop - position
            position = stop
        self._sentence_size = size
        if len(words) > limits.sentence_words:
            raise ProtocolDamaged(f"a sentence of over {limits.sentence_words} words")
        return position, complete

    def _check(self, buffer: bytes, position: int, start: int, length: int, size: int) -> None:
        """Refuse a word by its prefix and first byte, before any more of it is buffered."""
        if not self._words and start < len(buffer) and buffer[start] != _BANG:
            peek = buffer[position : position + _PEEK]
            raise ProtocolDamaged("this is not the RouterOS API", peek)
        if length > self._limits.word_bytes:
            raise ProtocolDamaged(
                f"a word of {length:,} bytes was announced; the limit is {self._limits.word_bytes:,}",
                buffer[position : position + _PEEK],
            )
        if size + length > self._limits.sentence_bytes:
            raise ProtocolDamaged(f"a sentence of over {self._limits.sentence_bytes:,} bytes")

    def _sentence_ended(self, events: list[Event]) -> None:
        words, size = self._words, self._sentence_size
        self._words, self._sentence_size = [], 0
        if not words:
            self._skipped()  # empty sentences are allowed, and mean nothing
            return
        self.counts.sentences += 1
        order: list[bytes] = []
        values: list[bytes] = []
        others: list[bytes] = []
        tag = b""
        for word in words[1:]:
            parts = word.split(b"=", 2)
            if len(parts) == 3 and not parts[0] and parts[1]:
                order.append(parts[1])
                values.append(parts[2])
            elif word.startswith(b".tag="):
                tag = word[5:]
                order.append(TAG)
            else:
                others.append(word)
        self._dispatch(_Sentence(words[0], tag, order, values, others, size), events)

    def _dispatch(self, sentence: _Sentence, events: list[Event]) -> None:
        reply = sentence.reply
        if reply == b"!fatal":
            reason = b" ".join(sentence.others) or sentence.attributes().get("message", b"")
            events.append(Fatal(decode_text(reason, self._code_page)))
            return
        self.counts.unknown_words += len(sentence.others)
        pending = self._pending.get(sentence.tag)
        if pending is None or reply not in (b"!re", b"!done", b"!trap", b"!empty"):
            self._stray(sentence)
            return
        kept = self._account(pending, sentence.size, reply == b"!re", events)
        if reply == b"!re":
            self._row(pending, sentence, kept)
        elif reply == b"!trap" and pending.trap is None:
            pending.trap = self._trap(sentence.attributes())
        elif reply == b"!done":
            self._done(pending, sentence.attributes(), events)

    def _stray(self, sentence: _Sentence) -> None:
        if sentence.tag not in self._ignored:
            self.counts.unknown_sentences += 1
        elif sentence.reply == b"!done":
            del self._ignored[sentence.tag]
        self._skipped()

    def _skipped(self) -> None:
        """Bear with a sentence that says nothing, but not without end."""
        self._idle += 1
        if self._idle > self._limits.idle_sentences:
            raise ProtocolDamaged(
                f"over {self._limits.idle_sentences:,} sentences that answer nothing that was asked"
            )

    def _row(self, pending: _Pending, sentence: _Sentence, kept: bool) -> None:
        self.counts.rows += 1
        self.counts.slow_rows += 1
        if kept:
            pending.rows.add_row(sentence.attributes())
        self._hot = pending
        if not sentence.others:
            self._learn(pending, sentence)

    def _learn(self, pending: _Pending, sentence: _Sentence) -> None:
        draft = pending.book.learn(tuple(sentence.order), sentence.values, pending.draft)
        if draft is None:
            return
        if draft is not pending.draft:
            pending.draft = draft
            self._use(pending.command, draft)
        if draft.due and self._take_compilation():
            draft.compile()
            if draft.pattern is not None:
                pending.book.publish(draft, self._fed_at)

    def _use(self, command: Command, draft: Draft) -> None:
        if len(self._drafts) >= _DRAFTS_KEPT:
            self._drafts.clear()
        self._drafts[command] = draft

    def _take_compilation(self) -> bool:
        """Return whether this session may have something compiled now."""
        if not self._may_compile:
            return False
        regained = (self._fed_at - self._compiled_at) * _COMPILATIONS_PER_S
        left = min(_COMPILATIONS, self._compilations + regained)
        if left < 1.0:
            return False
        self._compilations, self._compiled_at, self._may_compile = left - 1.0, self._fed_at, False
        return True

    def _trap(self, attributes: dict[str, bytes]) -> Trap:
        category = attributes.get("category", b"")
        return Trap(
            decode_text(attributes.get("message", b""), self._code_page),
            int(category) if len(category) < 4 and category.isdigit() else None,
        )

    def _done(self, pending: _Pending, attributes: dict[str, bytes], events: list[Event]) -> None:
        del self._pending[pending.tag]
        self._idle = 0
        if pending.draft is not None:
            pending.draft.uses += 1
        # Replies mostly come in the order of their commands.
        self._hot = next(iter(self._pending.values()), None)
        if not pending.overflow:
            self._held -= pending.size - pending.taken
        events.append(
            Answer(
                pending.tag,
                Rows() if pending.overflow else pending.rows.build(),
                pending.stamp or self._stamp,
                pending.size,
                pending.trap,
                attributes,
                pending.overflow,
            )
        )

    def _account(self, pending: _Pending, size: int, rows: int, events: list[Event]) -> bool:
        """Count what a reply takes; return whether its rows are still kept."""
        if pending.stamp is None:
            pending.stamp = self._stamp
        pending.size += size
        if pending.overflow:
            return False
        self._held += size
        reason = self._over_limit(pending, rows)
        if not reason:
            return True
        self._held -= pending.size - pending.taken
        pending.overflow = True
        pending.rows.clear()
        events.append(Overflow(pending.tag, reason))
        return False

    def _over_limit(self, pending: _Pending, rows: int) -> str:
        command = pending.command
        if pending.rows.count + rows > command.max_rows:
            return f"over {command.max_rows:,} rows"
        if pending.size > command.max_bytes:
            return f"over {command.max_bytes:,} bytes"
        if self._held > self._limits.session_bytes:
            return f"over {self._limits.session_bytes:,} bytes under way in the session"
        return ""


@dataclass(slots=True)
class _Sentence:
    """A sentence, taken apart. ``values`` go with the keys of ``order`` without `TAG`."""

    reply: bytes
    tag: bytes
    order: list[bytes]
    values: list[bytes]
    others: list[bytes]
    size: int

    def attributes(self) -> dict[str, bytes]:
        """Return the attributes by name; the last one of equal names counts."""
        return dict(zip(map(decode_text, filter(None, self.order)), self.values, strict=True))  # without TAG
