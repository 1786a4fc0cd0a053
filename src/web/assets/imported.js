// Looking at something that was taken in: one file, as the browser plays it, under the viewer's name and request. Every few seconds the
// recorder is asked whether the approval still lives, and told what was really shown.
import { post, problem, shanghai } from '/assets/console.js';
import { proving } from '/assets/prove.js';

const TELL = 4000; // milliseconds between two words to the recorder
const root = document.getElementById('imported');
const make = (kind, className) => Object.assign(document.createElement(kind), { className });

class Look {
  constructor(viewing) {
    this.viewing = viewing;
    this.camera = viewing.cameras[0].camera;
    this.kind = root.dataset.footage;
    this.view = make('div', 'imported-view');
    this.mark = make('div', 'watermark');
    this.mark.append(make('span', ''), make('span', ''));
    this.media = make({ video: 'video', audio: 'audio', picture: 'img' }[this.kind], '');
    this.view.append(this.media, this.mark);
    this.state = make('p', 'hint');
    root.querySelector('.place').replaceChildren(this.view, this.state);
    if (this.kind !== 'picture') Object.assign(this.media, { controls: true, disablePictureInPicture: true });
    this.media.setAttribute('controlslist', 'nodownload noremoteplayback');
    this.media.alt = root.dataset.name;
    this.view.addEventListener('contextmenu', (event) => event.preventDefault());
    this.media.addEventListener('error', () => this.offer(), { once: true });
    this.media.src = `/api/v1/viewings/${viewing.id}/${this.camera}/1`;
    Object.assign(this, { seen: 0, last: performance.now() });
    this.timers = [setInterval(() => this.tick(), 200), setInterval(() => this.tell(), TELL)];
    addEventListener('pagehide', () => this.close());
  }

  /** What is on the screen counts: a picture that stands, a recording that runs. */
  tick() {
    const now = performance.now();
    const passed = Math.min(1, (now - this.last) / 1000);
    this.last = now;
    const shown = this.kind === 'picture' ? this.media.complete && this.media.naturalWidth > 0 : this.media.readyState >= 2 && (this.kind === 'video' || !this.media.paused);
    if (shown && !document.hidden) this.seen += passed;
    const text = `${this.viewing.watermark}  ${shanghai(Date.now())}`;
    [...this.mark.children].forEach((span, n) => {
      const t = now / 9000 + n * 2.6;
      Object.assign(span, { textContent: text });
      span.style.left = `${2 + 20 * (1 + Math.sin(t))}%`;
      span.style.top = `${6 + 20 * (1 + Math.cos(t * 0.7)) + n * 46}%`;
    });
  }

  async tell() {
    const seconds = Math.floor(this.seen);
    this.seen -= seconds;
    try { await post(`/api/v1/viewings/${this.viewing.id}/seen`, { seconds }); } catch (no) {
      if (no.status === 403 || no.status === 404 || no.status === 401) this.over();
    }
  }

  /** The approval ended: the picture goes at once. */
  over() {
    this.stop();
    this.media.removeAttribute('src');
    if (this.kind !== 'picture') this.media.load();
    root.querySelector('.place').replaceChildren(Object.assign(make('p', 'problem'), { textContent: root.dataset.revoked }));
  }

  stop() { this.timers.forEach(clearInterval); }

  close() {
    this.stop();
    const body = (seconds) => ({ method: 'POST', keepalive: true, headers: { 'Content-Type': 'application/json', 'X-Csrf-Token': document.body.dataset.csrf }, body: JSON.stringify(seconds) });
    fetch(`/api/v1/viewings/${this.viewing.id}/seen`, body({ seconds: Math.floor(this.seen) })).then(() => fetch(`/api/v1/viewings/${this.viewing.id}/close`, body({})));
  }

  /** The browser cannot play the original: a derived copy is made on demand and shown in its place, labelled. */
  offer() {
    if (this.kind === 'picture') { this.state.textContent = root.dataset.unsupported; return; }
    this.state.textContent = root.dataset.cannot;
    const button = Object.assign(make('button', ''), { type: 'button', id: 'derive', textContent: root.dataset.derive });
    button.addEventListener('click', async () => {
      button.disabled = true;
      try {
        let copy = await post(`/api/v1/viewings/${this.viewing.id}/${this.camera}/derive`);
        while (copy.state === 'waiting' || copy.state === 'running') {
          this.state.textContent = `${root.dataset.deriving} ${Math.floor(copy.done / 10)} %`;
          await new Promise((done) => setTimeout(done, 1000));
          const answer = await fetch(`/api/v1/copies/${copy.id}`);
          if (!answer.ok) throw await problem(answer);
          copy = await answer.json();
        }
        if (copy.state !== 'ready') throw new Error(copy.problem ?? copy.state);
        this.media.src = `/api/v1/copies/${copy.id}/file`;
        this.media.dataset.derived = '1';
        button.remove();
        this.state.textContent = root.dataset.derived;
      } catch (no) { button.disabled = false; this.state.textContent = no.message; }
    });
    this.state.after(button);
  }
}

document.getElementById('open-imported')?.addEventListener('click', async (event) => {
  const button = event.currentTarget;
  button.disabled = true;
  const words = root.querySelector('.problem');
  try {
    const viewing = await proving(() => post(`/api/v1/sessions/${root.dataset.session}/viewings`));
    button.hidden = true;
    words.hidden = true;
    new Look(viewing);
  } catch (no) { button.disabled = false; words.textContent = no.message; words.hidden = false; }
});
