//! Between a front and the muxer: access units get sensible times; the muxer is started at a key frame, started anew when the
//! format changes, and goes on without sound when sound stays away.

use crate::capture::hub::Hub;
use crate::capture::mux::Mux;
use crate::capture::timeline::{Placed, Timeline};
use crate::machine::clock::Clock;
use crate::model::time::Moment;
use chrono::{DateTime, Utc};
use gstreamer as gst;
use std::sync::Arc;
use std::time::Duration;

/// The largest access unit that is taken: a 4K key frame has some 2 MB.
const UNIT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Sound that is announced and does not come for this long is gone on without, ms.
const SOUND_AWAY_MS: u64 = 3_000;
/// G.711 comes in 20 ms packets; each push wakes a thread, so they are gathered to this length.
const GATHER: Duration = Duration::from_millis(200);

/// A stream's format: which piece of `pipelines/` takes it, and its caps. Another format means another run of the muxer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Format {
    pub(super) piece: &'static str,
    pub(super) caps: gst::Caps,
    /// For sound that may be gathered: bytes a second.
    pub(super) gathers: Option<u32>,
}

/// A picture as a front gives it.
pub(super) struct Picture {
    pub(super) data: Vec<u8>,
    pub(super) media_ns: i64,
    pub(super) key: bool,
    pub(super) at: Moment,
    pub(super) camera_utc: Option<DateTime<Utc>>,
}

/// Sound as a front gives it.
pub(super) struct Sound {
    pub(super) data: Vec<u8>,
    pub(super) media_ns: i64,
    pub(super) at: Moment,
}

struct Gathered {
    data: Vec<u8>,
    pts_ns: i64,
}

pub(super) struct Feed {
    hub: Arc<Hub>,
    clock: Arc<dyn Clock>,
    start: Moment,
    video: Option<Format>,
    sound: Option<Format>,
    pictures: Timeline,
    sounds: Timeline,
    mux: Option<Mux>,
    /// The next key frame begins a new run.
    anew: bool,
    sound_at: Moment,
    sound_away: bool,
    gathered: Option<Gathered>,
    last_picture: Moment,
    begun: bool,
}

impl Feed {
    pub(super) fn new(hub: Arc<Hub>, clock: Arc<dyn Clock>) -> Self {
        let start = clock.now();
        Self {
            hub,
            clock,
            start,
            video: None,
            sound: None,
            pictures: Timeline::default(),
            sounds: Timeline::default(),
            mux: None,
            anew: false,
            sound_at: start,
            sound_away: false,
            gathered: None,
            last_picture: start,
            begun: false,
        }
    }

    /// Monotonic ns since this connection began.
    fn since_start(&self, at: Moment) -> i64 {
        (at.mono_ms.saturating_sub(self.start.mono_ms) * 1_000_000) as i64
    }

    /// When the newest picture came.
    pub(super) fn last_picture(&self) -> Moment {
        self.last_picture
    }

    /// Whether a picture was ever good enough to begin with.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// The pictures' format; a new one takes effect at the next key frame.
    pub(super) fn set_video(&mut self, format: Format) {
        if self.video.as_ref() != Some(&format) {
            self.anew |= self.video.is_some();
            self.video = Some(format);
        }
    }

    /// The sound's format; a new one takes effect at the next key frame.
    pub(super) fn set_sound(&mut self, format: Format) {
        if self.sound.as_ref() != Some(&format) {
            self.anew |= self.mux.is_some();
            self.sound = Some(format);
        }
    }

    /// A picture came.
    pub(super) async fn picture(&mut self, picture: Picture) -> Result<(), String> {
        self.last_picture = picture.at;
        if picture.data.len() > UNIT_BYTES_MAX {
            self.hub.note(format!("a picture of {} bytes was left out", picture.data.len()));
            return Ok(());
        }
        let placed = self.pictures.place(picture.media_ns, self.since_start(picture.at));
        match placed {
            Placed::Follows(_) => {}
            Placed::Jumped(_) => {
                self.hub.note("the camera's timestamps jumped; pictures are placed by their arrival".into());
                self.end_run().await;
            }
            Placed::AfterHole(_) => self.end_run().await,
        }
        self.look_for_sound(picture.at);
        if picture.key && self.anew {
            self.end_run().await;
        }
        let pts_ns = placed.pts_ns();
        if self.mux.is_none() {
            if !picture.key {
                return Ok(());
            }
            self.begin_run(pts_ns)?;
        }
        let Some(mux) = &self.mux else { return Ok(()) };
        mux.picture(picture.data, pts_ns, picture.key, picture.at, picture.camera_utc)?;
        mux.problem().map_or(Ok(()), Err)
    }

    /// Sound came.
    pub(super) fn sound(&mut self, sound: Sound) -> Result<(), String> {
        if sound.data.len() > UNIT_BYTES_MAX {
            return Ok(());
        }
        self.sound_at = sound.at;
        if std::mem::take(&mut self.sound_away) {
            self.hub.note("sound is back".into());
            self.anew = true;
        }
        let pts_ns = self.sounds.place(sound.media_ns, self.since_start(sound.at)).pts_ns();
        let Some(bytes_s) = self.sound.as_ref().and_then(|f| f.gathers) else { return self.push_sound(sound.data, pts_ns, None) };
        let length_ns = |bytes: usize| (bytes as i64) * 1_000_000_000 / i64::from(bytes_s.max(1));
        // A hole or a jump in the sound is not glued over.
        if let Some(g) = self.gathered.take_if(|g| (pts_ns - g.pts_ns - length_ns(g.data.len())).abs() > 100_000_000) {
            self.push_sound(g.data, g.pts_ns, None)?;
        }
        let gathered = self.gathered.get_or_insert_with(|| Gathered { data: Vec::new(), pts_ns });
        gathered.data.extend_from_slice(&sound.data);
        if length_ns(gathered.data.len()) >= GATHER.as_nanos() as i64
            && let Some(g) = self.gathered.take()
        {
            let length = Duration::from_nanos(length_ns(g.data.len()) as u64);
            self.push_sound(g.data, g.pts_ns, Some(length))?;
        }
        Ok(())
    }

    fn push_sound(&self, data: Vec<u8>, pts_ns: i64, length: Option<Duration>) -> Result<(), String> {
        self.mux.as_ref().map_or(Ok(()), |mux| mux.sound(data, pts_ns, length))
    }

    /// A muxer that waits for sound would hold the pictures back.
    fn look_for_sound(&mut self, now: Moment) {
        let waits = self.mux.as_ref().is_some_and(Mux::has_sound);
        if waits && now.mono_ms > self.sound_at.mono_ms + SOUND_AWAY_MS {
            self.hub.note("sound stays away; pictures go on without it".into());
            self.sound_away = true;
            self.anew = true;
        }
    }

    fn begin_run(&mut self, pts_ns: i64) -> Result<(), String> {
        let Some(video) = &self.video else { return Ok(()) };
        let sound = self.sound.as_ref().filter(|_| !self.sound_away);
        let mux = Mux::start(video, sound, pts_ns, self.hub.clone()).map_err(|e| e.to_string())?;
        self.mux = Some(mux);
        self.begun = true;
        self.anew = false;
        // Sound gets its own time to appear in each run.
        self.sound_at = self.clock.now();
        Ok(())
    }

    /// Ends the run, letting out what is inside.
    pub(super) async fn end_run(&mut self) {
        if let Some(mux) = self.mux.take() {
            mux.end().await;
        }
    }
}
