// One visitor's way through a shop in Firefox, which puppeteer-core drives by WebDriver BiDi. Reads {page, binary} as JSON.
import { text } from "node:stream/consumers";
import puppeteer from "puppeteer-core";

const { page: address, binary } = JSON.parse(await text(process.stdin));
const browser = await puppeteer.launch({ browser: "firefox", executablePath: binary, headless: true });
try {
  const page = await browser.newPage();
  await page.goto(address);
  await page.waitForFunction(() => window.resonate && window.resonate.ready);
  const ready = await page.evaluate(() => window.resonate.ready);
  const shown = await page.$eval("h1", (slot) => [slot.textContent, slot.dataset.resonateDone, getComputedStyle(slot).visibility]);
  await page.bringToFront();
  await page.mouse.move(100, 100);
  await page.mouse.move(120, 120);
  const engaged = await page.evaluate(async () => {
    const began = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    return [document.hasFocus(), performance.now() - began];
  });
  const id = await page.evaluate(() => window.resonate.id);
  const cookie = await page.evaluate(() => document.cookie);
  await page.evaluate(() => window.resonate.track("Order Completed", { order_id: "o-1", revenue: 49.9, currency: "EUR" }));
  await page.goto(address + "next"); // the page goes: its last beat is sent
  await page.waitForFunction(() => window.resonate && window.resonate.ready);
  const refused = await page.evaluate(() => {
    window.resonate.consent("none");
    return [window.resonate.id, document.cookie, Object.keys(localStorage).length, Object.keys(sessionStorage).length];
  });
  process.stdout.write(JSON.stringify({ ready, shown, engaged, id, cookie, refused }));
} finally {
  await browser.close();
}
