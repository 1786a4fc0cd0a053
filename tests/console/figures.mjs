// Measures the player, for benches/player: from the click to the first picture of every camera, from a seek to its pictures, and how
// far the cameras are apart while they play. A picture counts when the browser says that it has presented it.
//   node figures.mjs BUREAU.JSON
import { browser, demo, person } from './browser.mjs';

const { session, times, play } = demo.more;
const page = await person('reviewer');
const rows = [];

function row(what, asked, all) {
  const sorted = [...all].sort((a, b) => a - b);
  const at = (share) => sorted[Math.floor((sorted.length - 1) * share)];
  rows.push({ what, asked, p50: at(0.5), p95: at(0.95), max: at(1), times: sorted.length });
}

async function opens() {
  await page.goto(`${demo.url}/sessions/${session}`, { waitUntil: 'load' });
  return page.evaluate(async () => {
    const { shown } = await import('/assets/player.js');
    const clicked = performance.now();
    document.getElementById('open-viewing').click();
    while (!shown.player) await new Promise((done) => setTimeout(done, 1));
    window.player = shown.player;
    const first = (s) => new Promise((done) => s.video.requestVideoFrameCallback((now) => done(now)));
    return Math.max(...await Promise.all(player.screens.map(first))) - clicked;
  });
}

const opened = [];
for (let n = 0; n < times; n += 1) opened.push(await opens());
row('first picture of both cameras after opening', 500, opened);

// Moments in which both have a picture, near and far, forward and back.
const sought = await page.evaluate(async (count) => {
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const [took, missed] = [[], []];
  const length = player.viewing.length_ms;
  const covered = (ms) => player.screens.every((s) => s.at(ms / 1000 + player.shift));
  player.toggle(false);
  for (let n = 0; took.length < count; n += 1) {
    const ms = (n * 0.618034 % 1) * (length - 1000);
    if (!covered(ms)) continue;
    await wait(500);
    const from = performance.now();
    player.seek(ms);
    // The browser has found the picture, and has painted since.
    const there = async (s) => { do await new Promise(requestAnimationFrame); while (s.video.seeking || s.video.readyState < 2 || Math.abs(s.video.currentTime - player.head) > 0.03); return new Promise(requestAnimationFrame); };
    // What does not come at all is told as what it is: very late.
    const late = wait(5000).then(() => [from + 5000]);
    took.push(Math.max(...await Promise.race([Promise.all(player.screens.map(there)), late])) - from);
    if (took.at(-1) >= 5000) missed.push({ ms, screens: player.screens.map((s) => ({ has: s.has(player.head), fetched: [...s.loaded], seeking: s.video.seeking, ready: s.video.readyState, at: s.video.currentTime, head: player.head })) });
  }
  return { took, missed };
}, times);
row('seek, until both show that moment', 250, sought.took);
if (sought.missed.length) console.error(JSON.stringify(sought.missed));

for (const rate of [1, 4]) {
  const apart = await page.evaluate(async ([rate, play]) => {
    const all = [];
    const both = () => player.screens.every((s) => s.slide.hidden && !s.video.paused && s.has(player.head));
    document.getElementById('speed').value = String(rate);
    player.rate = rate;
    // Across the gap: it begins a little before it, and begins again where the recording ends.
    const gap = player.gaps.find((g) => g.to - g.from > 2000);
    const from = Math.max(0, gap.from - 5000);
    player.seek(from);
    player.toggle(true);
    const until = performance.now() + play * 1000;
    while (performance.now() < until) {
      await new Promise((done) => requestAnimationFrame(done));
      if (player.position > player.viewing.length_ms - 1500) player.seek(from);
      if (!both() || player.screens.some((s) => s.video.seeking)) continue;
      const [a, b] = player.screens.map((s) => s.video.currentTime);
      all.push(Math.abs(a - b) * 1000);
    }
    player.toggle(false);
    return all;
  }, [rate, play]);
  row(`cameras apart while playing at ${rate}×`, 80, apart);
}
await browser.close();
console.log(JSON.stringify(rows));
