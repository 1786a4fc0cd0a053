// A day at the console in Debian's Chromium: officer, reviewer, leader, inspector, administrator.
//   node day.mjs DEMO.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { browser, demo, moves, person, said, screen, shot } from './browser.mjs';

// A wrong password is told, and the name that was typed stays.
{
  const page = await screen();
  await page.goto(`${demo.url}/`);
  assert.match(page.url(), /\/login$/);
  await shot(page, '01-login');
  await page.fill('[name=username]', 'officer');
  await page.fill('[name=password]', 'not the password');
  await page.click('button.primary');
  assert.match(await page.textContent('.problem'), /用户名或密码不正确/);
  assert.equal(await page.inputValue('[name=username]'), 'officer');
}

// The officer starts a session with almost nothing, marks by key, interrupts, resumes and ends it.
const officer = await person('officer');
await officer.waitForFunction(() => [...document.querySelectorAll('.room')].length === 2 && document.querySelectorAll('.badge.good').length >= 4);
await shot(officer, '02-rooms');
await officer.click('#room-room-1 .record');
await officer.fill('[name=party]', '张三');
await officer.fill('[name=case_no]', '../etc');
await shot(officer, '03-start');
await officer.click('button.record');
assert.match(await officer.textContent('.problem'), /案号/);
assert.equal(await officer.inputValue('[name=party]'), '张三', 'what was typed stays');
await officer.fill('[name=case_no]', '威自然资罚〔2026〕12号');
await officer.fill('[name=cause]', '未经批准占用土地');
await officer.click('button.record');
await officer.waitForURL(/\/sessions\//);
const session = officer.url().split('/').pop();
await moves(officer, '.tile video');
await officer.waitForSelector('.lamp-recording');
await officer.keyboard.press('n');
await officer.waitForFunction(() => document.querySelector('#now .marks')?.textContent.includes('事先告知'));
for (const key of ['c', '1', '2', '3', '4', 'q', 's']) await officer.keyboard.press(key);
await officer.waitForFunction(() => document.querySelectorAll('#now .marks li').length === 8);
await shot(officer, '04-running');
await officer.selectOption('[name=cause] >> nth=0', 'vacated').catch(() => officer.selectOption('select[name=cause]', 'vacated'));
await officer.click('form[action$="/interrupt"] button');
await officer.waitForSelector('.lamp-interrupted');
await officer.waitForTimeout(2500);
await officer.click('form[action$="/resume"] button');
await officer.waitForSelector('.lamp-recording');
await officer.waitForTimeout(4000);
await officer.click('details.end summary');
await officer.click('details.end button.primary');
await officer.waitForSelector('.seal');
await shot(officer, '05-sealed');
assert.match(await officer.textContent('#footage'), /须经主管负责人批准/);

// The reviewer asks, the leader approves, the reviewer looks, the leader revokes and the pictures go.
const reviewer = await person('reviewer');
await reviewer.goto(`${demo.url}/sessions?party=${encodeURIComponent('张三')}`);
await shot(reviewer, '06-sessions');
await reviewer.click('tbody a');
await reviewer.fill('[name=purpose]', '案件复核');
await reviewer.click('form[action="/access/new"] button');
await reviewer.waitForSelector('text=待审批');
const leader = await person('leader_in_charge');
await leader.goto(`${demo.url}/access`);
await shot(leader, '07-access');
await leader.click('button[value=approve]');
await leader.waitForSelector('button[value=revoke]');
await reviewer.reload();
await reviewer.click('#open-viewing');
await moves(reviewer, '#screens video');
assert.match(await reviewer.textContent('.watermark'), /陈晓燕 r-\d+/);
await shot(reviewer, '08-player');
await reviewer.click('.marks-bar .mark >> nth=0', { force: true });
await moves(reviewer, '#screens video');
await leader.fill('form:has(button[value=revoke]) [name=reason]', '误批');
await leader.click('button[value=revoke]');
await reviewer.waitForFunction(() => document.querySelectorAll('#screens video').length === 0, null, { timeout: 30000 });
assert.match(await reviewer.textContent('#player-words'), /已撤销或到期/);

// The administrator has no way round; the inspector reads all of it in the log.
const admin = await person('administrator');
await admin.goto(`${demo.url}/sessions/${session}`);
assert.match(await admin.textContent('main'), /没有找到|无权知悉/);
await shot(admin, '09-refused');
await admin.goto(`${demo.url}/accounts`);
await shot(admin, '10-accounts');
const inspector = await person('inspector');
await inspector.goto(`${demo.url}/log`);
const log = await inspector.textContent('main');
for (const act of ['开始录制', '封存', '批准查阅', '开始查阅', '撤销批准', '拒绝']) assert.ok(log.includes(act), act);
await shot(inspector, '11-log');

// English by the switch; the place stays.
await officer.goto(`${demo.url}/sessions`);
await officer.click('text=English');
await officer.waitForURL(/\/sessions$/);
assert.match(await officer.textContent('h1'), /Sessions/);
await officer.goto(`${demo.url}/`);
await shot(officer, '12-english');

// A duty officer with the role sees live pictures of every room.
const viewer = await person('live_viewer');
await moves(viewer, '.tile video');
await shot(viewer, '13-live');

assert.deepEqual(said, [], 'the browser complained');
await browser.close();
console.log('a day at the console: done');
