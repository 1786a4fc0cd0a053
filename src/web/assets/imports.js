// Taking in: files go up in pieces, each durable before the next is sent. What broke off (the line, the page, the recorder) goes on
// where it was: at once, or when the same file is dropped again.
import { post, problem } from '/assets/console.js';

const PIECE = 4 * 1024 * 1024; // bytes of a piece
const AT_ONCE = 2; // files
const PATIENCE = 2000; // milliseconds before the next try
const OVER = ['taken_in', 'known', 'refused', 'failed'];

const form = document.getElementById('imports');
const words = JSON.parse(form.dataset.words);
const list = document.getElementById('going');
const drop = document.getElementById('drop');
const told = document.getElementById('import-problem');
const csrf = document.body.dataset.csrf;
const lines = new Map(); // by number
const waiting = [];
let busy = 0;

const make = (kind, more = {}) => Object.assign(document.createElement(kind), more);
const rest = (ms) => new Promise((done) => setTimeout(done, ms));
const word = (text) => text.replaceAll('_', '-');

/** What was typed about the files, as the API takes it. */
function about() {
  const given = (name) => form.elements[name]?.value.trim() || null;
  const rows = (name) => [...form.querySelectorAll(`[name=${name}]`)].map((input) => input.closest('[data-row]'));
  const of = (row, name) => row.querySelector(`[name=${name}]`).value.trim() || null;
  const officers = rows('officer').filter((row) => of(row, 'officer')).map((row) => ({ name: of(row, 'officer'), certificate_no: of(row, 'certificate_no'), presentation: of(row, 'presentation'), duty: of(row, 'duty') }));
  const attendees = rows('attendee').filter((row) => of(row, 'attendee')).map((row) => ({ name: of(row, 'attendee'), role: of(row, 'attendee_role') }));
  const at = given('used_at');
  return {
    device_no: given('device_no'), device_clock: given('device_clock'), kind: given('kind'), used_at: at && `${at.length === 16 ? `${at}:00` : at}+08:00`, used_reason: given('used_reason'),
    facts: { case_no: given('case_no'), record_no: given('record_no'), party: given('party'), cause: given('cause'), officers, attendees, restricted: form.elements.restricted?.checked ?? false },
  };
}

