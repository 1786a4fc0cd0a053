// How loud each camera's sound is over the session, drawn into its track of the time line: silence and talk are seen before anything
// plays. It is measured behind the first time; until then the track says how far that is.
import { clock, problem } from '/assets/console.js';

const HEARD = 25; // percent of the scale (45 dB below full scale) from which somebody may be speaking
const AGAIN = 1000; // milliseconds until the recorder is asked again

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

/** A camera's levels; `told` hears how far the measuring is. Nothing where there is none to be had. */
export async function levels(viewing, camera, told, over) {
  while (!over()) {
    const answer = await fetch(`/api/v1/viewings/${viewing}/${camera}/loudness`);
    if (!answer.ok) throw await problem(answer);
    const line = await answer.json();
    if (line.state === 'ready') return line;
    if (line.state === 'failed') return null;
    told(line.done);
    await wait(AGAIN);
  }
  return null;
}

/** Draws levels over the whole width of a canvas. Each column shows the loudest of what it stands for. */
export function draw(canvas, line, length_ms) {
  const width = canvas.width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
  const height = canvas.height = Math.max(1, Math.round(canvas.clientHeight * devicePixelRatio));
  const paint = canvas.getContext('2d');
  paint.fillStyle = getComputedStyle(canvas).color;
  for (let x = 0; x < width; x += 1) {
    const [from, to] = [x, x + 1].map((column) => (column / width) * length_ms / line.step_ms);
    const part = line.levels.slice(Math.floor(from), Math.max(Math.floor(from) + 1, Math.ceil(to)));
    const loudest = Math.max(0, ...part.map((l) => l ?? 0));
    const tall = Math.round((loudest / 100) * height);
    if (tall) paint.fillRect(x, height - tall, 1, tall);
  }
}

/** In words: for how long something was heard; null where no sound was recorded at all. */
export function heard(line) {
  if (line.levels.every((l) => l === null)) return null;
  return clock(line.levels.filter((l) => l >= HEARD).length * line.step_ms);
}
