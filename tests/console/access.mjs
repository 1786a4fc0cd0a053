// Access in Debian's Chromium: several sessions asked for at once, granted in part, looked at, copied; a letter from a court; the
// inspector's view of all of it.
//   node access.mjs DEMO.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { browser, demo, moves, person, said, shot } from './browser.mjs';

const officer = await person('officer');
await officer.waitForFunction(() => document.querySelectorAll('.badge.good').length >= 4);
const sessions = [];
for (const party of ['张三', '李四']) {
  await officer.goto(`${demo.url}/rooms/room-1/start`);
  await officer.fill('[name=party]', party);
  await officer.click('button.record');
  await officer.waitForURL(/\/sessions\//);
  sessions.push(officer.url().split('/').pop());
  await moves(officer, '.tile video');
  await officer.waitForTimeout(4000);
  await officer.click('details.end summary');
  await officer.click('details.end button.primary');
  await officer.waitForSelector('.seal');
}

// The reviewer ticks two sessions and asks for copies of both.
const reviewer = await person('reviewer');
await reviewer.goto(`${demo.url}/sessions`);
for (const session of sessions) await reviewer.check(`input[value="${session}"]`);
await shot(reviewer, 'access-1-sessions');
await reviewer.click('#ask button');
await reviewer.waitForSelector('form[action="/access/new"]');
assert.equal(await reviewer.$$eval('input[name=session]', (all) => all.length), 2);
await reviewer.fill('[name=purpose]', '转交代理人');
await reviewer.fill('[name=basis]', '威自然资函〔2026〕3号');
await reviewer.selectOption('[name=mode]', 'copy');
await shot(reviewer, 'access-2-new');
await reviewer.click('form[action="/access/new"] button.primary');
await reviewer.waitForSelector('.flash');

// The leader grants one of them.
const leader = await person('leader_in_charge');
await leader.click('nav a[href="/access"]');
await leader.waitForSelector('article.request');
await leader.click('.narrow-grant summary');
await shot(leader, 'access-3-inbox');
await leader.uncheck(`input[value="${sessions[1]}"]`);
await leader.click('button[value=approve]');
await leader.waitForSelector('.flash');
await leader.click('details:has(input[name=deputy]) summary');
await shot(leader, 'access-4-granted');

// The reviewer looks, one picture in the other, goes to a time of day, and takes a still.
await reviewer.goto(`${demo.url}/sessions/${sessions[1]}`);
assert.equal(await reviewer.locator('#open-viewing').count(), 0, 'what was not granted does not open');
await reviewer.goto(`${demo.url}/sessions/${sessions[0]}`);
await reviewer.click('#open-viewing');
await moves(reviewer, '.screen video');
await reviewer.selectOption('#layout', 'pip');
await shot(reviewer, 'access-5-player');
const download = reviewer.waitForEvent('download');
await reviewer.keyboard.press('s');
assert.match((await download).suggestedFilename(), /\.jpg$/);

// A copy with a mask, made while one waits.
await reviewer.click('#copy-order summary');
await reviewer.click('#mask-add');
for (const [side, percent] of [['Left', 0], ['Top', 50], ['Width', 50], ['Height', 50]]) await reviewer.locator('#mask-list input[type=number]').nth(['Left', 'Top', 'Width', 'Height'].indexOf(side)).fill(String(percent));
await reviewer.click('#copy-now');
await reviewer.waitForSelector('.copy-list li progress');
await reviewer.waitForSelector('.copy-list li[data-state=ready]');
await shot(reviewer, 'access-6-copy');

// The legal unit enters a letter, builds the package; the bureau head agrees.
const legal = await person('legal_unit');
await legal.click('nav a[href="/provisions"]');
await legal.fill('[name=letter_no]', '（2026）冀0533行初1号');
await legal.fill('[name=receiving_body]', '威县人民法院');
await legal.selectOption('[name=kind]', 'litigation');
await legal.fill('[name=received]', '2026-11-20');
await legal.fill('[name=sessions]', `${sessions[0]} 0:00:00-0:00:02`);
await shot(legal, 'access-7-letter');
await legal.click('form[action="/provisions"] button.primary');
await legal.click('button[value=prepare]');
await legal.waitForFunction(() => document.body.textContent.includes('等待主管负责人'));
const head = await person('bureau_head');
await head.goto(legal.url());
await head.click('button[value=approve]');
await head.waitForSelector('.flash');
await legal.reload();
await legal.fill('[name=taken_by]', '书记员 李某');
await shot(legal, 'access-8-provision');
assert.equal(await legal.locator('a[href*="/packages/"]').count(), 1);

// The inspector sees who looked and what deserves a question.
const inspector = await person('inspector');
await inspector.click('nav a[href="/oversight"]');
await inspector.waitForSelector('table.list');
const all = await inspector.textContent('main');
for (const word of ['开始查阅', '订制副本', '截图', '收到调取函'].slice(0, 3)) assert.ok(all.includes(word), word);
await shot(inspector, 'access-9-oversight');
await inspector.click('a[href="/oversight/review"]');
await inspector.waitForSelector('table.list');
await shot(inspector, 'access-10-review');

// One's own account, and the administrator's.
await inspector.goto(`${demo.url}/me`);
await inspector.click('form[action="/me/factor"] button');
await inspector.waitForSelector('.qr svg');
await shot(inspector, 'access-11-me');
// A mistyped code is told at its field, and what the authenticator has scanned stays good.
const secret = await inspector.textContent('.qr + p code');
await inspector.fill('[name=code]', '000000');
await inspector.click('form[action="/me/factor/confirm"] button');
await inspector.waitForSelector('[name=code][aria-invalid=true]');
assert.equal(await inspector.textContent('.qr + p code'), secret);
const admin = await person('administrator');
await admin.goto(`${demo.url}/accounts`);
await admin.click('#tokens summary');
await shot(admin, 'access-12-accounts');

assert.deepEqual(said, []);
await browser.close();
console.log('done');
