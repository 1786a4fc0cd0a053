//! The wall page: legible from five metres, current each second. Its address is its only key.

use crate::model::status::{CameraStatus, Lamp, Status};
use crate::model::time;
use crate::web::i18n::Lang;
use crate::web::pages::html;
use crate::web::pages::screen::{ScreenQuery, each_second, gone};
use crate::web::{Web, error};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};

#[derive(Template)]
#[template(path = "wall.html", config = "src/web/askama.toml")]
struct WallPage {
    lang: Lang,
    bureau: String,
    token: String,
    now: String,
}

#[derive(Template)]
#[template(path = "wall_now.html", config = "src/web/askama.toml")]
struct WallNow<'a> {
    lang: Lang,
    bureau: &'a str,
    status: &'a Status,
}

impl WallNow<'_> {
    fn time(&self) -> String {
        time::shanghai_text(self.status.machine.now)
    }
    fn length(&self, ms: &u64) -> String {
        time::length_text(*ms)
    }
    /// The colour of a room; its word says the same.
    fn colour(&self, lamp: &Lamp) -> &'static str {
        match lamp {
            Lamp::Idle => "idle",
            Lamp::Recording => "recording",
            Lamp::Partly | Lamp::Interrupted => "partly",
            Lamp::NotRecording => "not",
        }
    }
    /// What is wrong with a camera.
    fn trouble(&self, camera: &CameraStatus) -> Option<String> {
        if camera.out_of_use.is_some() {
            return Some(self.lang.t("wall-out-of-use"));
        }
        let cause = camera.cause.map_or_else(|| self.lang.t("cause-unknown"), |c| self.lang.of_word("cause", c.as_str()));
        (!camera.connected).then(|| self.lang.with("wall-camera-away", &[("cause", cause)]))
    }
    /// What is wrong with the machine, each in a few words.
    fn machine(&self) -> Vec<String> {
        let machine = &self.status.machine;
        let mut all: Vec<String> = Vec::new();
        for volume in &machine.volumes {
            let name = self.lang.of_word("volume", &volume.name);
            if volume.fault.is_some() {
                all.push(format!("{name} {}", self.lang.t("wall-volume-away")));
            } else if volume.low {
                all.push(format!("{name} {}", self.lang.t("disk-low")));
            } else if let Some(days) = volume.days_left.filter(|_| volume.soon_full) {
                all.push(format!("{name} {}", self.lang.with("disk-lasts", &[("days", days.to_string())])));
            }
        }
        if !machine.clock.synchronised {
            all.push(self.lang.t("wall-clock-bad"));
        }
        if machine.alarms_open > 0 {
            let count = [("count", machine.alarms_open.to_string()), ("urgent", machine.alarms_urgent.to_string())];
            all.push(self.lang.with("wall-alarms", &count));
        }
        if !machine.faults.is_empty() {
            all.push(self.lang.with("wall-faults", &[("count", machine.faults.len().to_string())]));
        }
        all
    }
}

fn now(web: &Web, lang: Lang, status: &Status) -> String {
    WallNow { lang, bureau: web.desks.bureau(), status }.render().unwrap_or_default()
}

/// The wall. A link that does not hold shows nothing of the rooms, and says so.
pub async fn show(State(web): State<Web>, Path(token): Path<String>, Query(query): Query<ScreenQuery>) -> Response {
    match web.desks.wall(&token).await {
        Ok(status) => {
            let lang = query.lang();
            html(&WallPage { lang, bureau: web.desks.bureau().into(), now: now(&web, lang, &status), token })
        }
        Err(no) => gone(&web, &no),
    }
}

/// What it shows, each second.
pub async fn events(State(web): State<Web>, Path(token): Path<String>, Query(query): Query<ScreenQuery>) -> Response {
    let lang = query.lang();
    match web.desks.wall(&token).await {
        Ok(_) => each_second((), move || {
            let (web, token) = (web.clone(), token.clone());
            async move { Some(now(&web, lang, &web.desks.wall(&token).await.ok()?)) }
        }),
        Err(no) => error::problem(&no).0.into_response(),
    }
}
