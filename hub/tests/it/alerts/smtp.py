"""A mail server for tests, made with aiosmtpd: says its port, then a line of JSON for each mail it took.

    smtp.py MODE [CERTIFICATE KEY]

MODE: plain, starttls (required), tls (from the start), auth (starttls, and a password), greylist (the first two mails are
put off), refuse (every recipient is unknown), picky (night@ is unknown).
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

mode = sys.argv[1]
context = None
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])


class Handler:
    seen = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if mode == "refuse" or (mode == "picky" and address.startswith("night@")):
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


options = {}
if mode in ("starttls", "auth"):
    options.update(tls_context=context, require_starttls=True)
if mode == "auth":
    options.update(authenticator=authenticate, auth_required=True)


async def main():
    loop = asyncio.get_running_loop()
    from_start = context if mode == "tls" else None
    server = await loop.create_server(lambda: SMTP(Handler(), **options), "127.0.0.1", 0, ssl=from_start)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)  # until the test ends


asyncio.run(main())
