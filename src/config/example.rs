//! The example file, written from the sections' own documentation.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::section::{Description, Field, Presence};

/// What stands for a secret where there must not be one.
pub(super) const PLACEHOLDER: &str = "REPLACE-ME";
/// The length of a fresh secret before encoding.
const SECRET_BYTES: usize = 32;

const OPENING: &str = "\
# The configuration of Causeway. Generated: `causeway config example` writes this file with fresh
# secrets in it, `causeway config check` names every mistake in one.
#
# A line that begins with `#name =` shows a default or, where there is none, an example: remove the
# `#` to change it.
# A secret can also be read from a file (`<name>_file`, relative to this file) or from an environment
# variable (`<name>_env`). Use exactly one of the three.
";

pub(super) fn fresh(sections: &[Description], fill: &mut dyn FnMut(&mut [u8])) -> String {
    write(sections, &mut || {
        let mut bytes = [0; SECRET_BYTES];
        fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    })
}

pub(super) fn write(sections: &[Description], secret: &mut dyn FnMut() -> String) -> String {
    let mut file = OPENING.to_owned();
    for section in sections {
        file.push('\n');
        push_comment(&mut file, section.about);
        if !section.path.is_empty() {
            file.extend(["[", section.path, "]\n"]);
        }
        for field in section.fields {
            file.push('\n');
            push_field(&mut file, field, secret);
        }
        for line in section.free.into_iter().flatten() {
            file.extend(["#", line, "\n"]);
        }
    }
    file
}

fn push_field(file: &mut String, field: &Field, secret: &mut dyn FnMut() -> String) {
    push_comment(file, field.doc);
    let (mark, value) = match field.presence {
        Presence::Required(value) => ("", value.to_owned()),
        Presence::Default(value)
        | Presence::SecretOr(value)
        | Presence::Optional(value)
        | Presence::OptionalSecret(value) => ("#", value.to_owned()),
        Presence::Secret => ("", format!("\"{}\"", secret())),
    };
    file.extend([mark, field.name, " = ", &value, "\n"]);
}

fn push_comment(file: &mut String, lines: &[&str]) {
    for line in lines {
        file.extend(["#", line, "\n"]);
    }
}
