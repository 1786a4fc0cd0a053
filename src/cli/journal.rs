//! What the journal is told: a line an event. Where systemd keeps the journal, a line begins with its priority (sd-daemon(3)), so that
//! `journalctl -p warning` finds what matters, and has no time of its own.

use crate::machine::systemd;
use std::fmt;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

struct WithPriority(Format<Full, ()>);

impl<S, N> FormatEvent<S, N> for WithPriority
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(context, writer, event)
    }
}

/// Begins to tell it, on standard error: what subcommands answer goes to standard output.
pub(super) fn begin(filter: EnvFilter) {
    let told = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    if systemd::stderr_is_the_journal() {
        let plain = tracing_subscriber::fmt::format().without_time().with_ansi(false);
        told.with_ansi(false).event_format(WithPriority(plain)).init();
    } else {
        told.init();
    }
}
