//! How a section is declared: once, with the documentation of each field next to its type and its
//! default.

use super::reader::Reader;

/// What happens when a field is not in the file. Values are written as TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It must be there. The example shows this value.
    Required(&'static str),
    /// It has this value.
    Default(&'static str),
    /// It is absent. The example shows this value in a comment.
    Optional(&'static str),
    /// It must be there as a value, as a file or as an environment variable. The example has a
    /// fresh one.
    Secret,
    /// A secret that may be absent. The example shows this value in a comment.
    OptionalSecret(&'static str),
    /// Like a secret, since it may hold one, but it has this value if it is not there.
    SecretOr(&'static str),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) doc: &'static [&'static str],
    pub(super) presence: Presence,
}

/// What is known of a section without reading it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Description {
    /// Dotted, empty for the top level.
    pub(super) path: &'static str,
    pub(super) about: &'static [&'static str],
    pub(super) fields: &'static [Field],
    /// For a section with keys of the operator's choice: example lines.
    pub(super) free: Option<&'static [&'static str]>,
}

pub(super) trait Section: Sized {
    const DESCRIPTION: Description;

    /// Reads every field before it gives up, so that every mistake is named.
    fn read(reader: &mut Reader<'_>) -> Option<Self>;
}

/// Declares a section: the struct, its reader, and its part of the example file. The doc comments
/// are all three's documentation.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $name:ident at $path:literal {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $type:ty = $presence:ident $(($value:expr))?,
            )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $field: $type, )+
        }

        impl $crate::config::section::Section for $name {
            const DESCRIPTION: $crate::config::section::Description =
                $crate::config::section::Description {
                    path: $path,
                    about: &[$($about),+],
                    fields: &[$(
                        $crate::config::section::Field {
                            name: stringify!($field),
                            doc: &[$($doc),+],
                            presence: $crate::config::section::Presence::$presence $(($value))?,
                        },
                    )+],
                    free: None,
                };

            fn read(reader: &mut $crate::config::reader::Reader<'_>) -> Option<Self> {
                $( let $field: Option<$type> =
                    reader.field(stringify!($field), $crate::config::section::Presence::$presence $(($value))?); )+
                Some(Self { $( $field: $field?, )+ })
            }
        }
    };
}
pub(super) use section;

/// Declares a closed choice and its words in the file.
macro_rules! choice {
    (
        $(#[doc = $about:literal])+
        $name:ident { $( $(#[doc = $doc:literal])+ $variant:ident = $word:literal, )+ }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $( $(#[doc = $doc])+ $variant, )+ }

        impl $crate::config::setting::Setting for $name {
            fn parse(value: &toml::Value) -> Result<Self, String> {
                match value.as_str() {
                    $( Some($word) => Ok(Self::$variant), )+
                    _ => Err($crate::config::setting::one_of(&[$($word),+])),
                }
            }
        }
    };
}
pub(super) use choice;