function size(bytes) { return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1000)} kB`; }

function button(text, act) {
  const made = make('button', { type: 'button', textContent: text });
  made.addEventListener('click', async () => { made.disabled = true; try { await act(); } catch (no) { say(no.message); made.disabled = false; } });
  return made;
}

function say(text) { told.textContent = text; told.hidden = !text; }

/** A line of the list, as the recorder tells it. `note`: what the browser adds. */
function show(arrival, note = '') {
  let line = lines.get(arrival.id);
  if (!line) { line = make('li'); lines.set(arrival.id, line); list.prepend(line); }
  line.dataset.state = arrival.state;
  const bar = make('progress', { max: 1, value: arrival.state === 'receiving' ? arrival.received / arrival.bytes : arrival.done / 1000 });
  if (arrival.state === 'storing') bar.removeAttribute('value');
  const bad = arrival.state === 'refused' || arrival.state === 'failed';
  const state = make('span', { className: `badge${bad ? ' bad' : arrival.state === 'taken_in' ? ' good' : arrival.state === 'known' ? ' warn' : ''}`, textContent: words[`arrival-${word(arrival.state)}`] });
  const parts = [make('strong', { textContent: arrival.file_name }), make('span', { className: 'figure', textContent: arrival.state === 'receiving' ? `${size(arrival.received)} / ${size(arrival.bytes)}` : size(arrival.bytes) }), state];
  if (!OVER.includes(arrival.state)) parts.push(bar);
  if (arrival.problem) parts.push(make('span', { textContent: words[`import-problem-${arrival.problem}`] ?? arrival.problem }));
  if (arrival.session) { const link = make('a', { href: `/sessions/${arrival.session}` }); link.append(make('code', { textContent: arrival.session })); parts.push(link); }
  if (arrival.state === 'known' && !arrival.session) parts.push(make('span', { textContent: words['import-elsewhere'] }));
  if (note) parts.push(make('span', { className: 'hint', textContent: note }));
  if (arrival.sha256) parts.push(make('code', { className: 'wrap', textContent: `SHA-256 ${arrival.sha256}` }));
  const gone = async () => { await post(`/api/v1/imports/${arrival.id}/cancel`); line.remove(); lines.delete(arrival.id); count(); };
  if (arrival.state === 'receiving') parts.push(button(words['import-cancel'], gone));
  if (arrival.state === 'known' || arrival.state === 'refused') parts.push(button(words['import-dismiss'], gone));
  if (arrival.state === 'failed') parts.push(button(words['import-retry'], async () => { show(await post(`/api/v1/imports/${arrival.id}/retry`)); await follow(arrival.id); }));
  // Whoever reads or clicks in a line keeps it until it says something else.
  const told = parts.map((part) => part.outerHTML).join('');
  if (line.said !== told) { line.said = told; line.replaceChildren(...parts); }
  count();
}

function count() {
  document.getElementById('going-count').textContent = lines.size;
  document.getElementById('going-none').hidden = lines.size > 0;
}

async function ask(id) {
  const answer = await fetch(`/api/v1/imports/${id}`);
  if (!answer.ok) throw await problem(answer);
  return answer.json();
}

/** Whether a failure is the line's or the recorder's: then it is tried again. A no is a no. */
function passes(no) { return no.status === undefined || no.status >= 502 || no.status === 503 || no.status === 429; }

async function send(file, arrival) {
  let now = arrival;
  while (now.state === 'receiving' && lines.has(now.id)) {
    try {
      const piece = file.slice(now.received, now.received + PIECE);
      const answer = await fetch(`/api/v1/imports/${now.id}?offset=${now.received}`, { method: 'PATCH', headers: { 'X-Csrf-Token': csrf, 'Content-Type': 'application/octet-stream' }, body: piece });
      if (answer.status === 409) now = await ask(now.id);
      else if (!answer.ok) throw await problem(answer);
      else now = await answer.json();
      show(now);
    } catch (no) {
      if (!passes(no)) throw no;
      show(now, words['import-broken-off']);
      await rest(PATIENCE);
      now = await ask(now.id).catch((again) => { if (!passes(again)) throw again; return now; });
    }
  }
  await follow(now.id);
}

/** Until the recorder has said what became of it. */
async function follow(id) {
  while (lines.has(id)) {
    const now = await ask(id).catch((no) => { if (!passes(no)) throw no; return null; });
    if (now) show(now);
    if (now && OVER.includes(now.state)) break;
    await rest(700);
  }
  await refresh();
}

/** The day's list as it is now; what is typed stays. */
async function refresh() {
  const answer = await fetch(`/imports${location.search}`).catch(() => null);
  if (!answer?.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById('today');
  if (fresh) document.getElementById('today').replaceChildren(...fresh.childNodes);
}

async function next() {
  if (busy >= AT_ONCE || !waiting.length) return;
  busy += 1;
  const { file, form: said } = waiting.shift();
  try {
    const arrival = await post('/api/v1/imports', { name: file.name, bytes: file.size, modified_ms: file.lastModified, form: said });
    show(arrival);
    await send(file, arrival);
  } catch (no) { say(`${file.name}: ${no.message}`); }
  busy -= 1;
  next();
}

function take(files) {
  say('');
  const said = about();
  for (const file of files) waiting.push({ file, form: said });
  for (let n = 0; n < AT_ONCE; n += 1) next();
}

form.addEventListener('submit', (event) => event.preventDefault());
form.querySelector('#files').addEventListener('change', (event) => { take([...event.target.files]); event.target.value = ''; });
for (const name of ['dragenter', 'dragover']) drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add('over'); });
for (const name of ['dragleave', 'drop']) drop.addEventListener(name, () => drop.classList.remove('over'));
drop.addEventListener('drop', (event) => {
  event.preventDefault();
  // A folder is no file, whatever the browser calls it: what lies in it is dropped by itself.
  const folders = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry?.isDirectory).map((entry) => entry.name);
  take([...event.dataTransfer.files].filter((file) => !folders.includes(file.name)));
  if (folders.length) say(`${folders.join(', ')}: ${words['import-folder']}`);
});
// A file that misses the zone must not take the page away.
for (const name of ['dragover', 'drop']) addEventListener(name, (event) => event.preventDefault());

// What was under way before the page was opened.
for (const arrival of JSON.parse(form.dataset.arrivals)) {
  show(arrival, arrival.state === 'receiving' ? words['import-pick-again'] : '');
  if (!OVER.includes(arrival.state) && arrival.state !== 'receiving') follow(arrival.id).catch((no) => say(no.message));
}
