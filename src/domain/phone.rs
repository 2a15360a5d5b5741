//! Phone numbers as people type them, read as E.164 (ITU-T).
//!
//! A number is taken if its length is possible in its country, not only if its range is known to be in
//! use: countries open new ranges faster than any table learns of them, and the network says in the
//! end who has a number. Nothing here shows a number: not an error, not a `Debug`.

use std::fmt;

use phonenumber::{
    Mode, ParseError,
    country::{Id, Source},
    metadata::DATABASE,
};

use super::limits;

/// A number with its country code, as digits without the `+`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Phone(String);

/// The country in which a number without country code is dialed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region(Id);

/// Why something is no number that could be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongNumber {
    /// There are letters in it, or no digits.
    NotANumber,
    /// It has no country code, and no country is known in which it would be dialed.
    NoCountryCode,
    /// No country has that code.
    UnknownCountry,
    TooShort,
    TooLong,
    /// Between the shortest and the longest of its country, but none has so many digits.
    OddLength,
}

impl Phone {
    /// Reads what a person typed. Grouping, brackets and a `tel:` do not matter; `00` stands for `+`.
    pub fn read(typed: &str, region: Option<Region>) -> Result<Self, WrongNumber> {
        let written = Written::read(typed)?;
        let national = region.filter(|_| !written.plus);
        let number = match (national, written.digits.strip_prefix("00")) {
            (Some(region), abroad) => match parsed(&written.digits, Some(region)) {
                // Dialed as from another country than the region.
                Ok(number) if number.code().source() == Source::Default => match abroad {
                    Some(abroad) => parsed_international(abroad)?,
                    None => number,
                },
                Err(_) if abroad.is_some() => parsed_international(abroad.unwrap_or_default())?,
                ended => ended?,
            },
            (None, _) if written.plus => parsed_international(&written.digits)?,
            (None, Some(abroad)) => parsed_international(abroad)?,
            (None, None) => return Err(WrongNumber::NoCountryCode),
        };
        let (code, national) = (number.code().value(), number.national().to_string());
        check_length(code, national.len())?;
        let digits = format!("{code}{national}");
        if digits.len() > limits::PHONE_DIGITS_MAX {
            return Err(WrongNumber::TooLong);
        }
        Ok(Self(digits))
    }

    /// The digits with country code, without `+`.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// Takes up digits that were read before.
    pub fn from_digits(digits: &str) -> Option<Self> {
        let well_formed = (1..=limits::PHONE_DIGITS_MAX).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        well_formed.then(|| Self(digits.to_owned()))
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(…)")
    }
}

impl Region {
    /// Two letters of ISO 3166-1 in capitals; `None` for a country without a numbering plan.
    pub fn parse(code: &str) -> Option<Self> {
        let id: Id = code.parse().ok()?;
        DATABASE.by_id(id.as_ref()).map(|_| Self(id))
    }

    /// A number that nobody has, with its country code and as it is dialed at home.
    fn example(self) -> Option<(String, String)> {
        let plan = DATABASE.by_id(self.0.as_ref())?;
        let example = plan.descriptors().mobile()?.example()?;
        let number = phonenumber::parse(Some(self.0), example).ok()?;
        let format = |mode| number.format().mode(mode).to_string();
        Some((format(Mode::International), format(Mode::National)))
    }
}

impl WrongNumber {
    /// What is wrong, and what a right one looks like.
    pub fn sentence(self, region: Option<Region>) -> String {
        let reason = match self {
            Self::NotANumber => "That is not a phone number.",
            Self::NoCountryCode => "That number has no country code.",
            Self::UnknownCountry => "No country has the code that this number begins with.",
            Self::TooShort => "That number is too short for its country.",
            Self::TooLong => "That number is too long for its country.",
            Self::OddLength => "No number of that country has so many digits.",
        };
        match region.and_then(Region::example) {
            Some((international, national)) => format!(
                "{reason} Please give it like `{international}`, or as you dial it at home: \
                 `{national}`."
            ),
            None => {
                format!("{reason} Please give it with its country code, like `{EXAMPLE}`.")
            }
        }
    }
}

/// A number that nobody has: France keeps this range for films and books.
pub const EXAMPLE: &str = "+33 6 39 98 00 00";

/// Digits, and whether a `+` stood before them.
struct Written {
    plus: bool,
    digits: String,
}

