//! ONVIF, as much of it as a register needs: who is there (WS-Discovery), what a camera is and where its streams are, its clock. SOAP by
//! hand over the HTTP client that is there anyway: five requests, whose answers are read with limits, without any entity of the
//! document's own, and whose addresses are never followed to another host than the one that was asked.

use crate::machine::clock::Clock;
use crate::machine::randomness;
use crate::model::trial::{Found, Said};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Timelike, Utc};
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use quick_xml::reader::Reader;
use secrecy::{ExposeSecret, SecretString};
use sha1::{Digest, Sha1};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How long a camera may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long answers to a probe are waited for.
const LISTEN: Duration = Duration::from_secs(3);
/// Largest answer; a camera with many profiles says some tens of kilobytes.
const ANSWER_BYTES_MAX: usize = 512 * 1024;
/// Deepest element, most texts, and most bytes of texts with the names around them: every text repeats those names.
const DEPTH_MAX: usize = 48;
const TEXTS_MAX: usize = 20_000;
const HELD_BYTES_MAX: usize = 8 * ANSWER_BYTES_MAX;
/// Most cameras that a probe finds, and streams that one is asked for.
const FOUND_MAX: usize = 256;
const STREAMS_MAX: usize = 4;
/// Where WS-Discovery is heard.
const GROUP: (Ipv4Addr, u16) = (Ipv4Addr::new(239, 255, 255, 250), 3702);

/// Why a camera could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OnvifError {
    /// No connection, or no answer in time.
    #[error("no answer")]
    NoAnswer,
    /// Name or password.
    #[error("the camera refuses user or password")]
    Refused,
    /// It answered with a fault.
    #[error("the camera answers: {0}")]
    Fault(String),
    /// What it answered is none.
    #[error("the answer cannot be read: {0}")]
    Unreadable(&'static str),
}

/// A camera's door: where it is asked, and by which name.
pub struct Door {
    /// Its address, as it was looked up: names are not asked twice.
    pub address: SocketAddr,
    /// Sign-in name.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<SecretString>,
}

/// A text of an answer, with the local names of the elements around it.
pub type Texts = Vec<(String, String)>;

