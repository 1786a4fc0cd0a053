// The first page in Debian's Chromium, role by role: what is on the list, that each line leads to exactly that, that what is done is gone,
// that the navigation counts the same, and that a stranger finds nothing.
//   node home.mjs DEMO.JSON [FOLDER FOR SCREENSHOTS]
import assert from 'node:assert/strict';
import { browser, demo, person, said, shot } from './browser.mjs';
import { golden } from './golden.mjs';

const home = (page) => page.goto(`${demo.url}/`);
/** The list: concern → how many, and where. */
const list = (page) => page.$$eval('#agenda li', (all) => Object.fromEntries(all.map((li) => [li.dataset.concern, { count: Number(li.querySelector('strong').textContent), href: li.querySelector('a').getAttribute('href') }])));
/** Follows a line; how many of these are shown there. */
async function leads(page, concern, selector) {
  await home(page);
  await page.click(`#agenda li[data-concern="${concern}"] a`);
  await page.waitForLoadState();
  return page.$$eval(selector, (all) => all.length);
}
const counted = async (page, href) => Number(await page.$eval(`.bar nav a[href="${href}"] .count`, (c) => c.textContent).catch(() => 0));
const words = (page) => page.textContent('main');
/** The first page looks as it did when somebody last looked at it. */
const looks = async (page, name) => { assert.deepEqual(await golden(page, `home-${name}`), []); await home(page); };

// An officer: the start button is before their eyes, and their own day beside it.
const officer = await person('officer');
await officer.waitForSelector('a.record');
const button = await officer.$eval('a.record', (b) => b.getBoundingClientRect().bottom);
assert.ok(button < 768, `the start button ends at ${button}`);
let things = await list(officer);
assert.deepEqual(Object.entries(things).map(([word, t]) => [word, t.count]).sort(), [['handover_due', 2], ['own_lacking', 2], ['own_unlinked', 1], ['plans_today', 1]].sort());
assert.equal(await officer.$eval('#agenda', (a) => a.getBoundingClientRect().top < 768), true);
await shot(officer, 'home-1-officer');
await looks(officer, 'officer');
assert.equal(await leads(officer, 'own_lacking', 'table.list tbody tr'), 2);
assert.equal(await officer.$$eval('.narrowed a', (all) => all.length), 1);
assert.equal(await leads(officer, 'own_unlinked', 'table.list tbody tr'), 1);
assert.match(await words(officer), /李四/);
assert.equal(await leads(officer, 'plans_today', 'table.list tbody tr'), 1);
assert.equal(await leads(officer, 'handover_due', '#mine tbody tr'), 2);
await shot(officer, 'home-2-handover');
await officer.click('#mine button.primary');
await officer.waitForSelector('.flash');
await home(officer);
assert.equal('handover_due' in (await list(officer)), false, 'what is handed over is done');

// Keyboard: from the rooms to the list without a mouse.
await home(officer);
await officer.focus('#agenda li a');
await officer.keyboard.press('Enter');
await officer.waitForURL((url) => url.pathname !== '/');

// The custodian: the receipts are counted the same in the navigation.
const custodian = await person('custodian');
things = await list(custodian);
assert.equal(things.receipts.count, 2);
assert.equal(await counted(custodian, '/handover'), 2);
assert.equal(things.units_lacking.count, 2);
await shot(custodian, 'home-3-custodian');
await looks(custodian, 'custodian');
assert.equal(await leads(custodian, 'units_lacking', 'table.list tbody tr'), 2);
assert.equal(await leads(custodian, 'receipts', '#inbox li'), 1, 'one handover of two sessions');

// The leader decides; the line goes, here and in the navigation.
const leader = await person('leader_in_charge');
things = await list(leader);
assert.equal(things.requests.count, 1);
assert.equal(await counted(leader, '/access'), 1);
await shot(leader, 'home-4-leader');
await looks(leader, 'leader');
assert.equal(await leads(leader, 'requests', '#to-decide article'), 1);
await leader.click('#to-decide button[value=approve]');
await leader.waitForSelector('.flash');
await home(leader);
assert.equal('requests' in (await list(leader)), false);
assert.equal(await counted(leader, '/access'), 0);

