// What a viewing copy covers and where it is silent: rectangles drawn with the mouse on a picture of the player, moved with the
// keyboard, or given in numbers; each with its time, by hand or taken from the player. Numbers are what is ordered: the drawing only
// shows them.
import { clock, shanghai } from '/assets/console.js';
import { shown } from '/assets/player.js';

const SMALLEST = 2; // percent of a picture below which a drag was a slip

const make = (kind, more = {}) => Object.assign(document.createElement(kind), more);
const between = (n, low, high) => Math.min(high, Math.max(low, n));

/** `0:01:30` as milliseconds. */
export function moment(text, words) {
  const parts = text.trim().split(':').map(Number);
  if (!text.trim() || parts.length > 3 || parts.some((p) => !Number.isInteger(p) || p < 0)) throw new Error(`${words['copy-bad-line']} ${text}`);
  return parts.reduce((sum, p) => sum * 60 + p, 0) * 1000;
}

const SIDES = ['left', 'top', 'width', 'height'];

/** A list of stretches of time, each of which may have a rectangle. */
class Stretches {
  constructor(list, words, word, changed) { Object.assign(this, { list, words, word, changed, rows: [] }); }

  add(camera, cameraName, sides, from, to) {
    const row = { item: make('li'), camera, fields: {} };
    const label = (name, text, field) => { const l = make('label', { className: name === 'from' || name === 'to' ? 'time' : 'number' }); l.append(text, field); row.fields[name] = field; field.addEventListener('input', () => this.changed()); row.item.append(l); };
    row.title = row.item.appendChild(make('span', { className: 'stretch-name' }));
    row.called = cameraName;
    if (sides) SIDES.forEach((side, n) => label(side, this.words[`mask-${side}`], make('input', { type: 'number', min: 0, max: 100, step: 1, value: sides[n] })));
    for (const [name, value, late] of [['from', from, false], ['to', to, true]]) {
      label(name, this.words[`mask-${name}`], make('input', { value: clock(late ? Math.ceil(value / 1000) * 1000 : value), inputMode: 'numeric', autocomplete: 'off' }));
      const here = make('button', { type: 'button', textContent: this.words[`mask-${name}-here`] });
      // Whole seconds outward: a moment more is covered rather than a moment less.
      here.addEventListener('click', () => {
        if (!shown.player) return this.problem?.(this.words['mask-not-open']);
        const at = Math.max(0, shown.player.position);
        row.fields[name].value = clock(late ? Math.ceil(at / 1000) * 1000 : at);
        return this.changed();
      });
      row.item.append(here);
    }
    const remove = make('button', { type: 'button', textContent: this.words['mask-remove'] });
    remove.addEventListener('click', () => this.remove(row));
    row.item.append(remove);
    this.rows.push(row);
    this.list.append(row.item);
    this.number();
    return row;
  }

  remove(row) {
    const at = this.rows.indexOf(row);
    this.rows.splice(at, 1);
    row.item.remove();
    this.number();
    (this.rows[Math.min(at, this.rows.length - 1)]?.item.querySelector('input') ?? this.home)?.focus();
  }

  number() { this.rows.forEach((row, n) => { row.title.textContent = `${this.words[this.word]} ${n + 1}${row.called ? ` · ${row.called}` : ''}`; }); this.changed(); }

  times(row) { return { from_ms: moment(row.fields.from.value, this.words), to_ms: moment(row.fields.to.value, this.words) }; }
}

/** The masks of an order. */
export class Masks {
  constructor(box, words) {
    Object.assign(this, { box, words, board: box.querySelector('#board'), camera: box.querySelector('[name=mask_camera]'), told: box.querySelector('#mask-problem') });
    this.canvas = this.board.querySelector('canvas');
    this.list = new Stretches(box.querySelector('#mask-list'), words, 'mask', () => this.show());
    this.list.problem = (text) => this.say(text);
    this.list.home = box.querySelector('#mask-add');
    box.querySelector('#mask-picture').addEventListener('click', () => this.picture());
    box.querySelector('#mask-add').addEventListener('click', () => { this.add([25, 25, 50, 50]).fields.left.focus(); });
    this.board.addEventListener('pointerdown', (e) => this.draw(e));
  }

  say(text) { this.told.hidden = !text; this.told.textContent = text; }

  add(sides) {
    const length = Number(document.getElementById('seek').max);
    return this.list.add(this.camera.value, this.camera.selectedOptions[0].textContent, sides, 0, length);
  }

