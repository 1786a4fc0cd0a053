// All cameras of a session in step. The one that is heard leads, the others follow it; where no picture runs a clock of our own goes
// on, and a slide says why for as long as it lasts. Every few seconds the recorder is asked whether the approval still lives, and told
// what was really shown.
import { clock, post, shanghai } from '/assets/console.js';
import { draw, heard, levels } from '/assets/loudness.js';
import { proving } from '/assets/prove.js';
import { Screen } from '/assets/screen.js';

const TELL = 4000; // milliseconds between two words to the recorder
const TICK = 20; // milliseconds between two looks at where the pictures are
const EVEN = 0.06; // seconds over which the leader's speed is taken
const BEHIND = 0.06; // seconds, at 1×, that a picture may lie behind the leader before that slows
const $ = (id) => document.getElementById(id);
const root = $('player');
const line = $('timeline');

/** The player that is open now, for what takes its picture and its moment from it. */
export const shown = { player: null };

class Player {
  constructor(viewing) {
    this.viewing = viewing;
    Object.assign(this, JSON.parse(root.dataset.known));
    // Pre-roll and the first picture's lead-in lie before the session's zero.
    this.shift = Math.max(0, ...viewing.cameras.flatMap((c) => c.segments.map((s) => -s.offset_ms / 1000)));
    const texts = { gap: root.dataset.gap, failed: root.dataset.failed, left: root.dataset.left, before: root.dataset.before, unsupported: root.dataset.unsupported, derive: root.dataset.derive, deriving: root.dataset.deriving, derived: root.dataset.derived, derived_label: root.dataset.derivedLabel, offer: root.dataset.offer, no_room: root.dataset.noRoom, not_made: root.dataset.notMade };
    this.screens = viewing.cameras.map((c) => new Screen(viewing, c, this.shift, texts));
    $('screens').replaceChildren(...this.screens.map((s) => s.figure));
    Object.assign(this, { head: this.shift, playing: false, rate: 1, speed: 0, leader: null, slowSince: 0, last: performance.now(), seen: 0, over: false });
    this.controls();
    this.follow(true);
    this.drift();
    this.timers = [setInterval(() => this.tick(), TICK), setInterval(() => this.tell(), TELL), setInterval(() => this.drift(), 1000)];
    this.screens.forEach((s) => { s.came = () => { if (!this.over) this.follow(false); }; });
    addEventListener('pagehide', () => this.close());
    shown.player = this;
    this.loudness();
  }

  /** Sound as a line in each camera's track, and in words below; one camera after the other. */
  async loudness() {
    const words = $('loudness-words');
    const told = new Map();
    const say = (camera, text) => { told.set(camera, text); words.hidden = false; words.textContent = `${words.dataset.title} ${[...told.values()].join(words.dataset.comma)}`; };
    for (const { camera, name } of this.viewing.cameras) {
      const canvas = line.querySelector(`canvas[data-camera="${camera}"]`);
      try {
        const got = await levels(this.viewing.id, camera, (done) => say(camera, `${name} ${words.dataset.measuring} ${Math.floor(done / 10)} %`), () => this.over);
        if (!got) { say(camera, `${name} ${words.dataset.failed}`); continue; }
        const length = heard(got);
        say(camera, length === null ? `${name} ${words.dataset.none}` : `${name} ${words.dataset.heard} ${length}`);
        canvas.hidden = length === null;
        const paint = () => { if (!this.over && length !== null) draw(canvas, got, this.viewing.length_ms); };
        paint();
        addEventListener('resize', paint);
      } catch (no) {
        say(camera, `${name} ${words.dataset.failed}`);
        if (no.status === 403 || no.status === 401) { this.no(null, no); return; }
      }
    }
  }

  /** The whole player, so that watermark and recorded time stay; never a video by itself. */
  full() {
    const stage = $('stage');
    if (document.fullscreenElement) document.exitFullscreen(); else stage.requestFullscreen?.().catch((no) => say(no.message));
  }

  fulled() {
    const on = document.fullscreenElement;
    // Something else (a picture of its own, without the watermark) does not stay.
    if (on && on !== $('stage') && $('stage').contains(on)) document.exitFullscreen();
    $('full').textContent = on === $('stage') ? $('full').dataset.leave : $('full').dataset.enter;
    $('full').setAttribute('aria-pressed', String(on === $('stage')));
    this.drift();
  }

  /** Where the head is on the session's time line, ms; negative in the pre-roll. */
  get position() { return (this.head - this.shift) * 1000; }

  controls() {
    $('controls').hidden = false;
    $('play').onclick = () => this.toggle();
    $('back5').onclick = () => this.by(-5000);
    $('on5').onclick = () => this.by(5000);
    $('skip').onclick = () => this.skip();
    $('seek').min = Math.round(-this.shift * 1000);
    $('seek').oninput = (e) => this.seek(Number(e.target.value));
    $('speed').onchange = (e) => { this.rate = Number(e.target.value); };
    $('sound').onchange = () => this.sound();
    this.sound();
    $('still').onclick = () => this.still();
    $('full').hidden = !document.fullscreenEnabled;
    $('full').onclick = () => this.full();
    document.addEventListener('fullscreenchange', () => { if (!this.over) this.fulled(); });
    $('layout').onchange = (e) => { $('screens').dataset.layout = e.target.value; };
    $('wall-seek').onchange = (e) => this.seekWall(e.target.value);
    document.querySelectorAll('[data-seek]').forEach((b) => b.addEventListener('click', () => { this.seek(Number(b.dataset.seek)); root.scrollIntoView({ block: 'nearest' }); }));
    this.timeline();
    addEventListener('keydown', (e) => this.key(e));
  }

