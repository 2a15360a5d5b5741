//! Text both ways: WhatsApp's markup and Matrix's HTML. Pure; it must not know rooms, people or
//! events.
//!
//! Both directions meet in the middle, as runs: a stretch of characters with one style.
//!
//! - **Network → Matrix** ([`to_matrix`]): `body` is the text exactly as the person wrote it,
//!   markers included, since a reader of plain text understands those. `formatted_body` exists only
//!   where WhatsApp would show formatting.
//! - **Matrix → network** ([`to_network`]): the HTML subset of the Matrix specification
//!   (client-server API, "`m.room.message` msgtypes") becomes WhatsApp markup. What WhatsApp cannot
//!   show keeps its text and is named as a [`Loss`].
//! - **Between people and our own users**: ids in what ours say become links ([`to_matrix_linked`]), and
//!   links in what people type to them become ids ([`typed`]). Whose id is worth a link the caller
//!   knows.
//!
//! **Literal markers are not escaped.** WhatsApp has no escape character, and invisible characters
//! between marker and word would travel into every copy, search and link made from the text. So
//! `*so*` typed without formatting arrives as the same characters, WhatsApp shows it bold, and the
//! translation says [`Loss::LiteralMarkers`].
//!
//! Every line of formatted text that goes out is read back with the same rules; if it would not be
//! read as it was meant, it goes out without its formatting and with a loss instead of with a wrong
//! one.

mod block;
mod html;
mod inline;
mod links;
mod outline;
mod run;
#[cfg(test)]
mod tests;
mod to_html;

use std::fmt;

use ruma::UserId;

/// The longest text that the network takes, in UTF-16 code units.
///
/// Which unit the network counts in is not public. UTF-16 units are what the string type of its
/// apps counts, and the strictest of the likely ones short of bytes: a text that passes here has no
/// more code points or graphemes either.
pub const NETWORK_TEXT_CHARS_MAX: usize = 65_536;

/// The most bytes that one Matrix event may spend on a text, `body` and `formatted_body` together
/// as JSON.
///
/// An event has 65,536 bytes (client-server API, "Size limits"); Megolm's base64 takes a third on
/// top of the plaintext, and keys, ids, signatures and the fields around the text take the rest.
pub const MATRIX_TEXT_BYTES_MAX: usize = 40_000;

/// A text as a Matrix event carries it.
#[derive(Clone, PartialEq, Eq)]
pub struct MatrixText {
    /// The plain text, exactly as it came from the network.
    pub body: String,
    /// `org.matrix.custom.html`, when there is formatting to show.
    pub formatted_body: Option<String>,
}

/// A text as the network carries it.
#[derive(Clone, PartialEq, Eq)]
pub struct NetworkText {
    /// The text with WhatsApp's markers.
    pub text: String,
    /// What could not be carried, each kind once, in a fixed order.
    pub losses: Vec<Loss>,
}

/// Something that translation could not carry. The words are always carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// A spoiler is shown in the open.
    Spoiler,
    /// An image inside the text became its description.
    Image,
    /// A table became lines of cells.
    Table,
    /// Underline, color, superscript or the like is not shown.
    Style,
    /// Bold, italic, strike or code is not shown where the network cannot express it, for example
    /// inside a word.
    Formatting,
    /// A link's target was left out because its scheme is not one that people can follow.
    LinkTarget,
    /// Elements nested deeper than `DEPTH_MAX`, or more than `TAGS_MAX` of them: only text is kept.
    Nesting,
    /// Characters typed as they are will be read as formatting. They arrive unchanged.
    LiteralMarkers,
}

impl Loss {
    /// A sentence for the person who wrote the message.
    pub fn notice(self) -> &'static str {
        match self {
            Self::Spoiler => "WhatsApp has no spoilers: the hidden text is shown in the open.",
            Self::Image => "An image inside the text was replaced by its description.",
            Self::Table => "WhatsApp has no tables: the table arrives as lines of text.",
            Self::Style => "Underline, color and similar styles are not shown on WhatsApp.",
            Self::Formatting => "Some formatting could not be shown on WhatsApp.",
            Self::LinkTarget => "A link's address was left out.",
            Self::Nesting => "The formatting was too deep: only the text was sent.",
            Self::LiteralMarkers => {
                "WhatsApp will read some of the characters of the text as formatting."
            }
        }
    }
}

