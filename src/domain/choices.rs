//! What a person wants their contacts to see of them.

/// The choices of one login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choices {
    /// Whether contacts are told that their messages were read. Whoever does not tell is not told
    /// either: that is how the network's own apps have it, and what contacts rely on.
    pub read_receipts: bool,
    /// Whether contacts are told that the person is typing.
    pub typing: bool,
}

impl Default for Choices {
    fn default() -> Self {
        Self { read_receipts: true, typing: true }
    }
}
