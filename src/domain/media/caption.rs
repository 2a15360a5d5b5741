//! Network → Matrix: other words with a file that is shown already.

use ruma::EventId;
use serde_json::{Value, json};

use crate::domain::{markup::MatrixText, text::shortened};

/// The content of an event that replaces the `earlier` file event of that content by the same file with
/// other words, or with none. `None` if that is no file.
///
/// An edit replaces the whole content (client-server API, "Event replacements"), so that everything
/// about the file stands in it again.
pub fn recaptioned(
    earlier: &EventId,
    content: &Value,
    words: Option<&MatrixText>,
) -> Option<Value> {
    let is_file =
        matches!(content["msgtype"].as_str()?, "m.image" | "m.video" | "m.audio" | "m.file")
            && content["file"].is_object();
    let name = content["filename"].as_str().or(content["body"].as_str()).filter(|_| is_file)?;
    let mut file = content.as_object()?.clone();
    for field in ["m.relates_to", "m.new_content", "format", "formatted_body"] {
        file.remove(field);
    }
    file.insert("filename".to_owned(), json!(name));
    file.insert("body".to_owned(), json!(name));
    let mut replaced = Value::Object(file);
    let mut replacement = replaced.clone();
    if let Some(words) = words {
        replaced["body"] = json!(words.body);
        if let Some(formatted) = &words.formatted_body {
            replaced["format"] = json!("org.matrix.custom.html");
            replaced["formatted_body"] = json!(formatted);
        }
        // For clients that know no edits. An event has no room for the whole text twice.
        replacement["body"] = json!(format!("* {}", shortened(&words.body)));
    }
    replacement["m.new_content"] = replaced;
    replacement["m.relates_to"] = json!({"rel_type": "m.replace", "event_id": earlier});
    Some(replacement)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::markup;

    fn image() -> Value {
        json!({"msgtype": "m.image", "body": "*old*", "filename": "a.jpg", "file": {"url": "mxc://a/b"},
            "info": {"w": 3}, "format": "org.matrix.custom.html", "formatted_body": "<b>old</b>",
            "m.relates_to": {"m.in_reply_to": {"event_id": "$0"}}})
    }

    #[test]
    fn the_file_stays_and_the_words_change() {
        let event = ruma::event_id!("$1");
        let edit = recaptioned(event, &image(), Some(&markup::to_matrix("*new*"))).unwrap();
        assert_eq!(edit["m.relates_to"], json!({"rel_type": "m.replace", "event_id": "$1"}));
        assert_eq!((&edit["body"], &edit["file"]), (&json!("* *new*"), &image()["file"]));
        assert_eq!(
            edit["m.new_content"],
            json!({"msgtype": "m.image", "body": "*new*", "filename": "a.jpg", "info": {"w": 3},
                "file": {"url": "mxc://a/b"}, "format": "org.matrix.custom.html",
                "formatted_body": "<strong>new</strong>"})
        );
    }

    #[test]
    fn words_are_taken_away_and_added() {
        let event = ruma::event_id!("$1");
        let bare = recaptioned(event, &image(), None).unwrap()["m.new_content"].clone();
        assert_eq!((&bare["body"], &bare["filename"]), (&json!("a.jpg"), &json!("a.jpg")));
        assert!(bare["formatted_body"].is_null());
        let named = json!({"msgtype": "m.file", "body": "b.pdf", "file": {}});
        let words = markup::to_matrix("see");
        let edit = recaptioned(event, &named, Some(&words)).unwrap()["m.new_content"].clone();
        assert_eq!((&edit["body"], &edit["filename"]), (&json!("see"), &json!("b.pdf")));
    }

    #[test]
    fn what_is_no_file_has_no_caption() {
        let event = ruma::event_id!("$1");
        for content in [
            json!({}),
            json!({"msgtype": "m.text", "body": "a", "file": {}}),
            json!({"msgtype": "m.image", "body": "redacted"}),
        ] {
            assert_eq!(recaptioned(event, &content, None), None, "{content}");
        }
    }
}