/// What a camera says of itself.
pub async fn ask(door: &Door, clock: &Arc<dyn Clock>) -> Result<Said, OnvifError> {
    let device = "/onvif/device_service";
    // Asked without a name (ONVIF Core 5.12.2.1): the digest below needs the camera's own time.
    let clock_ms = clock_of(door, clock).await?;
    let now = clock.now().utc + TimeDelta::milliseconds(clock_ms.unwrap_or(0));
    let told = door.call(device, Some(now), r#"<GetDeviceInformation xmlns="http://www.onvif.org/ver10/device/wsdl"/>"#).await?;
    let is = |name: &str| text(&told, name).unwrap_or_default();
    let capabilities = r#"<GetCapabilities xmlns="http://www.onvif.org/ver10/device/wsdl"><Category>Media</Category></GetCapabilities>"#;
    let told_of = door.call(device, Some(now), capabilities).await?;
    let media = text(&told_of, "Media/XAddr").and_then(|url| Url::parse(&url).ok()).map_or(device.to_owned(), |url| url.path().to_owned());
    let mut said = Said {
        maker: is("Manufacturer"),
        model: is("Model"),
        firmware: is("FirmwareVersion"),
        serial: is("SerialNumber"),
        clock_ms,
        streams: vec![],
    };
    let profiles = door.call(&media, Some(now), r#"<GetProfiles xmlns="http://www.onvif.org/ver10/media/wsdl"/>"#).await?;
    let tokens: Vec<String> = profiles.iter().filter(|(at, _)| at.ends_with("/Profiles@token")).map(|(_, token)| token.clone()).collect();
    for token in tokens.into_iter().take(STREAMS_MAX) {
        let wanted = format!(
            r#"<GetStreamUri xmlns="http://www.onvif.org/ver10/media/wsdl"><StreamSetup><Stream xmlns="http://www.onvif.org/ver10/schema">RTP-Unicast</Stream><Transport xmlns="http://www.onvif.org/ver10/schema"><Protocol>RTSP</Protocol></Transport></StreamSetup><ProfileToken>{}</ProfileToken></GetStreamUri>"#,
            quick_xml::escape::escape(&token)
        );
        let told = door.call(&media, Some(now), &wanted).await?;
        if let Some(url) = text(&told, "MediaUri/Uri").and_then(|url| door.stream(&url)) {
            said.streams.push((token, url));
        }
    }
    Ok(said)
}

/// A camera's clock minus ours, ms; none where it does not tell it.
pub async fn clock_of(door: &Door, clock: &Arc<dyn Clock>) -> Result<Option<i64>, OnvifError> {
    let before = clock.now().utc;
    let asked = r#"<GetSystemDateAndTime xmlns="http://www.onvif.org/ver10/device/wsdl"/>"#;
    let told = door.call("/onvif/device_service", None, asked).await?;
    // Half of the way there and back; the camera tells whole seconds, so half a second is added.
    let middle = before + (clock.now().utc - before) / 2;
    Ok(clock_told(&told, middle))
}

/// A camera's clock minus ours, ms, as its answer tells it; `middle`: our time when it was asked. None where it tells no time, or one of
/// no year that a clock can have: what is reckoned with it must stay a time.
pub fn clock_told(told: &Texts, middle: DateTime<Utc>) -> Option<i64> {
    let number = |name: &str| text(told, &format!("UTCDateTime/{name}"))?.trim().parse::<u32>().ok();
    let year = number("Date/Year").filter(|year| (1970..=9999).contains(year))?;
    let day = NaiveDate::from_ymd_opt(year as i32, number("Date/Month")?, number("Date/Day")?)?;
    // A leap second is the second before it.
    let at = day.and_hms_opt(number("Time/Hour")?, number("Time/Minute")?, number("Time/Second")?.min(59))?.and_utc();
    let ms = (at + TimeDelta::milliseconds(500) - middle).num_milliseconds();
    Some(if ms.abs() <= 500 { 0 } else { ms })
}

/// Sets a camera's clock to ours.
pub async fn set_clock(door: &Door, clock: &Arc<dyn Clock>) -> Result<(), OnvifError> {
    let off = clock_of(door, clock).await?.unwrap_or(0);
    let now = clock.now().utc;
    let body = format!(
        r#"<SetSystemDateAndTime xmlns="http://www.onvif.org/ver10/device/wsdl" xmlns:t="http://www.onvif.org/ver10/schema"><DateTimeType>Manual</DateTimeType><DaylightSavings>false</DaylightSavings><TimeZone><t:TZ>CST-8</t:TZ></TimeZone><UTCDateTime><t:Time><t:Hour>{}</t:Hour><t:Minute>{}</t:Minute><t:Second>{}</t:Second></t:Time><t:Date><t:Year>{}</t:Year><t:Month>{}</t:Month><t:Day>{}</t:Day></t:Date></UTCDateTime></SetSystemDateAndTime>"#,
        now.hour(),
        now.minute(),
        now.second(),
        now.year(),
        now.month(),
        now.day()
    );
    door.call("/onvif/device_service", Some(now + TimeDelta::milliseconds(off)), &body).await.map(drop)
}

impl Door {
    /// One request; `now`, the camera's time, signs it where there is a name.
    async fn call(&self, path: &str, now: Option<DateTime<Utc>>, body: &str) -> Result<Texts, OnvifError> {
        let security = now.map(|now| self.security(now)).transpose()?.unwrap_or_default();
        let envelope = format!(
            r#"<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header>{security}</s:Header><s:Body>{body}</s:Body></s:Envelope>"#
        );
        let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE);
        let client = builder.build().map_err(|_| OnvifError::NoAnswer)?;
        let request = client.post(format!("http://{}{path}", self.address)).header("Content-Type", "application/soap+xml; charset=utf-8");
        let mut answer = request.body(envelope).send().await.map_err(|_| OnvifError::NoAnswer)?;
        let status = answer.status();
        let mut data = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|_| OnvifError::NoAnswer)? {
            data.extend_from_slice(&piece);
            if data.len() > ANSWER_BYTES_MAX {
                return Err(OnvifError::Unreadable("it is too long"));
            }
        }
        if status == reqwest::StatusCode::UNAUTHORIZED || status == reqwest::StatusCode::FORBIDDEN {
            return Err(OnvifError::Refused);
        }
        let told = texts(&data)?;
        match told.iter().any(|(at, _)| at.contains("/Fault/")) || !status.is_success() {
            false => Ok(told),
            true if told.iter().any(|(_, t)| t.contains("NotAuthorized") || t.contains("FailedAuthentication")) => Err(OnvifError::Refused),
            true => {
                let reason = text(&told, "Reason/Text").or_else(|| text(&told, "faultstring")).unwrap_or_else(|| status.to_string());
                Err(OnvifError::Fault(reason.chars().filter(|c| !c.is_control()).take(120).collect()))
            }
        }
    }

    /// WS-UsernameToken with a digest: base64(SHA-1(nonce, created, password)).
    fn security(&self, now: DateTime<Utc>) -> Result<String, OnvifError> {
        let Some(user) = &self.user else { return Ok(String::new()) };
        let nonce = randomness::bytes::<16>().map_err(|_| OnvifError::Unreadable("there is no randomness"))?;
        let created = now.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let password = self.password.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
        let digest = digest(&nonce, &created, password);
        let wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss";
        Ok(format!(
            r#"<w:Security s:mustUnderstand="1" xmlns:w="{wsse}-wssecurity-secext-1.0.xsd" xmlns:u="{wsse}-wssecurity-utility-1.0.xsd"><w:UsernameToken><w:Username>{}</w:Username><w:Password Type="{wsse}-username-token-profile-1.0#PasswordDigest">{digest}</w:Password><w:Nonce EncodingType="{wsse}-soap-message-security-1.0#Base64Binary">{}</w:Nonce><u:Created>{created}</u:Created></w:UsernameToken></w:Security>"#,
            quick_xml::escape::escape(user),
            BASE64_STANDARD.encode(nonce)
        ))
    }

    /// A stream's address as the camera gave it, on the camera's own host: name and password go nowhere else.
    fn stream(&self, told: &str) -> Option<String> {
        let mut url = Url::parse(told).ok().filter(|u| matches!(u.scheme(), "rtsp" | "rtsps"))?;
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        url.set_ip_host(self.address.ip()).ok()?;
        Some(url.into())
    }
}

