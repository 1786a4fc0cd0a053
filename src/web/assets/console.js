// What every page has: pushed pieces of the page, live pictures, uploads. Pages work without it; it keeps them up to date.

const csrf = document.body.dataset.csrf;

/** Posts JSON to the API; throws the problem that the API tells. */
export async function post(address, body, options = {}) {
  const answer = await fetch(address, { method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Csrf-Token': csrf }, body: JSON.stringify(body ?? {}), ...options });
  if (!answer.ok) throw await problem(answer);
  return answer.status === 204 ? null : answer.json();
}

/** What the API says was wrong, in the page's language. */
export async function problem(answer) {
  const told = await answer.json().catch(() => ({}));
  const zh = document.documentElement.lang.startsWith('zh');
  return Object.assign(new Error((zh ? told.message : told.message_en) ?? answer.statusText), { status: answer.status, code: told.code });
}

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

function follow(place) {
  const source = new EventSource(place.dataset.stream);
  const offline = document.getElementById('offline');
  let last = Date.now();
  source.addEventListener('now', (event) => {
    last = Date.now();
    offline.hidden = true;
    const fresh = document.createElement(place.localName);
    fresh.innerHTML = event.data;
    const holder = place.cloneNode(false);
    holder.append(...fresh.childNodes);
    morph(place, holder);
  });
  source.addEventListener('over', () => { source.close(); location.reload(); });
  // A page that looks alive and is not would be worse than none.
  setInterval(() => { if (Date.now() - last > 5000) offline.hidden = false; }, 1000);
  addEventListener('pagehide', () => source.close());
}

/** Shows a camera's live fragments; begins anew after an end, at a key frame. */
function live(tile) {
  const video = tile.querySelector('video');
  const state = tile.querySelector('.tile-state');
  const address = new URL(tile.dataset.live, location.href);
  address.protocol = address.protocol.replace('http', 'ws');
  let wait = 500;
  const connect = () => {
    const socket = new WebSocket(address);
    socket.binaryType = 'arraybuffer';
    let buffer = null; let queue = [];
    const next = () => {
      if (!buffer || buffer.updating) return;
      const end = video.buffered.length ? video.buffered.end(video.buffered.length - 1) : 0;
      if (queue.length) return buffer.appendBuffer(queue.shift());
      if (end && video.currentTime < end - 3) video.currentTime = end - 0.3;
      const start = video.buffered.length ? video.buffered.start(0) : 0;
      if (end - start > 30) buffer.remove(start, end - 15);
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string') {
        const { codecs } = JSON.parse(data);
        const type = `video/mp4; codecs="${codecs}"`;
        if (!MediaSource.isTypeSupported(type)) { state.textContent = codecs; return; }
        const media = new MediaSource();
        buffer = null; queue = [];
        video.src = URL.createObjectURL(media);
        media.onsourceopen = () => {
          buffer = media.addSourceBuffer(type);
          buffer.onupdateend = () => {
            if (video.buffered.length && video.currentTime < video.buffered.start(0)) video.currentTime = video.buffered.start(0);
            next();
          };
          next();
        };
        video.play().catch(() => {});
        return;
      }
      queue.push(data);
      if (queue.length > 30) queue.splice(1, queue.length - 30);
      wait = 500; state.textContent = '●';
      next();
    };
    socket.onclose = () => { state.textContent = '…'; setTimeout(connect, wait); wait = Math.min(wait * 2, 10000); };
    addEventListener('pagehide', () => { socket.onclose = null; socket.close(); });
  };
  connect();
}

function upload(form) {
  const [progress, words] = [form.querySelector('progress'), form.querySelector('.problem')];
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const request = new XMLHttpRequest();
    request.open('POST', form.dataset.to);
    request.setRequestHeader('X-Csrf-Token', csrf);
    progress.hidden = false; words.hidden = true;
    request.upload.onprogress = (e) => { progress.value = e.loaded / e.total; };
    request.onload = () => {
      if (request.status === 201) return location.reload();
      progress.hidden = true; words.hidden = false;
      try { const told = JSON.parse(request.responseText); words.textContent = document.documentElement.lang.startsWith('zh') ? told.message : told.message_en; } catch { words.textContent = request.statusText || String(request.status); }
    };
    request.onerror = () => { progress.hidden = true; document.getElementById('offline').hidden = false; };
    request.send(new FormData(form));
  });
}

document.querySelectorAll('[data-stream]').forEach(follow);
document.querySelectorAll('[data-live]').forEach(live);
document.querySelectorAll('form[data-to]').forEach(upload);
document.querySelectorAll('[data-place]').forEach((span) => { const [left, width] = span.dataset.place.split(' '); span.style.left = `${left}%`; span.style.width = `${width}%`; });
document.querySelector('[data-back]')?.addEventListener('click', (event) => { if (history.length > 1) { event.preventDefault(); history.back(); } });
