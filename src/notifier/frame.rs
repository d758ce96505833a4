//! News as it is written: a frame of an event stream (WHATWG HTML, "Server-sent events"), or the body of a webhook.

use std::time::Duration;

use bytes::Bytes;
use chrono::SecondsFormat;

use crate::domain::event::Event;

/// How long a client waits before it comes back.
const RETRY: Duration = Duration::from_secs(3);

/// One event of a stream.
pub(super) fn event(event: &Event) -> Bytes {
    let mut frame = format!("id: {}\nevent: {}\n", event.id, event.kind.as_str()).into_bytes();
    // A line break would end the field; JSON as it is written has none.
    for line in event.body().split(|byte| *byte == b'\n') {
        frame.extend_from_slice(b"data: ");
        frame.extend_from_slice(line);
        frame.push(b'\n');
    }
    frame.push(b'\n');
    frame.into()
}

/// The beginning of a stream. The number alone is no event, but a client that is cut off before the first one resumes after it.
pub(super) fn opening(position: Option<u64>) -> Bytes {
    let retry = RETRY.as_millis();
    match position {
        None => format!("retry: {retry}\n\n").into(),
        Some(position) => format!("retry: {retry}\nid: {position}\n\n").into(),
    }
}

/// A sign of life, with the number up to which there is nothing for this stream.
pub(super) fn heartbeat(position: Option<u64>) -> Bytes {
    match position {
        None => Bytes::from_static(b":\n\n"),
        Some(position) => format!(":\nid: {position}\n\n").into(),
    }
}

/// What was asked for is not kept any more; the stream goes on after `resume`.
pub(super) fn gap(asked: u64, resume: u64) -> Bytes {
    let detail = "Eventos depois do número pedido podem já não estar guardados; consulte os processos de novo.";
    let data = serde_json::json!({ "asked_after": asked, "resumed_after": resume, "detail": detail });
    format!("id: {resume}\nevent: gap\ndata: {data}\n\n").into()
}

/// The body of a webhook.
pub(super) fn letter(event: &Event) -> Bytes {
    let at = event.recorded_at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let head = format!(r#"{{"type":"process.movement.{}","timestamp":"{at}","data":"#, event.kind.as_str());
    [head.as_bytes(), &event.body(), b"}"].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::EventKind;
    use crate::notifier::sample::{self, cnj};

    #[test]
    fn a_frame_is_its_number_its_kind_and_one_line_of_json() {
        let mut news = sample::event(42, cnj(0));
        news.movement.text = "linha um\nlinha dois\r\n\"aspas\"".to_owned();
        let frame = event(&news);
        let text = std::str::from_utf8(&frame).unwrap();
        let lines: Vec<_> = text.split('\n').collect();
        assert_eq!((lines[0], lines[1], lines.len()), ("id: 42", "event: new", 5), "{text}");
        let json: serde_json::Value = serde_json::from_str(lines[2].strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(json, serde_json::from_slice::<serde_json::Value>(&news.body()).unwrap());
        assert!(text.ends_with("\n\n") && !text.contains('\r'));
    }

    #[test]
    fn a_letter_names_its_type_and_carries_the_event() {
        for kind in [EventKind::New, EventKind::Changed, EventKind::Removed] {
            let news = Event { kind, ..sample::event(7, cnj(0)) };
            let json: serde_json::Value = serde_json::from_slice(&letter(&news)).unwrap();
            assert_eq!(json["type"], format!("process.movement.{}", kind.as_str()));
            assert_eq!(json["data"], serde_json::from_slice::<serde_json::Value>(&news.body()).unwrap());
            let at = json["timestamp"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
            assert_eq!(at.timestamp_millis(), news.recorded_at.timestamp_millis());
        }
    }

    #[test]
    fn what_is_no_event_carries_no_data_or_says_gap() {
        assert_eq!(opening(None), "retry: 3000\n\n");
        assert_eq!(opening(Some(5)), "retry: 3000\nid: 5\n\n");
        assert_eq!((heartbeat(None), heartbeat(Some(6))), (":\n\n".into(), ":\nid: 6\n\n".into()));
        let gap = gap(3, 9);
        let text = std::str::from_utf8(&gap).unwrap();
        assert!(text.starts_with("id: 9\nevent: gap\ndata: {") && text.ends_with("}\n\n"), "{text}");
    }
}
