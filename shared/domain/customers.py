"""Who was a customer of a programme's owner already, told by addresses and companies' domains.

The list holds keyed hashes only: it can tell whether somebody is on it, and nobody can read it.
"""

import re
from typing import Final

from shared.domain.errors import invalid
from shared.domain.keyed import domain_hmac, email_hmac
from shared.domain.leads import normalise_domain, normalise_email

MAX_AT_ONCE: Final = 500
_DOMAIN: Final = re.compile(
    r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
)

_FREE_MAIL: Final = """
    126.com 163.com aliyun.com aol.com att.net bellsouth.net bigpond.com bk.ru bluewin.ch
    bol.com.br btinternet.com centrum.cz charter.net comcast.net cox.net daum.net duck.com
    earthlink.net email.com fastmail.com fastmail.fm foxmail.com free.fr freenet.de
    gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net googlemail.com hanmail.net hey.com
    hotmail.co.uk hotmail.com hotmail.de hotmail.es hotmail.fr hotmail.it hushmail.com
    icloud.com inbox.ru interia.pl juno.com kpnmail.nl laposte.net libero.it list.ru
    live.co.uk live.com live.de live.fr live.nl mac.com mail.com mail.de mail.ee mail.ru
    mailbox.org me.com msn.com naver.com o2.pl onet.pl optonline.net orange.fr outlook.com
    outlook.de outlook.es outlook.fr outlook.it pm.me posteo.de proton.me protonmail.ch
    protonmail.com qq.com rediffmail.com rocketmail.com sapo.pt sbcglobal.net seznam.cz
    sfr.fr sina.cn sina.com sky.com sohu.com t-online.de telenet.be terra.com.br
    tiscali.it tuta.com tutanota.com tutanota.de uol.com.br verizon.net virgilio.it
    virginmedia.com wanadoo.fr web.de wp.pl xtra.co.nz yahoo.ca yahoo.co.in yahoo.co.jp
    yahoo.co.uk yahoo.com yahoo.com.ar yahoo.com.au yahoo.com.br yahoo.de yahoo.es
    yahoo.fr yahoo.in yahoo.it yandex.com yandex.ru ymail.com zohomail.com
"""

FREE_MAIL: Final = frozenset(_FREE_MAIL.split())
"""Domains of addresses that anybody can have: sharing one says nothing about a company."""


def by_email(secret: bytes, address: str) -> str:
    """Return the id of the entry for one address."""
    return f"cus_{email_hmac(secret, normalise_email(address))}"


def by_domain(secret: bytes, domain: str) -> str:
    """Return the id of the entry for a company's domain, as it stands behind the ``@``.

    Raises:
        InvalidFieldsError: ``bad_host`` or ``free_mail``, on the field ``domain``.
    """
    host = normalise_domain(domain)
    if not _DOMAIN.fullmatch(host):
        raise invalid("domain", "bad_host", "must be a domain such as example.com")
    if host in FREE_MAIL:
        raise invalid("domain", "free_mail", "anybody can have an address there")
    return f"cus_{domain_hmac(secret, host)}"


def company_of(secret: bytes, address: str) -> str:
    """Return the keyed hash of the company's domain behind an address; "" for free mail."""
    host = normalise_email(address).rpartition("@")[2]
    return "" if host in FREE_MAIL else domain_hmac(secret, host)


def entries_of(secret: bytes, address: str) -> tuple[str, ...]:
    """Return the ids of the entries that make somebody a customer: the address, the company."""
    found = by_email(secret, address)
    company = company_of(secret, address)
    return (found, f"cus_{company}") if company else (found,)
