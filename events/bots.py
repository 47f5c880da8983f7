"""Who says it is a machine, and the family of device and browser: all that is kept of a user agent."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

# How machines tell on themselves. A contact address is nearly proof: browsers have none. Then words of crawlers,
# monitors, link previews, scanners and headless browsers. Plain HTTP libraries (curl, python-requests, okhttp, …) are
# not here: they are how backends and apps call for real visitors.
BOT_WORDS: Final = (
    r"https?:", r"www\.", r"\.(?:com|org|net|info|io)\b", r"@\w", r"bot\b", r"bot[/_\-;) ]", r"robot", r"crawl",
    r"spider", r"slurp", r"scrap", r"archiv", r"headless", r"phantomjs", r"puppeteer", r"playwright", r"selenium",
    r"webdriver", r"cypress", r"prerender", r"lighthouse", r"speed", r"gtmetrix", r"pingdom", r"uptime", r"monitor",
    r"status", r"insights", r"preview", r"facebookexternalhit", r"facebookcatalog", r"meta-external", r"embed",
    r"outbrain", r"imgproxy", r"whatsapp/", r"skypeuri", r"mediapartners", r"google(?:-|other|docs|assoc)", r"feed",
    r"\brss", r"reader", r"parser", r"valid", r"check", r"link", r"scan", r"survey", r"audit", r"nmap", r"nikto",
    r"sqlmap", r"nessus", r"nutch", r"heritrix", r"httrack", r"wget", r"yandex(?!search|browser)",
    r"baidu(?:spider|.*transcoder)", r"gpt", r"openai", r"claude", r"anthropic", r"perplexity", r"cohere", r"mistral",
    r"bytespider", r"diffbot", r"larbin", r"fetch", r"(?<!yandex)search(?!craft)", r"analy[sz]", r"inspect", r"probe",
    r"sitemap", r"capture", r"screenshot", r"thumb", r"index", r"collect", r"explorer/", r"agent\b", r"proxy",
    r"downloader", r"sniff", r"detect", r"discover", r"harvest", r"synthetic", r"ptst/", r"zgrab", r"copie?r",
    r"sucker", r"verif", r"resolver", r"\(compatible; (?!msie|konq)",
)  # fmt: skip
BOT: Final = re.compile("|".join(BOT_WORDS), re.IGNORECASE)
PRODUCT: Final = re.compile(r"[A-Za-z0-9_.\-]+(?:/[\w.\-]+)?(?: \(\))?")  # a whole user agent that is one bare name
LIBRARY: Final = re.compile(
    r"curl|python|requests|httpx|aiohttp|urllib|okhttp|axios|node|undici|got|java|apache|http|ruby|faraday|perl|php|guzzle"
    r"|dart|alamofire|cfnetwork|darwin|dalvik|openfeature|analytics|growthbook|rudder|segment|postman|insomnia|wrk|testclient",
    re.IGNORECASE,
)
MAX_USER_AGENT: Final = 512

BROWSERS: Final = (
    ("Edge", re.compile(r"Edg(?:e|A|iOS)?/")),
    ("Opera", re.compile(r"OPR/|Opera")),
    ("Samsung Internet", re.compile(r"SamsungBrowser/")),
    ("Firefox", re.compile(r"Firefox/|FxiOS/")),
    ("Chrome", re.compile(r"Chrome/|CriOS/|Chromium/")),
    ("Safari", re.compile(r"Version/[\d.]+.*Safari/|iPhone|iPad")),
)
TABLET: Final = re.compile(r"iPad|Tablet|PlayBook|Silk/|Kindle|^(?!.*Mobile).*Android")
MOBILE: Final = re.compile(r"Mobile|iPhone|iPod|Windows Phone|BlackBerry|Opera Mini|IEMobile")
TELEVISION: Final = re.compile(r"SmartTV|SMART-TV|AppleTV|GoogleTV|HbbTV|BRAVIA|Web0S|Tizen.*TV|CrKey|AFT[A-Z]")
DESKTOP: Final = re.compile(r"Windows NT|Macintosh|X11|CrOS")


@dataclass(frozen=True, slots=True)
class Client:
    """What a user agent tells: a machine or not, and families; None where it says nothing known."""

    bot: bool
    device: str | None  # mobile | tablet | desktop | tv
    browser: str | None


@lru_cache(maxsize=8192)
def client(user_agent: str) -> Client:
    """The client behind a user agent; an empty one is not called a machine, because privacy tools send none."""
    text = user_agent[:MAX_USER_AGENT]
    return Client(_machine(text), _device(text), _browser(text))


def _machine(text: str) -> bool:
    """A contact or a telling word; or one bare product name, unless a library or an app's SDK calls itself so."""
    if BOT.search(text):
        return True
    return PRODUCT.fullmatch(text) is not None and LIBRARY.search(text) is None


def _device(text: str) -> str | None:
    if TELEVISION.search(text):
        return "tv"
    if TABLET.search(text):
        return "tablet"
    if MOBILE.search(text):
        return "mobile"
    return "desktop" if DESKTOP.search(text) else None


def _browser(text: str) -> str | None:
    return next((name for name, pattern in BROWSERS if pattern.search(text)), None)
