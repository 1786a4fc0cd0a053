//! Notices by e-mail, where a server is configured: that something waits, and where; never what. Nothing waits for them; each is
//! tried until the server has it (`desks::alarm_delivery`).

use crate::catalog::{accounts, deputations};
use crate::desks::Desks;
use crate::desks::alarm_delivery::Trouble;
use crate::model::access::{self, AccessRequest};
use crate::model::people::{Act, Person};
use crate::model::time;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// How the server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// TLS from the first byte.
    Tls,
    /// STARTTLS, and not without.
    Starttls,
    /// None; on this machine alone.
    None,
}

/// A server for notices.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is reached.
    pub tls: MailTls,
    /// Who writes.
    pub from: String,
    /// Sign-in name and password there.
    pub login: Option<(String, SecretString)>,
}

impl Desks {
    /// Tells everybody who may decide on a request, and has an address.
    pub(super) async fn tell_deciders(&self, request: &AccessRequest) {
        if self.settings.mail.is_none() {
            return;
        }
        let today = time::shanghai_day(self.now().utc);
        let all = self.read(move |c| {
            let open = accounts::all(c)?.into_iter().filter(|a| a.is_open(today) && a.email.is_some());
            open.map(|a| Ok((deputations::person(c, &a.person.id, today)?, a.email))).collect::<Result<Vec<_>, _>>()
        });
        let decides = |p: &Person| p.may(Act::DecideAccess) && access::may_decide(request, p).is_ok();
        for (person, email) in all.await.unwrap_or_default() {
            if let (Some(email), true) = (email, person.is_some_and(|p| decides(&p))) {
                self.write_to(&email, &format!("查阅申请待审批 {}", request.id), "有一份查阅申请等待您审批。", "access");
            }
        }
    }

    /// Tells the requester what became of it.
    pub(super) async fn tell_requester(&self, request: &AccessRequest) {
        if self.settings.mail.is_none() {
            return;
        }
        let id = request.requester.clone();
        let found = self.read(move |c| accounts::by_id(c, &id)).await.ok().flatten();
        if let Some(email) = found.filter(|a| a.active).and_then(|a| a.email) {
            self.write_to(&email, &format!("查阅申请已处理 {}", request.id), "您的查阅申请已有结果。", "access");
        }
    }

    /// Sends a notice; `page`: where in the console to look.
    pub(super) fn write_to(&self, to: &str, subject: &str, text: &str, page: &str) {
        let place =
            self.settings.address.as_ref().map(|a| format!("请登录 {}/{page} 查看。\n", a.trim_end_matches('/'))).unwrap_or_default();
        let text = format!("{text}\n{place}\n{} 实录\n", self.settings.bureau);
        self.write_letter(to.to_owned(), subject.to_owned(), text);
    }
}

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// Writes to one person. `id` stands in the message's own number, so that a box that gets it twice can tell.
pub(super) async fn send(settings: &MailSettings, id: &str, to: &str, subject: &str, text: String) -> Result<(), Trouble> {
    let told = |e: &dyn std::fmt::Display| Trouble { is_final: true, why: e.to_string() };
    // The address is a person's: it is in no text.
    let mailbox = |address: &str| address.parse::<Mailbox>().map_err(|_| told(&"an address is none"));
    let place = settings.from.rsplit('@').next().unwrap_or("shilu").trim_end_matches('>').to_owned();
    let message = Message::builder()
        .message_id(Some(format!("<{id}@{place}>")))
        .from(mailbox(&settings.from)?)
        .to(mailbox(to)?)
        .subject(subject)
        .header(lettre::message::header::ContentType::TEXT_PLAIN)
        .body(text)
        .map_err(|e| told(&e))?;
    let builder = match settings.tls {
        MailTls::Tls => Transport::relay(&settings.host),
        MailTls::Starttls => Transport::starttls_relay(&settings.host),
        MailTls::None => Ok(Transport::builder_dangerous(&settings.host)),
    };
    let mut builder = builder.map_err(|e| Trouble::from(e.to_string()))?.port(settings.port).timeout(Some(PATIENCE));
    if let Some((user, password)) = &settings.login {
        builder = builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
    }
    let sent = builder.build().send(message).await;
    // A server that refuses the sign-in refuses everybody: that is for the administrator to mend, and is tried again.
    let of_sign_in = |code: &lettre::transport::smtp::response::Code| matches!(u16::from(*code), 530 | 534 | 535 | 538);
    sent.map(drop).map_err(|e| Trouble {
        is_final: e.is_permanent() && !e.status().is_some_and(|code| of_sign_in(&code)),
        why: without_address(&e.to_string(), to),
    })
}

/// A server's answer may repeat whom the letter was to.
fn without_address(text: &str, to: &str) -> String {
    text.replace(to, "…")
}
