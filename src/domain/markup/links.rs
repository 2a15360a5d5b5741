//! Matrix users and rooms in what is said to our users and by them: clients write a link where a
//! person sees a name.

use ruma::{MatrixToUri, MatrixUri, UserId, matrix_uri::MatrixId};

use super::html::{Html, Kind};

/// What an id may be followed by in a sentence.
const PUNCTUATION: [char; 7] = [':', '.', ',', ';', '!', '?', ')'];

/// The id of the user or the room that a link leads to, or whose message it leads to.
pub(super) fn target(link: &str) -> Option<String> {
    match id(link)? {
        MatrixId::User(id) => Some(id.to_string()),
        MatrixId::Room(id) => Some(id.to_string()),
        MatrixId::RoomAlias(id) => Some(id.to_string()),
        MatrixId::Event(room, _) => Some(room.to_string()),
        _ => None,
    }
}

/// Whether a link names a person or a room: such a link is shown as a name by Matrix clients.
pub(super) fn is_mention(link: &str) -> bool {
    matches!(id(link), Some(MatrixId::User(_) | MatrixId::Room(_) | MatrixId::RoomAlias(_)))
}

fn id(link: &str) -> Option<MatrixId> {
    MatrixToUri::parse(link)
        .map(|uri| uri.id().clone())
        .or_else(|_| MatrixUri::parse(link).map(|uri| uri.id().clone()))
        .ok()
}

/// The words of a fragment on one line, with ids in place of links to users and rooms. `None` if
/// there is no such link.
pub(super) fn spelled_out(html: &Html) -> Option<String> {
    let (mut text, mut is_linked) = (String::new(), false);
    let mut open = vec![html.root()];
    while let Some(node) = open.pop() {
        if let Kind::Text(piece) = node.kind() {
            text.push_str(piece);
            continue;
        }
        match (node.name(), node.attribute("href").and_then(target)) {
            // It repeats another message.
            ("mx-reply", _) => continue,
            ("a", Some(id)) => {
                text.push_str(&id);
                is_linked = true;
                continue;
            }
            ("br" | "p" | "div" | "li", _) => text.push(' '),
            _ => {}
        }
        let first = open.len();
        open.extend(node.children());
        open[first..].reverse();
    }
    let words: Vec<_> = text.split_whitespace().collect();
    is_linked.then(|| words.join(" "))
}

/// Makes links of the ids that `is_linked` accepts, in HTML that [`to_html`](super::to_html) wrote. What
/// stands in code is to be typed, and stays. `None` if there is nothing to link.
pub(super) fn put(html: &str, is_linked: &dyn Fn(&UserId) -> bool) -> Option<String> {
    let (mut linked, mut count, mut code) = (String::with_capacity(html.len()), 0, 0_u32);
    for piece in html.split_inclusive('>') {
        let (text, tag) = piece.split_at(piece.find('<').unwrap_or(piece.len()));
        for word in text.split_inclusive(' ') {
            let (before, word) = word.split_at(word.len() - word.trim_start_matches('(').len());
            linked.push_str(before);
            let user = user_at_start(word).filter(|user| code == 0 && is_linked(user));
            let Some(user) = user else {
                linked.push_str(word);
                continue;
            };
            let (uri, rest) = (user.matrix_to_uri(), &word[user.as_str().len()..]);
            linked.extend(["<a href=\"", &uri.to_string(), "\">", user.as_str(), "</a>", rest]);
            count += 1;
        }
        match tag {
            "<code>" => code += 1,
            "</code>" => code = code.saturating_sub(1),
            _ => {}
        }
        linked.push_str(tag);
    }
    (count > 0).then_some(linked)
}

fn user_at_start(word: &str) -> Option<&UserId> {
    let id = word.trim_end().trim_end_matches(PUNCTUATION);
    id.starts_with('@').then(|| <&UserId>::try_from(id).ok())?
}
