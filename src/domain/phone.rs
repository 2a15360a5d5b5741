//! Phone numbers as people type them.

/// Digits of a number with its country code (ITU-T E.164).
const DIGITS_MIN: usize = 7;
const DIGITS_MAX: usize = 15;

/// The digits, with country code and without `+`; `None` if this is no international number.
///
/// Spaces, dots, dashes, slashes and brackets are how people group digits. The leading `+` or `00`
/// is demanded, because a national number would reach a stranger in another country.
pub fn international_digits(typed: &str) -> Option<String> {
    let typed = typed.trim();
    let rest = typed.strip_prefix('+').or_else(|| typed.strip_prefix("00"))?;
    let grouping = |c: &char| c.is_whitespace() || matches!(c, '.' | '-' | '/' | '(' | ')');
    let digits: String = rest.chars().filter(|c| !grouping(c)).collect();
    let well_formed = digits.chars().all(|c| c.is_ascii_digit())
        && !digits.starts_with('0')
        && (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len());
    well_formed.then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &str, expected: Option<&str>) {
        assert_eq!(international_digits(typed).as_deref(), expected, "{typed}");
    }

    #[test]
    fn numbers_as_people_type_them() {
        check("+33 6 12 34 56 78", Some("33612345678"));
        check(" 0033612345678 ", Some("33612345678"));
        check("+49 (30) 123-456/7.8", Some("493012345678"));
        check("0612345678", None);
        check("+0612345678", None);
        check("+33 six", None);
        check("", None);
    }

    #[test]
    fn length_at_the_limits_and_one_past() {
        check("+1234567", Some("1234567"));
        check("+123456", None);
        check("+123456789012345", Some("123456789012345"));
        check("+1234567890123456", None);
    }
}
