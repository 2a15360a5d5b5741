//! Contact cards of the network, as lines that a person can read. Of a vCard (RFC 6350, and what
//! came before it) only what people write to each other for is shown.

use causeway_wire::message::{ContactCard, Contacts};

use super::line;
use crate::domain::limits;

/// Stands before a person's name.
const PERSON: &str = "\u{1f464}";

/// The text for contact cards.
pub(in crate::domain) fn to_matrix(contacts: &Contacts) -> String {
    let shown = contacts.cards.iter().take(limits::CONTACT_CARDS_MAX);
    let mut cards: Vec<String> = shown.map(card).collect();
    let hidden = contacts.more + contacts.cards.len().saturating_sub(limits::CONTACT_CARDS_MAX);
    if hidden > 0 {
        cards.push(format!("… (+{hidden})"));
    }
    cards.join("\n\n")
}

fn card(card: &ContactCard) -> String {
    let vcard = card.vcard.as_deref().unwrap_or_default();
    let properties = properties(vcard);
    let own = properties.iter().find(|(name, _)| name == "FN").map(|(_, value)| value.clone());
    let name = card.name.as_deref().map(line).or(own).unwrap_or_else(|| "Contact".to_owned());
    let mut lines = vec![format!("{PERSON} {name}")];
    for (property, value) in &properties {
        let label = match property.as_str() {
            "TEL" => "Phone",
            "EMAIL" => "Email",
            "ORG" => "Organization",
            "TITLE" => "Title",
            "ADR" => "Address",
            "URL" => "Link",
            "NOTE" => "Note",
            _ => continue,
        };
        if lines.len() < limits::CONTACT_LINES_MAX && !value.is_empty() {
            lines.push(format!("{label}: {value}"));
        }
    }
    lines.join("\n")
}

/// The properties of a vCard and their values, unfolded and unescaped.
fn properties(vcard: &str) -> Vec<(String, String)> {
    let unfolded = vcard.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "");
    let property = |line_of_card: &str| {
        let (head, value) = line_of_card.split_once(':')?;
        let name = head.split(';').next()?.rsplit('.').next()?;
        Some((name.trim().to_ascii_uppercase(), line(&unescaped(value))))
    };
    unfolded.lines().filter_map(property).collect()
}

/// Parts of a value are separated by semicolons; those that are not escaped become commas.
fn unescaped(value: &str) -> String {
    let mut parts = vec![String::new()];
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        let literal = match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => Some(' '),
                other => other,
            },
            ';' => {
                parts.push(String::new());
                None
            }
            other => Some(other),
        };
        if let Some(part) = parts.last_mut() {
            part.extend(literal);
        }
    }
    let full = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
    full.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(name: Option<&str>, vcard: Option<&str>) -> String {
        let [name, vcard] = [name, vcard].map(|text| text.map(str::to_owned));
        to_matrix(&Contacts { cards: vec![ContactCard { name, vcard }], more: 0, quote: None })
    }

    #[test]
    fn a_card_is_shown_line_by_line() {
        let vcard = "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Doe;Ann;;;\r\nFN:Ann Doe\r\n\
            item1.TEL;waid=4912345:+49 123\r\n 45\r\nEMAIL;TYPE=work:ann@example.org\r\n\
            ADR;TYPE=home:;;1 Street;Town;;12345;\r\nORG:Acme\\, Inc.;Sales\r\nURL:https://a.example\r\n\
            PHOTO;ENCODING=b:AAAA\r\nEND:VCARD\r\n";
        let expected = "\u{1f464} Annie\nPhone: +49 12345\nEmail: ann@example.org\n\
            Address: 1 Street, Town, 12345\nOrganization: Acme, Inc., Sales\nLink: https://a.example";
        assert_eq!(one(Some("Annie"), Some(vcard)), expected);
        assert!(one(None, Some(vcard)).starts_with("\u{1f464} Ann Doe\n"));
        assert_eq!(one(Some("Annie"), None), "\u{1f464} Annie");
        assert_eq!(one(None, Some("x")), "\u{1f464} Contact");
    }

    #[test]
    fn cards_and_their_lines_have_limits() {
        let card = ContactCard { name: Some("A".to_owned()), vcard: None };
        let shown = |count| {
            let cards = vec![card.clone(); count];
            to_matrix(&Contacts { cards, more: 0, quote: None })
        };
        assert!(shown(limits::CONTACT_CARDS_MAX).ends_with('A'));
        assert!(shown(limits::CONTACT_CARDS_MAX + 1).ends_with("\n\n… (+1)"));
        let lines = |count| one(None, Some(&"TEL:1\n".repeat(count))).lines().count();
        let max = limits::CONTACT_LINES_MAX;
        assert_eq!((lines(max - 1), lines(max)), (max, max));
    }

    proptest! {
        #[test]
        fn any_card_is_read_without_harm(name in prop::option::of(".*"), vcard in "(?s).*") {
            one(name.as_deref(), Some(&vcard));
        }
    }
}
