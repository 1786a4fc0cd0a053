// The pictures of the READMEs and of the guides: everybody's work in the demo, as it is.
//   node pictures.mjs DEMO.JSON FOLDER     (deploy/pictures calls it and makes the pictures small)
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { browser, demo, moves, person as signedIn, plansInterview, said, screen as opened, secondOfficer, shanghai } from './browser.mjs';

const folder = process.argv[3];
mkdirSync(folder, { recursive: true });
const work = mkdtempSync(join(tmpdir(), 'shilu-pictures-'));
const at = (path) => `${demo.url}${path}`;
const today = shanghai(Date.now()).slice(0, 10);

// As a Chinese official's browser shows it; the head of the page stays at the top, out of what is cut out.
const chinese = { locale: 'zh-CN', timezoneId: 'Asia/Shanghai', colorScheme: 'light' };
const screen = (more = {}) => opened({ ...chinese, ...more });
const person = (role) => signedIn(role, chinese);

/** A picture of what stands on the screen; of one thing on it, where it is named; or so many pixels high. */
async function picture(page, name, { of, height } = {}) {
  await page.evaluate(() => document.activeElement?.blur());
  await page.mouse.move(0, 0);
  await page.evaluate(() => document.querySelectorAll('header.bar').forEach((bar) => { bar.style.position = 'static'; }));
  const path = join(folder, `${name}.png`);
  if (of) { await page.locator(of).first().screenshot({ path }); return; }
  const whole = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path, fullPage: true, clip: { x: 0, y: 0, width: 1366, height: Math.min(height ?? 768, Math.max(whole, 300)) } });
}

// Nobody yet.
const door = await screen();
await door.goto(at('/login'));
await picture(door, 'login', { of: '.door' });

// The demo's first day was eight months ago, when something was taken in that is due by now: whoever may says that today's date is right.
const legal = await person('legal_unit');
await legal.goto(at('/retention'));
await legal.fill('form[action="/clock"] [name=reason]', '已与标准时间核对');
await legal.click('form[action="/clock"] button.primary');
await legal.waitForSelector('.flash');

// The officer: a plan, the room made ready, a session with marks and a typed record.
const officer = await person('officer');
await officer.waitForFunction(() => document.querySelectorAll('.room').length === 2 && document.querySelectorAll('.badge.good').length >= 4);
await officer.goto(at('/cases/new'));
await officer.fill('[name=cause]', '未经批准占用土地');
await officer.selectOption('[name=kind]', 'penalty');
await officer.selectOption('[name=procedure]', 'ordinary');
await officer.fill('[name=parties]', '张三');
await officer.click('button.primary');
await officer.waitForURL(/\/cases\/c-/);
const file = officer.url();
const number = (await officer.textContent('h1')).trim();
await officer.click('summary:has-text("情况紧急")');
await officer.fill('form:has([value=urgent]) [name=reason]', '当事人正在浇筑地基');
await officer.click('form:has([value=urgent]) button');
await officer.waitForSelector('.flash');
await officer.goto(`${file}/initiation`);
for (const field of ['summary', 'basis', 'opinion', 'officers']) await officer.fill(`[name=${field}]`, { summary: '巡查发现张三未经批准占用集体土地，正在浇筑地基。', basis: '《土地管理法》第七十七条', opinion: '情况紧急，已先行启动，建议批准。', officers: '王建国、李红' }[field]);
await officer.click('text=提交审批');
await officer.waitForSelector('.flash');

await plansInterview(officer, { case_no: number });
await picture(officer, 'plans', { height: 420 });
await officer.goto(at('/'));
await officer.waitForFunction(() => document.querySelectorAll('.badge.good').length >= 4);
await picture(officer, 'rooms');

const office = await person('office');
await office.goto(at('/screens'));
await office.click('button.primary');
const link = await office.inputValue('.address input');
await office.goto(at('/screens'));
await picture(office, 'screens', { height: 520 });
const monitor = await screen({ viewport: { width: 1280, height: 720 } });
await monitor.goto(link);
await monitor.waitForSelector('text=本室办理案件时全程录音录像');

