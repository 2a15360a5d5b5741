//! The text of a part of an extensible event, in each form that those have had (MSC1767).

use serde_json::Value;

/// `None` if there is nothing to read.
pub(in crate::domain) fn text(part: &Value) -> Option<&str> {
    let stable = part["m.text"].as_array().and_then(|forms| {
        let plain = |form: &&Value| form["mimetype"].is_null() || form["mimetype"] == "text/plain";
        forms.iter().find(plain).and_then(|form| form["body"].as_str())
    });
    let texts = [stable, part["org.matrix.msc1767.text"].as_str(), part["body"].as_str()];
    texts.into_iter().flatten().find(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_is_found_in_each_form() {
        for (part, expected) in [
            (json!({"m.text": [{"body": "a"}]}), Some("a")),
            (
                json!({"m.text": [{"mimetype": "text/html", "body": "<b>"}, {"body": "a"}]}),
                Some("a"),
            ),
            (json!({"org.matrix.msc1767.text": "a", "body": "b"}), Some("a")),
            (json!({"body": "b"}), Some("b")),
            (json!({"body": " "}), None),
            (json!({"m.text": "a"}), None),
            (json!(3), None),
        ] {
            assert_eq!(text(&part), expected, "{part}");
        }
    }
}
