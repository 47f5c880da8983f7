"""Machines that say so are known; browsers and the libraries of backends are not called machines."""

import pytest

from events.bots import Client, client

BROWSERS = [
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
     "desktop", "Chrome"),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
     "Mobile/15E148 Safari/604.1", "mobile", "Safari"),
    ("Mozilla/5.0 (Linux; Android 13; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 "
     "Chrome/121.0.0.0 Mobile Safari/537.36", "mobile", "Samsung Internet"),
    ("Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 "
     "Mobile/15E148 Safari/604.1", "tablet", "Safari"),
    ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "desktop", "Firefox"),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36 "
     "Edg/125.0.0.0", "desktop", "Edge"),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
     "Instagram 330.0.0.0 (iPhone14,5; iOS 17_4)", "mobile", "Safari"),
    ("Mozilla/5.0 (SMART-TV; Linux; Tizen 5.5) AppleWebKit/537.36 69.0/5.5 TV Safari/537.36", "tv", None),
    ("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 YaBrowser/24.4 Mobile "
     "Safari/537.36 YaApp_Android/24.41 YandexSearch/24.41", "mobile", "Chrome"),
]  # fmt: skip
MACHINES = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0) Chrome/103.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "AdsBot-Google (+http://www.google.com/adsbot.html)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
    "Mozilla/5.0 (X11; Linux x86_64) Chrome/138.0 Safari/537.36 DatadogSynthetics",
]
LIBRARIES = ["python-httpx/0.28.1", "python-requests/2.32", "curl/8.5.0", "okhttp/4.12.0", "Go-http-client/1.1",
             "analytics-python/2.4.0", "axios/1.7.2", "Dart/3.3 (dart:io)", ""]  # fmt: skip


@pytest.mark.parametrize(("agent", "device", "browser"), BROWSERS)
def test_a_browser_is_a_visitor_with_its_families(agent: str, device: str, browser: str | None) -> None:
    assert client(agent) == Client(False, device, browser)


@pytest.mark.parametrize("agent", MACHINES)
def test_a_machine_that_says_so_is_a_machine(agent: str) -> None:
    assert client(agent).bot


@pytest.mark.parametrize("agent", LIBRARIES)
def test_a_plain_library_is_how_backends_call_for_visitors(agent: str) -> None:
    assert not client(agent).bot
