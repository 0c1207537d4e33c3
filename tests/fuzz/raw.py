"""Bytes on a TCP connection: handshakes and frames that no client library would write."""

from __future__ import annotations

import base64
import os
import struct

from hypothesis import strategies as st

PATHS = st.sampled_from(["/v1/realtime?model=default", "/chat/voice_call", "/v1/realtime", "/v1/nothing"])
PIECES = [b"\r\n", b"\x00", b": ", b"x" * 70_000, b"\r\nA: b" * 200, b"HTTP/9.9", b"\xff\xfe"]
PAYLOADS = st.binary(max_size=130) | st.sampled_from([b'{"type":"response.create"}', b"\xed\xa0\x80"])
CONTINUATION, TEXT, CLOSE, PING, PONG = 0, 1, 8, 9, 10


def handshake(path: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


@st.composite
def torn_handshakes(draw: st.DrawFn) -> bytes:
    """A handshake with lines changed, missing or too many, or cut off anywhere; or no HTTP at all."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.binary(min_size=1, max_size=200))
    data = bytearray(handshake(draw(PATHS)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 30))] = draw(st.binary(max_size=10) | st.sampled_from(PIECES))
    return bytes(data[: draw(st.integers(1, len(data)))] if draw(st.booleans()) else data)


def frame(opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    head = bytes([(fin << 7) | (reserved << 4) | opcode])
    mask_bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([mask_bit | len(payload)])
    elif len(payload) < 2**16:
        head += bytes([mask_bit | 126]) + struct.pack("!H", len(payload))
    else:
        head += bytes([mask_bit | 127]) + struct.pack("!Q", len(payload))
    # A mask of zeros changes nothing.
    return head + (bytes(4) if masked else b"") + payload


@st.composite
def wild_frames(draw: st.DrawFn) -> bytes:
    """One frame, mostly against the rules: opcodes, masks, lengths, fragments, closes."""
    payload = draw(PAYLOADS)
    return draw(
        st.one_of(
            st.builds(
                frame,
                st.integers(0, 15),
                st.just(payload),
                fin=st.booleans(),
                masked=st.booleans(),
                reserved=st.sampled_from([0, 0, 0, 1, 4, 7]),
            ),
            # lengths that are promised and not kept, or that no message may have
            st.sampled_from(
                [
                    b"\x81\xfe\x10\x00" + bytes(4) + payload,
                    b"\x81\xff" + struct.pack("!Q", 2**62) + bytes(4),
                    b"\x81\xff" + struct.pack("!Q", 2**64 - 1) + bytes(4),
                    b"\x82\xff" + struct.pack("!Q", 20 * 2**20) + bytes(4) + payload,
                    frame(CLOSE, struct.pack("!H", 65_535) + b"\xff"),
                    frame(CLOSE, b"\x03"),
                    frame(PING, b"x" * 126),
                    frame(TEXT, b'{"type":', fin=False) + frame(PING, b"") + frame(CONTINUATION, b'"x"}'),
                    frame(TEXT, b"", fin=False) + frame(TEXT, b"{}"),
                    frame(CONTINUATION, b"{}") * 50,
                    frame(PONG, b"nobody asked") * 200,
                ]
            ),
            st.binary(min_size=1, max_size=100),
        )
    )
