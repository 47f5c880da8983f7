// From events/dialects/user_agents.py, by `python scripts/write_tag_tables.py`.
export const DEVICES = [
  ["tv", /SmartTV|SMART-TV|AppleTV|GoogleTV|HbbTV|BRAVIA|Web0S|Tizen.*TV|CrKey|AFT[A-Z]/],
  ["tablet", /iPad|Tablet|PlayBook|Silk\/|Kindle|^(?!.*Mobile).*Android/],
  ["mobile", /Mobile|iPhone|iPod|Windows Phone|BlackBerry|Opera Mini|IEMobile/],
  ["desktop", /Windows NT|Macintosh|X11|CrOS/],
];
export const BROWSERS = [
  ["Edge", /Edg(?:e|A|iOS)?\//],
  ["Opera", /OPR\/|Opera/],
  ["Samsung Internet", /SamsungBrowser\//],
  ["Firefox", /Firefox\/|FxiOS\//],
  ["Chrome", /Chrome\/|CriOS\/|Chromium\//],
  ["Safari", /Version\/[\d.]+.*Safari\/|iPhone|iPad/],
];
export const SYSTEMS = [
  ["iOS", /iPhone|iPad|iPod/],
  ["Android", /Android/],
  ["Windows", /Windows/],
  ["ChromeOS", /CrOS/],
  ["macOS", /Macintosh|Mac OS X/],
  ["Linux", /Linux|X11/],
];
