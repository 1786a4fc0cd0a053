// A clerk's, a bureau head's and the office's day: a case from its intake over an urgent start to the approved form on paper, and
// the room made ready, with its screen for the person questioned.
//   node cases.mjs DEMO.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { browser, demo, person, said, screen, shot } from './browser.mjs';

// The clerk opens a case; it has a number at once.
const clerk = await person('officer');
await clerk.goto(`${demo.url}/cases/new`);
await clerk.fill('[name=cause]', '未经批准占用土地');
await clerk.selectOption('[name=kind]', 'penalty');
await clerk.selectOption('[name=procedure]', 'ordinary');
await clerk.fill('[name=parties]', '张三');
await shot(clerk, 'cases-01-new');
await clerk.click('button.primary');
await clerk.waitForURL(/\/cases\/c-/);
const address = clerk.url();
const number = await clerk.textContent('h1');
assert.match(number, /^受理-\d{4}-\d{4}$/);

// It cannot wait: begun first, with the hours running in words.
await clerk.click('summary:has-text("情况紧急")');
await clerk.fill('form:has([value=urgent]) [name=reason]', '正在浇筑地基');
await clerk.click('form:has([value=urgent]) button');
await clerk.waitForSelector('.flash >> text=24 小时内补报');
assert.match(await clerk.textContent('.title'), /须于 .* 前补报/);

// A text record has the fields that its article names; what is typed wrongly is told with the field's name.
await clerk.selectOption('[name=add]', 'service');
await clerk.waitForURL(/add=service/);
assert.match(await clerk.textContent('#add'), /受送达人 \*/);
await clerk.fill('[name="field:document_no"]', '决1');
await clerk.fill('[name="field:given_to"]', '张三');
await clerk.fill('[name="field:served_on"]', '2026-11-20');
await clerk.selectOption('[name="field:method"]', 'left');
await shot(clerk, 'cases-02-record');
await clerk.click('text=保存记录');
await clerk.waitForSelector('.case-line >> text=留置送达');
assert.match(await clerk.textContent('.missing'), /缺送达回证编号/, '第九条: it warns without a receipt');
await shot(clerk, 'cases-03-case');

// The form goes to the bureau head, whose navigation counts it; nobody decides on their own.
await clerk.goto(`${address}/initiation`);
assert.equal(await clerk.inputValue('[name=party]'), '张三');
for (const field of ['summary', 'basis', 'opinion', 'officers']) await clerk.fill(`[name=${field}]`, '经巡查发现张三未经批准占用土地动工建房。');
await clerk.click('text=提交审批');
await clerk.waitForSelector('.flash');
assert.equal(await clerk.$$eval('button[value=approve]', (all) => all.length), 0);
const head = await person('bureau_head');
await head.goto(`${demo.url}/cases`);
assert.equal((await head.textContent('nav .count')).trim(), '1');
await head.click('tbody a');
await head.click('a:has-text("程序启动审批表") >> nth=0');
await shot(head, 'cases-04-decide');
await head.fill('[name=reason]', '同意');
await head.press('[name=reason]', 'Enter');
await head.waitForTimeout(700);
assert.equal(await head.locator('button[value=approve]').count(), 1, 'a reason and Enter decide nothing');
await head.fill('[name=reason]', '');
await head.click('button[value=approve]');
await head.waitForSelector('.flash >> text=已批准');
await head.goto(`${address}/initiation/print`);
const paper = join(mkdtempSync(join(tmpdir(), 'paper-')), 'form.pdf');
await head.pdf({ path: paper, preferCSSPageSize: true });
assert.match(execFileSync('pdfinfo', [paper]).toString(), /Pages:\s+1\n[\s\S]*A4/);
const text = execFileSync('pdftotext', ['-layout', paper, '-']).toString().replaceAll(/\s/g, '');
for (const part of ['行政执法全过程记录程序启动审批表', number, '张三', '紧急启动', '正在浇筑地基', '同意启动', '承办人（签名）']) assert.ok(text.includes(part.replaceAll(/\s/g, '')), part);
await shot(head, 'cases-05-paper');

// The room: measured, told in words, and started all the same with a reason.
await clerk.goto(`${demo.url}/rooms/room-1/readiness`);
assert.match(await clerk.textContent('.checks'), /面部 · 画面正常.*声音正常/s);
assert.match(await clerk.textContent('.checks'), /没有设置询问室屏幕/);
await shot(clerk, 'cases-06-readiness');

// The office makes the screen's link, which shows the room without a login, and nothing else.
const office = await person('office');
await office.goto(`${demo.url}/screens`);
await office.click('button.primary');
const link = await office.inputValue('.address input');
assert.match(link, /^http:\/\/localhost:\d+\/screen\//, 'whole, by the configured address, to be opened on another machine');
await office.focus('.address input');
assert.equal(await office.evaluate(() => getSelection().toString()), link, 'marked as a whole');
await office.click('.address button');
await office.waitForSelector('.address button:has-text("已复制")');
await shot(office, 'cases-06-screens');
const monitor = await screen();
await monitor.goto(link);
monitor.on('pageerror', (e) => said.push(`screen: ${e.message}`));
await monitor.waitForSelector('text=本室办理案件时全程录音录像');
await clerk.goto(`${demo.url}/rooms/room-1/start`);
await clerk.fill('[name=case_no]', number);
await clerk.fill('[name=readiness_reason]', '时钟由技术人员处理');
await clerk.click('button.record');
await clerk.waitForURL(/\/sessions\//);
const session = clerk.url().split('/').pop();
await monitor.waitForSelector('header.recording >> text=正在录音录像');
const code = await monitor.textContent('.code');
assert.match(code, /^[34679ACDEFGHJKMNPQRTUV]{6}$/);
assert.match(await monitor.textContent('.who'), /王建国/);
await clerk.goto(`${demo.url}/sessions/${session}/record`);
await clerk.fill('textarea[name=text]', '你叫什么名字？');
await clerk.press('textarea[name=text]', 'Enter');
await monitor.waitForSelector('.lines >> text=你叫什么名字？');
await shot(monitor, 'cases-07-screen');
// Its link is ended: it says so in both languages, and who makes a new one, instead of showing a recording that may be over.
await office.goto(`${demo.url}/screens`);
await office.click('form[action$="/end"] button');
await monitor.waitForSelector('text=本屏幕链接已停用');
assert.match(await monitor.textContent('[lang=en]'), /link has been ended.*ask the office/s);
assert.equal(await monitor.locator('a').count(), 0, 'there is nowhere to go');
await shot(monitor, 'cases-08-ended');
await clerk.goto(`${demo.url}/sessions/${session}`);
await clerk.click('details.end summary');
await clerk.click('details.end button.primary');
await clerk.waitForSelector('.seal');
assert.match(await clerk.textContent('main'), /录前检查.*时钟由技术人员处理/s, 'the check and the reason land on the session');

// The case lists the session it belongs to, and what is open in it.
await clerk.goto(address);
assert.match(await clerk.textContent('.case-line'), /音像.*询问/s);
assert.ok(await clerk.$(`li[data-demand="case-session:${session}"]`));
await shot(clerk, 'cases-09-with-session');

assert.deepEqual(said, [], 'the browser complained');
await browser.close();
console.log('a clerk\'s day: done');