impl Written {
    fn read(typed: &str) -> Result<Self, WrongNumber> {
        if typed.chars().count() > limits::PHONE_TYPED_CHARS_MAX {
            return Err(WrongNumber::NotANumber);
        }
        let bare: String = typed.chars().filter(|c| !is_grouping(*c)).collect();
        let bare = bare.strip_prefix("tel:").unwrap_or(&bare);
        let (plus, digits) = bare.strip_prefix('+').map_or((false, bare), |rest| (true, rest));
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(WrongNumber::NotANumber);
        }
        Ok(Self { plus, digits: digits.to_owned() })
    }
}

/// How people group digits, and the invisible marks that come along when a number is copied from an
/// address book.
fn is_grouping(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '.' | '-' | '/' | '(' | ')' | '\u{2010}'..='\u{2015}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
}

fn parsed_international(digits: &str) -> Result<phonenumber::PhoneNumber, WrongNumber> {
    // The parser takes a second prefix for a slip of the hand; here it would call a stranger.
    if digits.starts_with('0') {
        return Err(WrongNumber::UnknownCountry);
    }
    parsed(&format!("+{digits}"), None)
}

fn parsed(number: &str, region: Option<Region>) -> Result<phonenumber::PhoneNumber, WrongNumber> {
    phonenumber::parse(region.map(|Region(id)| id), number).map_err(|error| match error {
        ParseError::NoNumber | ParseError::TooShortAfterIdd | ParseError::TooShortNsn => {
            WrongNumber::TooShort
        }
        ParseError::InvalidCountryCode => WrongNumber::UnknownCountry,
        ParseError::TooLong | ParseError::MalformedInteger(_) => WrongNumber::TooLong,
    })
}

