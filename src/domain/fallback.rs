//! What stands for the kinds that one side knows and the other does not: words, mostly. Pure; it
//! must not know rooms or people.

pub(super) mod contact;
pub(super) mod described;
pub(super) mod extensible;
pub(super) mod location;
pub(super) mod poll;

use super::limits;

/// A line of somebody else's making: without line breaks, and cut at the limit.
fn line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.trim();
    let mut short: String = line.chars().take(limits::LINE_CHARS_MAX).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_and_has_a_limit() {
        assert_eq!(line(" a\nb\u{7}c "), "a b c");
        let longest = "ü".repeat(limits::LINE_CHARS_MAX);
        assert_eq!(line(&longest), longest);
        assert_eq!(line(&format!("{longest}ü")), format!("{longest}…"));
    }
}