  timeline() {
    line.classList.add('live');
    this.heads = [...line.querySelectorAll('.track-bar')].map((bar) => {
      const head = Object.assign(document.createElement('span'), { className: 'playhead' });
      bar.append(head);
      bar.addEventListener('click', (e) => {
        if (e.target.closest('[data-seek]')) return;
        const box = bar.getBoundingClientRect();
        this.seek(((e.clientX - box.left) / box.width) * this.viewing.length_ms);
      });
      return head;
    });
  }

  key(e) {
    if (this.over || e.ctrlKey || e.altKey || e.metaKey || e.target.closest('input:not([type=range]), select, textarea')) return;
    const act = { ' ': () => this.toggle(), ArrowLeft: () => this.by(-5000), ArrowRight: () => this.by(5000), ',': () => this.step(-1), '.': () => this.step(1), g: () => this.skip(), s: () => this.still(), f: () => this.full(), Home: () => this.seek(-this.shift * 1000), End: () => this.seek(this.viewing.length_ms - 1000) }[e.key.length === 1 ? e.key.toLowerCase() : e.key];
    if (!act || (e.key === ' ' && e.target.closest('button, a, summary'))) return;
    e.preventDefault();
    act();
  }

  sound() { const chosen = Number($('sound').value); this.screens.forEach((s, at) => { s.video.muted = at !== chosen; }); }

  toggle(on = !this.playing) {
    if (on && this.position >= this.viewing.length_ms) this.head = this.shift;
    const stops = this.playing && !on;
    this.playing = on;
    this.last = performance.now();
    // Running pictures may be a picture apart; those that stand are of one moment.
    if (stops) this.follow(true);
    $('play').textContent = on ? $('play').dataset.pause : $('play').dataset.play;
  }

  by(ms) { this.seek(this.position + ms); }

  /** One picture on or back; 15 a second is what the slowest camera of a room sends. */
  step(pictures) { this.toggle(false); this.seek(this.position + pictures * (1000 / 15)); }

  seek(ms) {
    this.head = Math.min(Math.max(ms, -this.shift * 1000), this.viewing.length_ms) / 1000 + this.shift;
    this.last = performance.now();
    this.follow(true);
    this.fill();
  }

  fill() { this.screens.forEach((s) => s.fill(this.head).catch((no) => this.no(s, no))); }

  /** The picture of the main camera as a file, made by the recorder with the viewer's name in it; logged. */
  async still() {
    const [main] = this.screens;
    const link = Object.assign(document.createElement('a'), { href: `/api/v1/viewings/${this.viewing.id}/${main.camera.camera}/still?at_ms=${Math.max(0, Math.round(this.position))}`, download: '' });
    link.click();
  }

  /** To a time of day in Shanghai: the first one after the session's start. */
  seekWall(text) {
    const [h, m, s = 0] = text.split(':').map(Number);
    const start = Date.parse(this.viewing.started_at);
    const zero = new Date(start + 8 * 3600e3).setUTCHours(h, m, s, 0) - 8 * 3600e3;
    if (Number.isFinite(zero)) this.seek((zero < start - 60e3 ? zero + 86400e3 : zero) - start);
  }

  /** Past the stretch in which no camera has a picture, or else to the next one that begins. */
  skip() {
    const next = Math.min(...this.screens.map((s) => s.nextAfter(this.head)));
    if (Number.isFinite(next)) this.seek((next - this.shift) * 1000 + 50);
  }

  tick() {
    const now = performance.now();
    const passed = Math.min(1, (now - this.last) / 1000);
    this.last = now;
    const waiting = this.screens.some((s) => s.waits(this.head));
    this.hold = waiting;
    this.leader = this.playing && !waiting ? this.leads(now) : null;
    // A camera that cannot keep up slows the leader, and with it the others, for a while.
    if (this.leader && this.screens.some((s) => s.behind(this.head) > BEHIND * this.rate)) this.slowSince ||= now; else this.slowSince = 0;
    if (this.playing && !waiting) {
      const before = this.head;
      this.head = this.leader ? this.leader.now() : this.head + passed * this.rate;
      if (passed) this.speed += (Math.min(2 * this.rate, Math.max(0, this.head - before) / passed) - this.speed) * Math.min(1, passed / EVEN);
      if (this.position >= this.viewing.length_ms) { this.head = this.viewing.length_ms / 1000 + this.shift; this.toggle(false); }
    }
    const pictures = this.follow(false);
    // Seen is what was on the screen, standing or running; a slide is not.
    if (pictures && !waiting && !document.hidden) this.seen += passed;
    this.fill();
  }

