//! Phone numbers as people type them, read as E.164 (ITU-T).
//!
//! A number is taken if its length is possible in its country, not only if its range is known to be in
//! use: countries open new ranges faster than any table learns of them, and the network says in the
//! end who has a number. Nothing here shows a number: not an error, not a `Debug`.

use std::{collections::BTreeSet, fmt};

use phonenumber::{
    Metadata, Mode,
    country::Id,
    metadata::{DATABASE, Descriptor},
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
    /// Reads what a person typed. Grouping, brackets and a `tel:` do not matter; `00` stands for `+`,
    /// and so does what is dialed in the region before a number of another country.
    pub fn read(typed: &str, region: Option<Region>) -> Result<Self, WrongNumber> {
        let Written { plus, digits } = Written::read(typed)?;
        if plus {
            return international(&digits);
        }
        let dialed_abroad = region.and_then(|region| region.dialed_abroad(&digits));
        if let Some(Ok(phone)) = dialed_abroad.map(international) {
            return Ok(phone);
        }
        match (digits.strip_prefix("00"), region) {
            (Some(abroad), _) => international(abroad),
            (None, Some(region)) => national(&digits, region),
            (None, None) => Err(WrongNumber::NoCountryCode),
        }
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

    /// What follows the region's prefix of calls to other countries.
    fn dialed_abroad(self, digits: &str) -> Option<&str> {
        let prefix = DATABASE.by_id(self.0.as_ref())?.international_prefix()?;
        let found = prefix.find(digits).filter(|found| found.start() == 0)?;
        digits.get(found.end()..)
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

/// Digits that begin with the code of a country. What people put before a national number there,
/// as in `+33 (0)6`, is taken away, but only if the number is none with it: elsewhere it is a part.
fn international(digits: &str) -> Result<Phone, WrongNumber> {
    let (code, rest, plans) = country(digits)?;
    let without_prefix = plans.iter().find_map(|plan| rest.strip_prefix(plan.national_prefix()?));
    let candidates = [Some(rest), without_prefix];
    Plans(plans).number(code, candidates)
}

/// Digits as they are dialed in the region, where most countries have a prefix that is no part of the
/// number.
fn national(digits: &str, Region(id): Region) -> Result<Phone, WrongNumber> {
    let plan = DATABASE.by_id(id.as_ref()).ok_or(WrongNumber::NoCountryCode)?;
    let without_prefix = plan.national_prefix().and_then(|prefix| digits.strip_prefix(prefix));
    // Ranges of a smaller neighbor may be dialed as those of the region.
    let plans = Plans(DATABASE.by_code(&plan.country_code()).unwrap_or_else(|| vec![plan]));
    let candidates = [without_prefix, Some(digits)];
    if candidates.into_iter().flatten().any(|number| plans.knows(number)) {
        return plans.number(plan.country_code(), candidates);
    }
    // Some countries change more than a prefix: which carrier, or that it is a mobile number.
    let otherwise = phonenumber::parse(Some(id), digits).ok();
    let otherwise = otherwise.filter(|number| number.code().value() == plan.country_code());
    let otherwise = otherwise.map(|number| number.national().to_string());
    match otherwise.filter(|number| plans.knows(number)) {
        Some(number) => phone(plan.country_code(), &number),
        None => plans.number(plan.country_code(), candidates),
    }
}

/// The shortest beginning that is a country's code, what follows it, and the countries that share it.
fn country(digits: &str) -> Result<(u16, &str, Vec<&'static Metadata>), WrongNumber> {
    for length in 1..=CODE_DIGITS_MAX.min(digits.len()) {
        let (code, rest) = digits.split_at(length);
        let Ok(code) = code.parse() else { break };
        if let Some(plans) = DATABASE.by_code(&code).filter(|_| !digits.starts_with('0')) {
            return Ok((code, rest, plans));
        }
    }
    let too_short = digits.len() < CODE_DIGITS_MAX && !digits.starts_with('0');
    Err(if too_short { WrongNumber::TooShort } else { WrongNumber::UnknownCountry })
}

/// Digits of a country's code.
const CODE_DIGITS_MAX: usize = 3;

/// The numbering plans of the countries that share a code.
struct Plans(Vec<&'static Metadata>);

impl Plans {
    /// The first candidate that is in use, else the first that could be; else what is wrong with the
    /// first.
    fn number(&self, code: u16, candidates: [Option<&str>; 2]) -> Result<Phone, WrongNumber> {
        let candidates = || candidates.into_iter().flatten();
        if let Some(known) = candidates().find(|number| self.knows(number)) {
            return phone(code, known);
        }
        // A number that begins with 0 would be one only where it is known: elsewhere it is a slip.
        let possible = |number: &&str| !number.starts_with('0') && self.length(number).is_ok();
        if let Some(possible) = candidates().find(possible) {
            return phone(code, possible);
        }
        let shortest = candidates().min_by_key(|number| number.len()).unwrap_or_default();
        self.length(shortest)?;
        Err(WrongNumber::OddLength)
    }

    /// Whether a number is of a range that is in use.
    fn knows(&self, number: &str) -> bool {
        self.kinds().any(|kind| kind.is_match(number))
    }

    fn length(&self, number: &str) -> Result<(), WrongNumber> {
        let possible: BTreeSet<usize> = self
            .kinds()
            .flat_map(|kind| kind.possible_length().iter().map(|length| usize::from(*length)))
            .collect();
        match (possible.first(), possible.last()) {
            // Nothing is known of the country: the network will say.
            (None, _) | (_, None) => Ok(()),
            (Some(least), _) if number.len() < *least => Err(WrongNumber::TooShort),
            (_, Some(most)) if number.len() > *most => Err(WrongNumber::TooLong),
            _ if possible.contains(&number.len()) => Ok(()),
            _ => Err(WrongNumber::OddLength),
        }
    }

    /// Whatever somebody may have an app for: not pagers, not the short numbers of companies.
    fn kinds(&self) -> impl Iterator<Item = &'static Descriptor> {
        self.0.iter().flat_map(|plan| {
            let kinds = plan.descriptors();
            [
                kinds.fixed_line(),
                kinds.mobile(),
                kinds.voip(),
                kinds.personal_number(),
                kinds.toll_free(),
                kinds.shared_cost(),
                kinds.premium_rate(),
            ]
            .into_iter()
            .flatten()
        })
    }
}

fn phone(code: u16, national: &str) -> Result<Phone, WrongNumber> {
    let digits = format!("{code}{national}");
    if digits.len() > limits::PHONE_DIGITS_MAX {
        return Err(WrongNumber::TooLong);
    }
    Ok(Phone(digits))
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
        // Begins with what is a prefix there.
        check("+7 843 567-12-34", "", Ok("78435671234"));
        check("+7 8 800 555 35 35", "", Ok("78005553535"));
        // No range that is known to be in use, but it could be.
        check("+33 8 45 12 34 56", "", Ok("33845123456"));
    }

    #[test]
    fn a_national_number_is_one_of_the_region() {
        check("06 12 34 56 78", "FR", Ok("33612345678"));
        check("0151 12345678", "DE", Ok("4915112345678"));
        check("(201) 555-0123", "US", Ok("12015550123"));
        check("06 698 12345", "IT", Ok("390669812345"));
        check("8 912 345-67-89", "RU", Ok("79123456789"));
        check("06 20 123 4567", "HU", Ok("36201234567"));
        check("0 15 11 91234 5678", "BR", Ok("5511912345678"));
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
