// Equipment in Debian's Chromium: the register, a fault from its report to its retest, a start that is refused, a camera that is tried.
//   node devices.mjs DEMO.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { browser, demo, person, said, shot } from './browser.mjs';

const fits = async (page, who) => {
  const rows = await page.$$eval('header.bar nav > a', (all) => new Set(all.map((a) => Math.round(a.getBoundingClientRect().top))).size);
  assert.ok(rows <= 1, `${who}: the navigation takes ${rows} rows`);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${who}: wider than the screen`);
};

const officer = await person('officer');
await officer.waitForFunction(() => document.querySelectorAll('.badge.good').length >= 4);
await officer.click('nav a[href="/devices"]');
await officer.waitForSelector('table.list');
await fits(officer, 'officer');
await shot(officer, 'devices-1-register');
await officer.click('table.list a[href^="/devices/dv-"]');
await officer.selectOption('[name=kind]', 'damaged');
await officer.fill('[name=what]', '镜头破裂，画面右侧模糊');
await shot(officer, 'devices-2-report');
await officer.press('[name=what]', 'Enter');
await officer.waitForSelector('.flash');
assert.ok((await officer.textContent('.title')).includes('停止使用'));
await officer.click('details:has(input[name=party]) summary');
await officer.fill('[name=party]', '办公室 孙丽');
await officer.click('form:has(input[name=step][value=report]) button');
await officer.waitForSelector('text=已报告');
assert.equal(await officer.locator('input[name=step][value=repair]').count(), 0, 'repair is the office\'s');
const device = officer.url().split('?')[0];

const office = await person('office');
await office.waitForSelector('.machine a[href="/devices?show=ill"]');
await shot(office, 'devices-3-status');
await office.goto(device);
await fits(office, 'office');
const step = async (name, fill) => {
  const form = `form:has(input[name=step][value=${name}])`;
  if (await office.locator(`details:has(${form})`).count()) await office.click(`details:has(${form}) > summary`);
  for (const [field, text] of Object.entries(fill)) await office.fill(`${form} [name=${field}]`, text);
  if (name === 'retest') await office.check(`${form} [name=passed][value=yes]`);
  await office.click(`${form} button`);
  await office.waitForSelector('.flash');
};
await step('repair', { party: '邢台某安防公司', text: '更换镜头' });
await shot(office, 'devices-4-in-repair');
await step('retest', { text: '图像、声音、时钟均正常' });
await step('return', {});
assert.ok((await office.textContent('.title')).includes('正常'));
await office.click('details:has([name=every_days]) summary');
await office.fill('[name=every_days]', '90');
await office.fill('[name=serial]', 'SN-0042');
await shot(office, 'devices-5-edit');
await office.click('form:has([name=every_days]) button.primary');
await office.waitForSelector('text=SN-0042');
await office.click('summary:has-text("履历")');
await shot(office, 'devices-6-history');
await office.goto(`${demo.url}/devices/figures`);
await shot(office, 'devices-7-figures');

// What is wrong is told beside what was typed.
await office.goto(`${demo.url}/devices`);
await office.click('summary:has-text("登记设备")');
await office.fill('[name=device_number]', 'UPS-1');
await office.fill('[name=device_name]', '机柜电源');
await office.selectOption('form[action="/devices"][method=post] [name=kind]', 'ups');
await office.fill('[name=purchased]', '2999-01-01');
await office.click('form[action="/devices"][method=post] button.primary');
await office.waitForSelector('.problem');
assert.equal(await office.inputValue('[name=device_number]'), 'UPS-1');
await shot(office, 'devices-8-problem');

// Both cameras of a room out of use: the start is refused with the reason.
await officer.goto(`${demo.url}/devices`);
const rows = await officer.$$eval('table.list tbody tr', (all) => all.map((r) => [r.querySelector('a').getAttribute('href'), r.textContent]));
for (const [href, text] of rows.filter(([, text]) => text.includes('第一询问室'))) {
  await officer.goto(`${demo.url}${href}`);
  await officer.fill('form:has([value=fault]) [name=what]', '图像异常');
  await officer.click('form:has([value=fault]) button.danger');
  await officer.waitForSelector('.flash');
  assert.ok(text);
}
await officer.goto(`${demo.url}/rooms/room-1/readiness`);
await officer.waitForSelector('.check.red');
await shot(officer, 'devices-9-readiness');
await officer.goto(`${demo.url}/rooms/room-1/start`);
await officer.click('button.record');
await officer.waitForSelector('text=第十六条');
await shot(officer, 'devices-10-refused');

// A camera: what answers nothing, what is in use already, and what works.
const admin = await person('administrator');
await admin.click('nav a[href="/devices"]');
await admin.click('a[href="/cameras"]');
await fits(admin, 'administrator');
await shot(admin, 'cameras-1');
const fill = async (address) => {
  await admin.fill('[name=camera_name]', '证物台');
  await admin.fill('[name=device_no]', 'XW-777');
  await admin.fill('[name=address]', address);
  await admin.fill('[name=user]', 'recorder');
  await admin.fill('[name=camera_password]', 'kein-Wort');
  await admin.click('button[value=try]');
};
await fill(demo.cameras[0].url);
await admin.waitForSelector('.problem');
assert.equal(await admin.inputValue('[name=camera_password]'), '', 'the password is not shown again');
assert.equal(await admin.inputValue('[name=device_no]'), 'XW-777');
await shot(admin, 'cameras-2-used');
await fill(demo.cameras[0].url.replace(/[^/]+$/, 'nothing'));
await admin.waitForSelector('#trial .badge.bad');
await shot(admin, 'cameras-3-nothing');
// A camera of no room yet.
const extra = spawn(process.env.CAMERAS, ['--camera', 'extra,size=640x360,label=extra'], { env: { ...process.env, TZ: 'Asia/Shanghai' } });
const [line] = await new Promise((ready) => createInterface(extra.stdout).once('line', (l) => ready([l])));
await fill(`${line.replace('ready ', '')}/extra`);
await admin.waitForSelector('#trial .badge.good');
assert.ok(await admin.$eval('.trial-still', (i) => i.naturalWidth > 100), 'the picture is shown');
await shot(admin, 'cameras-4-tried');
await admin.click('button[value=save]');
await admin.waitForSelector('.flash');
await admin.waitForSelector('tr:has-text("XW-777") .badge.good');
await shot(admin, 'cameras-6-saved');
await admin.goto(`${demo.url}/language?to=en&back=/cameras`);
await admin.waitForSelector('h1:has-text("Cameras")');
await shot(admin, 'cameras-5-english');
await office.goto(`${demo.url}/language?to=en&back=${new URL(device).pathname}`);
await shot(office, 'devices-11-english');
await fits(office, 'office, English');
const custodian = await person('custodian');
await custodian.goto(`${demo.url}/devices`);
await fits(custodian, 'custodian');

assert.deepEqual(said, []);
extra.kill();
await browser.close();
console.log('done');