fn digest(nonce: &[u8], created: &str, password: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(nonce);
    hash.update(created.as_bytes());
    hash.update(password.as_bytes());
    BASE64_STANDARD.encode(hash.finalize())
}

/// The first text whose path ends so.
fn text(texts: &Texts, path: &str) -> Option<String> {
    let ends = format!("/{path}");
    texts.iter().find(|(at, _)| at.ends_with(&ends)).map(|(_, text)| text.chars().filter(|c| !c.is_control()).take(400).collect())
}

/// Every text of a document by the local names around it; attributes as `/Element@name`. A document with a type of its own (and so with
/// entities of its own) is refused.
pub fn texts(data: &[u8]) -> Result<Texts, OnvifError> {
    let unreadable = OnvifError::Unreadable;
    let data = std::str::from_utf8(data).map_err(|_| unreadable("it is no UTF-8"))?;
    let mut reader = Reader::from_str(data);
    let (mut path, mut found, mut now): (Vec<String>, Texts, String) = (Vec::new(), Texts::new(), String::new());
    let (mut held, too_much) = (0, || unreadable("it is too deep or too long"));
    loop {
        match reader.read_event().map_err(|_| unreadable("it is no XML"))? {
            event @ (Event::Start(_) | Event::Empty(_)) => {
                let is_empty = matches!(event, Event::Empty(_));
                let (Event::Start(element) | Event::Empty(element)) = event else { continue };
                path.push(element.local_name().as_ref().to_owned());
                for attribute in element.attributes().filter_map(Result::ok).take(32) {
                    // A value that cannot be read is passed over.
                    let Ok(value) = attribute.normalized_value(XmlVersion::Explicit1_0) else { continue };
                    let at = format!("/{}@{}", path.join("/"), attribute.key.local_name().as_ref());
                    held += at.len() + value.len();
                    if held > HELD_BYTES_MAX {
                        return Err(too_much());
                    }
                    found.push((at, value.into_owned()));
                }
                now.clear();
                if is_empty {
                    path.pop();
                }
            }
            Event::Text(piece) => now.push_str(&piece),
            Event::CData(piece) => now.push_str(&piece),
            Event::GeneralRef(name) => match name.resolve_char_ref() {
                Ok(Some(c)) => now.push(c),
                _ => now.push_str(resolve_predefined_entity(&name).ok_or(unreadable("it has an entity of its own"))?),
            },
            Event::End(_) => {
                if !now.trim().is_empty() {
                    let at = format!("/{}", path.join("/"));
                    held += at.len() + now.len();
                    found.push((at, now.trim().to_owned()));
                }
                now.clear();
                path.pop();
            }
            Event::DocType(_) => return Err(unreadable("it has a document type")),
            Event::Eof => return Ok(found),
            _ => {}
        }
        if path.len() > DEPTH_MAX || found.len() > TEXTS_MAX || held > HELD_BYTES_MAX {
            return Err(too_much());
        }
    }
}

