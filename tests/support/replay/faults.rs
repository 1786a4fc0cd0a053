//! What a camera does wrong, on demand.

/// Orders are one line each; `on`/`off` where nothing else is said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    /// Sends nothing, with every connection open.
    pub(crate) stall: bool,
    /// No pictures; sound goes on.
    pub(crate) blind: bool,
    /// No sound; pictures go on.
    pub(crate) mute: bool,
    /// Bytes a second, a few at a time.
    pub(crate) dribble: Option<u32>,
    /// Refuses every password.
    pub(crate) refuse: bool,
    /// Sends whoever asks elsewhere.
    pub(crate) redirect: Option<String>,
    /// Ends connections in mid-picture; counted, so that each order is obeyed once.
    pub(crate) closes: u32,
    /// Added to RTP timestamps, 90 kHz.
    pub(crate) jump: u32,
    /// No sender reports.
    pub(crate) no_reports: bool,
    /// Sender reports' clock is off by this, s.
    pub(crate) clock_off_s: i64,
    /// Of a thousand packets, so many are not sent (UDP).
    pub(crate) loss: u32,
    /// Of a thousand packets, so many change places with the next (UDP).
    pub(crate) reorder: u32,
    /// Which source plays.
    pub(crate) source: usize,
    /// Leaves out about every third picture that is no key frame's neighbour: a variable rate, the timestamps honest.
    pub(crate) uneven: bool,
}

impl Faults {
    pub(crate) fn order(&mut self, order: &str) {
        let mut words = order.split_whitespace();
        let (what, value) = (words.next().unwrap_or_default(), words.next().unwrap_or("on"));
        let on = value == "on";
        let number = || value.parse::<i64>().unwrap();
        match what {
            "stall" => self.stall = on,
            "blind" => self.blind = on,
            "mute" => self.mute = on,
            "uneven" => self.uneven = on,
            "refuse" => self.refuse = on,
            "reports" => self.no_reports = !on,
            "close" => self.closes += 1,
            "dribble" => self.dribble = value.parse().ok(),
            "redirect" => self.redirect = Some(value.into()).filter(|v| v != "off"),
            "jump_s" => self.jump = self.jump.wrapping_add((number() * 90_000) as u32),
            "clock_off_s" => self.clock_off_s = number(),
            "loss" => self.loss = number() as u32,
            "reorder" => self.reorder = number() as u32,
            "source" => self.source = number() as usize,
            "well" => *self = Self { closes: self.closes, jump: self.jump, source: self.source, ..Self::default() },
            other => panic!("no such fault: {other}"),
        }
    }
}
