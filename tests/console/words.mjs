// Whether words stand in a picture: they are set once more with the same letters on grey, and laid over it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const WIDTH = 1280;
const HEIGHT = 720;

function grey(file) { return execFileSync('ffmpeg', ['-v', 'error', '-i', file, '-vf', `scale=${WIDTH}:${HEIGHT}`, '-f', 'rawvideo', '-pix_fmt', 'gray', '-'], { maxBuffer: 1 << 26 }); }

function set(words) {
  const file = join(mkdtempSync(join(tmpdir(), 'words-')), 'words.png');
  const overlay = ['textoverlay', `text=${words}`, 'halignment=left', 'valignment=top', 'shaded-background=true', 'font-desc=Noto Sans CJK SC, Sans 13'];
  execFileSync('gst-launch-1.0', ['-q', 'videotestsrc', 'num-buffers=1', 'pattern=solid-color', 'foreground-color=0xff606060', '!', `video/x-raw,format=I420,width=${WIDTH},height=${HEIGHT}`, '!', ...overlay, '!', 'videoconvert', '!', 'pngenc', '!', 'filesink', `location=${file}`]);
  return grey(file);
}

/** From 0 to 1: how much of the letters' light is where these words would have it. */
export function stands(words, file) {
  const [still, wanted] = [grey(file), set(words)];
  let [light, found, n, m] = [0, 0, 0, 0];
  for (let y = 0; y < 60; y += 1) {
    for (let x = 0; x < WIDTH; x += 1) {
      const at = y * WIDTH + x;
      // Letters are white on a shade that is darker than the grey.
      if (wanted[at] > 200) { light += 1; if (still[at] > 150) found += 1; }
      // The shade between the letters.
      if (wanted[at] < 40) { n += 1; if (still[at] < 110) m += 1; }
    }
  }
  return light && n ? Math.min(found / light, m / n) : 0;
}