  /** The picture that the player shows now, with its watermark: it goes nowhere. */
  picture() {
    this.say('');
    const screen = shown.player?.screens.find((s) => s.camera.camera === this.camera.value);
    if (!screen) return this.say(this.words['mask-not-open']);
    if (!screen.video.videoWidth || !screen.slide.hidden) return this.say(this.words['mask-no-picture']);
    shown.player.toggle(false);
    this.canvas.width = screen.video.videoWidth;
    this.canvas.height = screen.video.videoHeight;
    const paint = this.canvas.getContext('2d');
    paint.drawImage(screen.video, 0, 0);
    const size = Math.round(this.canvas.height / 24);
    Object.assign(paint, { font: `${size}px sans-serif`, fillStyle: 'rgb(255 255 255 / .6)', shadowColor: '#000', shadowBlur: 3 });
    const at = shanghai(Date.parse(shown.player.viewing.started_at) + shown.player.position);
    for (let y = 2; y < 24; y += 7) paint.fillText(`${shown.player.viewing.watermark} ${at}`, size * (y % 3), size * y);
    this.of = this.camera.value;
    this.board.hidden = false;
    document.getElementById('board-at').textContent = `${this.words['board-at']} ${this.camera.selectedOptions[0].textContent} ${clock(shown.player.position)} (${at})`;
    return this.show();
  }

  draw(e) {
    if (e.target !== this.canvas || e.button) return;
    e.preventDefault();
    const frame = this.canvas.getBoundingClientRect();
    const at = (event) => [between(((event.clientX - frame.left) / frame.width) * 100, 0, 100), between(((event.clientY - frame.top) / frame.height) * 100, 0, 100)];
    const [x, y] = at(e);
    const drawn = this.board.appendChild(make('div', { className: 'mask' }));
    // Outward to whole percents.
    const sides = (event) => { const [u, v] = at(event); const [l, t] = [Math.floor(Math.min(x, u)), Math.floor(Math.min(y, v))]; return [l, t, Math.ceil(Math.max(x, u)) - l, Math.ceil(Math.max(y, v)) - t]; };
    const move = (event) => place(drawn, sides(event));
    const up = (event) => {
      this.board.removeEventListener('pointermove', move);
      drawn.remove();
      const all = sides(event);
      if (event.type === 'pointerup' && all[2] >= SMALLEST && all[3] >= SMALLEST) { this.camera.value = this.of; this.add(all); }
    };
    this.board.setPointerCapture(e.pointerId);
    this.board.addEventListener('pointermove', move);
    this.board.addEventListener('pointerup', up, { once: true });
    this.board.addEventListener('pointercancel', up, { once: true });
  }

  /** The rectangles as their numbers say. Arrows move one, with Shift they size it, Delete takes it away. */
  show() {
    const focused = this.list.rows.findIndex((row) => row.box === document.activeElement);
    this.board.querySelectorAll('.mask').forEach((m) => m.remove());
    this.list.rows.forEach((row, n) => {
      row.box = null;
      if (this.board.hidden || row.camera !== this.of) return;
      const sides = SIDES.map((side) => Number(row.fields[side].value));
      row.box = this.board.appendChild(make('div', { className: 'mask', tabIndex: 0, textContent: String(n + 1) }));
      row.box.setAttribute('role', 'group');
      row.box.setAttribute('aria-label', `${this.words.mask} ${n + 1}: ${SIDES.map((side, i) => `${this.words[`mask-${side}`]} ${sides[i]}`).join(' ')}. ${this.words['mask-moves']}`);
      place(row.box, sides);
      row.box.addEventListener('keydown', (e) => this.key(e, row, sides));
    });
    if (focused >= 0) this.list.rows[focused]?.box?.focus();
  }

  key(e, row, [left, top, width, height]) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (e.key === 'Delete') { e.preventDefault(); e.stopPropagation(); this.list.remove(row); return; }
    if (!step) return;
    e.preventDefault();
    e.stopPropagation();
    const now = e.shiftKey ? [left, top, between(width + step[0], 1, 100 - left), between(height + step[1], 1, 100 - top)] : [between(left + step[0], 0, 100 - width), between(top + step[1], 0, 100 - height), width, height];
    SIDES.forEach((side, n) => { row.fields[side].value = now[n]; });
    this.show();
  }

  order() {
    return this.list.rows.map((row) => {
      const [x, y, width, height] = SIDES.map((side) => Number(row.fields[side].value));
      if ([x, y, width, height].some((n) => !Number.isInteger(n) || n < 0)) throw new Error(`${this.words['copy-bad-line']} ${[x, y, width, height].join(' ')}`);
      return { camera: row.camera, x, y, width, height, ...this.list.times(row) };
    });
  }
}

function place(box, sides) { ['left', 'top', 'width', 'height'].forEach((side, n) => { box.style[side] = `${sides[n]}%`; }); }

/** The stretches without sound of an order. */
export class Mutes {
  constructor(box, words) {
    this.list = new Stretches(box.querySelector('#mute-list'), words, 'mute', () => {});
    this.list.home = box.querySelector('#mute-add');
    this.list.home.addEventListener('click', () => {
      const length = Number(document.getElementById('seek').max);
      const at = Math.max(0, shown.player?.position ?? 0);
      this.list.add(null, '', null, at, Math.min(length, at + 10000)).fields.from.focus();
    });
  }

  order() { return this.list.rows.map((row) => this.list.times(row)); }
}
