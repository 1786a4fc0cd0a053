// All cameras of a session in step, by Media Source Extensions. One clock of our own leads; pictures follow it, and where there is
// none a slide says why. Segments are fetched around the play head alone: a session may last eight hours.
import { post, problem } from '/assets/console.js';

const AHEAD = 30, BEHIND = 30; // seconds of buffer around the head
const $ = (id) => document.getElementById(id);
const root = $('player');

class Screen {
  constructor(viewing, camera, shift) {
    Object.assign(this, { viewing, camera, shift, loaded: new Set(), busy: false, failed: false });
    this.figure = document.createElement('figure');
    this.figure.className = 'tile';
    this.video = Object.assign(document.createElement('video'), { muted: true, playsInline: true });
    this.slide = Object.assign(document.createElement('div'), { className: 'slide', hidden: true });
    const mark = Object.assign(document.createElement('div'), { className: 'watermark' });
    this.mark = document.createElement('span');
    mark.append(this.mark);
    const caption = Object.assign(document.createElement('figcaption'), { textContent: camera.name });
    this.figure.append(this.video, this.slide, mark, caption);
    this.media = new MediaSource();
    this.video.src = URL.createObjectURL(this.media);
    this.ready = new Promise((done) => this.media.addEventListener('sourceopen', () => {
      const codecs = camera.segments.map((s) => s.codecs).find((c) => c);
      if (codecs && MediaSource.isTypeSupported(`video/mp4; codecs="${codecs}"`)) {
        this.buffer = this.media.addSourceBuffer(`video/mp4; codecs="${codecs}"`);
        this.codecs = codecs;
        this.media.duration = viewing.length_ms / 1000 + shift;
      }
      done();
    }, { once: true }));
  }

  at(segment) { return segment.offset_ms / 1000 + this.shift; }

  settled() { return new Promise((done) => (this.buffer.updating ? this.buffer.addEventListener('updateend', done, { once: true }) : done())); }

  /** Fetches what is needed around a moment, one file at a time; forgets what lies far behind. */
  async fill(head) {
    if (this.busy || !this.buffer) return;
    this.busy = true;
    try {
      const wanted = this.camera.segments.find((s) => !this.loaded.has(s.sequence) && this.at(s) < head + AHEAD && this.at(s) + s.duration_ms / 1000 > head - 1);
      if (wanted) {
        this.loaded.add(wanted.sequence);
        const answer = await fetch(`/api/v1/viewings/${this.viewing.id}/${this.camera.camera}/${wanted.sequence}`);
        if (!answer.ok) throw await problem(answer);
        const data = await answer.arrayBuffer();
        await this.settled();
        if (wanted.codecs && wanted.codecs !== this.codecs) { this.buffer.changeType(`video/mp4; codecs="${wanted.codecs}"`); this.codecs = wanted.codecs; }
        this.buffer.timestampOffset = this.at(wanted);
        this.buffer.appendBuffer(data);
        await this.settled();
      }
      for (const s of this.camera.segments) {
        const end = this.at(s) + s.duration_ms / 1000;
        if (this.loaded.has(s.sequence) && (end < head - BEHIND - 60 || this.at(s) > head + AHEAD + 120)) {
          await this.settled();
          this.buffer.remove(Math.max(0, this.at(s)), end);
          this.loaded.delete(s.sequence);
        }
      }
    } finally { this.busy = false; }
  }

  has(head) {
    for (let i = 0; i < this.video.buffered.length; i += 1) if (this.video.buffered.start(i) <= head + 0.05 && head < this.video.buffered.end(i)) return true;
    return false;
  }
}

class Player {
  constructor(viewing) {
    this.viewing = viewing;
    this.known = JSON.parse(root.dataset.known);
    // Pre-roll and the first picture's lead-in lie before the session's zero.
    this.shift = Math.max(0, ...viewing.cameras.flatMap((c) => c.segments.map((s) => -s.offset_ms / 1000)));
    this.screens = viewing.cameras.map((c) => new Screen(viewing, c, this.shift));
    $('screens').append(...this.screens.map((s) => s.figure));
    Object.assign(this, { head: this.shift, playing: false, rate: 1, last: performance.now(), seen: 0 });
    this.controls();
    this.timers = [setInterval(() => this.tick(), 100), setInterval(() => this.tell(), 10000), setInterval(() => this.drift(), 2000)];
    this.drift();
    addEventListener('pagehide', () => this.close());
  }

  get position() { return Math.max(0, (this.head - this.shift) * 1000); }

  controls() {
    $('controls').hidden = false;
    $('play').onclick = () => this.toggle();
    $('back5').onclick = () => this.seek(this.position - 5000);
    $('on5').onclick = () => this.seek(this.position + 5000);
    $('seek').oninput = (e) => this.seek(Number(e.target.value));
    $('speed').onchange = (e) => { this.rate = Number(e.target.value); };
    $('sound').onchange = () => this.sound();
    this.sound();
    document.querySelectorAll('[data-seek]').forEach((b) => { b.onclick = () => { this.seek(Number(b.dataset.seek)); root.scrollIntoView({ block: 'center' }); }; });
    addEventListener('keydown', (e) => {
      if (e.target.closest('input:not([type=range]), select, textarea')) return;
      const act = { ' ': () => this.toggle(), ArrowLeft: () => this.seek(this.position - 5000), ArrowRight: () => this.seek(this.position + 5000), ',': () => this.seek(this.position - 66), '.': () => this.seek(this.position + 66) }[e.key];
      if (act && !(e.key === ' ' && e.target.closest('button, a, summary'))) { e.preventDefault(); act(); }
    });
  }