  /** Whose picture the others follow: the one that is heard, whose clock is the sound's and bears no pulling; else any that runs. */
  leads(now) {
    const runs = this.screens.filter((s) => s.runs(this.head, now, this.rate));
    return runs.find((s) => !s.video.muted) ?? (runs.includes(this.leader) ? this.leader : runs[0]) ?? null;
  }

  follow(exactly) {
    const at = this.position;
    let pictures = 0;
    for (const s of this.screens) {
      const gap = this.gaps.find((g) => g.camera === s.camera.camera && g.from - 600 <= at && at < g.to + 600);
      if (s.show(this.head, { playing: this.playing, hold: this.hold, rate: this.rate, speed: this.speed, leads: s === this.leader, slow: this.slowSince && performance.now() - this.slowSince < 1500, exactly, gap })) pictures += 1;
    }
    $('skip').hidden = pictures > 0 || !this.screens.some((s) => Number.isFinite(s.nextAfter(this.head))) || this.screens.some((s) => s.waits(this.head));
    $('position').textContent = `${at < 0 ? '−' : ''}${clock(Math.abs(at))} / ${clock(this.viewing.length_ms)}`;
    const line = this.lines.findLast((l) => l.at <= at);
    $('caption').textContent = line && at - line.at < 30000 ? line.text : '';
    $('wall').textContent = shanghai(Date.parse(this.viewing.started_at) + at);
    if (document.activeElement !== $('seek') || this.playing) $('seek').value = at;
    const share = Math.min(100, Math.max(0, (at / this.viewing.length_ms) * 100));
    this.heads.forEach((head) => { head.style.left = `${share}%`; });
    return pictures;
  }

  drift() {
    const text = `${this.viewing.watermark} ${shanghai(Date.now())}`;
    this.screens.forEach((s, n) => s.watermark(text, Date.now() / 9000 + n));
  }

  /** Tells the seconds that were shown, and hears whether the approval still lives: also while the picture stands. */
  tell(options) {
    const seconds = Math.floor(this.seen);
    this.seen -= seconds;
    return post(`/api/v1/viewings/${this.viewing.id}/seen`, { seconds }, options).catch((no) => { this.seen += seconds; this.no(null, no); });
  }

  no(screen, told) {
    if (this.over) return;
    if (told.status === 403) return this.cut(root.dataset.revoked);
    if (told.status === 401 || (told.status === 404 && !screen)) return this.cut(told.status === 401 ? told.message : root.dataset.closed);
    // The network or the recorder is away for a moment: the clock waits, and it is tried again.
    if (screen) { screen.retryAt = performance.now() + 2000; screen.state.textContent = `${root.dataset.retry} ${told.status ? told.message : ''}`; }
    if (screen && told.status === 404) screen.failed = told.message;
  }

  /** The approval ended: pictures go at once. */
  cut(why) {
    this.over = true;
    this.timers.forEach(clearInterval);
    this.screens.forEach((s) => s.remove());
    shown.player = null;
    if (document.fullscreenElement) document.exitFullscreen();
    line.querySelectorAll('canvas').forEach((c) => { c.hidden = true; });
    $('loudness-words').hidden = true;
    $('caption').textContent = '';
    $('controls').hidden = true;
    line.classList.remove('live');
    this.heads.forEach((head) => head.remove());
    say(why);
  }

  close() {
    if (this.over) return;
    this.tell({ keepalive: true });
    post(`/api/v1/viewings/${this.viewing.id}/close`, {}, { keepalive: true }).catch(() => {});
    this.cut(root.dataset.closed);
  }
}

function say(text) { $('player-words').hidden = false; $('player-words').textContent = text; }

$('open-viewing')?.addEventListener('click', async (event) => {
  const button = event.target;
  button.disabled = true;
  try {
    const viewing = await post(`/api/v1/sessions/${root.dataset.session}/viewings`);
    $('player-words').hidden = true;
    button.hidden = true;
    const player = new Player(viewing);
    await Promise.all(player.screens.map((s) => s.ready));
    player.fill();
    player.toggle(true);
    $('play').focus({ preventScroll: true });
    $('stage').scrollIntoView({ block: 'nearest' });
  } catch (no) { button.disabled = false; say(no.message); }
});

// The package is made ready first (its lists and proofs), then the browser fetches it as it fetches any file, and can go on where
// a download broke off.
const make = $('package');
make?.addEventListener('click', async () => {
  const words = $('package-words');
  make.disabled = true;
  words.classList.remove('problem');
  try {
    const made = await proving(() => post(make.dataset.to));
    const link = Object.assign(document.createElement('a'), { href: `/api/v1/packages/${made.id}`, download: made.name, textContent: made.name });
    words.replaceChildren(`${make.dataset.ready} `, link, ` · ${(made.bytes / 1e6).toFixed(1)} MB · manifest-sha256.txt `, Object.assign(document.createElement('code'), { textContent: made.manifest_sha256 }));
    link.click();
  } catch (error) {
    words.classList.add('problem');
    words.textContent = `${make.dataset.failed} ${error.message}`;
  }
  make.disabled = false;
});
