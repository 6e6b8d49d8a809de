"""Clients that fall silent, speak too soon or go away; the last line that each was told."""
import socket
import time


def run(*parts, wait=True):
    client = socket.socket()
    client.bind(("203.0.113.5", 0))
    client.connect(("192.0.2.1", 25))
    client.settimeout(5)
    told = b""
    for part in parts:
        client.recv(4096)
        client.sendall(part)
    while wait:
        more = client.recv(4096)
        if not more:
            break
        told += more
    client.close()
    print(told.decode().strip().splitlines()[-1:])
    time.sleep(0.3)


helo = b"EHLO x\r\n"
mail = b"MAIL FROM:<a@b.example>\r\n"
rcpt = b"RCPT TO:<x@mta.example>\r\n"
data = b"DATA\r\n"
run(helo, mail)
run(helo)
run(helo, mail, rcpt, data)
run(helo, mail, rcpt, data, b"Subject: x\r\n", wait=False)
run(b"HELO x\r\nMAIL FROM:<x@b.example>\r\n")
run(helo, mail, wait=False)
