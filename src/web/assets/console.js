// What every page has: pushed pieces of the page, dialogs, uploads, small helps in forms. Pages work without it; it keeps them
// up to date. Texts come from the page (#words), so that they are in its language.
import { live } from '/assets/live.js';

const csrf = document.body.dataset.csrf;
export const words = document.getElementById('words').dataset;

/** Posts JSON to the API; throws the problem that the API tells. */
export async function post(address, body, options = {}) {
  const answer = await fetch(address, { method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Csrf-Token': csrf }, body: JSON.stringify(body ?? {}), ...options });
  if (!answer.ok) throw await problem(answer);
  return answer.status === 204 ? null : answer.json();
}

/** What the API says was wrong, in the page's language. */
export async function problem(answer) {
  const told = await answer.json().catch(() => ({}));
  return Object.assign(new Error(inWords(told) ?? answer.statusText), { status: answer.status, code: told.code });
}

function inWords(told) { return document.documentElement.lang.startsWith('zh') ? told.message : told.message_en; }

/** `1:02:03` of milliseconds. */
export function clock(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(s / 3600)}:${String(Math.floor(s / 60) % 60).padStart(2, '0')}:${String(s % 60).padStart(2, '0')}`;
}

/** `2026-11-23 22:15:02`, in Shanghai, whatever the machine at the desk believes. */
export function shanghai(at) { return new Date(at).toLocaleString('sv-SE', { timeZone: 'Asia/Shanghai' }); }

// A piece that is pushed replaces only what differs, so that focus and selection stay where they are.
function morph(old, now) {
  if (old.nodeType !== now.nodeType || old.nodeName !== now.nodeName) return old.replaceWith(now.cloneNode(true));
  if (old.nodeType === Node.TEXT_NODE) { if (old.data !== now.data) old.data = now.data; return; }
  if (old.nodeType !== Node.ELEMENT_NODE) return;
  for (const { name, value } of now.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes]) if (!now.hasAttribute(name)) old.removeAttribute(name);
  const theirs = [...now.childNodes];
  [...old.childNodes].slice(theirs.length).forEach((node) => node.remove());
  theirs.forEach((node, at) => { const mine = old.childNodes[at]; if (mine) morph(mine, node); else old.append(node.cloneNode(true)); });
}

let leaving = false;
addEventListener('submit', (event) => { if (!event.defaultPrevented) leaving = true; });

function follow(place) {
  const source = new EventSource(place.dataset.stream);
  const offline = document.getElementById('offline');
  let last = Date.now();
  source.addEventListener('now', (event) => {
    last = Date.now();
    offline.hidden = true;
    document.body.classList.remove('stale');
    const fresh = document.createElement(place.localName);
    fresh.innerHTML = event.data;
    const holder = place.cloneNode(false);
    holder.append(...fresh.childNodes);
    morph(place, holder);
  });
  // A form that is under way leads to its own page.
  source.addEventListener('over', () => { source.close(); if (!leaving) location.reload(); });
  // A page that looks alive and is not would be worse than none.
  setInterval(() => { if (Date.now() - last > 4000) { offline.hidden = false; document.body.classList.add('stale'); } }, 1000);
  // The browser tries again by itself, but not after an answer that is no stream (signed out meanwhile): then the page is asked for anew.
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000); };
  addEventListener('pagehide', () => source.close());
}

// What takes longer than a moment says so: a line at the head, and a word for who does not see it.
const line = document.getElementById('waiting');
let soon;
function waits() { clearTimeout(soon); soon = setTimeout(() => { line.hidden = false; }, 300); }
function waitsNoMore() { clearTimeout(soon); line.hidden = true; }

// One act for one form, however often the button is pressed; the button says that it works. A download leaves the page where it is.
function sent(form, button) {
  const was = [...button?.childNodes ?? []];
  waits();
  form.dataset.sent = '1';
  const free = () => { waitsNoMore(); delete form.dataset.sent; if (button) { button.disabled = false; button.replaceChildren(...was); } };
  // After the form's fields were gathered, of which the button is one.
  setTimeout(() => { if (button && form.method === 'post') { button.style.minWidth = `${button.offsetWidth}px`; button.disabled = true; button.replaceChildren(words.working); } });
  setTimeout(free, 32000);
  addEventListener('pageshow', free, { once: true });
}
addEventListener('submit', (event) => {
  if (event.target.dataset.sent) return event.preventDefault();
  if (event.defaultPrevented) return;
  sent(event.target, event.submitter);
});
addEventListener('click', (event) => {
  const link = event.target.closest?.('a[href]');
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || link.target || link.hasAttribute('download')) return;
  const to = new URL(link.href);
  if (to.origin === location.origin && to.pathname !== location.pathname && !to.pathname.startsWith('/api/') && !to.pathname.endsWith('.csv')) { waits(); setTimeout(waitsNoMore, 32000); }
});
addEventListener('pageshow', (event) => { if (event.persisted) waitsNoMore(); });

// A desk without any network may still be the recorder itself: only the recorder's silence counts.
async function reaches() { document.getElementById('offline').hidden = await fetch('/healthz', { cache: 'no-store', signal: AbortSignal.timeout(5000) }).then(() => true, () => false); }
addEventListener('offline', reaches);
addEventListener('online', reaches);
// Browsers have workers only where the connection is to be trusted; elsewhere they show their own page.
navigator.serviceWorker?.register('/assets/reach.js', { scope: '/' }).catch(() => {});

// A long form that was changed is not left by accident.
const began = new Map([...document.querySelectorAll('main form[method=post]')]
  .filter((form) => !form.closest('[data-stream], dialog') && form.querySelectorAll('input:not([type=hidden]), select, textarea').length > 3)
  .map((form) => [form, written(form)]));
function written(form) { return new URLSearchParams([...new FormData(form)].filter(([, value]) => typeof value === 'string')).toString(); }
addEventListener('beforeunload', (event) => {
  if (!leaving && [...began].some(([form, was]) => form.isConnected && written(form) !== was)) { event.preventDefault(); waitsNoMore(); }
});

// A form that was refused: the address is its page's again, and what is wrong has the focus.
function told(summary) {
  history.replaceState(null, '', summary.dataset.told);
  for (const form of began.keys()) if (form.contains(summary)) began.set(form, '');
  (summary.closest('form').querySelector('[aria-invalid=true]') ?? summary).focus();
}

// A menu closes like one: by Escape, and when something else is looked at.
function menu(details) {
  details.addEventListener('keydown', (event) => { if (event.key === 'Escape' && details.open) { details.open = false; details.querySelector('summary').focus(); event.stopPropagation(); } });
  document.addEventListener('click', (event) => { if (!details.contains(event.target)) details.open = false; });
  details.addEventListener('focusout', (event) => { if (event.relatedTarget && !details.contains(event.relatedTarget)) details.open = false; });
}

// A table that is wider than its card is scrolled by keyboard too.
function scrolls(box) { if (box.scrollWidth > box.clientWidth + 1) { box.tabIndex = 0; box.setAttribute('role', 'region'); box.setAttribute('aria-label', box.closest('section, main')?.querySelector('h2, h1')?.textContent ?? document.title); } }

// A question before an act: an open <dialog> inside <details> where there is no script; over the page where there is.
function ask(details) {
  const dialog = details.querySelector('dialog');
  dialog.removeAttribute('open');
  const cancel = Object.assign(document.createElement('button'), { type: 'button', textContent: words.cancel });
  cancel.onclick = () => dialog.close();
  dialog.querySelector('.actions')?.prepend(cancel);
  dialog.addEventListener('close', () => { details.open = false; });
  const show = () => {
    if (!details.open || dialog.open) return;
    // What is missing changes while the page stands; the newest list is the pushed one.
    const [now, shown] = [document.querySelector('#now .missing'), dialog.querySelector('[data-missing]')];
    if (now && shown) {
      shown.innerHTML = now.innerHTML;
      const open = new Set([...now.querySelectorAll('[data-demand]')].map((item) => item.dataset.demand));
      dialog.querySelectorAll('.row[data-demand]').forEach((row) => { row.hidden = !open.has(row.dataset.demand); });
      const asked = dialog.querySelector('.rights-asked');
      if (asked) asked.hidden = !asked.querySelector('.row:not([hidden])');
    }
    dialog.showModal();
  };
  details.addEventListener('toggle', show);
  dialog.addEventListener('close', () => details.querySelector('summary').focus());
  show(); // its form was refused
}

function upload(form) {
  const [progress, told] = [form.querySelector('progress'), form.querySelector('.problem')];
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const request = new XMLHttpRequest();
    request.open('POST', form.dataset.to);
    request.setRequestHeader('X-Csrf-Token', csrf);
    progress.hidden = false; told.hidden = true;
    request.upload.onprogress = (e) => { progress.value = e.loaded / e.total; };
    request.onload = () => {
      if (request.status < 300) {
        // Said by the page that comes, as after any other form.
        if (form.dataset.done) document.cookie = `done=${form.dataset.done}; Path=/; Max-Age=10; SameSite=Strict`;
        return location.reload();
      }
      progress.hidden = true; told.hidden = false;
      try { told.textContent = inWords(JSON.parse(request.responseText)); } catch { told.textContent = request.statusText || String(request.status); }
    };
    request.onerror = () => { progress.hidden = true; told.hidden = false; told.textContent = words.offline; };
    request.send(new FormData(form));
  });
}

// One more row of officers or of others who are there: a copy of the last one, empty.
function more(button) {
  button.hidden = false;
  button.addEventListener('click', () => {
    const rows = button.closest('fieldset').querySelectorAll('[data-row]');
    const row = rows[rows.length - 1].cloneNode(true);
    row.querySelectorAll('input').forEach((input) => { input.value = ''; });
    row.querySelectorAll('select').forEach((select) => { select.selectedIndex = 0; });
    rows[rows.length - 1].after(row);
    row.querySelector('input').focus();
  });
}

// An officer who is picked from the register brings the certificate's number along.
addEventListener('change', (event) => {
  if (event.target.name !== 'officer') return;
  const picked = [...document.querySelectorAll('#register option')].filter((o) => o.value === event.target.value);
  const number = event.target.closest('[data-row]')?.querySelector('[name=certificate_no]');
  if (picked.length === 1 && number && picked[0].dataset.no) number.value = picked[0].dataset.no;
});

// A password that nobody has to invent: 16 letters and digits, about 90 bits; shown, because it has to be handed over.
function generate(button) {
  button.hidden = false;
  button.addEventListener('click', () => {
    const letters = 'abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';
    const drawn = [];
    while (drawn.length < 16) { const [byte] = crypto.getRandomValues(new Uint8Array(1)); if (byte < letters.length * 4) drawn.push(letters[byte % letters.length]); }
    const input = document.getElementById(button.dataset.generate);
    input.type = 'text';
    input.value = drawn.join('').replace(/(.{4})(?=.)/g, '$1-');
    input.select();
  });
}

// The address beside the button, for another machine. Over plain HTTP there is no clipboard for scripts: what is marked is copied.
function copies(button) {
  const field = button.parentElement.querySelector('input');
  field.addEventListener('focus', () => field.select());
  button.hidden = false;
  button.addEventListener('click', async () => {
    field.select();
    if (navigator.clipboard) await navigator.clipboard.writeText(field.value).catch(() => document.execCommand('copy')); else document.execCommand('copy');
    button.textContent = button.dataset.copies;
  });
}

document.querySelectorAll('[data-stream]').forEach(follow);
document.querySelectorAll('[data-live]').forEach(live);
document.querySelectorAll('details.asks').forEach(ask);
document.querySelectorAll('form[data-to]').forEach(upload);
document.querySelectorAll('[data-more]').forEach(more);
document.querySelectorAll('[data-generate]').forEach(generate);
document.querySelectorAll('[data-copies]').forEach(copies);
document.querySelectorAll('[data-place]').forEach((span) => { const [left, width] = span.dataset.place.split(' '); span.style.left = `${left}%`; if (width) span.style.width = `${width}%`; });
document.querySelectorAll('[data-sure]').forEach((form) => form.addEventListener('submit', (event) => { if (!confirm(form.dataset.sure)) event.preventDefault(); }));
document.querySelectorAll('[data-submits]').forEach((field) => field.addEventListener('change', () => field.form.requestSubmit()));
document.querySelectorAll('[data-print]').forEach((button) => { button.hidden = false; button.addEventListener('click', () => print()); });
document.querySelector('[data-back]')?.addEventListener('click', (event) => { if (history.length > 1) { event.preventDefault(); history.back(); } });
document.querySelectorAll('details.more').forEach(menu);
document.querySelectorAll('.table, .scroll').forEach(scrolls);
document.querySelectorAll('[data-told]').forEach(told);
// The same where a page brings its form back by itself.
const complaint = document.querySelector('form > .problem[role=alert]:not([hidden], [data-told])');
if (complaint) { complaint.tabIndex = -1; complaint.closest('form').querySelectorAll('[aria-invalid=true]').forEach((field) => { complaint.id ||= 'told'; field.setAttribute('aria-describedby', complaint.id); }); (complaint.closest('form').querySelector('[aria-invalid=true]') ?? complaint).focus(); }
// What was just done is said once.
if (document.querySelector('.flash')) document.cookie = 'done=; Path=/; Max-Age=0; SameSite=Strict';