  sound() { const chosen = Number($('sound').value); this.screens.forEach((s, at) => { s.video.muted = at !== chosen; }); }

  toggle() { this.playing = !this.playing; this.last = performance.now(); $('play').textContent = this.playing ? $('play').dataset.pause : $('play').dataset.play; }

  seek(ms) { this.head = Math.min(Math.max(ms, 0), this.viewing.length_ms) / 1000 + this.shift; this.follow(true); }

  tick() {
    const now = performance.now();
    const passed = (now - this.last) / 1000;
    this.last = now;
    const waiting = this.screens.some((s) => this.covered(s) && !s.has(this.head) && !s.failed);
    if (this.playing && !waiting) {
      this.head += passed * this.rate;
      this.seen += passed;
      if (this.position >= this.viewing.length_ms) this.toggle();
    }
    this.follow(false);
    this.screens.forEach((s) => s.fill(this.head).catch((no) => this.no(s, no)));
  }

  /** Whether a camera has a file for this moment. */
  covered(s) { return s.camera.segments.some((g) => s.at(g) <= this.head && this.head < s.at(g) + g.duration_ms / 1000 - 0.1); }

  follow(exactly) {
    for (const s of this.screens) {
      const shown = s.has(this.head);
      s.slide.hidden = shown || this.covered(s);
      if (!s.slide.hidden) {
        const gap = this.known.gaps.find((g) => g.camera === s.camera.camera && g.from <= this.position + 500 && this.position < g.to);
        s.slide.textContent = gap ? `${root.dataset.gap} · ${gap.cause}` : root.dataset.gap;
      }
      const off = this.head - s.video.currentTime;
      const paused = !this.playing || !shown;
      if (shown && (exactly || Math.abs(off) > 0.4 || (paused && Math.abs(off) > 0.05))) s.video.currentTime = this.head;
      s.video.playbackRate = this.rate * (Math.abs(off) > 0.04 && !paused ? 1 + Math.max(-0.1, Math.min(0.1, off)) : 1);
      if (paused !== s.video.paused) { if (paused) s.video.pause(); else s.video.play().catch(() => {}); }
    }
    const p = Math.floor(this.position / 1000);
    $('position').textContent = `${Math.floor(p / 3600)}:${String(Math.floor(p / 60) % 60).padStart(2, '0')}:${String(p % 60).padStart(2, '0')}`;
    if (document.activeElement !== $('seek')) $('seek').value = this.position;
  }

  /** Name, request and the running time wander over every picture: none can be cut out of the frame. */
  drift() {
    const at = new Date(Date.now()).toLocaleString('sv-SE', { timeZone: 'Asia/Shanghai' });
    this.screens.forEach((s, n) => {
      s.mark.textContent = `${this.viewing.watermark} ${at}`;
      const t = Date.now() / 7000 + n;
      s.mark.style.left = `${8 + 22 * (1 + Math.sin(t))}%`;
      s.mark.style.top = `${12 + 32 * (1 + Math.cos(t * 0.7))}%`;
    });
  }

  tell(options) {
    const seconds = Math.round(this.seen);
    if (!seconds) return Promise.resolve();
    this.seen -= seconds;
    return post(`/api/v1/viewings/${this.viewing.id}/seen`, { seconds }, options).catch((no) => this.no(null, no));
  }

  no(screen, told) {
    if (told.status === 403 || told.status === 401 || told.status === 404 || told.name === 'TypeError') return this.cut(told.status === 403 ? root.dataset.revoked : told.message);
    if (screen) screen.failed = true;
    words(`${root.dataset.failed} ${told.message ?? ''}`);
  }

  /** The approval ended: pictures go at once. */
  cut(why) {
    this.timers.forEach(clearInterval);
    this.screens.forEach((s) => { s.video.pause(); s.video.removeAttribute('src'); s.video.load(); s.figure.remove(); });
    $('controls').hidden = true;
    words(why);
  }

  close() { this.tell({ keepalive: true }); post(`/api/v1/viewings/${this.viewing.id}/close`, {}, { keepalive: true }).catch(() => {}); }
}

function words(text) { $('player-words').hidden = false; $('player-words').textContent = text; }

$('open-viewing')?.addEventListener('click', async (event) => {
  event.target.disabled = true;
  try {
    const viewing = await post(`/api/v1/sessions/${root.dataset.session}/viewings`);
    event.target.hidden = true;
    const player = new Player(viewing);
    await Promise.all(player.screens.map((s) => s.ready));
    player.toggle();
  } catch (no) { event.target.disabled = false; words(no.message); }
});
