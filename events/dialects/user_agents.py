"""Who says it is a machine, and the family of device and browser: all that is kept of a user agent."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

# How machines tell on themselves (docs/decisions/machines-by-whole-tokens.md). A word that is only part of a token says
# nothing: apps and phones are called CamScanner, LinkedInApp, CUBOT. Plain HTTP libraries (curl, python-requests, ...)
# are not here: they are how backends and apps call for real visitors.
FAMILIES: Final = ("bot", "crawler", "spider", "scraper", "archiver", "fetcher", "validator")  # ends of machines' names
PRODUCTS: Final = (  # whole tokens
    # previews of links
    "facebookexternalhit", "facebookcatalog", "meta-externalagent", "meta-externalads", "meta-webindexer",
    "skypeuripreview", "slack-imgproxy", "bingpreview", "microsoftpreview", "vkshare", "iframely", "embedly",
    "flipboardproxy", "googleimageproxy", "seznamemailproxy", "yahoomailproxy",
    # search, advertising and what models read
    "googleother", "google-inspectiontool", "google-read-aloud", "google-safety", "google-extended", "google-agent",
    "google-notebooklm", "google-pagerenderer", "google-site-verification", "google-searchbyimage", "google favicon",
    "google-publisher-plugin", "google-structured-data-testing-tool", "google-sites-thumbnails", "google web preview",
    "google-businesslinkverification", "google-ads-qualify", "google-ads-conversions", "google-adwords-express",
    "google-adwords-instant", "google-adwords-displayads-webrender", "googleassociationservice",
    "google search console", "google page speed insights", "mediapartners-google", "duplexweb-google", "apis-google",
    "appengine-google", "chatgpt-user", "claude-web", "claude-user", "anthropic-ai", "cohere-ai", "perplexity-user",
    "mistralai-user", "manus-user", "novaact", "gemini-deep-research", "slurp", "baidu transcoder", "daumoa",
    "geedoproductsearch", "geedoshopproductfinder", "adbeat.com", "datanyze",
    # browsers without a person, and what drives them
    "headlesschrome", "headlessedg", "headless_shell", "phantomjs", "slimerjs", "htmlunit", "jsdom", "puppeteer",
    "playwright", "selenium", "prerender", "wkhtmltoimage", "wkhtmltopdf", "mshots", "scrapy", "nutch", "heritrix",
    "httrack", "wget",
    # monitors and measurers of speed
    "chrome-lighthouse", "ptst", "gtmetrix", "dareboost", "pingdom", "pingdomtms", "statuscake", "site24x7",
    "synthetics", "datadogsynthetics", "ruxitsynthetic", "dynatracesynthetic", "catchpoint", "yottaamonitor",
    "gomezagent", "checkly", "neustar wpm", "newrelicpinger", "speedcurve", "debugbear", "sitespeed.io", "functionize",
    "ghost inspector", "cloudflareobservatory", "cloudflarediagnostics", "cloudflare-diagnostics",
    "cloudflare-healthchecks", "kube-probe", "cloudflare-alwaysonline", "cloudflare-ssldetector", "googlehc",
    "elb-healthchecker", "better uptime", "uptime-kuma", "amazon-route53-health-check-service", "zabbix", "nagios",
    "check_http", "hetrixtools", "ips-agent",
    # audits and scans
    "siteimprove", "siteimprove.com", "sitebulb", "sortsite", "ahrefssiteaudit", "w3c-checklink", "w3c_unicorn",
    "securityheaders", "nessus", "nikto", "sqlmap", "zgrab", "masscan", "nuclei", "wpscan", "acunetix", "detectify",
    "arachni", "wappalyzer", "builtwith", "whatcms", "openvas", "nmap scripting engine",
)  # fmt: skip
FAMILY: Final = rf"(?<!cu)(?:{'|'.join(FAMILIES)})"  # CUBOT makes phones
MACHINE: Final = re.compile(
    "|".join(
        (
            rf"(?<![\w.-])(?:{'|'.join(map(re.escape, PRODUCTS))})(?![\w.-])",
            rf"{FAMILY}(?:-[a-z]+)*/v?\d",  # a product with its version
            rf"^[^\s/;()]*{FAMILY}(?!\w)",  # the agent's first word
            rf"^mozilla/.*{FAMILY};?$",  # after all that a browser says
            r"^whatsapp/",  # its preview of a link; its own browser begins as every browser does
            # only machines are "compatible" today, but for these browsers of old and of televisions
            r"^mozilla/5.*\bcompatible; ?(?!msie|konqueror|u;|linux|ibrowse|abrowse|antgalio|origyn|webpositive)[a-z]",
            # a contact; `from:` is what components of Internet Explorer said
            r"(?<!from: )https?://|(?<![\w.-])www\.[a-z]|\w@[a-z][a-z0-9-]*\.[a-z]{2}",
        )
    )
)
LIBRARY: Final = re.compile(r"(?:node-fetch|node-superagent|got|faraday|wordpress|drupal)[ /]")  # they name a contact
MAX_USER_AGENT: Final = 512

BROWSERS: Final = (
    ("Edge", re.compile(r"Edg(?:e|A|iOS)?/")),
    ("Opera", re.compile(r"OPR/|Opera")),
    ("Samsung Internet", re.compile(r"SamsungBrowser/")),
    ("Firefox", re.compile(r"Firefox/|FxiOS/")),
    ("Chrome", re.compile(r"Chrome/|CriOS/|Chromium/")),
    ("Safari", re.compile(r"Version/[\d.]+.*Safari/|iPhone|iPad")),
)
DEVICES: Final = (
    ("tv", re.compile(r"SmartTV|SMART-TV|AppleTV|GoogleTV|HbbTV|BRAVIA|Web0S|Tizen.*TV|CrKey|AFT[A-Z]")),
    ("tablet", re.compile(r"iPad|Tablet|PlayBook|Silk/|Kindle|^(?!.*Mobile).*Android")),
    ("mobile", re.compile(r"Mobile|iPhone|iPod|Windows Phone|BlackBerry|Opera Mini|IEMobile")),
    ("desktop", re.compile(r"Windows NT|Macintosh|X11|CrOS")),
)
SYSTEMS: Final = (
    ("iOS", re.compile(r"iPhone|iPad|iPod")),
    ("Android", re.compile(r"Android")),
    ("Windows", re.compile(r"Windows")),
    ("ChromeOS", re.compile(r"CrOS")),
    ("macOS", re.compile(r"Macintosh|Mac OS X")),
    ("Linux", re.compile(r"Linux|X11")),
)


@dataclass(frozen=True, slots=True)
class Client:
    """What a user agent tells: a machine or not, and families; None where it says nothing known."""

    bot: bool
    device: str | None  # mobile | tablet | desktop | tv
    browser: str | None
    system: str | None = None


@lru_cache(maxsize=8192)
def client(user_agent: str) -> Client:
    """The client behind a user agent; an empty one is not called a machine, because privacy tools send none."""
    text = user_agent[:MAX_USER_AGENT]
    lower = text.lower()
    machine = LIBRARY.match(lower) is None and MACHINE.search(lower) is not None
    device, browser, system = (
        next((name for name, pattern in families if pattern.search(text)), None)
        for families in (DEVICES, BROWSERS, SYSTEMS)
    )
    return Client(machine, device, browser, system)


@lru_cache(maxsize=8192)
def joined_client(page: str, told: str) -> Client:
    """The client of a page's own user agent, about which what it told may say more."""
    seen, more = client(page), client(told)
    if not page:
        return more
    return Client(
        seen.bot or more.bot, seen.device or more.device, seen.browser or more.browser, seen.system or more.system
    )
