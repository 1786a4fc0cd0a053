// One camera of a viewing: its files in a MediaSource buffer around the play head, its slide where there is no picture, and the
// watermark over all of it. A session may last eight hours, so only what is near the head is held.
import { clock, post, problem } from '/assets/console.js';

const AHEAD = 30; // seconds that are fetched before the head
const FORGET = 120; // seconds behind or far ahead after which a file is dropped
const SHORT = 3; // seconds into a file before which it is fetched from its beginning
const SOON = 2; // seconds before a gap's end in which the picture after it is found
const PULL = 10; // of the distance to the leader, each second
const STILL = 500; // milliseconds without movement after which a picture leads no more
const ASTRAY = 0.4; // seconds, at 1×, from which on a picture is sought anew instead of pulled
const STUCK = 2000; // milliseconds after which the clock waits for a picture no more
const SEAM = 0.6; // seconds between two files that are no gap (model::gap::TOLERANCE_MS)

const make = (kind, className) => Object.assign(document.createElement(kind), { className });

export class Screen {
  /** `shift`: what lies before the session's zero (pre-roll), so that every time in the buffer is positive. */
  constructor(viewing, camera, shift, texts) {
    Object.assign(this, { viewing, camera, shift, texts, loaded: new Map(), busy: null, failed: null, retryAt: 0, pending: true, lateSince: 0, joins: false, moved: { at: -1, when: 0 }, came: () => {} });
    this.figure = make('figure', 'tile screen');
    const picture = make('div', 'picture');
    this.video = Object.assign(make('video', ''), { muted: true, playsInline: true, disablePictureInPicture: true, disableRemotePlayback: true });
    this.video.setAttribute('controlslist', 'nodownload nofullscreen noremoteplayback');
    // A browser that takes the picture out of the page all the same would take it without its watermark.
    this.video.addEventListener('enterpictureinpicture', () => document.exitPictureInPicture().catch(() => {}));
    this.slide = Object.assign(make('div', 'slide'), { hidden: true });
    this.mark = make('div', 'watermark');
    this.mark.append(make('span', ''), make('span', ''));
    this.label = Object.assign(make('p', 'derived'), { hidden: true });
    picture.append(this.video, this.mark, this.label, this.slide);
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
    this.offered = true;
    const button = Object.assign(make('button', ''), { type: 'button', textContent: this.texts.derive });
    button.addEventListener('click', async () => {
      button.disabled = true;
      try {
        let copy = await post(`/api/v1/viewings/${this.viewing.id}/${this.camera.camera}/derive`);
        const bar = Object.assign(make('progress', ''), { max: 1000 });
        while (copy.state === 'waiting' || copy.state === 'running') {
          bar.value = copy.done;
          this.state.replaceChildren(`${this.texts.deriving} ${Math.floor(copy.done / 10)} % `, bar);
          await new Promise((done) => setTimeout(done, 1000));
          const answer = await fetch(`/api/v1/copies/${copy.id}`);
          if (!answer.ok) throw await problem(answer);
          copy = await answer.json();
        }
        if (copy.state !== 'ready') throw new Error(this.texts[copy.problem] ?? this.texts.not_made);
        this.video.src = `/api/v1/copies/${copy.id}/file`;
        this.derived = true;
        this.failed = null;
        this.pending = true;
        this.figure.dataset.derived = copy.id;
        this.label.textContent = this.texts.derived_label;
        this.label.hidden = false;
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

  /** The file of a moment, and from where on it was fetched, seconds into it; none where it was not. */
  at(head) { return this.camera.segments.find((s) => this.start(s) <= head && head < this.end(s) - 0.1); }

  fetched(segment, head) { const from = this.loaded.get(segment.sequence); return from !== undefined && this.start(segment) + from <= head + 0.05; }

  /** Has to be waited for: there is a picture, and it is on its way; or the video element is still finding it. One that comes out of a gap
      catches up instead. */
  waits(head) {
    if (this.failed || this.derived || !this.buffer) return false;
    const segment = this.at(head);
    if (segment && !this.has(head) && !this.fetched(segment, head)) return true;
    const late = !this.joins && this.has(head) && (this.video.seeking || this.video.readyState < 3) && head < this.last() - 0.2;
    if (!late) this.lateSince = 0; else this.lateSince ||= performance.now();
    return late && performance.now() - this.lateSince < STUCK;
  }

  /** Where its picture is, on the clock of the head. */
  now() { return this.video.currentTime + (this.derived ? this.shift : 0); }

  /** Has a picture near this moment that moves, or was let go only now. */
  runs(head, now, rate) {
    if (this.video.currentTime !== this.moved.at) this.moved = { at: this.video.currentTime, when: now };
    return !this.failed && !this.video.paused && !this.video.seeking && !this.video.ended && (this.derived || this.has(head)) && now - this.moved.when < STILL && Math.abs(this.now() - head) < ASTRAY * Math.max(1, rate);
  }

  /** How far a running picture lies behind the clock, seconds. */
  behind(head) { return this.derived || this.video.paused || this.video.seeking || !this.has(head) ? 0 : Math.max(0, head - this.video.currentTime); }

  settled() { return new Promise((done) => (this.buffer.updating ? this.buffer.addEventListener('updateend', done, { once: true }) : done())); }

  /** Fetches the next file that is needed around a moment; forgets what lies far off. */
  async fill(head) {
    if (!this.buffer || this.failed || performance.now() < this.retryAt) return;
    // What is being fetched does not hold the moment any more: it is broken off, and the right one begins.
    if (this.busy && this.busy.segment && !this.has(head) && this.at(head) && (this.at(head) !== this.busy.segment || head < this.busy.from)) this.busy.stop.abort();
    if (this.busy) return;
    const needs = (s) => !this.loaded.has(s.sequence) || (this.start(s) <= head && head < this.end(s) - 0.1 && !this.fetched(s, head) && !this.has(head));
    const wanted = this.camera.segments.filter((s) => needs(s) && this.start(s) < head + AHEAD && this.end(s) > head);
    const far = this.camera.segments.filter((s) => this.loaded.has(s.sequence) && (this.end(s) < head - FORGET || this.start(s) > head + FORGET));
    if (!wanted.length && !far.length) return;
    this.busy = {};
    try {
      for (const s of far) await this.forget(s);
      if (wanted.length) await this.load(wanted[0], head);
      this.state.textContent = this.derived ? this.texts.derived : '';
    } finally { this.busy = null; }
  }

  /** A file as it comes; in its middle from the last key picture before the head. */
  async load(segment, head) {
    const into = head - this.start(segment) > SHORT ? head - this.start(segment) : 0;
    const stop = new AbortController();
    this.busy = { segment, stop, from: this.start(segment) + into };
    try {
      const entry = into ? `?from_ms=${Math.floor(into * 1000)}` : '';
      const answer = await fetch(`/api/v1/viewings/${this.viewing.id}/${this.camera.camera}/${segment.sequence}${entry}`, { signal: stop.signal });
      if (!answer.ok) throw await problem(answer);
      await this.settled();
      if (segment.codecs && segment.codecs !== this.codecs) {
        if (!this.playable(segment.codecs)) { this.loaded.set(segment.sequence, 0); stop.abort(); return; }
        this.buffer.changeType(`video/mp4; codecs="${segment.codecs}"`);
        this.codecs = segment.codecs;
      }
      this.buffer.timestampOffset = this.start(segment);
      const reader = answer.body.getReader();
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        await this.settled();
        if (!(await this.append(piece.value, segment, head))) { stop.abort(); return; }
        await this.settled();
        this.came();
      }
      this.loaded.set(segment.sequence, into);
      // Behind the last picture the browser would wait for more, and show nothing. It goes on by itself when more is put in.
      if (this.end(segment) >= this.last() && this.media.readyState === 'open') this.media.endOfStream();
    } catch (no) {
      // Half a fragment lies in the browser's parser: it begins anew.
      if (this.media.readyState === 'open') this.buffer.abort();
      if (no.name !== 'AbortError') throw no;
    }
  }

  /** False where the browser has no more room, even after what is behind the head was let go of; it is tried again at the next turn. */
  async append(data, segment, head) {
    try { this.buffer.appendBuffer(data); return true; } catch (no) {
      if (no.name !== 'QuotaExceededError') throw no;
      this.buffer.abort();
      const old = this.camera.segments.filter((s) => s !== segment && this.loaded.has(s.sequence) && (this.end(s) < head || this.start(s) > head + AHEAD));
      for (const s of old) await this.forget(s);
      // Nothing was let go of: what is there plays on, and the rest comes once the head has moved.
      if (!old.length) this.retryAt = performance.now() + 5000;
      return false;
    }
  }

  async forget(segment) {
    await this.settled();
    this.buffer.remove(Math.max(0, this.start(segment)), this.end(segment));
    this.loaded.delete(segment.sequence);
  }

  /** Shows the picture of a moment, or says why there is none. True if a picture is shown. */
  show(head, { playing, hold, rate, speed, leads, slow, exactly, gap }) {
    // A derived copy begins at the session's zero, and is one file.
    if (this.derived) head -= this.shift;
    const shown = this.derived ? this.video.readyState >= 1 && head >= 0 : this.has(head);
    this.pending ||= exactly;
    if (!this.covers(head)) this.joins = true; else if (this.pending || (shown && !this.video.seeking && this.video.readyState > 2)) this.joins = false;
    this.slide.hidden = !this.failed && (shown || this.covers(head));
    if (!this.slide.hidden) this.explain(head, gap);
    const off = head - this.video.currentTime;
    // While one is waited for the others stand, where they are.
    const stands = hold && off < 0.02;
    const paused = !playing || !shown || stands;
    const astray = (!leads && Math.abs(off) > ASTRAY * Math.max(1, rate)) || (paused && Math.abs(off) > (playing && stands ? 0.2 : 0.03));
    if (shown && (this.pending || (astray && !this.video.seeking))) {
      this.video.currentTime = head;
      this.pending = false;
    }
    // Before a gap ends its first picture is found already, so that it runs when its moment comes.
    const next = shown || this.derived ? Infinity : this.nextAfter(head);
    if (next - head < SOON * rate && !this.video.seeking && this.has(next) && Math.abs(this.video.currentTime - next) > 0.03) this.video.currentTime = next;
    // Who leads runs at the speed that was chosen. The others take the leader's speed, and are pulled to where it is: softly, most of it
    // within a fifth of a second.
    const pulled = leads || paused ? rate * (slow ? 0.5 : 1) : Math.min(16, 2 * rate, Math.max(0.1, speed + off * PULL));
    if (Math.abs(this.video.playbackRate - pulled) > 0.02 * rate) this.video.playbackRate = pulled;
    if (paused !== this.video.paused) { if (paused) this.video.pause(); else { this.moved = { at: -1, when: performance.now() }; this.video.play().catch(() => {}); } }
    return shown;
  }

  explain(head, gap) {
    const zero = head - this.shift;
    const lines = this.failed ? [this.texts.failed, this.failed, this.offered ? this.texts.offer : ''] : [this.texts.gap, gap ? gap.cause : '', ''];
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
