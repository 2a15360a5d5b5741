//! The words of messages that the bridge does not carry as what they are: a notice that says what it
//! is and what it says.

use causeway_wire::message::Described;

use super::line;

pub(in crate::domain) fn to_matrix(described: &Described) -> String {
    let Described { kind, lines, at, quote: _ } = described;
    let first =
        format!("This contact sent something that only WhatsApp shows in full ({kind}). It says:");
    let words = lines.iter().map(|words| line(words));
    let all = std::iter::once(first).chain(words).chain(at.and_then(time));
    all.collect::<Vec<_>>().join("\n")
}

/// Seconds of Unix time for people, without anybody's time zone.
fn time(seconds: i64) -> Option<String> {
    const DAY: i64 = 24 * 60 * 60;
    let (day, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    // From days to a date of the Gregorian calendar, in years that begin in March, so that the day
    // that is not always there comes last.
    let shifted = day.checked_add(719_468)?;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let shown = (0..10_000).contains(&year);
    shown.then(|| format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_is_a_date() {
        for (seconds, expected) in [
            (0, Some("1970-01-01 00:00 UTC")),
            (951_782_399, Some("2000-02-28 23:59 UTC")),
            (951_782_400, Some("2000-02-29 00:00 UTC")),
            (1_800_000_000, Some("2027-01-15 08:00 UTC")),
            (253_402_300_799, Some("9999-12-31 23:59 UTC")),
            (253_402_300_800, None),
            (i64::MIN, None),
        ] {
            assert_eq!(time(seconds).as_deref(), expected, "{seconds}");
        }
    }

    proptest! {
        #[test]
        fn any_time_is_read_without_harm(seconds: i64) {
            time(seconds);
        }
    }
}
