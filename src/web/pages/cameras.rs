//! Cameras at the console: those of the rooms, those that answer on the network, and a new one, tried before it is saved. The password
//! is typed once; no page shows it again.

use crate::desks::No;
use crate::desks::cameras::{CameraRow, NewCamera, TrialView};
use crate::desks::logins::SignedIn;
use crate::model::ids::{CameraId, RoomId};
use crate::model::refusal::Refusal;
use crate::model::trial::{Carrier, Client, Found, Trial};
use crate::web::i18n::Lang;
use crate::web::pages::form::{Form, one};
use crate::web::pages::{Page, access, after, done, html, no_page};
use crate::web::{Web, asked, error};
use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
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
    problem: Option<String>,
}

impl CamerasPage {
    fn value(&self, name: &str) -> String {
        one(&self.typed, name).unwrap_or_default()
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
pub async fn list(
    State(web): State<Web>,
    Extension(who): Extension<SignedIn>,
    headers: HeaderMap,
    Query(query): Query<Fields>,
) -> Response {
    show(&web, who, &headers, query, (None, None, None)).await
}

type Came = (Option<Vec<Found>>, Option<TrialView>, Option<String>);

async fn show(web: &Web, who: SignedIn, headers: &HeaderMap, typed: Fields, (found, tried, problem): Came) -> Response {
    let page = Page::of(web, headers, who.clone(), "/cameras").await;
    // What was typed goes back into its fields, but no password ever does.
    let typed = typed.into_iter().filter(|(name, _)| !["password", "camera_password", "proof"].contains(&name.as_str())).collect();
    match web.desks.cameras(&who.person) {
        Ok(rows) => html(&CamerasPage { page, rows, rooms: web.desks.rooms(), typed, found, tried, problem }),
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
async fn refused(web: &Web, who: SignedIn, headers: &HeaderMap, typed: Fields, no: No) -> Response {
    match no {
        No::Refusal(Refusal::ProveAgain) => after(web, who, headers, "/cameras", "", Err(Refusal::ProveAgain.into())).await,
        No::Refusal(refusal) => {
            let problem = error::text(&refusal, Lang::of(headers));
            show(web, who, headers, typed, (None, None, Some(problem))).await
        }
        no @ No::Fault(_) => no_page(Page::of(web, headers, who, "/cameras").await, &no),
    }
}

/// `find` looks for cameras, `try` tries the one that was typed, `save` saves the one that was tried.
pub async fn step(
    State(web): State<Web>,
    Extension(mut who): Extension<SignedIn>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let step = one(&fields, "step").unwrap_or_default();
    if step == "save" {
        return match web.desks.save_camera(&who.person, &one(&fields, "trial").unwrap_or_default()).await {
            Ok(saved) => done("/cameras", if saved.in_use { "camera-saved" } else { "camera-waits" }),
            Err(no) => refused(&web, who, &headers, fields, no).await,
        };
    }
    let came: Result<Came, No> = async {
        if step == "find" {
            return Ok((Some(web.desks.find_cameras(&who.person).await?), None, None));
        }
        access::prove_by(&web, &mut who, &fields).await?;
        Ok((None, Some(web.desks.try_camera(&who.person, new_camera(&fields)?).await?), None))
    }
    .await;
    match came {
        Ok(came) => show(&web, who, &headers, fields, came).await,
        Err(no) => refused(&web, who, &headers, fields, no).await,
    }
}

/// Takes away one that was added here.
pub async fn remove(State(web): State<Web>, Extension(who): Extension<SignedIn>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    let removed = async { web.desks.remove_camera(&who.person, &asked::id("camera", &id, CameraId::new)?).await }.await;
    after(&web, who, &headers, "/cameras", "camera-removed", removed).await
}
