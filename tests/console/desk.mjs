// An officer's day around a session: plan, start, rights, record, signature, end; the paper; and who supervises.
//   node desk.mjs DEMO.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { browser, demo, person, plansInterview, said, secondOfficer, shanghai, shot } from './browser.mjs';

const officer = await person('officer');

// Planned ahead: what is typed once stands in the start form.
await plansInterview(officer);
assert.match(await officer.textContent('table'), /张三.*待录制/s);
await shot(officer, 'desk-01-plans');
await officer.click('tbody a.button >> nth=0');
await officer.waitForURL(/\/start\?plan=/);
assert.equal(await officer.inputValue('[name=party]'), '张三');
// The register knows the number of an officer who is picked by name.
await officer.fill('[name=officer] >> nth=1', '王建国');
await officer.dispatchEvent('[name=officer] >> nth=1', 'change');
assert.match(await officer.inputValue('[name=certificate_no] >> nth=1'), /冀E/);
await secondOfficer(officer);
await shot(officer, 'desk-02-start');
await officer.click('button.record');
await officer.waitForURL(/\/sessions\//);
const session = officer.url().split('/').pop();
await officer.waitForSelector('.lamp-recording');

// What is to be done now is told; marks by key, each right with how it was told.
await officer.waitForSelector('.prompts >> text=是否谈过话');
await officer.keyboard.press('n');
await officer.keyboard.press('p');
await officer.waitForFunction(() => !document.querySelector('.prompts'));
await officer.selectOption('#mark-manner', 'both');
for (const key of ['1', '2', '3']) await officer.keyboard.press(key);
await officer.waitForFunction(() => document.querySelector('#now .marks')?.textContent.split('口头并书面').length === 4);
// A refusal to sign is asked for its reason first.
await officer.keyboard.press('x');
assert.match(await officer.textContent('#mark-done'), /拒签理由/);
await officer.keyboard.press('Escape');
await shot(officer, 'desk-03-running');

// The record: Enter keeps, question and answer take turns, each line at its moment.
await officer.keyboard.press('l');
await officer.waitForURL(/\/record$/);
for (const line of ['你占用了多少土地？', '两亩。', '什么时候开始占用的？', '二〇二五年三月。']) {
  const before = await officer.$$eval('.record-lines li', (all) => all.length);
  await officer.fill('textarea[name=text]', line);
  await officer.press('textarea[name=text]', 'Enter');
  await officer.waitForFunction((n) => document.querySelectorAll('.record-lines li').length === n + 1, before);
}
assert.deepEqual(await officer.$$eval('.record-lines li', (all) => all.map((l) => l.className)), ['record-question', 'record-answer', 'record-question', 'record-answer']);
await officer.reload();
await officer.click('summary:has-text("更正")');
await officer.selectOption('select[name=number]', '2');
await officer.fill('form:has([value=corrected]) [name=text]', '一亩半。');
await officer.click('text=保存更正');
await officer.waitForSelector('.record-lines >> text=更正 1 次');
await officer.fill('[name=from]', shanghai(Date.now() - 10 * 60e3));
await officer.click('text=保存抬头');
await officer.waitForSelector('.flash');
await officer.click('summary:has-text("核对与签字")');
await officer.click('button:has-text("生成中间封存码")');
await officer.waitForSelector('.flash >> text=中间封存码');
await shot(officer, 'desk-04-record');

// The paper: A4, page by page with its line for a signature, the code and its QR, and a time that is ten minutes off is told.
await officer.goto(`${demo.url}/sessions/${session}/record/print`);
assert.match(await officer.textContent('.screen-only'), /相差 -?\d+ 分钟/);
assert.equal(await officer.$$eval('.code svg', (all) => all.length), 1);
const code = await officer.textContent('.figures');
const paper = join(mkdtempSync(join(tmpdir(), 'paper-')), 'record.pdf');
await officer.pdf({ path: paper, preferCSSPageSize: true });
const text = execFileSync('pdftotext', ['-layout', paper, '-']).toString();
const about = execFileSync('pdfinfo', [paper]).toString();
const pages = Number(/Pages:\s+(\d+)/.exec(about)[1]);
assert.match(about, /A4/);
assert.equal(text.split('被询问人（签名或盖章）：').length - 1, pages + 1, 'each page has its line, and the end has its own');
for (const part of ['询问笔录', '张三', '王建国', '一亩半。', '原记：两亩。', code.trim(), `共 ${pages} 页`.replaceAll(' ', '')]) assert.ok(text.replaceAll(/\s/g, '').includes(part.replaceAll(/\s/g, '')), part);
await shot(officer, 'desk-05-paper');

// The end asks for the right that nobody marked; an answer without a reason keeps nobody from ending.
await officer.goto(`${demo.url}/sessions/${session}`);
await officer.click('details.end summary');
assert.deepEqual(await officer.$$eval('.rights-asked .row:not([hidden])', (all) => all.map((r) => r.dataset.demand)), ['right-hearing']);
await officer.selectOption('[name="answer:right-hearing"]', 'not_applicable');
await shot(officer, 'desk-06-end');
await officer.click('details.end button.primary');
await officer.waitForSelector('.seal');
const lacks = await officer.$$eval('.missing [data-demand], .missing li[data-demand]', (all) => all.map((m) => m.dataset.demand));
assert.ok(!lacks.includes('right-hearing') && lacks.includes('signature') && lacks.includes('case'), lacks.join());
await officer.click('li[data-demand=signature] summary');
assert.deepEqual(await officer.$$eval('li[data-demand=signature] option', (all) => all.map((o) => o.value)), ['not_applicable', 'not_done', 'unexplained'], 'nothing is signed by saying so');
await officer.selectOption('li[data-demand=signature] select', 'not_done');
await officer.fill('li[data-demand=signature] [name=reason]', '当事人突发疾病送医');
await officer.click('li[data-demand=signature] button');
await officer.waitForSelector('.flash >> text=说明已保存');
assert.match(await officer.textContent('main'), /未做，说明原因 · 当事人突发疾病送医/);
await shot(officer, 'desk-07-sealed');

// A week later the clerk links it; the earlier link stays.
await officer.click('summary:has-text("补充或更正")');
await officer.fill('dialog [name=case_no]', '威自然资罚〔2026〕21号');
await officer.fill('dialog [name=record_no]', '笔录-21');
await officer.fill('dialog [name=reason]', '立案后补充案号');
await officer.click('dialog button.primary');
await officer.waitForSelector('text=更早的 1 个版本');

// The legal unit sees the month; a reviewer of the same unit does not read the record without approval.
const legal = await person('legal_unit');
await legal.goto(`${demo.url}/supervision`);
assert.match(await legal.textContent('main'), /王建国/);
await shot(legal, 'desk-08-supervision');
const reviewer = await person('reviewer');
await reviewer.goto(`${demo.url}/sessions/${session}`);
assert.match(await reviewer.textContent('main'), /查阅笔录须经主管负责人批准/);
assert.doesNotMatch(await reviewer.textContent('main'), /一亩半/);

assert.deepEqual(said, [], 'the browser complained');
await browser.close();
console.log('an officer\'s day: done');
