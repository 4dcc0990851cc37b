# A TLS client that can misbehave: TLS is done in memory, so that every byte on the TCP connection is ours to change.
# Argument: JSON { address, port, name, version, steps, certificate?, key?, ciphers? }. Steps, in order:
#   "handshake"            to its end
#   {"send": text}         as one record
#   {"cut": text}          one record, but only half of its bytes
#   {"forge": text}        one record with a bit of its tag changed
#   {"sendInTwo": text}    one record in two TCP segments, a pause between
#   {"raw": hex}           these bytes as they are
#   {"rawRepeat": [hex, n]}  n times
#   "closeNotify"  "fin"  "reset"
#   {"read": n}            until n bytes of plaintext came
#   "readToEnd"            until the other side ends it
#   "readRaw"              the same before or without TLS
#   {"wait": ms}
# Prints JSON { handshake, received, text, alert, ended, error, rawHex }: ended is "close_notify", "fin", "reset" or "timeout".
import json
import socket
import ssl
import struct
import sys
import time

options = json.loads(sys.argv[1])
result = {"handshake": False, "received": 0, "text": "", "alert": None, "ended": None, "error": None, "rawHex": ""}

context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
if options.get("version"):
    version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[options["version"]]
    context.minimum_version = version
    context.maximum_version = version
if options.get("certificate"):
    context.load_cert_chain(options["certificate"], options["key"])
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = context.wrap_bio(incoming, outgoing, server_hostname=options.get("name"))


class Ended(Exception):
    pass


def pull():
    """More bytes from the network into the TLS side."""
    try:
        piece = raw.recv(65536)
    except ConnectionResetError:
        result["ended"] = "reset"
        raise Ended()
    except (TimeoutError, socket.timeout):
        result["ended"] = "timeout"
        raise Ended()
    if not piece:
        result["ended"] = result["ended"] or "fin"
        raise Ended()
    if len(result["rawHex"]) < 400:
        result["rawHex"] += piece.hex()[:400]
    incoming.write(piece)


def flush(change=lambda data: [data]):
    data = outgoing.read()
    if not data:
        return
    for number, part in enumerate(change(data)):
        if number:
            time.sleep(0.1)
        raw.sendall(part)


def run(action):
    """Repeats a TLS action until it no longer wants bytes."""
    while True:
        try:
            value = action()
            flush()
            return value
        except ssl.SSLWantReadError:
            flush()
            pull()
        except ssl.SSLZeroReturnError:  # close_notify, after ours was sent
            raise
        except ssl.SSLError as error:
            result["alert"] = error.reason
            flush()
            drain()


def drain():
    """What TCP does after TLS has ended."""
    try:
        while raw.recv(65536):
            pass
        result["ended"] = result["ended"] or "fin"
    except ConnectionResetError:
        result["ended"] = "reset"
    except (TimeoutError, socket.timeout):
        result["ended"] = result["ended"] or "timeout"
    raise Ended()


def read(limit):
    text = b""
    while limit is None or result["received"] < limit:
        try:
            piece = run(lambda: tls.read(65536))
        except ssl.SSLZeroReturnError:
            piece = b""
        if not piece:
            result["ended"] = "close_notify"
            break
        text = (text + piece)[-2000:]
        result["received"] += len(piece)
        result["text"] = text.decode("latin1")


def forged(data):
    return [data[:-1] + bytes([data[-1] ^ 1])]


def step(one):
    if one == "handshake":
        run(tls.do_handshake)
        result["handshake"] = True
    elif one == "fin":
        raw.shutdown(socket.SHUT_WR)
    elif one == "reset":
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()
        raise Ended()
    elif one == "closeNotify":
        try:
            tls.unwrap()
        except ssl.SSLError:
            pass
        flush()
    elif one == "readToEnd":
        read(None)
    elif one == "readRaw":
        while True:
            pull()
    elif "wait" in one:
        time.sleep(one["wait"] / 1000)
    elif "read" in one:
        read(one["read"])
    elif "raw" in one:
        raw.sendall(bytes.fromhex(one["raw"]))
    elif "rawRepeat" in one:
        raw.sendall(bytes.fromhex(one["rawRepeat"][0]) * one["rawRepeat"][1])
    else:
        (what, text), = one.items()
        tls.write(text.encode())
        if what == "cut":
            flush(lambda data: [data[: len(data) // 2]])
        elif what == "forge":
            flush(forged)
        elif what == "sendInTwo":
            flush(lambda data: [data[: len(data) // 2], data[len(data) // 2 :]])
        else:
            flush()


try:
    raw = socket.create_connection((options["address"], options["port"]), timeout=10)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for one in options["steps"]:
        step(one)
except Ended:
    pass
except ssl.SSLZeroReturnError:
    result["ended"] = "close_notify"
except (ConnectionResetError, BrokenPipeError):
    result["ended"] = "reset"
except ConnectionRefusedError:
    result["ended"] = "refused"
except OSError as error:
    result["error"] = str(error)
print(json.dumps(result))
