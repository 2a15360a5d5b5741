//! Names and types of files, made safe to show and to save: either side may have written anything.

use causeway_wire::message::MAX_FILE_NAME_CHARS;

/// The most characters of a MIME type.
const MIMETYPE_CHARS_MAX: usize = 100;

/// The most characters of what is kept as the ending of a name that is cut.
const ENDING_CHARS_MAX: usize = 16;

/// A MIME type without its parameters, in lower case.
pub(super) fn essence(mimetype: &str) -> String {
    let essence = mimetype.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// Whether a text has the form of a MIME type.
pub(super) fn is_mimetype(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c);
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    let form = essence.trim().split_once('/').is_some_and(|(class, name)| {
        [class, name].iter().all(|part| !part.is_empty() && part.chars().all(allowed))
    });
    form && text.chars().count() <= MIMETYPE_CHARS_MAX
        && parameters.chars().all(|c| c.is_ascii_graphic() || c == ' ')
}

/// A name without anything that could lead out of a folder, hide its ending or break a line; `None`
/// if nothing is left. A name that is too long keeps its ending.
pub(super) fn clean(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|c| !is_hidden(*c)).collect();
    let clean = clean.trim().trim_start_matches('.').trim();
    if clean.is_empty() {
        return None;
    }
    let chars = clean.chars().count();
    if chars <= MAX_FILE_NAME_CHARS {
        return Some(clean.to_owned());
    }
    let ending = clean.rsplit_once('.').map_or("", |(_, ending)| ending);
    let ending = match ending.chars().count() {
        1..=ENDING_CHARS_MAX => format!(".{ending}"),
        _ => String::new(),
    };
    let room = MAX_FILE_NAME_CHARS - ending.chars().count();
    Some(clean.chars().take(room).chain(ending.chars()).collect())
}

/// Control characters and those that change the direction of what stands around them.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A name with an ending: what a document is opened with depends on it.
pub(super) fn with_ending(name: String, mimetype: &str) -> String {
    match ending(&essence(mimetype)) {
        Some(ending) if !name.contains('.') => format!("{name}.{ending}"),
        _ => name,
    }
}

/// The name of a file that has none.
pub(super) fn default_name(kind: &str, mimetype: &str) -> String {
    with_ending(kind.replace(' ', "-").to_lowercase(), mimetype)
}

fn ending(essence: &str) -> Option<&'static str> {
    Some(match essence {
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/gif" => "gif",
        "image/webp" => "webp",
        "video/mp4" => "mp4",
        "video/3gpp" => "3gp",
        "video/webm" => "webm",
        "video/quicktime" => "mov",
        "audio/ogg" => "ogg",
        "audio/mp4" => "m4a",
        "audio/mpeg" => "mp3",
        "audio/aac" => "aac",
        "audio/amr" => "amr",
        "audio/wav" | "audio/x-wav" => "wav",
        "application/pdf" => "pdf",
        "application/zip" => "zip",
        "text/plain" => "txt",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_leads_nowhere_and_hides_nothing() {
        for (name, expected) in [
            ("a.pdf", Some("a.pdf")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\x\\y.exe", Some("y.exe")),
            ("invoice\u{202e}fdp.exe", Some("invoicefdp.exe")),
            ("a\nb\0.txt", Some("ab.txt")),
            ("..", None),
            (".bashrc", Some("bashrc")),
            (" ", None),
            ("", None),
            ("документ.pdf", Some("документ.pdf")),
        ] {
            assert_eq!(clean(name).as_deref(), expected, "{name:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let longest = format!("{}.pdf", "ü".repeat(MAX_FILE_NAME_CHARS - 4));
        assert_eq!(clean(&longest), Some(longest.clone()));
        assert_eq!(clean(&format!("ü{longest}")), Some(longest));
        let endless = format!("a.{}", "b".repeat(MAX_FILE_NAME_CHARS));
        assert_eq!(clean(&endless).map(|name| name.chars().count()), Some(MAX_FILE_NAME_CHARS));
    }

    #[test]
    fn a_type_has_its_form_and_its_limit() {
        for good in ["image/png", "audio/ogg; codecs=opus", "application/vnd.ms-excel", "a/b+c"] {
            assert!(is_mimetype(good), "{good}");
        }
        for bad in ["", "image", "/png", "image/", "a b/c", "text/html\r\nx: y", "a/\u{fc}"] {
            assert!(!is_mimetype(bad), "{bad}");
        }
        let long = |chars: usize| format!("a/{}", "b".repeat(chars - 2));
        assert!(
            is_mimetype(&long(MIMETYPE_CHARS_MAX)) && !is_mimetype(&long(MIMETYPE_CHARS_MAX + 1))
        );
    }

    #[test]
    fn a_file_without_a_name_gets_one() {
        assert_eq!(default_name("voice message", "audio/ogg; codecs=opus"), "voice-message.ogg");
        assert_eq!(default_name("document", "x/y"), "document");
        let ended = |name: &str| with_ending(name.to_owned(), "image/gif");
        assert_eq!((ended("cat").as_str(), ended("cat.png").as_str()), ("cat.gif", "cat.png"));
    }

    proptest! {
        #[test]
        fn any_name_is_made_safe(name: String) {
            let safe = |name: String| {
                let chars = name.chars().count();
                !name.contains(['/', '\\', '\n', '\0']) && chars <= MAX_FILE_NAME_CHARS
            };
            prop_assert!(clean(&name).is_none_or(safe));
        }
    }
}
