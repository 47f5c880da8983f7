"""What `resonate init` asks about a shop, writes into its three files, and prints for its pages and its backend."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from app.setup.files import members, variables, with_member, with_variable
from app.tag.library import TagLines, proposed_prefix
from kit.files import read_or_none, replace_file
from kit.suggestions import did_you_mean

SETTINGS_FILE: Final = "resonate.env"
KEYS_FILE: Final = "keys.yaml"
SHOP_FILE: Final = Path("definitions") / "shop.yaml"
HOST: Final = re.compile(r"\.?[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?")
CODE: Final = re.compile(r"[A-Z]{3}")
NO_PROXY: Final = "none"
PAGES_KEY: Final = re.compile(r"# the publishable key of pages: (\S+)\n")
RECIPES: Final = Path(__file__).with_name("recipes.txt")
CONSENTS: Final[Mapping[str, str]] = {
    # what a banner's answer is waited for → what holds for who says nothing
    "ask": "none",
    "measure": "measure",
    "personal": "personal",
}
QUESTIONS: Final[Mapping[str, str]] = {
    "address": "By which address do pages reach this service (behind the shop's own proxy)?",
    "proxies": "From which address does that proxy call, or `none`?",
    "hosts": "Which other hosts does the shop have (www.shop.example,…), or `none`?",
    "consent": "What may be done with visitors: `ask` a banner, `measure` or `personal`?",
    "currency": "Which currency is the shop's?",
    "timezone": "In which time zone are its days?",
}
NEW_KEYS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {  # by name: class and scopes; () are all of its class
    "pages": ("publishable", ()),
    "backend": ("secret", ("evaluate", "track", "recommend", "payload", "products")),
    "analysts": ("secret", ("read_results", "export")),
    "doctor": ("secret", ("read_results", "export", "track")),
}


class WrongAnswer(ValueError):
    """An answer that cannot be used; the message says what would be right."""


@dataclass(frozen=True, slots=True)
class SiteAnswers:
    """What is known of a shop; lists are texts with commas, as they are asked for."""

    site: str
    address: str
    proxies: str
    hosts: str
    consent: str
    currency: str
    timezone: str

    def checked(self) -> "SiteAnswers":
        """The same, in one spelling. Raises WrongAnswer."""
        site, address = _url("site", self.site.lower()), _url("address", self.address)
        if urlsplit(site).path:
            raise WrongAnswer(f"site: {site!r} has a path; it is the shop's origin, such as https://shop.example")
        for host in items_of(self.hosts):
            if not HOST.fullmatch(host):
                raise WrongAnswer(f"hosts: {host!r} is no host such as www.shop.example")
        for proxy in items_of(self.proxies):
            if not is_network(proxy):
                raise WrongAnswer(f"proxies: {proxy!r} is no address or network such as 10.0.0.0/8")
        return replace(self, site=site, address=address, **_checked_words(self.consent, self.currency, self.timezone))

    @property
    def own_hosts(self) -> list[str]:
        """All hosts of the shop, that of the site first."""
        return list(dict.fromkeys([urlsplit(self.site).netloc, *items_of(self.hosts)]))

    @property
    def origins(self) -> list[str]:
        """The origins of its pages; of a host that stands for all below it there is none."""
        scheme = urlsplit(self.site).scheme
        return [f"{scheme}://{host}" for host in self.own_hosts if not host.startswith(".")]

    @property
    def cookie_domain(self) -> str | None:
        """The domain that all of its hosts and the service are part of; None where there is none, or one host alone."""
        shortest = min(self._hosts, key=len).removeprefix("www.")
        fits = self.is_within(shortest)
        return shortest if fits and "." in shortest and not shortest.replace(".", "").isdigit() else None

    def is_within(self, domain: Any) -> bool:
        """Whether all of its hosts and the service are part of a domain."""
        if type(domain) is not str or not domain:
            return False
        reached = [*self._hosts, urlsplit(self.address).hostname or ""]
        return all(f".{host}".endswith(f".{domain.removeprefix('.')}") for host in reached)

    @property
    def _hosts(self) -> list[str]:
        return [(urlsplit(f"//{host.lstrip('.')}").hostname or "") for host in self.own_hosts]


def _url(name: str, url: str) -> str:
    parts = urlsplit(url.rstrip("/"))
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise WrongAnswer(f"{name}: {url!r} is no address such as https://shop.example")
    return url.rstrip("/")


def is_network(text: str) -> bool:
    """Whether it is an address or a network."""
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _checked_words(consent: str, currency: str, timezone: str) -> dict[str, str]:
    if consent not in CONSENTS:
        raise WrongAnswer(f"consent: {consent!r} is none of {', '.join(CONSENTS)}")
    if not CODE.fullmatch(currency.upper()):
        raise WrongAnswer(f"currency: {currency!r} is no ISO 4217 code such as EUR")
    if timezone not in available_timezones():
        meant = did_you_mean(timezone, available_timezones())
        raise WrongAnswer(f"timezone: {timezone!r} is no time zone{meant}")
    return {"consent": consent, "currency": currency.upper(), "timezone": timezone}


def items_of(text: str) -> list[str]:
    """The items of a list as it is written: none of `none`."""
    return [each.strip() for each in text.split(",") if each.strip() and each.strip() != NO_PROXY]


def known_answers(folder: Path, site: str | None) -> SiteAnswers:
    """What the files of a folder say, and safe defaults for what they do not. Raises WrongAnswer, NotChanged."""
    settings = variables(_text(folder / SETTINGS_FILE))
    shop = members(_text(folder / SHOP_FILE), SHOP_FILE.name)
    origins = items_of(settings.get("RESONATE_ORIGINS", ""))
    known = site or next(iter(origins), None)
    if known is None:
        raise WrongAnswer("name the shop's address: resonate init --site https://shop.example")
    default = known.rstrip("/").lower()
    tag, privacy = shop.get("tag") or {}, shop.get("privacy") or {}
    hosts = [host for host in tag.get("hosts", ()) if host != urlsplit(default).netloc]
    banner = privacy.get("default_consent") in (None, "none")
    return SiteAnswers(
        site=default,
        address=settings.get("RESONATE_PUBLIC_URL") or proposed_prefix(default) or default,
        proxies=settings.get("RESONATE_TRUSTED_PROXIES", "127.0.0.1"),
        hosts=",".join(hosts) or NO_PROXY,
        consent="ask" if banner else str(privacy["default_consent"]),
        currency=str(shop.get("currency", "EUR")),
        timezone=str(shop.get("timezone", "UTC")),
    )


def write_site(folder: Path, answers: SiteAnswers) -> list[Path]:
    """Writes the settings and shop.yaml, where they say something else; the files that were changed.

    Raises NotChanged with nothing written.
    """
    settings, shop = folder / SETTINGS_FILE, folder / SHOP_FILE
    before = {settings: _text(settings), shop: _text(shop)}
    former = (members(before[shop], SHOP_FILE.name).get("tag") or {}).get("hosts", ())
    after = {settings: _settings(before[settings], answers, former), shop: _shop(before[shop], answers)}
    changed = [file for file, text in after.items() if text != before[file]]
    for file in changed:
        replace_file(file.resolve(), after[file].encode(), keeps_mode=True)  # a link goes on leading where it does
    return changed


def keys_file(folder: Path) -> Path:
    """The file of named keys: the one that the settings name already, else the folder's own."""
    return folder / variables(_text(folder / SETTINGS_FILE)).get("RESONATE_KEYS", KEYS_FILE)