await officer.goto(at('/rooms/room-1/readiness'));
await officer.waitForSelector('.checks');
await picture(officer, 'readiness', { height: 640 });
await officer.goto(at('/plans'));
await officer.click('table a:has-text("开始")');
await officer.waitForURL(/\/start\?plan=/);
await secondOfficer(officer);
const why = officer.locator('[name=readiness_reason]');
if (await why.count()) await why.fill('模拟询问室，时钟由技术人员处理');
await picture(officer, 'start');
await officer.click('button.record');
await officer.waitForURL(/\/sessions\//);
const session = officer.url().split('/').pop();
await moves(officer, '.tile video');
await officer.waitForSelector('.lamp-recording');
for (const key of ['n', 'p', 'c']) await officer.keyboard.press(key);
await officer.selectOption('#mark-manner', 'both');
for (const key of ['1', '2', '3']) await officer.keyboard.press(key);
await officer.waitForFunction(() => document.querySelectorAll('#now .marks li').length >= 6);
await officer.evaluate(() => scrollTo(0, 0));
await officer.waitForTimeout(1500);
await picture(officer, 'running');
await officer.keyboard.press('l');
await officer.waitForURL(/\/record$/);
for (const line of ['请说明你的基本情况。', '我叫张三，威县某村村民。', '你占用了多少土地？', '两亩。', '什么时候开始占用的？', '二〇二六年三月。']) {
  const before = await officer.$$eval('.record-lines li', (all) => all.length);
  await officer.fill('textarea[name=text]', line);
  await officer.press('textarea[name=text]', 'Enter');
  await officer.waitForFunction((n) => document.querySelectorAll('.record-lines li').length === n + 1, before);
}
await monitor.waitForSelector('.lines >> text=二〇二六年三月');
await monitor.screenshot({ path: join(folder, 'roomscreen.png') });
await officer.reload();
await officer.click('summary:has-text("核对与签字")');
await officer.click('button:has-text("生成中间封存码")');
await officer.waitForSelector('.flash');
await picture(officer, 'record', { height: 900 });
await officer.goto(at(`/sessions/${session}/record/print`));
await officer.setViewportSize({ width: 900, height: 768 });
await officer.screenshot({ path: join(folder, 'record-print.png') });
await officer.setViewportSize({ width: 1366, height: 768 });
await officer.goto(at(`/sessions/${session}`));
await moves(officer, '.tile video');
await officer.click('details.end summary');
await picture(officer, 'end', { of: 'details.end dialog' });
await officer.selectOption('[name="answer:right-hearing"]', 'not_applicable');
await officer.click('details.end button.primary');
await officer.waitForSelector('.seal');
await picture(officer, 'sealed', { height: 860 });
await officer.goto(file);
await picture(officer, 'case', { height: 900 });

// A body-worn recorder's card, a fault, the handover in the evening.
const film = join(work, 'BWC_0001.mp4');
execFileSync('ffmpeg', ['-v', 'error', '-y', '-f', 'lavfi', '-i', 'testsrc2=size=640x480:rate=15:duration=6', '-f', 'lavfi', '-i', 'sine=duration=6', '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-metadata', `creation_time=${new Date(Date.now() - 3600e3).toISOString()}`, film]);
await officer.goto(at('/imports'));
await officer.fill('[name=device_no]', 'BWC-017');
await officer.click('form#imports summary');
await officer.fill('[name=case_no]', number);
await officer.fill('[name=party]', '张三');
await officer.fill('[name=cause]', '未经批准占用土地');
await officer.setInputFiles('#files', film);
await officer.waitForFunction(() => document.querySelectorAll('#today tbody tr').length === 1, null, { timeout: 120000 });
await picture(officer, 'imports', { height: 900 });
await officer.goto(at('/devices'));
await picture(officer, 'devices', { height: 640 });
await officer.click('table a:has-text("XW-201")');
await officer.waitForSelector('h1');
await officer.evaluate(() => document.querySelectorAll('main details').forEach((d) => { if (d.querySelector('[name=what]')) d.open = true; }));
await picture(officer, 'fault', { height: 700 });
await officer.goto(at('/handover'));
await picture(officer, 'handover', { height: 640 });
await officer.click('form[action="/handover"] button.primary');
await officer.waitForSelector('.flash');
const custodian = await person('custodian');
await custodian.goto(at('/handover'));
await custodian.click('.copy-list a');
await custodian.waitForSelector('button.primary');
await picture(custodian, 'receive', { height: 640 });
await custodian.click('button.primary');
await custodian.waitForFunction(() => document.querySelectorAll('td .badge.good').length >= 3);

// The bureau head decides on the form; the reviewer asks, the leader decides, the reviewer looks.
const head = await person('bureau_head');
await head.goto(`${file}/initiation`);
await picture(head, 'initiation', { height: 900 });
await head.click('button[value=approve]');
await head.waitForSelector('.flash');
const reviewer = await person('reviewer');
await reviewer.goto(at('/sessions'));
await reviewer.check(`input[value="${session}"]`);
await picture(reviewer, 'sessions', { height: 560 });
await reviewer.click('#ask button');
await reviewer.fill('[name=purpose]', '复核询问笔录第 1 页');
await reviewer.selectOption('[name=mode]', 'copy');
await picture(reviewer, 'request', { height: 640 });
await reviewer.click('form[action="/access/new"] button.primary');
await reviewer.waitForSelector('.flash');
const leader = await person('leader_in_charge');
await leader.goto(at('/access'));
await picture(leader, 'decide', { height: 760 });
await leader.click('button[value=approve]');
await leader.waitForSelector('.flash');
await leader.click('details:has(input[name=deputy]) summary');
await picture(leader, 'deputy', { of: 'section:has(input[name=deputy])' });
await reviewer.goto(at(`/sessions/${session}`));
await reviewer.click('#open-viewing');
await moves(reviewer, '#screens video');
await reviewer.locator('#footage').scrollIntoViewIfNeeded();
await reviewer.waitForTimeout(2000);
await picture(reviewer, 'player', { of: '#footage' });
await reviewer.click('#copy-order summary');
await reviewer.click('#mask-add');
await picture(reviewer, 'copies', { of: '#copy-order' });

// Somebody outside, with the package and a browser.
const download = reviewer.waitForEvent('download');
await reviewer.click('#package');
const tar = join(work, 'package.tar');
await (await download).saveAs(tar);
execFileSync('tar', ['-xf', tar], { cwd: work });
const outside = await screen();
await outside.goto(`file://${join(work, session, 'verify.html')}`);
await outside.evaluate(() => { document.documentElement.dataset.lang = 'zh'; });
await outside.setInputFiles('#pick', join(work, session));
await outside.waitForSelector('.verdict.intact, .verdict.altered');
await picture(outside, 'verify', { height: 700 });
await outside.evaluate(() => { document.documentElement.dataset.lang = 'en'; });
await picture(outside, 'verify-en', { height: 700 });

// The legal unit: a letter from a court, a hold by itself, a medium, the month.
await legal.goto(at('/provisions'));
await legal.fill('[name=letter_no]', '（2026）冀0533行初1号');
await legal.fill('[name=receiving_body]', '威县人民法院');
await legal.selectOption('[name=kind]', 'litigation');
await legal.fill('[name=received]', today);
await legal.fill('[name=sessions]', session);
await legal.click('form[action="/provisions"] button.primary');
await legal.click('button[value=prepare]');
await legal.waitForFunction(() => document.body.textContent.includes('等待主管负责人'), null, { timeout: 120000 });
await head.goto(legal.url());
await head.click('button[value=approve]');
await head.waitForSelector('.flash');
await legal.reload();
await picture(legal, 'provision', { height: 860 });
await legal.goto(at('/supervision'));
await picture(legal, 'supervision', { height: 640 });
await legal.goto(at('/holds'));
await picture(legal, 'holds', { height: 480 });
// What is due: the custodian proposes, the leader decides, and it is gone.
await custodian.goto(at('/retention?list=unclassified'));
await custodian.click('tr:has-text("BWC-018") a');
await custodian.click('#keeping summary:has-text("认定为日常执法")');
await custodian.fill('#keeping form:has([value=routine]) [name=reason]', '来访咨询');
await custodian.click('button[value=routine]');
await custodian.waitForSelector('.flash');
await custodian.goto(at('/retention'));
await custodian.check('[name=session]');
await custodian.fill('#propose [name=reason]', '期限已满，无继续保存价值');
await picture(custodian, 'due', { height: 520 });
await custodian.click('#propose button.primary');
await custodian.waitForSelector('.flash');
const disposal = custodian.url().split('?')[0];
await leader.goto(disposal);
await picture(leader, 'disposal-decide', { height: 560 });
await leader.click('#decide summary');
await leader.click('#decide button[value=approve]');
await leader.waitForSelector('.flash');
for (; !(await custodian.locator('a[href$="/certificate"]').count());) { await custodian.waitForTimeout(500); await custodian.goto(disposal); }
await picture(custodian, 'disposal', { height: 520 });
await custodian.goto(at('/retention?list=evidence'));
await picture(custodian, 'retention', { height: 480 });
await custodian.goto(at('/media/new'));
await custodian.selectOption('[name=kind]', 'dvd');
await custodian.click('button[value=plan]');
await custodian.waitForSelector('#plan table');
await picture(custodian, 'media', { height: 900 });
await custodian.goto(at(`/sessions/${session}`));
await picture(custodian, 'keeping', { of: '#keeping' });
const inspector = await person('inspector');
await inspector.goto(at('/oversight'));
await inspector.waitForSelector('table.list');
await picture(inspector, 'oversight', { height: 640 });
await inspector.goto(at('/log'));
await picture(inspector, 'log', { height: 640 });

// The administrator: accounts, a camera that is tried, an alarm.
const admin = await person('administrator');
await admin.goto(at('/accounts'));
await picture(admin, 'accounts', { height: 640 });
const extra = spawn(process.env.CAMERAS, ['--camera', 'extra,size=640x360,label=extra'], { env: { ...process.env, TZ: 'Asia/Shanghai' } });
const [line] = await new Promise((ready) => createInterface(extra.stdout).once('line', (l) => ready([l])));
await admin.goto(at('/cameras'));
await admin.fill('[name=camera_name]', '证物台');
await admin.fill('[name=device_no]', 'XW-103');
await admin.fill('[name=address]', `${line.replace('ready ', '')}/extra`);
await admin.click('button[value=try]');
await admin.waitForSelector('#trial .badge.good');
await admin.locator('#trial').scrollIntoViewIfNeeded();
await picture(admin, 'camera-tried', { of: '#trial' });
await admin.click('button[value=save]');
await admin.waitForSelector('tr:has-text("XW-103") .badge.good');
extra.kill();
await office.goto(at('/alarms'));
await office.waitForFunction(() => document.querySelector('#bell')?.textContent.match(/[1-9]/));
for (; !(await office.locator('.alarm:has-text("XW-103")').count());) { await office.waitForTimeout(500); await office.reload(); }
await picture(office, 'alarms', { height: 640 });

assert.deepEqual(said, [], 'the browser complained');
await browser.close();
console.log('pictures: done');