/// Several countries may share a code: what is possible in one of them is.
fn check_length(code: u16, length: usize) -> Result<(), WrongNumber> {
    let plans = DATABASE.by_code(&code).ok_or(WrongNumber::UnknownCountry)?;
    let possible = plans.iter().flat_map(|plan| plan.descriptors().general().possible_length());
    let possible: Vec<usize> = possible.map(|length| usize::from(*length)).collect();
    let (least, most) = (possible.iter().min(), possible.iter().max());
    match (least, most) {
        // Nothing is known of the country: the network will say.
        (None, _) | (_, None) => Ok(()),
        (Some(least), _) if length < *least => Err(WrongNumber::TooShort),
        (_, Some(most)) if length > *most => Err(WrongNumber::TooLong),
        _ if possible.contains(&length) => Ok(()),
        _ => Err(WrongNumber::OddLength),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(typed: &str, region: &str, expected: Result<&str, WrongNumber>) {
        let region = (!region.is_empty()).then(|| Region::parse(region).unwrap());
        let read = Phone::read(typed, region);
        assert_eq!(read.as_ref().map(Phone::digits).map_err(|wrong| *wrong), expected, "{typed}");
    }

    #[test]
    fn numbers_as_people_type_them() {
        check("+33 6 12 34 56 78", "", Ok("33612345678"));
        check(" 0033612345678 ", "", Ok("33612345678"));
        check("tel:+33-6-12-34-56-78", "", Ok("33612345678"));
        check("\u{202a}+33\u{a0}6\u{2011}12.34/56 78\u{202c}", "", Ok("33612345678"));
        check("+33 (0)6 12 34 56 78", "", Ok("33612345678"));
        check("+44 (0)20 7946 0958", "", Ok("442079460958"));
        check("+49 (30) 123-456/7.8", "", Ok("493012345678"));
        check("+39 06 698 12345", "", Ok("390669812345"));
        check("+1 201 555 0123", "", Ok("12015550123"));
    }

    #[test]
    fn a_national_number_is_one_of_the_region() {
        check("06 12 34 56 78", "FR", Ok("33612345678"));
        check("0151 12345678", "DE", Ok("4915112345678"));
        check("(201) 555-0123", "US", Ok("12015550123"));
        check("06 698 12345", "IT", Ok("390669812345"));
        check("8 912 345-67-89", "RU", Ok("79123456789"));
        check("06 20 123 4567", "HU", Ok("36201234567"));
        // With its code it is what it says, wherever one is.
        check("+49 151 12345678", "FR", Ok("4915112345678"));
        check("0049 151 12345678", "FR", Ok("4915112345678"));
        check("011 49 151 12345678", "US", Ok("4915112345678"));
        check("0049 151 12345678", "US", Ok("4915112345678"));
        check("0011 49 151 12345678", "AU", Ok("4915112345678"));
    }

    #[test]
    fn a_wrong_number_has_its_reason() {
        check("0612345678", "", Err(WrongNumber::NoCountryCode));
        check("", "", Err(WrongNumber::NotANumber));
        check("+", "", Err(WrongNumber::NotANumber));
        check("+33 six", "", Err(WrongNumber::NotANumber));
        check("call me", "FR", Err(WrongNumber::NotANumber));
        check("+33 6+12 34 56 78", "", Err(WrongNumber::NotANumber));
        check("+0612345678", "", Err(WrongNumber::UnknownCountry));
        check("000612345678", "", Err(WrongNumber::UnknownCountry));
        check("+999 612345678", "", Err(WrongNumber::UnknownCountry));
        check("+3", "", Err(WrongNumber::TooShort));
        check("06 12", "FR", Err(WrongNumber::TooShort));
        check("555-0123", "US", Err(WrongNumber::TooShort));
    }

    #[test]
    fn length_at_the_limits_of_a_country_and_one_past() {
        check("+33 6 12 34 56 78", "", Ok("33612345678"));
        check("+33 6 12 34 56 7", "", Err(WrongNumber::TooShort));
        check("+33 6 12 34 56 78 9", "", Err(WrongNumber::TooLong));
        // Austria's range from 4 to 13 digits, and E.164 ends at 15 with the code.
        check("+43 6641234567890", "", Ok("436641234567890"));
        check("+43 66412345678901", "", Err(WrongNumber::TooLong));
    }

    #[test]
    fn what_was_typed_at_the_limit_and_one_past() {
        let padding = limits::PHONE_TYPED_CHARS_MAX - "+33612345678".len();
        let full = format!("+33612345678{}", " ".repeat(padding));
        check(&full, "", Ok("33612345678"));
        check(&format!("{full} "), "", Err(WrongNumber::NotANumber));
    }

    #[test]
    fn the_sentence_shows_a_number_that_would_be_taken() {
        for (region, at_home) in [("FR", "06 12 34 56 78"), ("US", "(201) 555-0123")] {
            let region = Region::parse(region);
            let sentence = WrongNumber::TooShort.sentence(region);
            assert!(sentence.contains(at_home), "{sentence}");
            for example in sentence.split('`').skip(1).step_by(2) {
                assert!(Phone::read(example, region).is_ok(), "{example}");
            }
        }
        let sentence = WrongNumber::NotANumber.sentence(None);
        assert!(sentence.contains(EXAMPLE) && Phone::read(EXAMPLE, None).is_ok(), "{sentence}");
    }

    #[test]
    fn a_region_is_two_capitals_that_mean_a_country() {
        assert!(Region::parse("FR").is_some());
        for no_region in ["", "fr", "FRA", "XX", "001"] {
            assert_eq!(Region::parse(no_region), None, "{no_region}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_a_number_or_wrong(typed in "\\PC{0,40}", abroad in any::<bool>()) {
            let region = if abroad { None } else { Region::parse("FR") };
            if let Ok(phone) = Phone::read(&typed, region) {
                prop_assert_eq!(Phone::from_digits(phone.digits()), Some(phone));
            }
        }

        #[test]
        fn digits_are_read_with_and_without_a_region(
            typed in "(\\+|00|0|011)?[0-9]{0,18}",
            region in prop::sample::select(vec!["FR", "US", "IT", "AU", "BR", "MX", "AR", "HU"]),
        ) {
            for region in [None, Region::parse(region)] {
                let Ok(phone) = Phone::read(&typed, region) else { continue };
                prop_assert!(phone.digits().len() <= limits::PHONE_DIGITS_MAX);
                prop_assert!(!phone.digits().starts_with('0'));
                let shown = format!("{phone:?}");
                prop_assert!(!shown.contains(phone.digits()), "it shows {}", shown);
            }
        }

        #[test]
        fn a_number_that_was_read_is_read_again_as_itself(number in "\\+[1-9][0-9]{6,14}") {
            let Ok(phone) = Phone::read(&number, None) else { return Ok(()) };
            let again = Phone::read(&format!("+{}", phone.digits()), None);
            prop_assert_eq!(again, Ok(phone));
        }
    }
}