// The reviewer sees no rooms, and until when they may look.
const reviewer = await person('reviewer');
await home(reviewer);
things = await list(reviewer);
assert.equal(things.grants_live.count, 1);
assert.match(await words(reviewer), /有效至/);
assert.equal(await reviewer.$$eval('.room', (all) => all.length), 0);
await shot(reviewer, 'home-5-reviewer');
await looks(reviewer, 'reviewer');
assert.equal(await leads(reviewer, 'grants_live', '#own tbody tr'), 1);

// The inspector: what was refused since they last looked; a look is enough.
const inspector = await person('inspector');
things = await list(inspector);
assert.ok(things.refusals.count >= 1);
await shot(inspector, 'home-6-inspector');
await looks(inspector, 'inspector');
assert.equal(await leads(inspector, 'refusals', 'table.list tbody tr'), things.refusals.count);
await inspector.waitForTimeout(100);
await inspector.waitForFunction(async () => !(await (await fetch('/')).text()).includes('data-concern="refusals"'));

// The office: the room of today's plan, and nothing of whose it is.
const office = await person('office');
things = await list(office);
assert.equal(things.room_unready.count, 1);
assert.doesNotMatch(await words(office), /王五|张三|李四/);
await shot(office, 'home-7-office');
await looks(office, 'office');
assert.equal(await leads(office, 'room_unready', 'main h1'), 1);
assert.match(office.url(), /\/rooms\/room-1\/readiness$/);

// The administrator: the first run stands as the machine sees it; a step that is not wanted says so, and the list can be put away.
const admin = await person('administrator');
const step = (name) => admin.getAttribute(`#walkthrough li[data-step="${name}"]`, 'class');
assert.deepEqual([await step('sealed'), await step('officers'), await step('custodians'), await step('mirror')], ['done', 'done', 'open', 'open']);
await shot(admin, 'home-8-administrator');
await looks(admin, 'administrator');
await admin.click('#walkthrough li[data-step="mirror"] button');
await admin.waitForSelector('.flash');
assert.equal(await step('mirror'), 'not_wanted');
await admin.click('#walkthrough .title button');
await admin.waitForSelector('.walk-away button');
assert.equal(await admin.$('#walkthrough'), null);
await admin.click('.walk-away button');
await admin.waitForSelector('#walkthrough');
assert.equal(await step('mirror'), 'not_wanted', 'what was said of a step stays');

// Need-to-know: an officer of another unit finds nothing, and no count of anything.
demo.accounts.push({ role: 'miner', ...demo.more.miner });
const miner = await person('miner');
assert.deepEqual(await list(miner), {});
assert.match(await words(miner), /目前没有需要您处理的事项/);
assert.equal(await miner.$$eval('.bar nav .count', (all) => all.length), 0);
assert.equal(await miner.goto(`${demo.url}/sessions?lacking=units`).then(() => miner.$$eval('table.list tbody tr', (all) => all.length)), 0);
await shot(miner, 'home-9-stranger');
await home(miner);
await looks(miner, 'stranger');

// The figures, and the same in English.
const legal = await person('legal_unit');
await home(legal);
await shot(legal, 'home-10-legal');
await looks(legal, 'legal');
await legal.goto(`${demo.url}/figures`);
assert.ok((await legal.$$('svg.chart')).length >= 2);
await shot(legal, 'home-11-figures');
await legal.click('nav.tabs a:nth-child(3)');
await legal.waitForLoadState();
const year = new URL(legal.url()).searchParams.get('period');
assert.match(year, /^\d{4}$/);
await legal.click('a[lang=en]');
await legal.waitForLoadState();
assert.equal(new URL(legal.url()).searchParams.get('period'), year, 'the period keeps its address');
await shot(legal, 'home-12-figures-english');
await home(legal);
await shot(legal, 'home-13-legal-english');

assert.deepEqual(said, []);
await browser.close();
console.log('done');