/// Asks the network of an interface (its IPv4 address; none: the system's choice) which cameras there are.
pub async fn discover(from: Option<Ipv4Addr>) -> std::io::Result<Vec<Found>> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
    socket.bind(&SocketAddr::from((from.unwrap_or(Ipv4Addr::UNSPECIFIED), 0)).into())?;
    if let Some(from) = from {
        socket.set_multicast_if_v4(&from)?;
    }
    socket.set_nonblocking(true)?;
    let socket = tokio::net::UdpSocket::from_std(socket.into())?;
    let random = randomness::hex::<16>().map_err(|e| std::io::Error::other(e.to_string()))?;
    let id = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &random[part]).join("-");
    let probe = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:n="http://www.onvif.org/ver10/network/wsdl"><s:Header><a:MessageID>urn:uuid:{id}</a:MessageID><a:To s:mustUnderstand="1">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To><a:Action s:mustUnderstand="1">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action></s:Header><s:Body><d:Probe><d:Types>n:NetworkVideoTransmitter</d:Types></d:Probe></s:Body></s:Envelope>"#
    );
    socket.send_to(probe.as_bytes(), GROUP).await?;
    let mut found = BTreeSet::new();
    let mut data = vec![0; 65_536];
    let all = async {
        while found.len() < FOUND_MAX {
            let Ok((length, _)) = socket.recv_from(&mut data).await else { continue };
            found.extend(matched(&data[..length], &id));
        }
    };
    drop(tokio::time::timeout(LISTEN, all).await);
    Ok(found.into_iter().collect())
}