/// A text that the network would refuse. It is never cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text has {chars} characters and WhatsApp takes {max}")]
pub struct TooLong {
    /// How long the text is, in UTF-16 code units, as it would be sent.
    pub chars: usize,
    /// [`NETWORK_TEXT_CHARS_MAX`].
    pub max: usize,
}

/// Translates a text from the network.
pub fn to_matrix(text: &str) -> MatrixText {
    MatrixText { body: text.to_owned(), formatted_body: to_html::render(&block::parse(text)) }
}

/// The same for a text of our own users, in which the ids of Matrix users that `is_linked` accepts
/// become links: clients show the user's name there.
pub fn to_matrix_linked(text: &str, is_linked: &dyn Fn(&UserId) -> bool) -> MatrixText {
    let blocks = block::parse(text);
    let formatted_body =
        links::put(&to_html::write(&blocks), is_linked).or_else(|| to_html::render(&blocks));
    MatrixText { body: text.to_owned(), formatted_body }
}

/// What somebody typed to one of our users. A link to a Matrix user or room, which clients show and
/// send as a name, stands for its id.
pub fn typed(body: &str, formatted_body: Option<&str>) -> String {
    let html = formatted_body.filter(|html| html::is_bounded(html)).map(html::parse);
    html.and_then(|html| links::spelled_out(&html)).unwrap_or_else(|| body.to_owned())
}

/// The id of the Matrix user or room that a link leads to, or whose message it leads to.
pub fn link_target(link: &str) -> Option<String> {
    links::target(link)
}

/// Translates a text from the network into as many texts as it takes to fit into Matrix events: the
/// network's longest text is longer than an event. Cuts at the end of a line, else at a space, else
/// between two characters; formatting that spans a cut is shown as its markers.
pub fn to_matrix_parts(text: &str) -> Vec<MatrixText> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let mut cut = cut_before(rest, MATRIX_TEXT_BYTES_MAX);
        let part = loop {
            let part = to_matrix(rest[..cut].trim_end_matches('\n'));
            if part.json_bytes() <= MATRIX_TEXT_BYTES_MAX {
                break part;
            }
            cut = cut_before(rest, cut / 2);
        };
        parts.push(part);
        rest = &rest[cut..];
        if rest.is_empty() {
            return parts;
        }
    }
}

/// Translates a text from Matrix. `formatted_body` is the event's, if its format is
/// `org.matrix.custom.html`.
pub fn to_network(body: &str, formatted_body: Option<&str>) -> Result<NetworkText, TooLong> {
    let network = match formatted_body {
        Some(html) if html::is_bounded(html) => {
            let network = outline::render(&html::parse(html));
            if network.text.trim().is_empty() { plain(body) } else { network }
        }
        Some(_) => {
            let NetworkText { text, mut losses } = plain(body);
            losses.insert(0, Loss::Nesting);
            NetworkText { text, losses }
        }
        None => plain(body),
    };
    let chars = network.text.encode_utf16().count();
    if chars > NETWORK_TEXT_CHARS_MAX {
        return Err(TooLong { chars, max: NETWORK_TEXT_CHARS_MAX });
    }
    Ok(network)
}

fn plain(body: &str) -> NetworkText {
    let is_literal = block::has_formatting(&block::parse(body));
    let losses = is_literal.then_some(Loss::LiteralMarkers).into_iter().collect();
    NetworkText { text: body.to_owned(), losses }
}

/// The byte index at or before `bytes_max` where a text is best cut; never zero for a text that is
/// not empty.
fn cut_before(text: &str, bytes_max: usize) -> usize {
    if text.len() <= bytes_max {
        return text.len();
    }
    let head = &text[..text.floor_char_boundary(bytes_max)];
    let at = head.rfind('\n').or_else(|| head.rfind(' ')).map_or(head.len(), |index| index + 1);
    if at == 0 { text.chars().next().map_or(0, char::len_utf8) } else { at }
}

impl MatrixText {
    /// The bytes that both bodies take as JSON strings.
    fn json_bytes(&self) -> usize {
        let bytes =
            |text: &str| serde_json::to_string(text).map_or(usize::MAX / 2, |json| json.len());
        bytes(&self.body) + self.formatted_body.as_deref().map_or(0, bytes)
    }
}

impl fmt::Debug for MatrixText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MatrixText")
            .field("body_bytes", &self.body.len())
            .field("is_formatted", &self.formatted_body.is_some())
            .finish()
    }
}

impl fmt::Debug for NetworkText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkText")
            .field("text_bytes", &self.text.len())
            .field("losses", &self.losses)
            .finish()
    }
}
