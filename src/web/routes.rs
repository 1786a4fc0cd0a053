//! Every route: path, handler, who. A route without *who* does not compile.

use crate::model::people::Act;
use crate::web::guard::{self, Who};
use crate::web::{BODY_BYTES_MAX, REQUEST, UPLOAD_BYTES_MAX, Web, api, pages};
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};
use tower_http::timeout::TimeoutLayer;

/// All of them.
pub fn all(web: Web) -> Router {
    let mut r = Routes { router: Router::new(), web: web.clone() };
    let conduct = Who::May(Act::ConductSession);
    let request = Who::May(Act::RequestAccess);
    let accounts = Who::May(Act::ManageAccounts);

    // Pages.
    r.add("/login", Who::Anyone, get(pages::people::login_page).post(pages::people::login));
    r.add("/language", Who::Anyone, get(pages::people::language));
    r.add("/assets/{file}", Who::Anyone, get(pages::asset));
    r.add("/logout", Who::SignedIn, post(pages::people::logout));
    r.add("/", Who::SignedIn, get(pages::rooms::home));
    r.add("/rooms/{room}/start", conduct, get(pages::rooms::start_page).post(pages::rooms::start));
    r.add("/sessions", Who::May(Act::ListUnitSessions), get(pages::sessions::list));
    r.add("/sessions/{id}", Who::SignedIn, get(pages::sessions::show));
    r.add("/sessions/{id}/mark", conduct, post(pages::running::mark));
    r.add("/sessions/{id}/interrupt", conduct, post(pages::running::interrupt));
    r.add("/sessions/{id}/resume", conduct, post(pages::running::resume));
    r.add("/sessions/{id}/end", conduct, post(pages::running::end));
    r.add("/sessions/{id}/answer", Who::May(Act::LinkSession), post(pages::record::answer));
    r.add("/sessions/{id}/record", Who::SignedIn, get(pages::record::show));
    r.add("/sessions/{id}/record", conduct, post(pages::record::write));
    r.add("/sessions/{id}/record/print", Who::SignedIn, get(pages::record::print));
    r.add("/sessions/{id}/interim-seal", conduct, post(pages::record::seal_interim));
    r.add("/rooms/{room}/readiness", Who::May(Act::SeeStatus), get(pages::readiness::show));
    r.add("/alarms", Who::May(Act::SeeStatus), get(pages::alarms::show));
    r.add("/alarms/{id}/acknowledge", Who::May(Act::AcknowledgeAlarm), post(pages::alarms::acknowledge));
    r.add("/screens", Who::May(Act::ManageScreens), get(pages::readiness::screens).post(pages::readiness::make_screen));
    r.add("/screens/{id}/end", Who::May(Act::ManageScreens), post(pages::readiness::end_screen));
    // The room screen and the lamp: the link is the key, and there is no login.
    r.add("/screen/{token}", Who::Anyone, get(pages::screen::show));
    r.add("/lamp/{token}", Who::Anyone, get(api::room::lamp));
    r.add("/wall/{token}", Who::Anyone, get(pages::wall::show));
    r.add("/cases", Who::May(Act::ReadCases), get(pages::cases::list));
    r.add("/cases/new", Who::May(Act::KeepCases), get(pages::case_forms::new_page).post(pages::case_forms::open));
    r.add("/cases/{id}", Who::May(Act::ReadCases), get(pages::cases::show));
    r.add("/cases/{id}", Who::May(Act::KeepCases), post(pages::case_forms::change));
    r.add("/cases/{id}/initiation", Who::May(Act::ReadCases), get(pages::initiation::show));
    r.add("/cases/{id}/initiation", Who::May(Act::KeepCases), post(pages::initiation::submit));
    r.add("/cases/{id}/initiation/decide", Who::May(Act::ApproveInitiation), post(pages::initiation::decide));
    r.add("/cases/{id}/initiation/print", Who::May(Act::ReadCases), get(pages::initiation::print));
    r.add("/plans", Who::May(Act::LinkSession), get(pages::plans::list));
    r.add("/plans/new", conduct, get(pages::plans::new_page).post(pages::plans::make));
    r.add("/plans/{id}/call-off", conduct, post(pages::plans::call_off));
    r.add("/supervision", Who::May(Act::Supervise), get(pages::supervision::show));
    r.add("/supervision.csv", Who::May(Act::Supervise), get(pages::supervision::csv));
    r.add("/sessions/{id}/link", Who::May(Act::LinkSession), post(pages::sessions::link));
    r.add("/access", Who::SignedIn, get(pages::access::inbox));
    r.add("/access/new", request, get(pages::access::new_page).post(pages::access::request));
    r.add("/access/{id}/decide", Who::May(Act::DecideAccess), post(pages::access::decide));
    r.add("/access/{id}/close", request, post(pages::access::close));
    r.add("/deputies", Who::May(Act::AppointDeputy), post(pages::access::name_deputy));
    r.add("/deputies/{id}/end", Who::May(Act::AppointDeputy), post(pages::access::end_deputy));
    r.add("/provisions", Who::SignedIn, get(pages::provision::list));
    r.add("/provisions", Who::May(Act::Provide), post(pages::provision::open));
    r.add("/provisions/{id}", Who::SignedIn, get(pages::provision::show).post(pages::provision::step));
    r.add("/oversight", Who::May(Act::ReadLog), get(pages::oversight::show));
    r.add("/oversight.csv", Who::May(Act::ReadLog), get(pages::oversight::csv));
    r.add("/oversight/review", Who::May(Act::ReadLog), get(pages::oversight::review));
    r.add("/log", Who::May(Act::ReadLog), get(pages::log::show));
    r.add("/log/anchor", Who::May(Act::ReadLog), get(pages::log::anchor));
    r.add("/accounts", accounts, get(pages::people::accounts).post(pages::people::make_account));
    r.add("/accounts/{id}", accounts, get(pages::people::account_page));
    r.add("/accounts/{id}/end", accounts, post(pages::people::end_account));
    r.add("/accounts/{id}/reset-factors", accounts, post(pages::people::reset_factors));
    r.add("/accounts/{id}/password", accounts, post(pages::people::give_password));
    r.add("/tokens", accounts, post(pages::people::make_token));
    r.add("/tokens/{id}/end", accounts, post(pages::people::end_token));
    r.add("/me", Who::SignedIn, get(pages::factors::me).post(pages::factors::change_password));
    r.add("/me/factor", Who::SignedIn, post(pages::factors::begin));
    r.add("/me/factor/confirm", Who::SignedIn, post(pages::factors::confirm));
    r.add("/me/factor/remove", Who::SignedIn, post(pages::factors::remove));
    r.add("/me/passkeys/{id}/remove", Who::SignedIn, post(pages::factors::remove_passkey));
    r.add("/me/logins/{id}/end", Who::SignedIn, post(pages::factors::end_login));
    r.add("/me/one-login", Who::SignedIn, post(pages::factors::one_login));
    r.add("/prove", Who::SignedIn, get(pages::factors::prove_page).post(pages::factors::prove));
    r.add("/setup", Who::Anyone, get(pages::factors::setup_page).post(pages::factors::set_up));
    r.add("/login/sso", Who::Anyone, get(pages::factors::sso));
    r.add("/login/sso/back", Who::Anyone, get(pages::factors::sso_back));
    r.add("/walkthrough", accounts, post(pages::rooms::say_to_step));
    r.add("/figures", Who::SignedIn, get(pages::figures::show));
    r.add("/figures.csv", Who::SignedIn, get(pages::figures::csv));
    // Media (第十九条).
    let media = Who::May(Act::KeepMedia);
    r.add("/media", media, get(pages::media::list));
    r.add("/media/new", media, get(pages::media::new_page).post(pages::media::order));
    r.add("/media/{id}", media, get(pages::media::show).post(pages::media::step));
    r.add("/media/{id}/label", media, get(pages::media::label));

    // API.
    r.add("/api/openapi.json", Who::Anyone, get(api::openapi));
    r.add("/api/v1/login", Who::Anyone, post(api::people::login));
    r.add("/api/v1/logout", Who::SignedIn, post(api::people::logout));
    r.add("/api/v1/me", Who::SignedIn, get(api::people::me));
    r.add("/api/v1/me/password", Who::SignedIn, post(api::people::change_password));
    r.add("/api/v1/accounts", accounts, get(api::people::accounts).post(api::people::make_account));
    r.add("/api/v1/accounts/{id}/end", accounts, post(api::people::end_account));
    r.add("/api/v1/accounts/{id}", accounts, post(api::people::change_account));
    r.add("/api/v1/accounts/{id}/password", accounts, post(api::people::give_password));
    r.add("/api/v1/accounts/{id}/reset-factors", accounts, post(api::factors::reset_factors));
    r.add("/api/v1/me/prove", Who::SignedIn, post(api::factors::prove));
    r.add("/api/v1/me/prove-by-passkey", Who::SignedIn, post(api::factors::prove_by_passkey));
    r.add("/api/v1/me/logins", Who::SignedIn, get(api::people::logins));
    r.add("/api/v1/me/logins/{id}/end", Who::SignedIn, post(api::people::end_login));
    r.add("/api/v1/me/factor", Who::SignedIn, post(api::factors::begin_factor));
    r.add("/api/v1/me/factor/confirm", Who::SignedIn, post(api::factors::confirm_factor));
    r.add("/api/v1/me/factor/remove", Who::SignedIn, post(api::factors::remove_factor));
    r.add("/api/v1/me/passkeys", Who::SignedIn, post(api::factors::add_passkey));
    r.add("/api/v1/me/passkeys/begin", Who::SignedIn, post(api::factors::begin_passkey));
    r.add("/api/v1/me/passkeys/{id}/remove", Who::SignedIn, post(api::factors::remove_passkey));
    r.add("/api/v1/passkey/begin", Who::Anyone, post(api::factors::ask_passkey));
    r.add("/api/v1/passkey/login", Who::Anyone, post(api::factors::passkey_login));
    r.add("/api/v1/tokens", accounts, get(api::people::tokens).post(api::people::make_token));
    r.add("/api/v1/tokens/{id}/end", accounts, post(api::people::end_token));
    r.add("/api/v1/deputies", Who::SignedIn, get(api::people::deputies));
    r.add("/api/v1/deputies", Who::May(Act::AppointDeputy), post(api::people::name_deputy));
    r.add("/api/v1/deputies/{id}/end", Who::May(Act::AppointDeputy), post(api::people::end_deputy));
    r.add("/api/v1/rooms", Who::SignedIn, get(api::status::rooms));
    r.add("/api/v1/status", Who::May(Act::SeeStatus), get(api::status::status));
    r.add("/api/v1/sessions", Who::SignedIn, get(api::sessions::list));
    r.add("/api/v1/sessions", conduct, post(api::sessions::start));
    r.add("/api/v1/sessions/{id}", Who::SignedIn, get(api::sessions::show));
    r.add("/api/v1/sessions/{id}/marks", conduct, post(api::sessions::mark));
    r.add("/api/v1/sessions/{id}/record", conduct, post(api::sessions::record));
    r.add("/api/v1/sessions/{id}/interim-seal", conduct, post(api::sessions::seal_interim));
    r.add("/api/v1/sessions/{id}/answers", Who::May(Act::LinkSession), post(api::sessions::answer));
    r.add("/api/v1/rooms/{room}/readiness", Who::May(Act::SeeStatus), get(api::room::readiness));
    r.add("/api/v1/alarms", Who::May(Act::SeeStatus), get(api::alarms::list));
    r.add("/api/v1/alarms/{id}/acknowledge", Who::May(Act::AcknowledgeAlarm), post(api::alarms::acknowledge));
    r.add("/api/v1/screens", Who::May(Act::ManageScreens), get(api::room::screens).post(api::room::make_screen));
    r.add("/api/v1/screens/{id}/end", Who::May(Act::ManageScreens), post(api::room::end_screen));
    r.add("/api/v1/cases", Who::May(Act::ReadCases), get(api::cases::list));
    r.add("/api/v1/cases", Who::May(Act::KeepCases), post(api::cases::open));
    r.add("/api/v1/cases/{id}", Who::May(Act::ReadCases), get(api::cases::show));
    r.add("/api/v1/cases/{id}/changes", Who::May(Act::ReadCases), post(api::cases::change));
    r.add(
        "/api/v1/cases/{id}/records/{record}/documents",
        Who::May(Act::KeepCases),
        post(api::cases::attach).layer(DefaultBodyLimit::max(UPLOAD_BYTES_MAX)),
    );
    r.add("/api/v1/cases/{id}/documents/{sha256}", Who::May(Act::ReadCases), get(api::cases::document));
    r.add("/api/v1/plans", Who::May(Act::LinkSession), get(api::plans::list).post(api::plans::plan));
    r.add("/api/v1/plans/{id}/call-off", conduct, post(api::plans::call_off));
    r.add("/api/v1/officers", Who::May(Act::LinkSession), get(api::plans::officers));
    r.add("/api/v1/supervision", Who::May(Act::Supervise), get(api::oversight::supervision));
    r.add("/api/v1/sessions/{id}/interrupt", conduct, post(api::sessions::interrupt));
    r.add("/api/v1/sessions/{id}/resume", conduct, post(api::sessions::resume));
    r.add("/api/v1/sessions/{id}/end", conduct, post(api::sessions::end));
    r.add("/api/v1/sessions/{id}/link", Who::May(Act::LinkSession), post(api::sessions::link));
    r.add(
        "/api/v1/sessions/{id}/documents",
        Who::May(Act::LinkSession),
        post(api::sessions::attach).layer(DefaultBodyLimit::max(UPLOAD_BYTES_MAX)),
    );
    r.add("/api/v1/access-requests", request, get(api::access::inbox).post(api::access::request));
    r.add("/api/v1/access-requests/{id}/approve", Who::May(Act::DecideAccess), post(api::access::approve));
    r.add("/api/v1/access-requests/{id}/reject", Who::May(Act::DecideAccess), post(api::access::reject));
    r.add("/api/v1/access-requests/{id}/revoke", Who::May(Act::DecideAccess), post(api::access::revoke));
    r.add("/api/v1/access-requests/{id}/close", request, post(api::access::close));
    r.add("/api/v1/sessions/{id}/copies", Who::SignedIn, post(api::viewing::order));
    r.add("/api/v1/copies", Who::SignedIn, get(api::viewing::copies));
    r.add("/api/v1/copies/{id}", Who::SignedIn, get(api::viewing::copy));
    r.add("/api/v1/copies/{id}/cancel", Who::SignedIn, post(api::viewing::cancel_copy));
    r.add("/api/v1/copies/{id}/resume", Who::SignedIn, post(api::viewing::resume_copy));
    r.add("/api/v1/viewings/{id}/{camera}/still", Who::SignedIn, get(api::viewing::still));
    r.add("/api/v1/viewings/{id}/{camera}/derive", Who::SignedIn, post(api::viewing::derive));
    r.add("/api/v1/viewings/{id}/{camera}/loudness", Who::SignedIn, get(api::viewing::loudness));
    let provide = Who::May(Act::Provide);
    r.add("/api/v1/provisions", Who::SignedIn, get(api::provision::list));
    r.add("/api/v1/provisions", Who::May(Act::Provide), post(api::provision::open));
    r.add("/api/v1/provisions/{id}", Who::SignedIn, get(api::provision::show));
    r.add("/api/v1/provisions/{id}/prepare", provide, post(api::provision::prepare));
    r.add("/api/v1/provisions/{id}/approve", Who::May(Act::DecideAccess), post(api::provision::approve));
    r.add("/api/v1/provisions/{id}/hand-over", provide, post(api::provision::hand_over).layer(DefaultBodyLimit::max(UPLOAD_BYTES_MAX)));
    r.add("/api/v1/provisions/{id}/receipt", Who::SignedIn, get(api::provision::receipt));
    r.add("/api/v1/provisions/{id}/verify", provide, post(api::provision::verify));
    r.add("/api/v1/provisions/{id}/close", provide, post(api::provision::close));
    r.add("/api/v1/provisions/{id}/reject", Who::May(Act::DecideAccess), post(api::provision::reject));
    r.add("/api/v1/provisions/{id}/withdraw", provide, post(api::provision::withdraw));
    r.add("/api/v1/oversight", Who::May(Act::ReadLog), get(api::oversight::oversight));
    r.add("/api/v1/oversight/review", Who::May(Act::ReadLog), get(api::oversight::review));
    r.add("/api/v1/sessions/{id}/viewings", Who::SignedIn, post(api::viewing::open));
    r.add("/api/v1/viewings/{id}/seen", Who::SignedIn, post(api::viewing::seen));
    r.add("/api/v1/viewings/{id}/close", Who::SignedIn, post(api::viewing::close));
    r.add("/api/v1/log", Who::May(Act::ReadLog), get(api::status::log));
    r.add("/api/v1/log/head", Who::May(Act::ReadLog), get(api::status::log_head));
    r.add("/api/v1/log/anchor", Who::May(Act::ReadLog), get(api::status::anchor));
    r.add("/api/v1/log/{index}", Who::May(Act::ReadLog), get(api::status::log_entry));
    r.add("/api/v1/log/{index}/proof", Who::May(Act::ReadLog), get(api::status::log_proof));
    r.add("/api/v1/media", media, get(api::media::list).post(api::media::order));
    r.add("/api/v1/media/held", media, get(api::media::held));
    r.add("/api/v1/media/plan", media, post(api::media::plan));
    r.add("/api/v1/media/{id}", media, get(api::media::show));
    r.add("/api/v1/media/{id}/cancel", media, post(api::media::cancel));
    r.add("/api/v1/media/{id}/copies", media, post(api::media::write));
    r.add("/api/v1/media/{id}/copies/{copy}", media, post(api::media::change));
    r.add("/api/v1/media/{id}/remove-image", media, post(api::media::remove_image));
    r.add("/healthz", Who::Anyone, get(api::status::healthz));
    r.add("/metrics", Who::Anyone, get(api::status::metrics));
    // The archive.
    r.add("/archive", Who::May(Act::SeeArchive), get(pages::archive::show));
    r.add("/archive/verify", Who::May(Act::SeeArchive), post(pages::archive::verify));
    r.add("/api/v1/archive", Who::May(Act::SeeArchive), get(api::archive::show));
    r.add("/api/v1/archive/verify", Who::May(Act::SeeArchive), post(api::archive::verify));

    // Keeping and giving up (第十八条, 第十九条).
    let keeping = Who::May(Act::ReadRetention);
    r.add("/retention", keeping, get(pages::retention::list));
    r.add("/holds", keeping, get(pages::retention::holds));
    r.add("/sessions/{id}/keeping", Who::May(Act::ProposeHold), post(pages::retention::say));
    r.add("/disposals", keeping, get(pages::retention::disposals).post(pages::retention::propose));
    r.add("/disposals/{id}", keeping, get(pages::retention::disposal).post(pages::retention::decide));
    r.add("/disposals/{id}/certificate", keeping, get(pages::retention::certificate));
    r.add("/clock", Who::May(Act::ConfirmClock), post(pages::retention::confirm_clock));
    r.add("/api/v1/retention", keeping, get(api::retention::list));
    r.add("/api/v1/sessions/{id}/retention", Who::SignedIn, get(api::retention::of_session));
    r.add("/api/v1/sessions/{id}/routine", Who::May(Act::Appraise), post(api::retention::routine));
    r.add("/api/v1/sessions/{id}/extend", Who::May(Act::Appraise), post(api::retention::extend));
    r.add("/api/v1/sessions/{id}/holds", Who::May(Act::ProposeHold), post(api::retention::hold));
    r.add("/api/v1/sessions/{id}/holds/say", Who::May(Act::ProposeHold), post(api::retention::say));
    r.add("/api/v1/holds", keeping, get(api::retention::holds));
    r.add("/api/v1/disposals", keeping, get(api::retention::disposals).post(api::retention::propose));
    r.add("/api/v1/disposals/{id}", keeping, get(api::retention::disposal));
    r.add("/api/v1/disposals/{id}/decide", Who::May(Act::DecideDisposal), post(api::retention::decide));
    r.add("/api/v1/disposals/{id}/close", Who::May(Act::Appraise), post(api::retention::close));
    r.add("/api/v1/clock", Who::May(Act::SeeStatus), get(api::retention::clock));
    r.add("/api/v1/clock/confirm", Who::May(Act::ConfirmClock), post(api::retention::confirm_clock));
    // Taking in and handing over (第十四条).
    let import = Who::May(Act::ImportRecording);
    r.add("/imports", import, get(pages::imports::show));
    r.add("/sessions/{id}/correction", Who::May(Act::LinkSession), post(pages::imports::correct));
    r.add("/handover", Who::SignedIn, get(pages::handover::show).post(pages::handover::hand_over));
    r.add("/handover/{id}", Who::SignedIn, get(pages::handover::show_one));
    r.add("/handover/{id}/receive", Who::May(Act::ReceiveHandover), post(pages::handover::receive));
    r.add("/handover/{id}/receipt", Who::SignedIn, get(pages::handover::print));
    r.add("/check-outs", import, post(pages::handover::check_out));
    r.add("/check-outs/{id}/nothing", import, post(pages::handover::nothing));
    r.add("/api/v1/imports", import, get(api::imports::list).post(api::imports::begin));
    r.add(
        "/api/v1/imports/{id}",
        import,
        get(api::imports::show).patch(api::imports::piece).layer(DefaultBodyLimit::max(crate::desks::imports::PIECE_BYTES_MAX)),
    );
    r.add("/api/v1/imports/{id}/cancel", import, post(api::imports::cancel));
    r.add("/api/v1/imports/{id}/retry", import, post(api::imports::retry));
    r.add("/api/v1/sessions/{id}/correction", Who::May(Act::LinkSession), post(api::imports::correct));
    r.add("/api/v1/handover", Who::SignedIn, get(api::handover::desk));
    r.add("/api/v1/handovers", Who::May(Act::HandOver), post(api::handover::hand_over));
    r.add("/api/v1/handovers/{id}", Who::SignedIn, get(api::handover::show));
    r.add("/api/v1/handovers/{id}/receive", Who::May(Act::ReceiveHandover), post(api::handover::receive));
    r.add("/api/v1/check-outs", import, post(api::handover::check_out));
    r.add("/api/v1/check-outs/{id}/nothing", import, post(api::handover::nothing));

    // Equipment (第十五条, 第十六条).
    let (devices, keep, cameras) = (Who::May(Act::SeeDevices), Who::May(Act::KeepDevices), Who::May(Act::AddCamera));
    r.add("/devices", devices, get(pages::devices::list));
    r.add("/devices", keep, post(pages::devices::register));
    r.add("/devices/figures", devices, get(pages::devices::figures));
    r.add("/devices/figures.csv", devices, get(pages::devices::csv));
    r.add("/devices/{id}", devices, get(pages::devices::show));
    r.add("/devices/{id}", Who::May(Act::ReportFault), post(pages::devices::change));
    r.add("/devices/{id}/faults/{number}", Who::May(Act::ReportFault), post(pages::devices::step));
    r.add("/cameras", cameras, get(pages::cameras::list).post(pages::cameras::step));
    r.add("/cameras/{id}/remove", cameras, post(pages::cameras::remove));
    r.add("/api/v1/devices", devices, get(api::devices::list));
    r.add("/api/v1/devices", keep, post(api::devices::register));
    r.add("/api/v1/devices/{id}", devices, get(api::devices::show));
    r.add("/api/v1/devices/{id}", keep, post(api::devices::describe));
    r.add("/api/v1/devices/{id}/maintained", keep, post(api::devices::maintain));
    r.add("/api/v1/devices/{id}/retire", keep, post(api::devices::retire));
    r.add("/api/v1/devices/{id}/faults", Who::May(Act::ReportFault), post(api::devices::report));
    r.add("/api/v1/devices/{id}/faults/{number}", Who::May(Act::ReportFault), post(api::devices::step));
    r.add("/api/v1/devices/{id}/ask", keep, post(api::devices::ask));
    r.add("/api/v1/devices/{id}/clock", keep, post(api::devices::clock));
    r.add("/api/v1/device-figures", devices, get(api::devices::figures));
    r.add("/api/v1/cameras", cameras, get(api::devices::cameras).post(api::devices::save));
    r.add("/api/v1/cameras/find", cameras, post(api::devices::find));
    r.add("/api/v1/cameras/try", cameras, post(api::devices::try_one));
    r.add("/api/v1/cameras/{id}/remove", cameras, post(api::devices::remove));
    // Alarms besides their page.
    r.add("/alarms.csv", Who::May(Act::SeeStatus), get(pages::alarms::csv));
    r.add_stream("/alarms/events", Who::May(Act::SeeStatus), get(pages::alarms::events));

    // How pages look.
    r.add("/theme", Who::Anyone, get(pages::people::theme));
    // Guides and the API's reference.
    r.add("/help", Who::SignedIn, get(pages::help::list));
    r.add("/help/api", Who::SignedIn, get(pages::reference::show));
    r.add("/help/{guide}", Who::SignedIn, get(pages::help::show));
    r.add("/help/pictures/{file}", Who::SignedIn, get(pages::help::picture));

    // Streams: without the limit on time.
    r.add_stream("/screen/{token}/events", Who::Anyone, get(pages::screen::events));
    r.add_stream("/wall/{token}/events", Who::Anyone, get(pages::wall::events));
    r.add_stream("/events", Who::May(Act::SeeStatus), get(pages::rooms::events));
    r.add_stream("/sessions/{id}/events", conduct, get(pages::running::events));
    r.add_stream("/api/v1/events", Who::May(Act::SeeStatus), get(api::status::events));
    r.add_stream("/api/v1/rooms/{room}/cameras/{camera}/live", Who::SignedIn, get(api::live::live));
    r.add_stream("/api/v1/viewings/{id}/{camera}/{sequence}", Who::SignedIn, get(api::viewing::segment));
    r.add_stream("/api/v1/sessions/{id}/copy/{camera}/joined", Who::SignedIn, get(api::viewing::copy_joined));
    r.add_stream("/api/v1/sessions/{id}/copy/{camera}/{sequence}", Who::SignedIn, get(api::viewing::copy_segment));
    r.add_stream("/api/v1/copies/{id}/file", Who::SignedIn, get(api::viewing::copy_file));
    r.add_stream("/api/v1/provisions/{id}/packages/{session}", provide, get(api::provision::package));
    r.add_stream("/api/v1/sessions/{id}/package", Who::SignedIn, post(api::viewing::make_package));
    r.add_stream("/api/v1/packages/{id}", Who::SignedIn, get(api::viewing::fetch_package));
    r.add_stream("/api/v1/sessions/{id}/copy/papers/{name}", Who::SignedIn, get(api::viewing::copy_paper));

    r.router
        .fallback(pages::not_found)
        .method_not_allowed_fallback(pages::wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(web)
}

struct Routes {
    router: Router<Web>,
    web: Web,
}

impl Routes {
    fn add(&mut self, path: &str, who: Who, handlers: MethodRouter<Web>) {
        let limited = handlers.layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST));
        self.add_stream(path, who, limited);
    }

    fn add_stream(&mut self, path: &str, who: Who, handlers: MethodRouter<Web>) {
        let guarded = handlers.layer(middleware::from_fn_with_state((self.web.clone(), who), guard::enforce));
        self.router = std::mem::take(&mut self.router).route(path, guarded);
    }
}
