"""A mail server with STARTTLS and a login, as a bureau has: prints each message that it takes.

    post.py PORT CERTIFICATE KEY USER PASSWORD
"""
import ssl
import sys
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

port, certificate, key, user, password = sys.argv[1:]


class Box:
    async def handle_DATA(self, server, session, envelope):
        print("to", *envelope.rcpt_tos, "by", session.auth_data, "tls", session.ssl is not None, flush=True)
        print(envelope.content.decode(), flush=True)
        return "250 taken"


def checks(server, session, envelope, mechanism, data):
    right = (data.login.decode(), data.password.decode()) == (user, password)
    return AuthResult(success=right, auth_data=data.login.decode())


tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
tls.load_cert_chain(certificate, key)
Controller(
    Box(), hostname="127.0.0.1", port=int(port), tls_context=tls, require_starttls=True, auth_required=True, authenticator=checks
).start()
while True:
    time.sleep(3600)
