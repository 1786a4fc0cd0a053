// The console as one design, in Debian's Chromium: every page as every role in both languages and by day and night, looked at by
// axe-core; no page wider than its screen at three sizes; lists in order, narrowed, paged, and their addresses; refused forms that
// keep what was typed; golden pictures; the look that is kept without a flash; paper.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { browser, demo, person, said, screen, shot } from './browser.mjs';
import { golden } from './golden.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const { session, cases, device } = demo.more;
const wrong = [];

/** The language and the look of the pages that come next. */
const wears = (page, lang, theme) => page.context().addCookies([{ name: 'lang', value: lang, url: demo.url }, { name: 'theme', value: theme, url: demo.url }]);

/** Which letters were looked at on which ground. */
const seen = new Set();

/** Letters on grounds that no page before had: the colours, the size and the weight of all text that shows. */
async function strange(page) {
  const pairs = await page.evaluate(() => {
    const grounds = new Map();
    const clear = 'rgba(0, 0, 0, 0)';
    const ground = (element) => {
      if (!element) return '';
      if (!grounds.has(element)) {
        const { backgroundColor, backgroundImage, opacity } = getComputedStyle(element);
        const own = [backgroundColor === clear ? '' : backgroundColor, backgroundImage === 'none' ? '' : backgroundImage, opacity === '1' ? '' : opacity].join('');
        // All the way down: what is opaque itself may lie in something that is not.
        grounds.set(element, `${own} ${ground(element.parentElement)}`.trim());
      }
      return grounds.get(element);
    };
    const texts = document.evaluate('//body//*[text()[normalize-space()] or self::input or self::textarea or self::select]', document, null, XPathResult.UNORDERED_NODE_SNAPSHOT_TYPE, null);
    const all = Array.from({ length: texts.snapshotLength }, (_, at) => texts.snapshotItem(at)).filter((element) => element.checkVisibility({ visibilityProperty: true }));
    // What is disabled is not measured, and its label neither: whoever looks like it has to be.
    const measured = (element) => !(element.closest('label')?.control ?? element).matches(':disabled, [aria-disabled=true], :disabled *, [aria-disabled=true] *');
    return [...new Set(all.filter(measured).map((element) => { const { color, fontSize, fontWeight } = getComputedStyle(element); return `${color} ${fontSize} ${fontWeight} on ${ground(element)}`; }))];
  });
  return pairs.filter((pair) => !seen.has(pair) && seen.add(pair)).length > 0;
}