/// What an answer to our probe says.
pub fn matched(data: &[u8], id: &str) -> Option<Found> {
    let told = texts(data).ok()?;
    text(&told, "RelatesTo").filter(|of| of.contains(id))?;
    let addresses = text(&told, "ProbeMatch/XAddrs")?;
    let url = addresses.split_whitespace().filter_map(|a| Url::parse(a).ok()).find(|u| u.scheme() == "http")?;
    let scopes = text(&told, "ProbeMatch/Scopes").unwrap_or_default();
    let scope = |kind: &str| {
        let found = scopes.split_whitespace().find_map(|s| s.strip_prefix("onvif://www.onvif.org/")?.strip_prefix(kind))?;
        Some(found.replace("%20", " "))
    };
    let host = format!("{}:{}", url.host_str()?, url.port_or_known_default()?);
    Some(Found { host, name: scope("name/"), hardware: scope("hardware/") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_digest_is_the_one_of_the_specification() {
        // ONVIF Application Programmer's Guide, 6.1.1.3.
        let nonce = BASE64_STANDARD.decode("LKqI6G/AikKCQrN0zqZFlg==").unwrap();
        assert_eq!(digest(&nonce, "2010-09-16T07:50:45Z", "userpassword"), "tuOSpGlFlIXsozq4HFNeeGeFLEI=");
    }

    #[test]
    fn an_answer_is_read_by_local_names_and_one_with_entities_of_its_own_is_not_read() {
        let told =
            texts(b"<a:E xmlns:a='x'><b:Media><b:XAddr>http://h/m?a=1&amp;b=2</b:XAddr></b:Media><p token='T&#49;'/></a:E>").unwrap();
        assert_eq!(text(&told, "Media/XAddr").as_deref(), Some("http://h/m?a=1&b=2"));
        assert!(told.iter().any(|(at, _)| at == "/E/p@token"));
        let bomb = b"<!DOCTYPE a [<!ENTITY x 'aaaa'><!ENTITY y '&x;&x;'>]><a>&y;</a>";
        assert_eq!(texts(bomb), Err(OnvifError::Unreadable("it has a document type")));
        assert_eq!(texts(b"<a>&y;</a>"), Err(OnvifError::Unreadable("it has an entity of its own")));
        assert!(texts("<a>".repeat(100).as_bytes()).is_err());
        // Each attribute repeats the long names around it: half a megabyte would become gigabytes.
        let long = format!("<{0}>{1}", "a".repeat(250_000), "<b c=''/>".repeat(19_000));
        assert_eq!(texts(long.as_bytes()), Err(OnvifError::Unreadable("it is too deep or too long")));
    }

    #[test]
    fn a_clock_of_no_year_that_a_clock_can_have_is_not_told() {
        let says = |year: &str| {
            let date = format!("<Date><Year>{year}</Year><Month>12</Month><Day>31</Day></Date>");
            let time = "<Time><Hour>23</Hour><Minute>59</Minute><Second>59</Second></Time>";
            clock_told(&texts(format!("<UTCDateTime>{time}{date}</UTCDateTime>").as_bytes()).unwrap(), DateTime::UNIX_EPOCH)
        };
        assert_eq!(says("1970"), Some(31_535_999_500));
        assert!(says("9999").is_some());
        assert_eq!([says("262142"), says("4294967295"), says("0")], [None; 3]);
    }

    #[test]
    fn a_stream_lies_on_the_camera_that_was_asked_whatever_it_says() {
        let door = Door { address: "192.168.10.11:80".parse().unwrap(), user: None, password: None };
        assert_eq!(door.stream("rtsp://admin:x@evil.example:554/s?a=1").as_deref(), Some("rtsp://192.168.10.11:554/s?a=1"));
        assert_eq!(door.stream("file:///etc/passwd"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_of_a_camera_break_the_reader(data in proptest::collection::vec(any::<u8>(), 0..300), id in "[a-f]{4}") {
            let _ = texts(&data);
            let _ = matched(&data, &id);
        }

        #[test]
        fn no_text_of_a_camera_breaks_the_reader(data in "[<>/a&;!\\[\\]CDATA='\" ]{0,200}") {
            let _ = texts(data.as_bytes());
        }
    }
}
