# A Python TLS client. Argument: JSON { address, port, name, path, version, ciphers, ca }. Prints JSON { body, version, cipher }.
import json
import socket
import ssl
import sys

options = json.loads(sys.argv[1])
version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[options["version"]]
context = ssl.create_default_context(cafile=options["ca"])
context.minimum_version = version
context.maximum_version = version
if options["version"] == "1.2" and options.get("ciphers"):
    context.set_ciphers(options["ciphers"])
request = "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (options["path"], options["name"])
with socket.create_connection((options["address"], options["port"]), timeout=15) as raw:
    with context.wrap_socket(raw, server_hostname=options["name"], suppress_ragged_eofs=False) as tls:
        tls.sendall(request.encode())
        received = b""
        while True:
            piece = tls.recv(65536)
            if not piece:
                break
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        print(json.dumps({"status": int(head.split()[1]), "body": body.decode(), "version": tls.version(), "cipher": tls.cipher()[0]}))
