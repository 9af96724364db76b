"""The prose of PROTOCOL.md: the rules that no single message states. Numbers come from the code."""

from __future__ import annotations

import json
from dataclasses import asdict

from osc_bridge.bundle import BUNDLE_DEPTH_MAX, BUNDLE_MESSAGES_MAX, EARLY_MAX_S
from osc_bridge.control import CONTROL
from osc_bridge.conversation import ANSWERS_MAX, CLIENT_OPEN_MAX, OPEN_MAX
from osc_bridge.discovery import EngineAddress
from osc_bridge.gate import SILENCE_S
from osc_bridge.hub import BACKLOG_MAX_BYTES, NOTICES_MAX, SUBSCRIBERS_MAX
from osc_bridge.message import ROOT
from osc_bridge.osc import ARGUMENTS_MAX, FRAME_MAX
from osc_bridge.pressure import HOLD_AT
from osc_bridge.ranges import API_MAJOR, API_MINOR, DATAGRAM_MAX, LIFETIME_S
from osc_bridge.transports.base import LOOPBACK

_ENGINE = EngineAddress(
    pid=4711,
    session="/home/ada/alley.session",
    udp_port=7770,
    tcp_port=7771,
    http_port=7772,
    hosts=(LOOPBACK, "::1"),
    api=f"{API_MAJOR}.{API_MINOR}",
    started="2026-01-02T03:04:05+00:00",
)

INTRODUCTION = f"""\
# The Wildtrack protocol, {API_MAJOR}.{API_MINOR}

<!-- Made by `python -m osc_bridge.protocol_doc` from osc_bridge/schema.py: do not edit. -->

The engine is driven by OSC messages under `{ROOT}`, over UDP or TCP on the loopback interface.
Audio and pictures never travel: messages name files by their absolute path.

## Rules

### Requests and answers

- The first argument of each request is its **request id**, an int64 (`h`; `i` is accepted) from 1
  to 9223372036854775807 that the client chooses. Each request ends in exactly one `{ROOT}/done`,
  `{ROOT}/fail` or `{ROOT}/cancelled`, which begins with this id and the request's address.
  Answers go to the port that the request came from, in the order in which requests end: tell them
  apart by the id. A client is a UDP address and port, or a TCP connection.
- `{ROOT}/hello` tells the limits of the engine and whether its API is yours. On loopback it may be
  left out, as by controllers; a program that uses a UDP port anew should begin with it.
- Long work sends `{ROOT}/progress` before its end, at least 4 times a second, also while it waits.
- **Repeating is safe.** Use a new id for each request. An id that is repeated with the same address
  is not carried out again: it gets the first answer (the last {ANSWERS_MAX} answers of a client are
  kept; `/hello` forgets them). Repeated with another address, it fails with `BadArguments`. Over
  UDP, repeat a request that got no answer.
- Nothing answers a message whose address is one of those that the engine itself sends, or ends in
  `/fail` or `/error`: two programs would else answer each other for ever.
- An id of 0 and an empty address in a `{ROOT}/fail` mean that the request could not be read so far.
- An answered change is on disk. Changes of a scene that arrive together are written together, each
  answered by itself; `{ROOT}/sync` ends when all that this client asked before has ended.
- **When the engine cannot keep up**, over TCP it reads no further from a client that has
  {HOLD_AT} requests waiting (fewer when it is crowded) until half of them are done: a client
  that waits for its socket loses nothing. At most {CLIENT_OPEN_MAX} requests of one client and
  {OPEN_MAX} of all may be open; another is refused with `QueueFull`. Send it again later.

### Types and sizes

- Integers are sent as `h` or `i`, numbers as `d`, `f`, `i` or `h`, booleans as `T` and `F` or the
  integers 1 and 0, text as `s` in UTF-8. NaN and infinities are refused. Trailing arguments with a
  default may be left out. Positions and lengths are samples at 48 kHz.
- The minor version counts additions: addresses, trailing arguments with a default, settable fields,
  words. What a request ends in changes only with the major version.
- A datagram that the engine sends has at most {DATAGRAM_MAX} bytes. Long lists come in pages: ask
  for page 0, then for `next_page` until it is -1. Pages of a scene carry its `revision`; when it or
  `total` differs between two pages, begin again. Texts for people in a row end in … when the row
  has no room for them.
- What the engine receives may have {FRAME_MAX} bytes and {ARGUMENTS_MAX} arguments.
- TCP uses SLIP framing (OSC 1.1, RFC 1055, END on both sides). A client that begins with an int32
  size (OSC 1.0, as liblo does) is understood and answered in kind. A connection that begins with
  anything but END, `/`, `#` or 0 is closed: it is no OSC.
- A bundle's messages are carried out in order, each answered by itself; bundles may nest
  {BUNDLE_DEPTH_MAX} deep and hold {BUNDLE_MESSAGES_MAX} messages. Time tags delay nothing: a bundle
  due within {EARLY_MAX_S:g} s is carried out at once, a later one is refused with `OutOfRange`.
- Each example below shows a message twice: as people read it, with type tags and values (`T` and
  `F` carry none), and as it is on the wire, where `\\x00` is the byte 0 and a letter its own ASCII.
- Address patterns (`*`, `?`, `[a-z]`) are not expanded.

### Subscriptions

- After `{ROOT}/subscribe` the engine sends **notices** under `{ROOT}/event`: what changed, for all
  clients. Each begins with a sequence number, one more than the one before; a gap means that
  notices were lost (at most {NOTICES_MAX} wait, and a client that leaves {BACKLOG_MAX_BYTES >> 10}
  KiB unread gets none): read the scenes again. `Subscribed` tells the number of the last one.
- A subscription ends {LIFETIME_S.low:g} to {LIFETIME_S.high:g} s (its lifetime) after the last
  message of its client, whatever that was; send a `{ROOT}/ping` or subscribe again at each third of
  it. It ends with its TCP connection, too. At most {SUBSCRIBERS_MAX} clients subscribe.

### Control addresses

- `{CONTROL}SCENE/SOURCE/FIELD` is for faders and buttons of controllers: a value alone, without a
  request id, sets that field as `{ROOT}/source/set` does. Nothing answers but a `{ROOT}/fail` with
  the id 0. A whole float is taken where an integer or a flag is due.
- Subscribers get the same address with the new value (`f`, `i`, `h`, `T`, `F` or `s`) when a
  setting changes; of several changes the newest.

### Finding an engine, and who may speak

- Each engine keeps a file `wildtrack/engine-PID.json` in the user's runtime folder
  (`$XDG_RUNTIME_DIR`; on macOS `$TMPDIR`; on Windows `%LOCALAPPDATA%\\wildtrack\\run`; without one
  `/tmp/wildtrack-UID`) for as long as it serves; a port of 0 is not served:

```
{json.dumps(asdict(_ENGINE), indent=2)}
```

- One whose engine was killed stays behind: believe it only if the process lives and answers
  `{ROOT}/hello` with the same session. With mDNS switched on the engine is also found as
  `_osc._udp` and `_osc._tcp`, and its OSCQuery tree as `_oscjson._tcp`.
- On loopback nobody needs a password. An engine that was started for another interface refuses
  every request from there with `NotAuthorised` (of a bundle only the first) until a
  `{ROOT}/hello` of the same client carried its **token**, and over UDP again after
  {SILENCE_S:g} s without a message. The token travels as it is: use it in networks that you trust,
  or over ssh.
"""