def lines_for_shop(answers: SiteAnswers, publishable: str) -> dict[str, str]:
    """What goes into the shop: by heading the lines to be copied."""
    tag, filled = TagLines.of(answers.address, publishable, answers.consent), RECIPES.read_text(encoding="utf-8")
    named = {"SCRIPT": tag.script, "STYLE": tag.style, "ADDRESS": answers.address, "CURRENCY": answers.currency}
    for name, value in named.items():
        filled = filled.replace(name, value)
    sections = [section.partition("\n") for section in filled.split("### ")[1:]]
    return {heading: lines.strip() for heading, _, lines in sections}


def publishable_of(folder: Path) -> str | None:
    """The publishable key of the shop's pages, which is no secret; None where none was made here."""
    found = PAGES_KEY.search(_text(folder / SETTINGS_FILE))
    return found[1] if found else None


def note_publishable(folder: Path, key: str) -> None:
    """Keeps the key of the pages beside the settings, for the next time that its tag is printed."""
    text = PAGES_KEY.sub("", _text(folder / SETTINGS_FILE))
    replace_file(
        (folder / SETTINGS_FILE).resolve(), f"{text}# the publishable key of pages: {key}\n".encode(), keeps_mode=True
    )


def _settings(text: str, answers: SiteAnswers, former: Sequence[str]) -> str:
    """With the answers; origins that are of no host of the shop, such as a developer's, stay. `former` are its hosts
    as they were.
    """
    known = variables(text)
    others = [each for each in items_of(known.get("RESONATE_ORIGINS", "")) if urlsplit(each).netloc not in former]
    wanted = {
        "RESONATE_PUBLIC_URL": answers.address,
        "RESONATE_TRUSTED_PROXIES": ",".join(items_of(answers.proxies)),
        "RESONATE_ORIGINS": ",".join(dict.fromkeys([*answers.origins, *others])),
        "RESONATE_KEYS": KEYS_FILE,
    }
    for name, value in wanted.items():
        if known.get(name) != value and not (name == "RESONATE_KEYS" and name in known):
            text = with_variable(text, name, value)
    return text


def _shop(text: str, answers: SiteAnswers) -> str:
    known = members(text, SHOP_FILE.name)
    wanted: dict[tuple[str, ...], Any] = {
        ("timezone",): answers.timezone,
        ("currency",): answers.currency,
        ("cookie_domain",): None if answers.is_within(known.get("cookie_domain")) else answers.cookie_domain,
        ("privacy", "default_consent"): CONSENTS[answers.consent],
        ("tag", "hosts"): answers.own_hosts,
    }
    for path, value in wanted.items():
        holder = known if len(path) == 1 else known.get(path[0]) or {}
        if value is not None and holder.get(path[-1]) != value:
            text = with_member(text, SHOP_FILE.name, path, value)
    return text


def _text(file: Path) -> str:
    return (read_or_none(file) or b"").decode("utf-8-sig")


ASKED: Final = tuple(each.name for each in fields(SiteAnswers) if each.name != "site")
