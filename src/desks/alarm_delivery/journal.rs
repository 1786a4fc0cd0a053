//! Alarms in the host's journal: a line each with its fields; `journalctl -p warning` finds them where systemd runs the recorder.

use crate::model::alarm::{Happening, Severity, Told};
use crate::model::alarm_message::title;

/// Writes one down.
pub(in crate::desks) fn tell(told: &Told, least: Severity) {
    let a = &told.alarm;
    if a.severity < least || told.what == Happening::Counted {
        return;
    }
    let (event, kind, severity) = (told.what.as_str(), a.kind.as_str(), a.severity.as_str());
    let (alarm, subject, room, title) = (&a.id, &a.subject, a.room.as_deref().unwrap_or_default(), title(a.kind).1);
    match (told.what, a.severity) {
        (Happening::Acknowledged | Happening::Cleared, _) | (_, Severity::Notice) => {
            tracing::info!(alarm, event, kind, severity, subject, room, "alarm: {title}");
        }
        (_, Severity::Warning) => tracing::warn!(alarm, event, kind, severity, subject, room, "alarm: {title}"),
        (_, Severity::Urgent) => tracing::error!(alarm, event, kind, severity, subject, room, "alarm: {title}"),
    }
}
