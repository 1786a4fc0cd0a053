// One camera of a viewing: its files in a MediaSource buffer around the play head, its slide where there is no picture, and the
// watermark over all of it. A session may last eight hours, so only what is near the head is held.
import { clock, post, problem } from '/assets/console.js';

const AHEAD = 30; // seconds that are fetched before the head
const FORGET = 120; // seconds behind or far ahead after which a file is dropped
const SEAM = 0.6; // seconds between two files that are no gap (model::gap::TOLERANCE_MS)

const make = (kind, className) => Object.assign(document.createElement(kind), { className });

export class Screen {
  /** `shift`: what lies before the session's zero (pre-roll), so that every time in the buffer is positive. */
  constructor(viewing, camera, shift, texts) {
    Object.assign(this, { viewing, camera, shift, texts, loaded: new Set(), busy: false, failed: null, retryAt: 0 });
    this.figure = make('figure', 'tile screen');
    const picture = make('div', 'picture');
    this.video = Object.assign(make('video', ''), { muted: true, playsInline: true, disablePictureInPicture: true });
    this.slide = Object.assign(make('div', 'slide'), { hidden: true });
    this.mark = make('div', 'watermark');
    this.mark.append(make('span', ''), make('span', ''));
    picture.append(this.video, this.mark, this.slide);
    this.state = make('span', 'tile-state');
    const caption = make('figcaption', '');
    caption.append(camera.name, this.state);
    this.figure.append(picture, caption);
    this.figure.addEventListener('dblclick', () => this.figure.classList.toggle('large'));
    this.figure.addEventListener('contextmenu', (event) => event.preventDefault());
    this.open();
  }

  open() {
    this.media = new MediaSource();
    this.video.src = URL.createObjectURL(this.media);
    this.ready = new Promise((done) => this.media.addEventListener('sourceopen', () => {
      this.codecs = this.camera.segments.map((s) => s.codecs).find(Boolean);
      if (this.codecs && this.playable(this.codecs)) {
        this.buffer = this.media.addSourceBuffer(`video/mp4; codecs="${this.codecs}"`);
        this.media.duration = this.viewing.length_ms / 1000 + this.shift + 1;
      } else if (this.codecs) { this.failed = `${this.texts.unsupported} ${this.codecs}`; this.offer(); }
      done();
    }, { once: true }));
  }

  /** The browser cannot show the original: a derived copy is made on demand, and shown in its place, labelled. */
  offer() {
    const button = Object.assign(make('button', ''), { type: 'button', textContent: this.texts.derive });
    button.addEventListener('click', async () => {
      button.disabled = true;
      try {
        let copy = await post(`/api/v1/viewings/${this.viewing.id}/${this.camera.camera}/derive`);
        while (copy.state === 'waiting' || copy.state === 'running') {
          this.state.textContent = `${this.texts.deriving} ${Math.floor(copy.done / 10)} %`;
          await new Promise((done) => setTimeout(done, 1000));
          const answer = await fetch(`/api/v1/copies/${copy.id}`);
          if (!answer.ok) throw await problem(answer);
          copy = await answer.json();
        }
        if (copy.state !== 'ready') throw new Error(copy.problem ?? copy.state);
        this.video.src = `/api/v1/copies/${copy.id}/file`;
        this.derived = true;
        this.failed = null;
        button.remove();
        this.state.textContent = this.texts.derived;
      } catch (no) { button.disabled = false; this.state.textContent = no.message; }
    });
    this.figure.querySelector('figcaption').append(button);
  }

  playable(codecs) { return MediaSource.isTypeSupported(`video/mp4; codecs="${codecs}"`); }

  start(segment) { return segment.offset_ms / 1000 + this.shift; }

  end(segment) { return this.start(segment) + segment.duration_ms / 1000; }

  /** Whether there is a file for this moment; the seam between two files counts as one. */
  covers(head) { return this.camera.segments.some((s) => this.start(s) - SEAM <= head && head < this.end(s) + SEAM) && head >= this.first() && head < this.last(); }

  first() { return Math.min(...this.camera.segments.map((s) => this.start(s))); }

  last() { return Math.max(...this.camera.segments.map((s) => this.end(s))); }

  /** When the next picture comes after a moment without one. */
  nextAfter(head) { return Math.min(...this.camera.segments.map((s) => this.start(s)).filter((at) => at > head)); }

  has(head) {
    const ranges = this.video.buffered;
    for (let i = 0; i < ranges.length; i += 1) if (ranges.start(i) <= head + 0.05 && head < ranges.end(i)) return true;
    return false;
  }

  /** Has to be waited for: there is a picture, and it is on its way. */
  waits(head) {
    if (this.failed || this.derived || !this.buffer) return false;
    const segment = this.camera.segments.find((s) => this.start(s) <= head && head < this.end(s) - 0.1);
    return Boolean(segment) && !this.has(head) && !this.loaded.has(segment.sequence);
  }

