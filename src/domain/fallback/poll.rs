//! Polls: a text with numbered answers, on either side. Votes do not cross: the network's are
//! encrypted for its own apps, and partners cannot cast any (network facts 2.5).

use causeway_wire::message::Poll;
use serde_json::Value;

use super::{extensible, line};
use crate::domain::limits;

/// Stands before a question.
const CHART: &str = "\u{1f4ca}";

/// The text for the start of a poll (MSC3381, in each form that it had); `None` if it asks nothing.
pub(in crate::domain) fn to_network(content: &Value) -> Option<String> {
    let names = ["m.poll", "m.poll.start", "org.matrix.msc3381.poll.start"];
    let poll = names.into_iter().map(|name| &content[name]).find(|poll| poll.is_object())?;
    let question = extensible::text(&poll["question"])?;
    let answers = poll["answers"].as_array().map_or(&[][..], Vec::as_slice);
    let options: Vec<_> = answers.iter().filter_map(extensible::text).collect();
    Some(text(question, &options, 0))
}

/// The text for a poll of the network.
pub(in crate::domain) fn to_matrix(poll: &Poll) -> String {
    let options: Vec<_> = poll.options.iter().map(String::as_str).collect();
    text(&poll.question, &options, poll.more)
}

fn text(question: &str, options: &[&str], more: usize) -> String {
    let shown = options.iter().take(limits::POLL_OPTIONS_MAX).zip(1..);
    let shown = shown.map(|(option, number)| format!("{number}. {}", line(option)));
    let hidden = more + options.len().saturating_sub(limits::POLL_OPTIONS_MAX);
    let hidden = (hidden > 0).then(|| format!("… (+{hidden})"));
    let all = std::iter::once(format!("{CHART} {}", line(question))).chain(shown).chain(hidden);
    all.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_poll_is_read_in_each_form() {
        let stable = json!({"m.poll": {
            "question": {"m.text": [{"body": "when?"}]},
            "answers": [{"m.id": "1", "m.text": [{"body": "now"}]}]}});
        let unstable = json!({"org.matrix.msc3381.poll.start": {
            "question": {"org.matrix.msc1767.text": "when?", "body": "when?"},
            "answers": [{"id": "1", "org.matrix.msc1767.text": "now"}]}});
        for content in [stable, unstable] {
            assert_eq!(to_network(&content).as_deref(), Some("\u{1f4ca} when?\n1. now"));
        }
        assert_eq!(to_network(&json!({"m.poll": {"answers": []}})), None);
        assert_eq!(to_network(&json!([])), None);
    }

    #[test]
    fn answers_have_a_limit() {
        let options = |count| vec!["a"; count];
        let at = text("q", &options(limits::POLL_OPTIONS_MAX), 0);
        assert_eq!(at.lines().count(), 1 + limits::POLL_OPTIONS_MAX);
        let past = text("q", &options(limits::POLL_OPTIONS_MAX + 1), 0);
        assert!(past.ends_with("\n… (+1)"), "{past}");
    }
}
