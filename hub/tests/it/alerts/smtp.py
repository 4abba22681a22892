"""A mail server for tests, made with aiosmtpd: says its port, then a line of JSON for each mail it took.

    smtp.py MODE [CERTIFICATE KEY]

MODE: plain, starttls (required), tls (from the start), auth (starttls, and a password), greylist (the first two mails are
put off), refuse (every recipient is unknown).
"""

import json
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

mode = sys.argv[1]
context = None
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])


class Handler:
    seen = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if mode == "refuse":
            return "550 5.1.1 No such user here"
        Handler.seen += 1
        if mode == "greylist" and Handler.seen <= 2:
            return "451 4.7.1 Greylisted, come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "mail": envelope.original_content.decode("latin-1"),
            "tls": session.ssl is not None,
        }
        print(json.dumps(mail), flush=True)
        return "250 2.0.0 Taken"


def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=data.login == b"ops" and data.password == b"hunter2-and-more")


options = {"hostname": "127.0.0.1", "port": 0}
if mode == "tls":
    options["ssl_context"] = context
if mode in ("starttls", "auth"):
    options.update(tls_context=context, require_starttls=True)
if mode == "auth":
    options.update(authenticator=authenticate, auth_required=True)


class Here(Controller):
    def _trigger_server(self):
        # Only to see that it answers, which the test does.
        pass


controller = Here(Handler(), **options)
controller.start()
print(controller.server.sockets[0].getsockname()[1], flush=True)
sys.stdin.read()  # until the test ends
controller.stop()
