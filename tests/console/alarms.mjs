// Alarms in Debian's Chromium: the bell, a camera that is unplugged, an acknowledgement by keyboard, the history.
//   node alarms.mjs DEMO.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { browser, demo, person, said, shot } from './browser.mjs';

const camera = async (port) => {
  const args = [...(port ? ['--port', port] : []), '--camera', 'extra,size=640x360,label=extra'];
  const child = spawn(process.env.CAMERAS, args, { env: { ...process.env, TZ: 'Asia/Shanghai' } });
  const [line] = await new Promise((ready) => createInterface(child.stdout).once('line', (l) => ready([l])));
  return { child, url: line.replace('ready ', '') };
};
const fits = async (page, who) => {
  const rows = await page.$$eval('header.bar nav > a', (all) => new Set(all.map((a) => Math.round(a.getBoundingClientRect().top))).size);
  assert.ok(rows <= 1, `${who}: the navigation takes ${rows} rows`);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${who}: wider than the screen`);
};

// Somebody adds a camera, and it works.
const admin = await person('administrator');
const extra = await camera();
await admin.goto(`${demo.url}/cameras`);
await admin.fill('[name=camera_name]', '证物台');
await admin.fill('[name=device_no]', 'XW-777');
await admin.fill('[name=address]', `${extra.url}/extra`);
await admin.fill('[name=user]', 'recorder');
await admin.fill('[name=camera_password]', 'kein-Wort');
await admin.click('button[value=try]');
await admin.waitForSelector('#trial .badge.good');
await admin.click('button[value=save]');
await admin.waitForSelector('tr:has-text("XW-777") .badge.good');

const office = await person('office');
await fits(office, 'office');
await office.goto(`${demo.url}/alarms`);
await office.waitForSelector('h2:has-text("未解除的告警")');
await shot(office, 'alarms-1-before');
const before = Number(await office.textContent('#bell .count'));

// It is unplugged: the bell says so on a page that nobody touches.
extra.child.kill('SIGKILL');
await office.goto(`${demo.url}/devices`);
await office.waitForFunction((n) => Number(document.querySelector('#bell .count').textContent) > n, before);
assert.ok((await office.textContent('#bell .bell-words')).includes('待确认告警'));
await shot(office, 'alarms-2-bell');
await office.goto(`${demo.url}/`);
await office.waitForSelector('.alarms-now li:has-text("摄像机无画面")');
await shot(office, 'alarms-3-status');

// To the alarm, and through its form, by keyboard alone.
await office.focus('#bell');
await office.keyboard.press('Enter');
await office.waitForSelector('.alarm:has-text("XW-777")');
await fits(office, 'office, alarms');
const note = office.locator('.alarm:has-text("XW-777") input[name=reason]');
for (let n = 0; n < 80 && !(await note.evaluate((i) => i === document.activeElement)); n += 1) await office.keyboard.press('Tab');
await office.keyboard.type('已通知维修人员');
await shot(office, 'alarms-4-note');
await office.keyboard.press('Enter');
await office.waitForSelector('.flash');
const answered = await office.textContent('.alarm:has-text("XW-777")');
assert.ok(answered.includes('已确认') && answered.includes('孙丽') && answered.includes('已通知维修人员'), answered);
await shot(office, 'alarms-5-acknowledged');

// It is back: over, and in the history with who acknowledged it.
const again = await camera(new URL(extra.url.replace('rtsp:', 'http:')).port);
for (;;) {
  await office.goto(`${demo.url}/alarms?kind=stream_down`);
  if (!(await office.locator('.alarm:has-text("XW-777")').count())) break;
  await office.waitForTimeout(500);
}
const row = await office.textContent('table.list tr:has-text("XW-777")');
assert.ok(row.includes('孙丽') && !row.includes('持续中'), row);
await shot(office, 'alarms-6-history');
await office.selectOption('[name=kind]', 'disk_failing');
await office.click('form[role=search] button');
await office.waitForSelector('.empty:has-text("没有告警")');
assert.equal((await office.goto(`${demo.url}/alarms?from=never`)).status(), 422);
await office.goto(`${demo.url}/language?to=en&back=/alarms`);
await office.waitForSelector('h2:has-text("Open alarms")');
await shot(office, 'alarms-7-english');
await fits(office, 'office, English');
// Who does not see the rooms' status has no bell.
const reviewer = await person('reviewer');
assert.equal(await reviewer.locator('#bell').count(), 0);

assert.deepEqual(said, []);
again.child.kill();
await browser.close();
console.log('done');
