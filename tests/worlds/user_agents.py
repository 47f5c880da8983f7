"""What people's browsers, apps, phones and televisions call themselves, and what machines and HTTP libraries do."""

# ruff: noqa: E501 (an agent is best read in one line)

KIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
ANDROID = f"Mozilla/5.0 (Linux; Android 14; SM-S918B Build/UP1A.231005.007; wv) {KIT} Version/4.0"
WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {KIT}"
MAC = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {KIT}"
LINUX = f"Mozilla/5.0 (X11; Linux x86_64) {KIT}"

BROWSERS = [
    (f"{WINDOWS} Chrome/126.0.0.0 Safari/537.36", "desktop", "Chrome"),
    (f"{IPHONE} Version/17.5 Mobile/15E148 Safari/604.1", "mobile", "Safari"),
    (f"Mozilla/5.0 (Linux; Android 13; SM-S918B) {KIT} SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
     "mobile", "Samsung Internet"),
    ("Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 "
     "Mobile/15E148 Safari/604.1", "tablet", "Safari"),
    ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "desktop", "Firefox"),
    (f"{WINDOWS} Chrome/125.0.0.0 Safari/537.36 Edg/125.0.0.0", "desktop", "Edge"),
    (f"{IPHONE} Mobile/15E148 Instagram 330.0.0.0 (iPhone14,5; iOS 17_4)", "mobile", "Safari"),
    ("Mozilla/5.0 (SMART-TV; Linux; Tizen 5.5) AppleWebKit/537.36 69.0/5.5 TV Safari/537.36", "tv", None),
    (f"Mozilla/5.0 (Linux; Android 10; K) {KIT} Chrome/124.0.0.0 YaBrowser/24.4 Mobile Safari/537.36 "
     "YaApp_Android/24.41 YandexSearch/24.41", "mobile", "Chrome"),
]  # fmt: skip
PEOPLE = {
    # browsers inside apps, on iOS
    "Facebook iOS": f"{IPHONE} Mobile/15E148 [FBAN/FBIOS;FBAV/466.0.0.41.106;FBBV/602123456;FBDV/iPhone14,5;FBMD/iPhone;"
    "FBSN/iOS;FBSV/17.5.1;FBSS/3;FBID/phone;FBLC/de_DE;FBOP/5;FBRV/604000000]",
    "Messenger iOS": f"{IPHONE} Mobile/15E148 [FBAN/MessengerForiOS;FBAV/456.0.0.30.109;FBDV/iPhone15,2;FBLC/en_US]",
    "Instagram iOS": f"{IPHONE} Mobile/15E148 Instagram 334.0.4.32.98 (iPhone15,3; iOS 17_5_1; en_GB; en; scale=3.00)",
    "LinkedIn iOS": f"{IPHONE} Mobile/15E148 [LinkedInApp]/9.29.8743",
    "Pinterest iOS": f"{IPHONE} Mobile/15E148 [Pinterest/iOS]",
    "Snapchat iOS": f"{IPHONE} Version/17.5 Mobile/15E148 Safari/604.1 Snapchat/12.92.0.38 (like Safari/8618.2, panda)",
    "TikTok iOS": f"{IPHONE} Mobile/15E148 musical_ly_34.7.0 JsSdk/2.0 NetType/WIFI Channel/App Store BytedanceWebview/d8a21c6",
    "WeChat iOS": f"{IPHONE} Mobile/15E148 MicroMessenger/8.0.49(0x18003137) NetType/WIFI Language/zh_CN",
    "Line iOS": f"{IPHONE} Mobile/15E148 Safari Line/14.9.0",
    "Google app iOS": f"{IPHONE} GSA/321.0.644158402 Mobile/15E148 Safari/604.1",
    "X iOS": f"{IPHONE} Mobile/15E148 Twitter for iPhone/10.45",
    "DuckDuckGo iOS": f"{IPHONE} Version/17.5 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15",
    "Ecosia iOS": f"{IPHONE} Mobile/15E148 (Ecosia ios@10.2.0.1980)",
    "Naver iOS": f"{IPHONE} Mobile/15E148 Safari/605.1 NAVER(inapp; search; 2010; 12.5.1; 14PRO)",
    "KakaoTalk iOS": f"{IPHONE} Mobile/15E148 KAKAOTALK 10.8.1",
    "Threads iOS": f"{IPHONE} Mobile/15E148 Barcelona 336.0.0.26.83 (iPhone14,5; iOS 17_5_1; de_DE; de; scale=3.00)",
    "Slack iOS": f"{IPHONE} Mobile/15E148 Slack/24.05.20",
    "Reddit iOS": f"{IPHONE} Mobile/15E148 Reddit/2024.20.0/iOS",
    # browsers inside apps, on Android
    "Facebook Android": f"{ANDROID} Chrome/125.0.6422.72 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/466.0.0.55.85;]",
    "Messenger Android": f"{ANDROID} Chrome/125.0.6422.72 Mobile Safari/537.36 [FB_IAB/Orca-Android;FBAV/459.0.0.51.109;]",
    "Instagram Android": f"{ANDROID} Chrome/125.0.6422.72 Mobile Safari/537.36 Instagram 334.0.0.42.95 Android "
    "(34/14; 480dpi; 1080x2115; samsung; SM-S918B; dm3q; qcom; de_DE; 604247854)",
    "LinkedIn Android": f"{ANDROID} Chrome/125.0.6422.72 Mobile Safari/537.36 [LinkedInApp]/4.1.942",
    "Pinterest Android": f"{ANDROID} Chrome/125.0.6422.72 Mobile Safari/537.36 [Pinterest/Android]",
    "Snapchat Android": f"{ANDROID} Chrome/125.0.6422.72 Mobile Safari/537.36Snapchat/12.91.0.40 (SM-S918B; Android 14)",
    "TikTok Android": f"{ANDROID} Chrome/125.0.6422.72 Mobile Safari/537.36 trill_340703 JsSdk/1.0 NetType/WIFI Channel/"
    "googleplay AppName/trill app_version/34.7.3 ByteLocale/de-DE ByteFullLocale/de-DE Region/DE BytedanceWebview/d8a21c6",
    "WeChat Android": f"{ANDROID} Chrome/116.0.0.0 Mobile Safari/537.36 XWEB/1160117 MMWEBSDK/20240501 MMWEBID/4 "
    "MicroMessenger/8.0.50.2701(0x28003252) WeChat/arm64 Weixin NetType/WIFI Language/zh_CN ABI/arm64",
    "Line Android": f"{ANDROID} Chrome/125.0.6422.72 Mobile Safari/537.36 Line/14.8.0/IAB",
    "Google app Android": f"{ANDROID} Chrome/125.0.6422.72 Mobile Safari/537.36 GSA/15.21.34.28.arm64",
    "X Android": f"{ANDROID} Chrome/125.0.6422.72 Mobile Safari/537.36 TwitterAndroid",
    "Naver Android": f"{ANDROID} Chrome/123.0.0.0 Whale/1.0.0.0 Crosswalk/28.123.0.6 Mobile Safari/537.36 "
    "NAVER(inapp; search; 2000; 12.5.4)",
    "Daum Android": f"{ANDROID} Chrome/125.0.6422.72 Mobile Safari/537.36 DaumApps/7.8.5 DaumDevice/mobile",
    "Telegram Android": f"{ANDROID} Chrome/125.0.6422.72 Mobile Safari/537.36 Telegram-Android/10.14.5 "
    "(Samsung SM-S918B; Android 14; SDK 34; HIGH)",
    "Taobao Android": f"{ANDROID} Chrome/100.0.4896.58 UWS/5.11.0.0 Mobile Safari/537.36 AliApp(TB/10.36.10) "
    "WindVane/8.5.0 TTID/600000@taobao_android_10.36.10",
    "Coupang Android": f"{ANDROID} Chrome/125.0.6422.72 Mobile Safari/537.36 [CoupangApp/8.2.9]",
    "CamScanner Android": f"{ANDROID} Chrome/111.0.5563.58 Mobile Safari/537.36 CamScanner/6.27.0.2210170000",
    "Flipboard Android": f"{ANDROID} Chrome/125.0.6422.72 Mobile Safari/537.36 flipboard/5419/4.3.19,5419,2024-05-20",
    "Inoreader Android": f"{ANDROID} Chrome/125.0.6422.72 Mobile Safari/537.36 InoreaderApp/7.8",
    "SpeedTest Android": f"{ANDROID} Chrome/125.0.6422.72 Mobile Safari/537.36 SpeedtestApp/5.4.4 NetworkMonitor",
    "a shop's own app": "ExampleShop/4.2.0",
    "a shop's own app on iOS": "ExampleShop/4.2.0 (com.example.shop; build:420; iOS 17.5.1) Alamofire/5.9.1",
    "an iOS app": "PriceChecker/71 CFNetwork/1496.0.7 Darwin/23.5.0",
    # browsers of regions and of taste
    "Yandex": f"{WINDOWS} Chrome/124.0.0.0 YaBrowser/24.6.0.0 Safari/537.36",
    "Coc Coc": f"{WINDOWS} coc_coc_browser/126.0.146 Chrome/120.0.6099.146 Safari/537.36",
    "UC": f"Mozilla/5.0 (Linux; U; Android 12; en-US; RMX3370 Build/SKQ1) {KIT} Version/4.0 Chrome/100.0.4896.58 "
    "UCBrowser/13.7.8.1317 Mobile Safari/537.36",
    "QQ": f"Mozilla/5.0 (Linux; U; Android 13; zh-cn; V2254A Build/TP1A) {KIT} Version/4.0 Chrome/109.0.5414.86 "
    "MQQBrowser/14.9 Mobile Safari/537.36 COVC/046915",
    "Baidu box": f"{ANDROID} Chrome/97.0.4692.98 Mobile Safari/537.36 T7/13.59 SP-engine/2.97.0 baiduboxapp/13.59.0.10",
    "360": f"{WINDOWS} Chrome/114.0.0.0 Safari/537.36 QIHU 360SE",
    "Sogou": f"{WINDOWS} Chrome/107.0.0.0 Safari/537.36 SE 2.X MetaSr 1.0",
    "Miui": f"Mozilla/5.0 (Linux; U; Android 13; de-de; 2201117TY Build/TKQ1) {KIT} Version/4.0 Chrome/112.0.5615.136 "
    "Mobile Safari/537.36 XiaoMi/MiuiBrowser/14.12.0-gn",
    "Seznam": f"{ANDROID} Chrome/125.0.6422.72 Mobile Safari/537.36 SznProhlizec/11.6a",
    "Whale": f"{WINDOWS} Chrome/124.0.0.0 Whale/3.26.244.21 Safari/537.36",
    "Vivaldi": f"{LINUX} Chrome/126.0.0.0 Safari/537.36 Vivaldi/6.8.3381.44",
    "Opera Mini": "Opera/9.80 (Android; Opera Mini/77.0.2254/191.303; U; en) Presto/2.12.423 Version/12.16",
    "Puffin": f"Mozilla/5.0 (Linux; Android 13; Pixel 7) {KIT} Chrome/114.0.5735.110 Mobile Safari/537.36 Puffin/9.9.2AP",
    "Konqueror": "Mozilla/5.0 (compatible; Konqueror/4.14; Linux) KHTML/4.14.13 (like Gecko)",
    "Internet Explorer": "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.1; Trident/6.0; .NET CLR 3.5.30729)",
    "an old Internet Explorer": "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 5.1; Embedded Web Browser from: "
    "http://bsalsa.com/; .NET CLR 2.0.50727)",
    "an old phone": "Nokia6300/2.0 (07.21) Profile/MIDP-2.0 Configuration/CLDC-1.1",
    "Electron": f"{MAC} ExampleDesk/4.39.90 Chrome/124.0.6367.243 Electron/30.1.2 Safari/537.36",
    "Safari Technology Preview": "Safari Technology Preview/20619.1.11 CFNetwork/1568.100.1 Darwin/24.0.0",
    # consoles, readers, televisions, cars
    "PlayStation": "Mozilla/5.0 (PlayStation; PlayStation 5/8.40) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.4 "
    "Safari/605.1.15",
    "Xbox": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox Series X) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/125.0.0.0 Safari/537.36 Edge/44.18363.8131",
    "Switch": "Mozilla/5.0 (Nintendo Switch; WifiWebAuthApplet) AppleWebKit/609.4 (KHTML, like Gecko) NF/6.0.3.21.3 "
    "NintendoBrowser/5.1.0.23519",
    "Kindle": "Mozilla/5.0 (X11; U; Linux armv7l like Android; en-us) AppleWebKit/531.2+ (KHTML, like Gecko) Version/5.0 "
    "Safari/533.2+ Kindle/3.0+",
    "Kobo": "Mozilla/5.0 (Linux; U; Android 2.0; en-us;) AppleWebKit/538.1 (KHTML, like Gecko) Version/4.0 Mobile "
    "Safari/538.1 (Kobo Touch 0384/4.38.23171)",
    "Tolino": f"Mozilla/5.0 (Linux; Android 8.1.0; tolino ebook reader Build/OPM7) {KIT} Chrome/61.0.3163.98 Safari/537.36",
    "Fire tablet": f"Mozilla/5.0 (Linux; Android 9; KFMAWI) {KIT} Silk/122.5.4 like Chrome/122.0.6261.120 Safari/537.36",
    "Fire TV": f"Mozilla/5.0 (Linux; Android 9; AFTKA Build/PS7658) {KIT} Silk/120.4.2 like Chrome/120.0.6099.144 Safari/537.36",
    "a bare TV": "smarttv_AFTKA_Build_0017381305986_Chromium_88.0.4324.152",
    "webOS": f"Mozilla/5.0 (Web0S; Linux/SmartTV) {KIT} Chrome/94.0.4606.128 Safari/537.36 WebAppManager",
    "Tizen": f"Mozilla/5.0 (SMART-TV; LINUX; Tizen 7.0) {KIT} 94.0.4606.31/7.0 TV Safari/537.36",
    "Viera": "Mozilla/5.0 (compatible; U; InfiNet 0.1; Viera) AppleWebKit/420 (KHTML, like Gecko) Viera/3.10.15 "
    "Chrome/23.0.1271.97 Safari/537.11",
    "HbbTV": f"Mozilla/5.0 (Linux; Android 9; ATV R2) {KIT} Chrome/77.0.3865.120 Safari/537.36 OPR/46.0.2207.0 HbbTV/1.5.1 "
    "(+DRM;BOTECH;ATV R2;1.0;ATV;TVs;)",
    "Tesla": f"{LINUX} Chrome/109.0.5414.119 Safari/537.36 Tesla/2024.14.9",
    "Quest": f"Mozilla/5.0 (X11; Linux x86_64; Quest 3) {KIT} OculusBrowser/33.2.0 Chrome/124.0.6367.118 VR Safari/537.36",
    # phones
    "CUBOT": f"Mozilla/5.0 (Linux; Android 11; CUBOT NOTE 20) {KIT} Chrome/125.0.0.0 Mobile Safari/537.36",
    "CUBOT in Facebook": f"Mozilla/5.0 (Linux; Android 12; CUBOT_KINGKONG_7 Build/SP1A; wv) {KIT} Version/4.0 "
    "Chrome/124.0.0.0 Mobile Safari/537.36 [FBAN/FB4A;FBMF/CUBOT;FBBD/CUBOT;FBDV/CUBOT;FBSV/12]",
    "CUBOT first": "CUBOT/X18 Linux/3.18 Android/7.0 Release/2017 Browser/AppleWebKit537.36 Mobile Safari/537.36",
    "POWER BOT": f"Mozilla/5.0 (Linux; Android 7.0; POWER BOT) {KIT} Chrome/80.0.3987.99 Mobile Safari/537.36",
    "VR BOT": f"Mozilla/5.0 (Linux; Android 6.0; VR BOT 552 PLUS) {KIT} Chrome/78.0.3904.96 Mobile Safari/537.36",
    "IDbot in an app": "Dalvik/2.1.0 (Linux; U; Android 8.1.0; IDbot553 Build/O11019)",
    "Seeker": f"Mozilla/5.0 (Linux; Android 15; Seeker Build/AP3A; wv) {KIT} Version/4.0 Chrome/131.0.0.0 Mobile Safari/537.36",
    "OPPO": f"Mozilla/5.0 (Linux; Android 5.1.1; OPPO A33 Build/LMY47V) {KIT} Chrome/70.0.3538.80 Mobile Safari/537.36",
    "Fairphone": f"Mozilla/5.0 (Linux; Android 13; FP4) {KIT} Chrome/101.0.4951.41 Mobile Safari/537.36 (Ecosia "
    "android@101.0.4951.41)",
    "KaiOS": "Mozilla/5.0 (Mobile; Nokia_8110_4G; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5.4",
}  # fmt: skip
MACHINES = [
    # search
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    f"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) {KIT} Chrome/125.0.6422.175 Mobile Safari/537.36 "
    "(compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Googlebot-Image/1.0", "AdsBot-Google (+http://www.google.com/adsbot.html)", "Mediapartners-Google", "GoogleOther",
    f"{LINUX[:-1]}; Google Web Preview) Chrome/27.0.1453 Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 8.0; Pixel 2 Build/OPD3; Storebot-Google/1.0) {KIT} Chrome/81.0 Mobile Safari/537.36",
    f"Mozilla/5.0 {KIT[:-1]}; compatible; bingbot/2.0) Chrome/103.0 Safari/537.36",
    f"{WINDOWS} Chrome/116.0 Safari/537.36 BingPreview/1.0b",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
    "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)",
    "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
    f"{MAC} Version/17.4 Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)",
    "Mozilla/5.0 (compatible; PetalBot;+https://webmaster.petalsearch.com/site/petalbot)",
    "Sogou web spider/4.0(+http://www.sogou.com/docs/help/webmasters.htm#07)",
    f"{WINDOWS} Chrome/21.0.1180.89 Safari/537.1; 360Spider",
    "Mozilla/5.0 (compatible; SeznamBot/4.0; +https://o-seznam.cz/napoveda/vyhledavani/en/seznambot-crawler/)",
    # readers for models
    f"Mozilla/5.0 {KIT[:-1]}; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    f"Mozilla/5.0 {KIT[:-1]}; compatible; ChatGPT-User/1.0; +https://openai.com/bot",
    f"{MAC[:-1]}; compatible; OAI-SearchBot/1.0; +https://openai.com/searchbot)",
    f"Mozilla/5.0 {KIT[:-1]}; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
    f"Mozilla/5.0 (Linux; arm_64) {KIT} Chrome/119.0.0.0 Safari/537.36 claude-web",
    f"Mozilla/5.0 {KIT[:-1]}; compatible; PerplexityBot/1.0; +https://perplexity.ai/perplexitybot)",
    f"{LINUX} Chrome/132.0.0.0 Safari/537.36; Manus-User/1.0", "anthropic-ai", "cohere-ai",
    "Mozilla/5.0 (compatible; Bytespider; spider-feedback@bytedance.com)", "CCBot/2.0 (https://commoncrawl.org/faq/)",
    f"{MAC[:-1]}; Amazonbot/0.1; +https://developer.amazon.com/support/amazonbot) Chrome/119.0 Safari/537.36",
    "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
    # previews of links
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "facebookexternalhit/1.1", "Twitterbot/1.0",
    f"{MAC} Version/9.0 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0", "WhatsApp/2.23.18.78 A",
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)", "TelegramBot (like TwitterBot)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "Mozilla/5.0 (compatible; Discordbot/2.0)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5", "Pinterest/0.2 (+https://www.pinterest.com/bot.html)",
    # monitors, and measurers of speed
    "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
    "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
    f"{LINUX} Chrome/138.0 Safari/537.36 DatadogSynthetics", f"{WINDOWS} Chrome/98 Safari/537.36 (StatusCake)",
    f"{LINUX} Chrome/113.0 Safari/537.36 RuxitSynthetic/1.0 v104032285451 t1437 altpub cvcv=2 smf=0",
    f"{MAC} Chrome/109.0.0.0 Safari/537.36 Chrome-Lighthouse", f"{LINUX} Chrome/98.0 Safari/537.36 PTST/220216.200657",
    f"{MAC} Chrome/109.0.0.0 Safari/537.36 CloudflareObservatory/1.0", "kube-probe/1.29", "ELB-HealthChecker/2.0",
    "Mozilla/5.0 (Windows NT 6.3; WOW64; Trident/7.0; rv:11.0; Catchpoint) like Gecko", "check_http/v2.3.3 (nagios-plugins)",
    f"{LINUX} Chrome/121.0 Safari/537.36 Elastic/Synthetics", "Site24x7", "GoogleHC/1.0",
    # audits and scans
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", "W3C_Validator/1.3", "W3C-checklink/4.81",
    "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)", "Screaming Frog SEO Spider/20.1",
    "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.1; Trident/6.0) LinkCheck by Siteimprove.com",
    f"{WINDOWS} Chrome/132.0.0.0 Safari/537.36 SecurityHeaders", "Mozilla/5.0 zgrab/0.x", "sqlmap/1.8#stable",
    "Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)", "Mozilla/5.00 (Nikto/2.1.6)",
    # browsers without a person
    f"{LINUX} HeadlessChrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1",
    "Mozilla/5.0 (linux) AppleWebKit/537.36 (KHTML, like Gecko) jsdom/24.1.0", "Scrapy/2.11.2 (+https://scrapy.org)",
    f"{LINUX} Chrome/63.0 Safari/537.36 Ghost Inspector", "Wget/1.21.4", "HTTrack/3.49",
]  # fmt: skip
LIBRARIES = ["python-httpx/0.28.1", "python-requests/2.32", "curl/8.5.0", "okhttp/4.12.0", "Go-http-client/1.1",
             "analytics-python/2.4.0", "axios/1.7.2", "Dart/3.3 (dart:io)", "Apache-HttpClient/4.5.14 (Java/17.0.11)",
             "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)", "got (https://github.com/sindresorhus/got)",
             "WordPress/6.5.4; https://shop.example", "GuzzleHttp/7", "Java/17.0.11", "PostmanRuntime/7.39.0", ""]  # fmt: skip
