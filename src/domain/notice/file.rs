//! What a person reads about a file that was not carried: why, and what to do.

use crate::domain::{bridged::Direction, hosting::LimitOf};

/// Why a file was not carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileTrouble {
    /// It is no longer where it should be.
    Gone,
    /// It has more bytes than `limit`, or fills what is left of a quota of so many.
    TooLarge { limit: u64, whose: LimitOf },
    /// It is not the file that was sent, or only a part of it.
    Damaged,
    /// It lies where the bridge must not fetch from.
    NotAllowed,
    /// It came too slowly.
    TooSlow,
    /// Nobody gave it out for so long that the bridge gave up.
    Away,
    /// One side refuses it for a reason of its own.
    Refused,
}

impl FileTrouble {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gone => "file-gone",
            Self::TooLarge { .. } => "file-too-large",
            Self::Damaged => "file-damaged",
            Self::NotAllowed => "file-not-allowed",
            Self::TooSlow => "file-too-slow",
            Self::Away => "file-away",
            Self::Refused => "file-refused",
        }
    }

    pub(super) fn text(self, way: Direction) -> String {
        match way {
            Direction::ToNetwork => self.of_person(),
            Direction::ToMatrix => self.of_contact(),
        }
    }

    fn of_person(self) -> String {
        match self {
            Self::Gone => {
                "Your homeserver no longer has that file, so it was not sent. Please send \
                it again."
                    .to_owned()
            }
            Self::TooLarge { limit, whose } => too_large_to_send(limit, whose),
            Self::Damaged => {
                "That file could not be decrypted: it is damaged, or only a part of it \
                was there. It was not sent; please send it again."
                    .to_owned()
            }
            Self::NotAllowed => {
                "Your homeserver says that the file lies somewhere else, where this \
                bridge must not fetch it. It was not sent; please tell whoever runs the homeserver."
                    .to_owned()
            }
            Self::TooSlow => "Your homeserver gave that file out too slowly, so it was not sent. \
                Please send it again later."
                .to_owned(),
            Self::Away => {
                "That file could not be fetched from where it was uploaded, so it was not \
                sent. Please send it again later."
                    .to_owned()
            }
            Self::Refused => {
                "Your homeserver does not let this bridge have that file, so it was not \
                sent. Please send it again, and tell whoever runs the bridge if it goes on."
                    .to_owned()
            }
        }
    }

    fn of_contact(self) -> String {
        match self {
            Self::Gone => {
                "This contact sent a file that WhatsApp no longer has. Please ask them to \
                send it again."
                    .to_owned()
            }
            Self::TooLarge { limit, whose } => too_large_to_show(limit, whose),
            Self::Damaged => "This contact sent a file that arrived damaged, so it is not shown. \
                Please ask them to send it again."
                .to_owned(),
            Self::NotAllowed => {
                "This contact sent a file that does not lie on WhatsApp's servers. \
                The bridge does not fetch such files: please ask them to send it again."
                    .to_owned()
            }
            Self::TooSlow => "This contact sent a file that came too slowly, so it is not shown. \
                Please ask them to send it again later."
                .to_owned(),
            Self::Away => {
                "This contact sent a file that could not be fetched from WhatsApp. Please \
                ask them to send it again later."
                    .to_owned()
            }
            Self::Refused => "This contact sent a file that was refused on the way, so it is not \
                shown. Please ask them to send it again, and tell whoever runs the bridge if it \
                goes on."
                .to_owned(),
        }
    }
}

fn too_large_to_send(limit: u64, whose: LimitOf) -> String {
    let size = size(limit);
    match whose {
        LimitOf::Homeserver => format!(
            "That file is larger than your homeserver gives out (at most {size}), so it was not \
             sent. Please send a smaller one."
        ),
        LimitOf::Network => format!(
            "That file is larger than WhatsApp takes (at most {size}), so it was not sent. Please \
             send a smaller one."
        ),
        LimitOf::Bridge => format!(
            "That file is larger than this bridge carries (at most {size}), so it was not sent. \
             Please send a smaller one."
        ),
        LimitOf::Quota => format!(
            "Together with the files that you sent in the last weeks, that one takes more than the \
             {size} that you have on this bridge, so it was not sent. Older files make room with \
             time: please send it again later, or send a smaller one."
        ),
        LimitOf::Day => format!(
            "Together with the files that you sent today, that one takes more than the {size} a day \
             that this bridge allows you, so it was not sent. Please send it again tomorrow (the day \
             ends at midnight UTC), or send a smaller one."
        ),
    }
}

fn too_large_to_show(limit: u64, whose: LimitOf) -> String {
    let size = size(limit);
    let whose = match whose {
        LimitOf::Homeserver => "your homeserver takes",
        LimitOf::Network => "WhatsApp carries",
        LimitOf::Bridge | LimitOf::Quota | LimitOf::Day => "this bridge carries",
    };
    format!(
        "This contact sent a file that is larger than {whose} (at most {size}). It can be seen in \
         the contact's WhatsApp only; please ask them for a smaller one."
    )
}

/// A number of bytes for people, in the largest unit that leaves a whole number before the point.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 3] = ["KiB", "MiB", "GiB"];
    let scale = |power: usize| 1_u64 << (10 * (power + 1));
    let Some(power) = (0..UNITS.len()).rev().find(|power| bytes >= scale(*power)) else {
        return format!("{bytes} bytes");
    };
    let (whole, rest) = (bytes / scale(power), bytes % scale(power));
    // Rounded down: the limit is not higher than what is said.
    match rest * 10 / scale(power) {
        0 => format!("{whole} {}", UNITS[power]),
        tenths => format!("{whole}.{tenths} {}", UNITS[power]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notice::Notice;

    #[test]
    fn a_size_is_said_in_its_largest_unit() {
        for (bytes, said) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1 KiB"),
            (1_000_000, "976.5 KiB"),
            (100 * 1024 * 1024, "100 MiB"),
            (2 * 1024 * 1024 * 1024, "2 GiB"),
            (1_600_000_000, "1.4 GiB"),
        ] {
            assert_eq!(size(bytes), said);
        }
    }

    #[test]
    fn every_trouble_is_one_clean_paragraph_that_says_what_to_do() {
        let mut troubles = vec![
            FileTrouble::Gone,
            FileTrouble::Damaged,
            FileTrouble::NotAllowed,
            FileTrouble::TooSlow,
            FileTrouble::Away,
            FileTrouble::Refused,
        ];
        for whose in
            [LimitOf::Homeserver, LimitOf::Network, LimitOf::Bridge, LimitOf::Quota, LimitOf::Day]
        {
            troubles.push(FileTrouble::TooLarge { limit: 1024, whose });
        }
        for trouble in troubles {
            for way in [Direction::ToNetwork, Direction::ToMatrix] {
                let text = Notice::File { way, trouble }.text();
                let is_clean = text.ends_with('.') && !text.contains("  ") && !text.contains('\n');
                assert!(is_clean && text.to_lowercase().contains("please"), "{text}");
                let names_limit = text.contains("1 KiB");
                assert_eq!(names_limit, matches!(trouble, FileTrouble::TooLarge { .. }), "{text}");
            }
        }
    }
}
