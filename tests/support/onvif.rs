//! A camera's ONVIF side, by the `onvif-server` crate (another hand's reading of the standard): digest of name and password, particulars,
//! streams, clock. It has no SetSystemDateAndTime; that one answer is given here, by the shape of the published WSDL.

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use onvif_server::{DeviceInfo, DeviceService, MediaService, OnvifError, OnvifServer};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

/// What the camera says; a test changes it.
#[derive(Debug, Clone)]
pub struct Says {
    pub serial: String,
    pub firmware: String,
    pub clock_off_s: i64,
    pub stream: String,
}

#[derive(Clone)]
pub struct Onvif {
    pub says: Arc<Mutex<Says>>,
    pub address: SocketAddr,
}

#[async_trait]
impl DeviceService for Onvif {
    async fn get_system_date_and_time(&self) -> Result<chrono::DateTime<chrono::Utc>, OnvifError> {
        Ok(chrono::Utc::now() + chrono::TimeDelta::seconds(self.says.lock().unwrap().clock_off_s))
    }

    async fn get_device_information(&self) -> Result<DeviceInfo, OnvifError> {
        let says = self.says.lock().unwrap().clone();
        Ok(DeviceInfo {
            manufacturer: "某厂".into(),
            model: "IPC-2".into(),
            firmware_version: says.firmware,
            serial_number: says.serial,
            hardware_id: "hw".into(),
        })
    }
}

#[async_trait]
impl MediaService for Onvif {
    async fn get_stream_uri(&self, _profile: &str) -> Result<String, OnvifError> {
        Ok(self.says.lock().unwrap().stream.clone())
    }
}

impl Onvif {
    /// Serves on loopback, behind a name and a password.
    pub async fn serve(user: &str, password: &str, says: Says) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let camera = Self { says: Arc::new(Mutex::new(says)), address };
        let builder = OnvifServer::builder().port(address.port()).advertised_host("127.0.0.1").auth(user, password);
        let server = builder.device_service(camera.clone()).media_service(camera.clone()).build().unwrap();
        let says = camera.says.clone();
        let sets = from_fn(move |request: Request, next: Next| set_clock(says.clone(), request, next));
        let router = server.into_router().unwrap().layer(sets);
        tokio::spawn(async move { axum::serve(listener, router).await });
        camera
    }

    /// Answers probes on the loopback interface, and nowhere else.
    #[allow(clippy::default_trait_access)] // the crate's own type is no dependency of ours
    pub fn is_found(&self) {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, Some(socket2::Protocol::UDP)).unwrap();
        socket.set_reuse_address(true).unwrap();
        let group = Ipv4Addr::new(239, 255, 255, 250);
        socket.bind(&SocketAddr::from((group, 3702)).into()).unwrap();
        socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST).unwrap();
        let (socket, address): (std::net::UdpSocket, _) = (socket.into(), format!("http://{}/onvif/device_service", self.address));
        std::thread::spawn(move || {
            let mut data = vec![0; 65_536];
            while let Ok((length, from)) = socket.recv_from(&mut data) {
                if onvif_server::discovery::is_probe_message(&data[..length]) {
                    let asked = String::from_utf8_lossy(&data[..length]).into_owned();
                    let id = asked.split("MessageID>").nth(1).and_then(|t| t.split('<').next()).unwrap_or_default();
                    let answer = onvif_server::discovery::build_probe_match(id, &address, Default::default());
                    let _ = socket.send_to(answer.as_bytes(), from);
                }
            }
        });
    }
}

async fn set_clock(says: Arc<Mutex<Says>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let data = to_bytes(body, 1 << 20).await.unwrap();
    let text = String::from_utf8_lossy(&data).into_owned();
    if !text.contains("<SetSystemDateAndTime") {
        return next.run(Request::from_parts(parts, Body::from(data))).await;
    }
    assert!(text.contains("UsernameToken") && text.contains("#PasswordDigest"), "{text}");
    let number = |name: &str| text.split(&format!("<t:{name}>")).nth(1).unwrap().split('<').next().unwrap().parse::<u32>().unwrap();
    let day = chrono::NaiveDate::from_ymd_opt(number("Year") as i32, number("Month"), number("Day")).unwrap();
    let at = day.and_hms_opt(number("Hour"), number("Minute"), number("Second")).unwrap().and_utc();
    says.lock().unwrap().clock_off_s = (at - chrono::Utc::now()).num_seconds();
    let answer = r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><SetSystemDateAndTimeResponse xmlns="http://www.onvif.org/ver10/device/wsdl"/></s:Body></s:Envelope>"#;
    ([(header::CONTENT_TYPE, "application/soap+xml")], answer).into_response()
}
