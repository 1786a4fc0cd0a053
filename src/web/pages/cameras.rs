//! Cameras at the console: those of the rooms, those that answer on the network, and a new one, tried before it is saved. The password
//! is typed once; no page shows it again.

use crate::desks::No;
use crate::desks::cameras::{CameraRow, NewCamera, TrialView};
use crate::model::ids::{CameraId, RoomId};
use crate::model::refusal::Refusal;
use crate::model::trial::{Carrier, Client, Found, Trial, problem_of};
use crate::web::asked;
use crate::web::pages::form::{Form, one};
use crate::web::pages::visit::Visit;
use crate::web::pages::{Page, brought_back, done, html, no_page};
use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;

type Fields = Vec<(String, String)>;

#[derive(Template)]
#[template(path = "cameras.html", config = "src/web/askama.toml")]
struct CamerasPage {
    page: Page,
    rows: Vec<CameraRow>,
    rooms: Vec<(String, String)>,
    typed: Fields,
    found: Option<Vec<Found>>,
    tried: Option<TrialView>,
}

impl CamerasPage {
    fn value(&self, name: &str) -> String {
        one(&self.typed, name).unwrap_or_default()
    }
    /// Why nothing came, in words.
    fn problem(&self, told: &str) -> String {
        self.page.word("trial-problem", problem_of(told).as_str())
    }
    fn megabits(&self, trial: &Trial) -> String {
        format!("{:.1} Mbit/s", trial.bitrate_bps as f64 / 1e6)
    }
    /// Its clock, by ONVIF or by RTCP.
    fn clock(&self, tried: &TrialView) -> String {
        let apart = tried.said.as_ref().and_then(|s| s.clock_ms).or(tried.trial.clock_ms);
        apart.map_or_else(|| self.page.t("trial-clock-unknown"), |ms| format!("{:+.1} s", (ms as f64 / 100.0).round() / 10.0 + 0.0))
    }
    fn sound(&self, trial: &Trial) -> String {
        match (trial.sound, trial.sound_dbfs) {
            (false, _) => self.page.t("trial-sound-none"),
            (true, Some(db)) => format!("{db:.0} dBFS"),
            (true, None) => self.page.t("trial-sound-there"),
        }
    }
}

/// The cameras of the rooms, and the form for a new one.
pub async fn list(visit: Visit, Query(query): Query<Fields>) -> Response {
    show(&visit, query, (None, None)).await
}

type Came = (Option<Vec<Found>>, Option<TrialView>);

async fn show(visit: &Visit, typed: Fields, (found, tried): Came) -> Response {
    let page = visit.page("/cameras").await;
    // What was typed goes back into its fields, but no password ever does.
    let typed = typed.into_iter().filter(|(name, _)| !["password", "camera_password", "proof"].contains(&name.as_str())).collect();
    match visit.desks().cameras(visit.person()) {
        Ok(rows) => html(&CamerasPage { page, rows, rooms: visit.desks().rooms(), typed, found, tried }),
        Err(no) => no_page(page, &no),
    }
}

fn new_camera(fields: &Fields) -> Result<NewCamera, Refusal> {
    let line = |name: &str| one(fields, name).unwrap_or_default();
    // As it was typed: a password may begin or end with a space.
    let password = fields.iter().find(|(n, v)| n == "camera_password" && !v.is_empty()).map(|(_, v)| v.clone().into());
    Ok(NewCamera {
        room: asked::id("room", &line("room"), RoomId::new)?,
        name: line("camera_name"),
        device_no: line("device_no"),
        address: line("address"),
        user: one(fields, "user"),
        password,
        transport: Carrier::from_word(&line("transport")).unwrap_or(Carrier::Tcp),
        front: Client::from_word(&line("front")).unwrap_or(Client::Retina),
    })
}

/// Back into the form with what is wrong, or to where the password is shown again.
async fn refused(visit: &Visit, typed: Fields, no: No) -> Response {
    match no {
        No::Refusal(Refusal::ProveAgain) => visit.after("/cameras", "", Err(Refusal::ProveAgain.into())).await,
        No::Refusal(refusal) => brought_back(show(visit, typed, (None, None)).await, visit.lang(), &refusal),
        no @ No::Fault(_) => visit.no("/cameras", &no).await,
    }
}

/// `find` looks for cameras, `try` tries the one that was typed, `save` saves the one that was tried.
pub async fn step(mut visit: Visit, Form(fields): Form<Fields>) -> Response {
    let step = one(&fields, "step").unwrap_or_default();
    if step == "save" {
        return match visit.desks().save_camera(visit.person(), &one(&fields, "trial").unwrap_or_default()).await {
            Ok(saved) => done("/cameras", if saved.in_use { "camera-saved" } else { "camera-waits" }),
            Err(no) => refused(&visit, fields, no).await,
        };
    }
    let came: Result<Came, No> = async {
        if step == "find" {
            return Ok((Some(visit.desks().find_cameras(visit.person()).await?), None));
        }
        visit.prove(&fields).await?;
        Ok((None, Some(visit.desks().try_camera(visit.person(), new_camera(&fields)?).await?)))
    }
    .await;
    match came {
        Ok(came) => show(&visit, fields, came).await,
        Err(no) => refused(&visit, fields, no).await,
    }
}

/// Takes away one that was added here.
pub async fn remove(visit: Visit, Path(id): Path<String>) -> Response {
    let removed = async { visit.desks().remove_camera(visit.person(), &asked::id("camera", &id, CameraId::new)?).await }.await;
    visit.after("/cameras", "camera-removed", removed).await
}
