// The guides in Debian's Chromium: everybody's own first, all pictures, contents that lead somewhere, ten pages of paper, both languages,
// and the reference of the API.
//   node guides.mjs DEMO.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { browser, demo, person, said, screen, shot } from './browser.mjs';

const paper = mkdtempSync(join(tmpdir(), 'shilu-guides-'));
const OWN = { officer: 'officer', custodian: 'custodian', office: 'office', leader_in_charge: 'leader', bureau_head: 'leader', reviewer: 'reviewer', legal_unit: 'legal', inspector: 'legal', administrator: 'technician', live_viewer: 'reviewer' };
const fits = async (page, who) => {
  const rows = await page.$$eval('header.bar nav a, header.bar .bar-end a', (all) => new Set(all.filter((a) => a.checkVisibility()).map((a) => { const box = a.getBoundingClientRect(); return Math.round((box.top + box.bottom) / 2 / 12); })).size);
  assert.ok(rows <= 1, `${who}: the head of the page takes ${rows} rows`);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${who}: wider than the screen`);
};

// Signed in only.
const nobody = await screen();
await nobody.goto(`${demo.url}/help/officer`);
assert.match(nobody.url(), /\/login$/);

// Everybody finds their own first, from the head of any page.
let page;
for (const [role, own] of Object.entries(OWN)) {
  page = await person(role);
  await page.click('.bar-end a[href="/help"]');
  await page.waitForURL(/\/help$/);
  assert.deepEqual(await page.$$eval('.own-guide h2 a', (all) => all.map((a) => a.getAttribute('href'))), [`/help/${own}`], role);
  assert.ok(await page.$$eval('.own-guide .guide-tasks a', (all) => all.length) >= 4, role);
  await fits(page, role);
  if (role === 'officer') await shot(page, 'guides-1-list');
  if (role === 'legal_unit') {
    await page.goto(`${demo.url}/language?to=en&back=/help`);
    await fits(page, 'legal unit, English');
    await shot(page, 'guides-2-english');
  }
}

// Each: a title, pictures that load, contents that lead to headings, links inside the console; on paper ten pages at most.
const officer = await person('officer');
const all = await (await officer.goto(`${demo.url}/help`), officer.$$eval('main a[href^="/help/"]', (links) => [...new Set(links.map((a) => a.getAttribute('href').split('#')[0]))]));
assert.equal(all.length, 15, all.join(' '));
for (const address of all.filter((a) => a !== '/help/api')) {
  await officer.goto(demo.url + address);
  await officer.waitForSelector('article.guide h1');
  await officer.waitForFunction(() => [...document.images].every((i) => i.complete));
  assert.deepEqual(await officer.$$eval('article img', (images) => images.filter((i) => i.naturalWidth === 0).map((i) => i.src)), [], `${address}: pictures`);
  assert.deepEqual(await officer.$$eval('.guide-contents a', (links) => links.map((a) => a.hash.slice(1)).filter((id) => !document.getElementById(decodeURIComponent(id)))), [], `${address}: contents`);
  for (const link of await officer.$$eval('article a', (links) => links.map((a) => a.getAttribute('href')))) assert.ok(link.startsWith('/help/') || link.startsWith('#'), `${address}: ${link}`);
  await fits(officer, address);
  // What is looked up is not read through: it may be as long as it is.
  if (!['/help/install', '/help/restore', '/help/alarms', '/help/format', '/help/security', '/help/asvs'].includes(address)) {
    const file = join(paper, 'guide.pdf');
    await officer.pdf({ path: file, preferCSSPageSize: true });
    const pages = Number(/Pages:\s+(\d+)/.exec(execFileSync('pdfinfo', [file]).toString())[1]);
    console.log(`${address}: ${pages} pages`);
    assert.ok(pages <= 10, `${address} takes ${pages} pages`);
  }
  await shot(officer, `guides-3-${address.split('/').pop()}`);
}
// A link from a page goes to its place.
await officer.goto(`${demo.url}/help/officer#record`);
assert.ok(await officer.evaluate(() => { const top = document.getElementById('record').getBoundingClientRect().top; return top >= 0 && top < innerHeight; }));
assert.equal((await officer.goto(`${demo.url}/help/nothing`)).status(), 404);
assert.equal((await officer.request.get(`${demo.url}/help/pictures/nothing.png`)).status(), 404);

// The reference: what a case system would look for, with who may.
await officer.goto(`${demo.url}/help/api`);
const operation = officer.locator('.operation:has(code:text-is("/api/v1/sessions")):has(.method:text-is("POST"))');
await operation.locator('summary').click();
assert.match(await operation.textContent(), /谁可以调用：执法人员/);
assert.deepEqual(await officer.$$eval('article a', (links) => links.map((a) => a.getAttribute('href')).filter((h) => !document.getElementById(h.slice(1)))), []);
await fits(officer, 'reference');
await shot(officer, 'guides-4-reference');

// English: the expert's guide is there; of the others the page says that they are in Chinese.
await officer.goto(`${demo.url}/language?to=en&back=/help/verification`);
assert.match(await officer.textContent('article h1'), /Checking a recording/);
assert.equal(await officer.locator('.guide-language').count(), 0);
await officer.goto(`${demo.url}/help/officer`);
assert.match(await officer.textContent('.guide-language'), /in Chinese only/);
assert.equal(await officer.getAttribute('article', 'lang'), 'zh-CN');
await officer.goto(`${demo.url}/language?to=zh&back=/help/format`);
assert.match(await officer.textContent('.guide-language'), /只有英文/);

assert.deepEqual(said, [], 'the browser complained');
await browser.close();
console.log('guides: done');