  settled() { return new Promise((done) => (this.buffer.updating ? this.buffer.addEventListener('updateend', done, { once: true }) : done())); }

  /** Fetches the next file that is needed around a moment; forgets what lies far off. */
  async fill(head) {
    if (this.busy || !this.buffer || this.failed || performance.now() < this.retryAt) return;
    const wanted = this.camera.segments.filter((s) => !this.loaded.has(s.sequence) && this.start(s) < head + AHEAD && this.end(s) > head - 1);
    const far = this.camera.segments.filter((s) => this.loaded.has(s.sequence) && (this.end(s) < head - FORGET || this.start(s) > head + FORGET));
    if (!wanted.length && !far.length) return;
    this.busy = true;
    try {
      for (const s of far) await this.forget(s);
      if (wanted.length) await this.load(wanted[0], head);
      this.state.textContent = '';
    } finally { this.busy = false; }
  }

  async load(segment, head) {
    const answer = await fetch(`/api/v1/viewings/${this.viewing.id}/${this.camera.camera}/${segment.sequence}`);
    if (!answer.ok) throw await problem(answer);
    const data = await answer.arrayBuffer();
    await this.settled();
    if (segment.codecs && segment.codecs !== this.codecs) {
      if (!this.playable(segment.codecs)) { this.loaded.add(segment.sequence); return; }
      this.buffer.changeType(`video/mp4; codecs="${segment.codecs}"`);
      this.codecs = segment.codecs;
    }
    this.buffer.timestampOffset = this.start(segment);
    try {
      this.buffer.appendBuffer(data);
    } catch (no) {
      if (no.name !== 'QuotaExceededError') throw no;
      // The browser's own limit: make room behind the head, and try again at the next turn.
      const old = this.camera.segments.filter((s) => this.loaded.has(s.sequence) && (this.end(s) < head || this.start(s) > head + AHEAD));
      for (const s of old) await this.forget(s);
      return;
    }
    await this.settled();
    this.loaded.add(segment.sequence);
  }

  async forget(segment) {
    await this.settled();
    this.buffer.remove(Math.max(0, this.start(segment)), this.end(segment));
    this.loaded.delete(segment.sequence);
  }

  /** Shows the picture of a moment, or says why there is none. True if a picture is shown. */
  show(head, { playing, rate, exactly, gap }) {
    // A derived copy begins at the session's zero, and is one file.
    if (this.derived) head -= this.shift;
    const shown = this.derived ? this.video.readyState >= 2 && head >= 0 : this.has(head);
    this.slide.hidden = !this.failed && (shown || this.covers(head));
    if (!this.slide.hidden) this.explain(head, gap);
    const off = head - this.video.currentTime;
    const paused = !playing || !shown;
    if (shown && (exactly || Math.abs(off) > 0.4 || (paused && Math.abs(off) > 0.05))) this.video.currentTime = head;
    // A picture that runs a little early or late is pulled back softly; sound stays whole.
    this.video.playbackRate = rate * (Math.abs(off) > 0.04 && !paused ? 1 + Math.max(-0.1, Math.min(0.1, off)) : 1);
    if (paused !== this.video.paused) { if (paused) this.video.pause(); else this.video.play().catch(() => {}); }
    return shown;
  }

  explain(head, gap) {
    const zero = head - this.shift;
    const lines = this.failed ? [this.texts.failed, this.failed, ''] : [this.texts.gap, gap ? gap.cause : '', ''];
    const next = this.nextAfter(head);
    if (!this.failed && Number.isFinite(next)) lines[2] = `${this.texts.left} ${clock((next - head) * 1000)}`;
    if (!this.failed && zero < 0) lines[0] = this.texts.before;
    const key = lines.join('|');
    if (this.said === key) return;
    this.said = key;
    const [first, second, third] = [document.createTextNode(lines[0]), make('small', ''), make('span', 'figure')];
    second.textContent = lines[1];
    third.textContent = lines[2];
    this.slide.replaceChildren(first, second, third);
  }

  /** Name, request and the running time wander over the picture, twice: no part of the frame is free of them for long. */
  watermark(text, turn) {
    [...this.mark.children].forEach((span, n) => {
      span.textContent = text;
      const t = turn + n * 2.6;
      span.style.left = `${2 + 20 * (1 + Math.sin(t))}%`;
      span.style.top = `${6 + 20 * (1 + Math.cos(t * 0.7)) + n * 46}%`;
    });
  }

  /** The approval ended: the picture goes at once. */
  remove() {
    this.video.pause();
    this.video.removeAttribute('src');
    this.video.load();
    this.figure.remove();
  }
}
