// What every day at the console begins with: Debian's Chromium, people who sign in, and what the browser complained about.
import { readFileSync, mkdirSync } from 'node:fs';
import { basename } from 'node:path';
import { chromium } from 'playwright-core';

export const demo = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const shots = process.argv[3];
if (shots) mkdirSync(shots, { recursive: true });

// What is around a page (the whole screen, keys of the machine, a worker that stands in for the network) is tried in the whole browser,
// pages in the shell of the same engine: it shows them alike, for a third of the work.
const whole = ['player.mjs', 'passkey.mjs', 'unreachable.mjs'].includes(basename(process.argv[1]));

export const browser = await chromium.launch({
  executablePath: whole ? '/usr/bin/chromium' : '/usr/bin/chromium-headless-shell',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required'],
});

/** What the browser complained about; empty at the end of a good day. */
export const said = [];

/** A page on the officer's screen. */
export async function screen(more = {}) {
  const page = await (await browser.newContext({ viewport: { width: 1366, height: 768 }, serviceWorkers: 'block', ...more })).newPage();
  page.setDefaultTimeout(60000);
  return page;
}

/** Somebody of a role, signed in. */
export async function person(role, more = {}) {
  const { username, password } = demo.accounts.find((a) => a.role === role);
  const page = await screen(more);
  page.on('console', (m) => { if (m.type() === 'error' && !m.text().includes('status of 4')) said.push(`${role}: ${m.text()}`); });
  page.on('pageerror', (e) => said.push(`${role}: ${e.message}`));
  await page.goto(`${demo.url}/login`);
  await page.fill('[name=username]', username);
  await page.fill('[name=password]', password);
  await page.press('[name=password]', 'Enter');
  await page.waitForURL((url) => !url.pathname.startsWith('/login'));
  return page;
}

export async function shot(page, name) { if (shots) await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true }); }

/** Every video in a page shows moving pictures. */
export async function moves(page, selector) {
  await page.waitForFunction((s) => { const all = [...document.querySelectorAll(s)]; return all.length > 0 && all.every((v) => v.videoWidth > 0 && v.readyState >= 2); }, selector);
  const before = await page.$$eval(selector, (all) => all.map((v) => v.currentTime));
  await page.waitForFunction(([s, b]) => [...document.querySelectorAll(s)].every((v, at) => v.currentTime > b[at] + 0.5), [selector, before]);
}

/** A moment as the field of a form takes it: Shanghai's wall clock, to the minute. */
export const shanghai = (ms) => new Date(ms + 8 * 3600e3).toISOString().slice(0, 16);

/** An interview that begins in half an hour, planned by its officer; what matters besides, by the names of the form's fields. */
export async function plansInterview(officer, more = {}) {
  await officer.goto(`${demo.url}/plans/new`);
  const fields = { at: shanghai(Date.now() + 30 * 60e3), party: '张三', cause: '未经批准占用土地', attendee: '张三', ...more };
  for (const [name, value] of Object.entries(fields)) await officer.fill(`[name=${name}]`, value);
  await officer.selectOption('[name=presentation] >> nth=0', 'shown');
  await officer.selectOption('[name=duty] >> nth=0', 'asking');
  await officer.click('button.primary');
  await officer.waitForURL(/\/plans$/);
}

/** Whoever records beside the one who asks, in the start form. */
export async function secondOfficer(officer) {
  await officer.fill('[name=officer] >> nth=1', '李红');
  await officer.fill('[name=certificate_no] >> nth=1', '冀E-0311-022');
  await officer.selectOption('[name=duty] >> nth=1', 'recording');
  await officer.selectOption('[name=presentation] >> nth=1', 'shown');
}

/** A session of the first room that was recorded and sealed, with nothing said of it but the party; which one. */
export async function recordsOne(officer) {
  await officer.waitForFunction(() => document.querySelectorAll('.badge.good').length >= 4);
  await officer.goto(`${demo.url}/rooms/room-1/start`);
  await officer.fill('[name=party]', '张三');
  await officer.click('button.record');
  await officer.waitForURL(/\/sessions\//);
  const session = officer.url().split('/').pop();
  await moves(officer, '.tile video');
  await officer.waitForTimeout(3000);
  await officer.click('details.end summary');
  await officer.click('details.end button.primary');
  await officer.waitForSelector('.seal');
  return session;
}
