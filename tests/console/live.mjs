// How old a live picture is when it is shown: from the camera's own clock, which each picture carries, to the frame that Chromium
// presents. Arguments as JSON: { url, cookie, page, seconds }. Ends with a line of JSON, ms.
import { chromium } from 'playwright-core';

const { url, cookie, page: path, seconds } = JSON.parse(process.argv[2]);
const [name, value] = cookie.split('=');
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--autoplay-policy=no-user-gesture-required'];
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags });
try {
  const context = await browser.newContext({ viewport: { width: 1366, height: 768 } });
  await context.addCookies([{ name, value, url }]);
  const page = await context.newPage();
  await page.addInitScript(() => {
    // Camera clock of each picture, in the order in which the pictures are appended.
    const text = new TextDecoder('latin1');
    const append = SourceBuffer.prototype.appendBuffer;
    window.clocks = new WeakMap();
    window.ages = [];
    SourceBuffer.prototype.appendBuffer = function (data) {
      const all = window.clocks.get(this) ?? window.clocks.set(this, []).get(this);
      for (const [, ms] of text.decode(data).matchAll(/SHILU-FRAME-NO: \d{10}@(\d{13})/g)) all.push(Number(ms));
      return append.call(this, data);
    };
    const add = MediaSource.prototype.addSourceBuffer;
    MediaSource.prototype.addSourceBuffer = function (type) {
      window.newest = add.call(this, type);
      return window.newest;
    };
  });
  await page.goto(`${url}${path}`);
  await page.waitForFunction(() => document.querySelector('video')?.currentTime > 0, null, { timeout: 20000 });
  await page.waitForTimeout(3000);
  await page.evaluate(() => {
    const video = document.querySelector('video');
    const began = video.buffered.start(0);
    const seen = (_, { mediaTime, expectedDisplayTime }) => {
      const ms = window.clocks.get(window.newest)?.[Math.round((mediaTime - began) * 25)];
      if (ms) window.ages.push(performance.timeOrigin + expectedDisplayTime - ms);
      video.requestVideoFrameCallback(seen);
    };
    video.requestVideoFrameCallback(seen);
  });
  await page.waitForTimeout(seconds * 1000);
  const ages = (await page.evaluate(() => window.ages)).sort((a, b) => a - b);
  const at = (share) => Math.round(ages[Math.min(ages.length - 1, Math.floor(share * ages.length))]);
  console.log(JSON.stringify({ pictures: ages.length, p50: at(0.5), p95: at(0.95), max: at(1) }));
} finally {
  await browser.close();
}
