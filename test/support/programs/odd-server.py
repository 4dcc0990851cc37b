# A TCP server that misbehaves on request. Argument: port. The first line a client sends says what to do:
#   reset            RST at once
#   reset-after N    N bytes of "x", then RST
#   close-after N    N bytes of "x", then FIN
#   echo             everything back until FIN, then FIN
#   sink             read to the end; say nothing
# Every end of a connection is printed: "PORT: eof" or "PORT: reset" with the bytes received before.
import socket
import struct
import sys
import threading


def say(peer, what):
    print("%d: %s" % (peer[1], what), flush=True)


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_to_end(connection, peer, received, sink):
    try:
        while True:
            piece = connection.recv(65536)
            if not piece:
                say(peer, "eof after %d" % received)
                return True
            received += len(piece)
            sink(piece)
    except ConnectionResetError:
        say(peer, "reset after %d" % received)
        return False


def serve(connection, peer):
    first = b""
    try:
        while not first.endswith(b"\n"):
            piece = connection.recv(1)
            if not piece:
                say(peer, "eof after %d" % len(first))
                return
            first += piece
        word, _, number = first.decode().strip().partition(" ")
        if word == "reset":
            reset(connection)
            say(peer, "sent reset")
        elif word == "reset-after":
            connection.sendall(b"x" * int(number))
            threading.Event().wait(0.3)  # what was sent should arrive before the reset
            reset(connection)
            say(peer, "sent reset")
        elif word == "close-after":
            connection.sendall(b"x" * int(number))
            connection.close()
        elif word == "echo":
            if read_to_end(connection, peer, 0, connection.sendall):
                connection.close()
        else:
            read_to_end(connection, peer, 0, lambda piece: None)
    except ConnectionResetError:
        say(peer, "reset after %d" % len(first))
    finally:
        connection.close()


listener = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
print("ready", flush=True)
while True:
    accepted, address = listener.accept()
    threading.Thread(target=serve, args=(accepted, address), daemon=True).start()