/** What axe finds serious or critical on a page. Contrast takes it longer than all the rest: it is measured where letters are new. */
async function looks(page, what, structure = true) {
  const colours = await strange(page);
  if (!structure && !colours) return;
  const found = await page.evaluate(async ([rules, only]) => {
    const told = await axe.run(document, { resultTypes: ['violations'], rules, ...only });
    return told.violations.filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(' | ')}`);
  }, structure ? [{ 'color-contrast': { enabled: colours } }, {}] : [{}, { runOnly: ['color-contrast'] }]);
  wrong.push(...found.map((f) => `${what} ${f}`));
}

/** No page is wider than its screen; on a tablet fingers find what they press. */
async function fits(page, what) {
  for (const [width, height] of [[768, 1024], [1024, 768], [1366, 768]]) {
    await page.setViewportSize({ width, height });
    const { over, small } = await page.evaluate(() => {
      const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
      const seen = [...document.querySelectorAll('button, .button, select, nav a, summary')].filter((e) => e.checkVisibility({ visibilityProperty: true }) && e.getBoundingClientRect().height > 0 && !e.matches('.span'));
      return { over: wide, small: seen.filter((e) => e.getBoundingClientRect().height < 39.5).map((e) => e.outerHTML.slice(0, 90)).slice(0, 2) };
    });
    if (over > 0) wrong.push(`${what} is ${over} px too wide at ${width}`);
    if (width < 1100 && small.length) wrong.push(`${what} at ${width}: too small for a finger: ${small.join(' | ')}`);
  }
  const rows = await page.$$eval('header.bar nav > *', (all) => new Set(all.map((e) => Math.round(e.getBoundingClientRect().top))).size);
  if (rows > 1) wrong.push(`${what}: the navigation takes ${rows} lines`);
  const levels = await page.$$eval('main :is(h1, h2, h3, h4)', (all) => all.filter((e) => e.checkVisibility()).map((e) => Number(e.localName[1])));
  if (levels.filter((l) => l === 1).length !== 1) wrong.push(`${what} has ${levels.filter((l) => l === 1).length} first headings`);
  levels.forEach((level, at) => { if (at && level > levels[at - 1] + 1) wrong.push(`${what}: a heading skips a level`); });
}

const own = ['/sessions/' + session, '/me', '/nowhere'];
const more = { officer: ['/rooms/room-1/start', '/plans/new', '/cases/new', `/cases/${cases[0]}`, `/cases/${cases[0]}/initiation`, `/sessions/${session}/record`, '/rooms/room-1/readiness', `/devices/${device}`, '/cameras', '/alarms'],
  custodian: ['/holds', '/disposals', '/media', '/media/new', '/alarms'], legal_unit: ['/holds', '/disposals', '/media'], office: ['/devices/figures', '/screens', '/alarms'],
  inspector: ['/oversight/review'], administrator: ['/cameras'], reviewer: [`/access/new?session=${session}`] };
const begun = Date.now();
let pages = 0;
const people = {};
for (const { role } of demo.accounts) {
  const page = people[role] = await person(role);
  await page.addInitScript(axe);
  const shown = await page.$$eval('header.bar nav a', (all) => all.map((a) => a.getAttribute('href')));
  for (const address of new Set([...shown, ...own, ...(more[role] ?? [])])) {
    // Both languages, day and night: two looks at each page see every pair.
    for (const [lang, theme] of [['zh', 'light'], ['en', 'dark']]) {
      await wears(page, lang, theme);
      await page.goto(demo.url + address, { waitUntil: 'domcontentloaded' });
      const what = `${role} ${address} ${lang} ${theme}`;
      assert.equal(await page.getAttribute('html', 'data-theme'), theme, what);
      // The structure is the same by night: there only the colours are looked at.
      await looks(page, what, theme === 'light');
      await fits(page, what);
      if (demo.more.shots) await shot(page, `look-${role}-${address.replaceAll(/[/?=&]/g, '_')}-${lang}`);
      pages += 1;
    }
  }
  await wears(page, 'zh', 'auto');
}
console.log(`${pages} pages in ${Math.round((Date.now() - begun) / 1000)} s`);
assert.deepEqual([...new Set(wrong)], []);

// Pages that are the same every time look as they did when somebody last looked at them: one of each kind, by day or by night.
{
  const shows = [
    ['officer', '/rooms/room-1/start', 'zh', 'light'], ['officer', '/plans/new', 'zh', 'light'], ['officer', '/cases/new', 'en', 'dark'], ['officer', `/cases/${cases[0]}/initiation`, 'zh', 'light'],
    ['officer', `/sessions/${session}`, 'en', 'light'], ['officer', '/me', 'zh', 'dark'], ['officer', '/nowhere', 'zh', 'light'],
    ['reviewer', `/access/new?session=${session}`, 'zh', 'light'], ['reviewer', '/access', 'en', 'dark'], ['leader_in_charge', '/access', 'zh', 'light'],
    ['custodian', '/holds', 'zh', 'light'], ['custodian', '/disposals', 'en', 'light'], ['custodian', '/media', 'zh', 'dark'], ['legal_unit', '/provisions', 'zh', 'light'],
    ['office', '/devices', 'zh', 'light'], ['office', '/screens', 'en', 'dark'], ['inspector', '/oversight/review', 'zh', 'light'], ['administrator', '/accounts', 'zh', 'light'], ['administrator', '/cameras', 'en', 'dark'],
  ];
  const nobody = await screen();
  await nobody.goto(`${demo.url}/login`);
  wrong.push(...await golden(nobody, 'nobody-login-zh-light'));
  for (const [role, address, lang, theme] of shows) {
    const page = people[role];
    await wears(page, lang, theme);
    await page.goto(demo.url + address);
    const name = address.split('?')[0].split('/').filter((part) => part && part !== session && !cases.includes(part)).join('-');
    wrong.push(...await golden(page, `${role}-${name}-${lang}-${theme}`));
    await wears(page, 'zh', 'auto');
  }
}
assert.deepEqual(wrong, []);

// A list: in order by a click and by the keyboard, narrowed, paged; into a line and back; and in the other language.
{
  const page = people.officer;
  await page.goto(`${demo.url}/cases?text=${encodeURIComponent('占用')}`);
  assert.match(await page.textContent('.pages'), /第 1\/2 页，共 60 条/);
  await page.click('th a:has-text("案由")');
  const first = () => page.$$eval('tbody tr td:nth-child(2)', (all) => all.map((e) => e.textContent.trim()));
  const up = await first();
  assert.deepEqual(up, [...up].sort(), 'in order');
  assert.equal(await page.getAttribute('th:has-text("案由")', 'aria-sort'), 'ascending');
  await page.focus('th a:has-text("案由")');
  await page.keyboard.press('Enter');
  await page.waitForURL(/sort=-cause/);
  const down = await first();
  assert.deepEqual(down, [...down].sort().reverse());
  await page.click('.pages [rel=next]');
  await page.waitForURL(/page=2/);
  const address = page.url();
  assert.match(address, /sort=-cause/);
  assert.match(address, /text=/);
  const rest = await first();
  assert.ok(rest.length === 10 && !rest.some((r) => down.includes(r)), 'the other rows');
  await page.click('tbody a');
  await page.waitForURL(/\/cases\/[^?]/);
  await page.goBack();
  assert.equal(page.url(), address);
  await page.click('text=English');
  await page.waitForSelector('html[lang=en]');
  assert.equal(page.url(), address, 'the question goes along');
  assert.match(await page.textContent('.pages'), /Page 2 of 2, 60 in all/);
  assert.equal(await page.inputValue('[name=text]'), '占用');
  await page.click('text=中文');
  await page.goto(`${demo.url}/cases?text=${encodeURIComponent('占用')}&sort=opened_at;drop`);
  assert.equal(await page.$$eval('th[aria-sort=ascending], th[aria-sort=descending]', (all) => all.length), 0, 'no such order: the desk’s own');
  await page.click('text=清除');
  await page.waitForURL(/\/cases$/);
  await page.goto(`${demo.url}/sessions?party=${encodeURIComponent('张')}&sort=party`);
  const parties = () => page.$$eval('tbody tr', (all) => all.map((r) => r.textContent.match(/张[三四]/)?.[0]));
  assert.deepEqual(await parties(), ['张三', '张四']);
  await page.goto(`${demo.url}/sessions?party=${encodeURIComponent('张')}&sort=-party`);
  assert.deepEqual(await parties(), ['张四', '张三']);
  const log = people.inspector;
  await log.goto(`${demo.url}/log`);
  const numbers = async () => log.$$eval('tbody td:first-child', (all) => all.map((e) => Number(e.textContent)));
  const newest = await numbers();
  assert.ok(newest.every((n, at) => at === 0 || n < newest[at - 1]), 'evidence stands in its own order');
  await log.click('.pages [rel=next], .pages a');
  await log.waitForURL(/before=/);
  assert.ok((await numbers())[0] < newest.at(-1));
  await log.click('.pages [rel=prev]');
  await log.waitForURL(/after=/);
  assert.deepEqual(await numbers(), newest, 'there and back');
  await log.click('.orders a:has-text("由旧到新")');
  await log.waitForURL(/order=oldest/);
  const oldest = await numbers();
  assert.ok(oldest[0] === 0 && oldest.every((n, at) => n === at), 'from the first entry on');
  await log.click('.pages [rel=next]');
  await log.waitForURL(/order=oldest.*after=/);
  assert.equal((await numbers())[0], oldest.at(-1) + 1);
  await log.fill('[name=session]', session);
  await log.click('form.row button.primary');
  await log.waitForURL(/session=/);
  const about = await numbers();
  assert.ok(/order=oldest/.test(log.url()) && about.length > 2 && about.every((n, at) => at === 0 || n > about[at - 1]), 'the order goes with the filter');
}

// Chinese stands by pinyin; a page with several lists keeps the order of each; heads work where lists had none.
{
  const page = people.officer;
  const cause = () => page.$$eval('tbody tr td:nth-child(2)', (all) => all.map((e) => e.textContent.trim()));
  for (const [sort, right] of [['cause', ['安庄采砂', '陈村采砂', '王村采砂', '张湾采砂']], ['-cause', ['张湾采砂', '王村采砂', '陈村采砂', '安庄采砂']]]) {
    await page.goto(`${demo.url}/cases?text=${encodeURIComponent('采砂')}&sort=${sort}`);
    assert.deepEqual(await cause(), right);
  }
  await page.goto(`${demo.url}/handover`);
  const mine = () => page.$$eval('#mine tbody tr', (all) => all.map((r) => r.querySelector('a').textContent));
  const rows = (await mine()).sort();
  await page.click('#mine th a');
  await page.waitForURL(/mine_sort=session#mine/);
  assert.deepEqual(await mine(), rows);
  await page.click('#mine th a');
  await page.waitForURL(/mine_sort=-session/);
  assert.deepEqual(await mine(), [...rows].reverse());
  assert.equal(await page.$$eval('#mine [name=session]:checked', (all) => all.length), rows.length, 'what can be handed over is ticked, all of it');
  await page.goto(`${demo.url}/plans?show=nonsense`);
  assert.equal(await page.$('.narrowed'), null, 'an unknown word shows the whole list');
  await page.goto(`${demo.url}/plans?show=missed`);
  await page.click('.narrowed a');
  await page.waitForURL(/\/plans$/);
  const legal = people.legal_unit;
  await legal.goto(`${demo.url}/supervision`);
  await legal.click('#units thead th:nth-child(1) a');
  await legal.waitForURL(/units_sort=unit#units/);
  assert.equal(await legal.getAttribute('#units thead th:nth-child(1)', 'aria-sort'), 'ascending');
  const inspector = people.inspector;
  await inspector.goto(`${demo.url}/oversight?sort=index`);
  const index = await inspector.$$eval('table.list tbody td:first-child', (all) => all.map((e) => Number(e.textContent)));
  assert.ok(index.every((n, at) => at === 0 || n > index[at - 1]), 'what was taken from the log can be put in order');
}

// A form that is refused comes back as it was typed, and says where it is wrong; the second refusal too.
async function refused(page, address, fill, submit, kept) {
  await page.goto(demo.url + address);
  for (const twice of [1, 2]) {
    await fill(page);
    await page.$eval(submit, (button) => { button.form.noValidate = true; });
    await Promise.all([page.waitForEvent('load'), page.click(submit)]);
    await page.waitForSelector('form > .problem[data-told]:visible');
    const told = await page.evaluate(() => {
      const links = [...document.querySelectorAll('[data-told] a')].map((a) => document.getElementById(a.hash.slice(1)));
      return { focus: document.activeElement.outerHTML.slice(0, 400), path: location.pathname, links: links.map((f) => `${f?.getAttribute('aria-invalid')} ${f?.getAttribute('aria-describedby')}`), alone: document.querySelectorAll('.problem[role=alert]:not([hidden])').length };
    });
    assert.match(told.focus, /aria-invalid|data-told/, `${address} ${twice}`);
    assert.equal(told.path, address.split(/[?#]/)[0], 'the address is the page’s');
    assert.equal(told.alone, 1, `${address}: what is wrong is said once`);
    assert.ok(told.links.every((l) => l === 'true told'), `${address}: each link leads to a field that says so`);
    if (/^\/(plans|rooms|provisions|accounts|devices|cases\/new)/.test(address)) assert.ok(told.links.length > 0, `${address}: it says at which field`);
    await looks(page, `${address} refused`);
    for (const [field, value] of Object.entries(kept)) assert.equal(await page.inputValue(field), value, `${address}: ${field} stays (${twice})`);
  }
  await shot(page, `look-refused${address.replaceAll(/[/?=&#]/g, '_')}`);
}
const long = '长'.repeat(2100);
{
  const officer = people.officer;
  await refused(officer, '/plans/new', (p) => p.fill('[name=party]', '王某').then(() => p.$eval('[name=case_no]', (e) => { e.value = '../etc'; })), 'main form button.primary', { '[name=party]': '王某' });
  await refused(officer, '/rooms/room-1/start', async (p) => {
    await p.fill('[name=cause]', '"<b>非法&占用</b>"');
    if (await p.locator('[name=officer]').count() < 3) await p.click('main form [data-more] >> nth=0');
    await p.locator('[name=officer]').nth(1).fill('钱五');
    await p.locator('[name=officer]').nth(2).fill('赵六');
    await p.$eval('[name=case_no]', (e) => { e.value = '../etc'; });
  }, 'main form .record', { '[name=cause]': '"<b>非法&占用</b>"', '[data-row]:nth-of-type(3) [name=officer]': '赵六' });
  assert.ok(await officer.isVisible('main form [name=anyway]'), 'recording can begin without what is not right');
  await refused(officer, '/cases/new', (p) => p.fill('[name=cause]', '采矿').then(() => p.$eval('[name=number]', (e) => { e.value = 'x'.repeat(300); })), 'main form button.primary', { '[name=cause]': '采矿' });
  await refused(officer, `/cases/${cases[0]}?add=corrected_on_the_spot`, async (p) => { await p.fill('[name="field:confirmed_by"]', '王某'); await p.$eval('[name="field:what"]', (e, text) => { e.value = text; }, long); }, '#add form[method=post] button.primary', { '[name="field:confirmed_by"]': '王某', '[name="field:what"]': long });
  const legal = people.legal_unit;
  await refused(legal, '/provisions?show=due', (p) => p.fill('[name=letter_no]', '法函〔2026〕3号').then(() => p.fill('[name=sessions]', 'no such session 0:01')), 'form[action="/provisions"] button.primary', { '[name=letter_no]': '法函〔2026〕3号' });
  assert.ok(await legal.isVisible('.narrowed'), 'the list is narrowed as it was');
  const admin = people.administrator;
  await refused(admin, '/accounts', (p) => p.fill('[name=username]', 'zhao').then(() => p.fill('[name=name]', '赵某')), '#account button.primary', { '[name=username]': 'zhao', '#account [name=name]': '赵某' });
  await admin.goto(`${demo.url}/accounts`);
  const reviewer = people.reviewer;
  await refused(reviewer, `/sessions/${session}`, async (p) => { await p.fill('[name=basis]', '函〔2026〕9号'); await p.$eval('form:has([name=basis]) [name=purpose]', (e) => { e.value = ' '; }); }, 'form:has([name=basis]) button.primary', { '[name=basis]': '函〔2026〕9号' });
  const office = people.office;
  await refused(office, '/devices', async (p) => { await p.$eval('form[action="/devices"][method=post]', (f) => { f.closest('details').open = true; }); await p.fill('[name=device_number]', 'JX-9'); await p.$eval('form[action="/devices"][method=post] [name=device_name]', (e, text) => { e.value = text; }, long); }, 'form[action="/devices"][method=post] button.primary', { '[name=device_number]': 'JX-9' });
  await refused(office, `/devices/${device}`, async (p) => { const f = await p.$('form:has([name=device_name])'); if (f) await p.$eval('[name=device_name]', (e, text) => { e.closest('details')?.setAttribute('open', ''); e.value = text; }, long); }, 'form:has([name=device_name]) button.primary', { '[name=device_name]': long });
}

// A button that was pressed twice sends once, and says that it works.
{
  const page = people.officer;
  await page.goto(`${demo.url}/cases/new`);
  await page.fill('[name=cause]', '一次');
  let posts = 0;
  await page.route('**/cases/new', async (route) => { if (route.request().method() === 'POST') { posts += 1; await new Promise((go) => { setTimeout(go, 1500); }); } await route.continue(); });
  // The page itself looks at itself: while it is being left, nobody else can ask it.
  await page.$eval('main form button.primary', (button) => {
    setTimeout(() => sessionStorage.setItem('seen', `${button.disabled} ${button.textContent} ${document.getElementById('waiting').hidden}`), 600);
    button.form.noValidate = true;
    button.click();
    button.click();
  });
  await page.waitForURL((url) => !url.pathname.endsWith('/new'));
  await page.waitForLoadState();
  assert.match(await page.evaluate(() => sessionStorage.getItem('seen')), /^true 正在处理.* false$/);
  assert.equal(posts, 1);
  await page.unroute('**/cases/new');
}

// A changed form asks before it is left.
{
  const page = people.officer;
  await page.goto(`${demo.url}/plans/new`);
  await page.fill('[name=party]', '李某');
  let asked = 0;
  page.once('dialog', (dialog) => { asked += 1; return dialog.accept(); });
  await page.click('.brand');
  await page.waitForURL(`${demo.url}/`);
  assert.equal(asked, 1);
}

// The switch: three looks, each from the first paint on, at every page, and for whoever is not signed in.
{
  const page = await screen({ colorScheme: 'light' });
  await page.goto(`${demo.url}/login`);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const day = await ground();
  await page.click('.look');
  await page.click('.look');
  await page.waitForSelector('html[data-theme=dark]');
  assert.notEqual(await ground(), day);
  const html = await (await page.request.get(`${demo.url}/login`)).text();
  assert.match(html, /<html lang="zh-CN" data-theme="dark">/, 'the server says so: nothing flashes');
  await page.click('.look');
  await page.waitForSelector('html[data-theme=auto]');
  assert.equal(await ground(), day);
  await page.emulateMedia({ colorScheme: 'dark' });
  assert.notEqual(await ground(), day, 'as the system does');
}

// The menu that holds what does not fit: by keyboard, and by Escape back.
{
  const page = await screen();
  const crowded = people.legal_unit;
  await crowded.context().addCookies([{ name: 'lang', value: 'en', url: demo.url }]);
  await crowded.goto(`${demo.url}/cases`);
  await crowded.focus('nav .more > summary');
  await crowded.keyboard.press('Enter');
  await crowded.keyboard.press('Tab');
  assert.equal(await crowded.evaluate(() => !!document.activeElement.closest('.more > div')), true);
  await crowded.keyboard.press('Escape');
  assert.equal(await crowded.evaluate(() => document.activeElement.localName), 'summary');
  await page.context().close();
}

// Paper: the list alone, with the bureau, who and when; no controls.
{
  const page = people.officer;
  await page.goto(`${demo.url}/sessions`);
  await page.emulateMedia({ media: 'print' });
  assert.match(await page.innerText('.paper'), /试用局.*打印时间 \d{4}-\d\d-\d\d/s);
  for (const gone of ['header.bar', 'form.search', '.pages']) assert.equal(await page.isVisible(gone), false, gone);
  assert.ok(await page.isVisible('tbody tr'));
}

assert.deepEqual([...new Set(wrong)], []);
assert.deepEqual(said, []);
await browser.close();
console.log('done');
