//! Between a front and the muxer: access units get sensible times; the muxer is started at a key frame, started anew when the
//! format changes, and goes on without sound when sound stays away.

use crate::capture::hub::Hub;
use crate::capture::mux::{CHUNK, Mux};
use crate::capture::timeline::{Placed, Timeline};
use crate::machine::clock::Clock;
use crate::model::time::Moment;
use chrono::{DateTime, Utc};
use gstreamer as gst;
use std::sync::Arc;
use std::time::Duration;

/// The largest access unit that is taken: a 4K key frame has some 2 MB.
const UNIT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long the first pictures wait for sound that is announced, ms; then they go on without it.
const SOUND_WAIT_MS: u64 = 1_000;
/// Sound that stays away longer than this behind the pictures is a hole in the sound, and holds them no longer.
const SOUND_LATE: Duration = Duration::from_millis(700);
/// G.711 comes in 20 ms packets; each push wakes a thread, so they are gathered to half a chunk: a fragment waits for the sound
/// behind its end, so longer ones would make live pictures older.
const GATHER: Duration = Duration::from_millis(100);

/// Pictures that come in the order in which they are shown, and pictures that may not.
pub(super) const IN_ORDER: &str = "h264";
pub(super) const REORDERED: &str = "h264-reordered";

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
    start: Moment,
    video: Option<Format>,
    sound: Option<Format>,
    pictures: Timeline,
    sounds: Timeline,
    mux: Option<Mux>,
    /// The next key frame begins a new run.
    anew: bool,
    /// Since this connection began there was sound.
    sound_seen: bool,
    /// It was announced and did not come, so the run is without it.
    sound_away: bool,
    /// It is bridged by silence now.
    sound_late: bool,
    /// First pictures, with their times, that wait for sound.
    held: Vec<(Picture, i64)>,
    gathered: Option<Gathered>,
    last_picture: Moment,
    last_pts_ns: i64,
    /// Seen, whatever the parameter sets say.
    out_of_order: bool,
    begun: bool,
}

impl Feed {
    pub(super) fn new(hub: Arc<Hub>, clock: &dyn Clock) -> Self {
        let start = clock.now();
        Self {
            hub,
            start,
            video: None,
            sound: None,
            pictures: Timeline::default(),
            sounds: Timeline::default(),
            mux: None,
            anew: false,
            sound_seen: false,
            sound_away: false,
            sound_late: false,
            held: Vec::new(),
            gathered: None,
            last_picture: start,
            last_pts_ns: 0,
            out_of_order: false,
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
    pub(super) fn set_video(&mut self, mut format: Format) {
        if self.out_of_order && format.piece == IN_ORDER {
            format.piece = REORDERED;
        }
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
        if picture.key && self.anew {
            self.end_run().await;
        }
        let pts_ns = placed.pts_ns();
        if self.mux.is_some() && pts_ns < self.last_pts_ns && self.video.as_ref().is_some_and(|v| v.piece == IN_ORDER) {
            self.hub.note("pictures come out of order, though the camera's parameter sets deny it".into());
            self.out_of_order = true;
            self.end_run().await;
            if let Some(video) = &mut self.video {
                video.piece = REORDERED;
            }
        }
        self.last_pts_ns = pts_ns;
        if self.mux.is_none() {
            if self.waits_for_sound(&picture) {
                self.held.push((picture, pts_ns));
                return Ok(());
            }
            if !picture.key && self.held.is_empty() {
                return Ok(());
            }
            self.begin_run(self.held.first().map_or(pts_ns, |(_, first)| *first))?;
            for (held, pts_ns) in std::mem::take(&mut self.held) {
                if let Some(mux) = &mut self.mux {
                    mux.picture(held.data, pts_ns, held.key, held.at, held.camera_utc)?;
                }
            }
        }
        self.bridge_silence(pts_ns)?;
        let Some(mux) = &mut self.mux else { return Ok(()) };
        mux.picture(picture.data, pts_ns, picture.key, picture.at, picture.camera_utc)
    }

    /// Sound came.
    pub(super) fn sound(&mut self, sound: Sound) -> Result<(), String> {
        if sound.data.len() > UNIT_BYTES_MAX {
            return Ok(());
        }
        self.sound_seen = true;
        if std::mem::take(&mut self.sound_away) {
            self.hub.note("there is sound now".into());
            self.anew = true;
        }
        if std::mem::take(&mut self.sound_late) {
            self.hub.note("sound is back".into());
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

    fn push_sound(&mut self, data: Vec<u8>, pts_ns: i64, length: Option<Duration>) -> Result<(), String> {
        self.mux.as_mut().map_or(Ok(()), |mux| mux.sound(data, pts_ns, length))
    }

    /// Whether a first picture waits for sound that is announced, so that it is there from the beginning.
    fn waits_for_sound(&mut self, picture: &Picture) -> bool {
        if self.sound.is_none() || self.sound_seen || self.sound_away || (self.held.is_empty() && !picture.key) {
            return false;
        }
        let since = self.held.first().map_or(picture.at, |(first, _)| first.at);
        self.sound_away = picture.at.mono_ms > since.mono_ms + SOUND_WAIT_MS;
        if self.sound_away {
            self.hub.note("sound is announced and does not come; pictures go on without it".into());
        }
        !self.sound_away
    }

    /// A muxer that waits for sound would hold the pictures back.
    fn bridge_silence(&mut self, pts_ns: i64) -> Result<(), String> {
        let by = if self.sound_late { CHUNK } else { SOUND_LATE };
        let late = |mux: &Option<Mux>| mux.as_ref().is_some_and(|m| m.lacks_sound(pts_ns, by));
        if !late(&self.mux) {
            return Ok(());
        }
        if let Some(g) = self.gathered.take() {
            self.push_sound(g.data, g.pts_ns, None)?;
        }
        if late(&self.mux) {
            if !std::mem::replace(&mut self.sound_late, true) {
                self.hub.note("sound stays away; pictures go on without it".into());
            }
            if let Some(mux) = &mut self.mux {
                mux.bridge_silence(pts_ns);
            }
        }
        Ok(())
    }

    fn begin_run(&mut self, pts_ns: i64) -> Result<(), String> {
        let Some(video) = &self.video else { return Ok(()) };
        let sound = self.sound.as_ref().filter(|_| !self.sound_away);
        let mux = Mux::start(video, sound, pts_ns, self.hub.clone()).map_err(|e| e.to_string())?;
        self.mux = Some(mux);
        self.begun = true;
        self.anew = false;
        Ok(())
    }

    /// Ends the run, letting out what is inside.
    pub(super) async fn end_run(&mut self) {
        if let Some(mux) = self.mux.take() {
            mux.end().await;
        }
    }
}
