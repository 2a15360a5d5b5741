//! Which part of a file is asked for (RFC 9110, section 14).

use std::ops::Range;

use axum::http::{HeaderMap, header};

/// What a request wants of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Whole,
    /// Not empty and within the file; end exclusive.
    Part(Range<u64>),
    /// Nothing that the file has.
    Nothing,
}

/// Several ranges, other units and what is no range are answered with the whole file, as the
/// specification has it. So is a condition (`If-Range`): we give out nothing to compare it with.
pub(super) fn wanted(headers: &HeaderMap, length: u64) -> Wanted {
    if headers.contains_key(header::IF_RANGE) {
        return Wanted::Whole;
    }
    let mut ranges = headers.get_all(header::RANGE).iter();
    let (Some(range), None) = (ranges.next(), ranges.next()) else { return Wanted::Whole };
    range.to_str().ok().and_then(|range| single(range, length)).unwrap_or(Wanted::Whole)
}

/// `None` for anything but one range of bytes.
fn single(range: &str, length: u64) -> Option<Wanted> {
    let (unit, range) = range.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    let part = if first.is_empty() {
        let count = number(last)?.min(length);
        length - count..length
    } else {
        let first = number(first)?;
        let end = if last.is_empty() { length } else { number(last)?.saturating_add(1) };
        if end <= first && !last.is_empty() {
            return None;
        }
        first..end.min(length)
    };
    Some(if part.is_empty() { Wanted::Nothing } else { Wanted::Part(part) })
}

/// Digits and nothing else; what does not fit is beyond every file.
fn number(digits: &str) -> Option<u64> {
    let are_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_specification_has_them() {
        use Wanted::{Nothing, Part, Whole};
        for (range, length, expected) in [
            ("bytes=0-0", 10, Part(0..1)),
            ("bytes=0-9", 10, Part(0..10)),
            ("bytes=2-5", 10, Part(2..6)),
            ("bytes=2-", 10, Part(2..10)),
            ("bytes=9-", 10, Part(9..10)),
            ("bytes=2-100", 10, Part(2..10)),
            ("Bytes= 2-5 ", 10, Part(2..6)),
            ("bytes=-1", 10, Part(9..10)),
            ("bytes=-10", 10, Part(0..10)),
            ("bytes=-11", 10, Part(0..10)),
            ("bytes=0-18446744073709551615", 10, Part(0..10)),
            ("bytes=0-99999999999999999999999", 10, Part(0..10)),
            ("bytes=10-", 10, Nothing),
            ("bytes=10-20", 10, Nothing),
            ("bytes=99999999999999999999999-", 10, Nothing),
            ("bytes=-0", 10, Nothing),
            ("bytes=0-", 0, Nothing),
            ("bytes=0-0", 0, Nothing),
            ("bytes=-1", 0, Nothing),
            ("bytes=5-2", 10, Whole),
            ("bytes=0-1,3-4", 10, Whole),
            ("bytes=", 10, Whole),
            ("bytes=-", 10, Whole),
            ("bytes=a-b", 10, Whole),
            ("bytes=+1-2", 10, Whole),
            ("bytes=1", 10, Whole),
            ("bytes 1-2", 10, Whole),
            ("pages=1-2", 10, Whole),
        ] {
            let headers = [(header::RANGE, range.parse().unwrap())].into_iter().collect();
            assert_eq!(wanted(&headers, length), expected, "{range} of {length}");
        }
    }

    #[test]
    fn no_range_two_ranges_and_a_condition_want_all() {
        let mut headers = HeaderMap::new();
        assert_eq!(wanted(&headers, 10), Wanted::Whole);
        headers.append(header::RANGE, "bytes=0-1".parse().unwrap());
        assert_eq!(wanted(&headers, 10), Wanted::Part(0..2));
        headers.append(header::IF_RANGE, "\"tag\"".parse().unwrap());
        assert_eq!(wanted(&headers, 10), Wanted::Whole);
        headers.remove(header::IF_RANGE);
        headers.append(header::RANGE, "bytes=0-1".parse().unwrap());
        assert_eq!(wanted(&headers, 10), Wanted::Whole);
    }
}
