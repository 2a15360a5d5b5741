//! The lines of a WhatsApp text: quotes, lists, code blocks, plain lines. Blocks do not nest there.

use super::{
    inline,
    run::{Run, Style},
};

const FENCE: &str = "```";
/// Longer numbers are no list numbers.
const NUMBER_DIGITS_MAX: usize = 9;

/// A stretch of lines of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    /// Plain lines; an empty one is a blank line.
    Lines(Vec<Vec<Run>>),
    Quote(Vec<Vec<Run>>),
    Bullets(Vec<Vec<Run>>),
    /// A numbered list and its first number.
    Numbers(u32, Vec<Vec<Run>>),
    /// A code block, without fences and without the newline after the last line.
    Code(String),
}

/// What a line begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefix {
    Quote,
    Bullet,
    Number(u32),
}

/// Reads a text.
pub(super) fn parse(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some(Fenced { before, code, after }) = next_code(rest) {
        if let Some(before) = before {
            parse_lines(before, &mut blocks);
        }
        blocks.push(Block::Code(code.to_owned()));
        match after {
            Some(after) => rest = after,
            None => return blocks,
        }
    }
    parse_lines(rest, &mut blocks);
    blocks
}

/// Whether WhatsApp would show any formatting.
pub(super) fn has_formatting(blocks: &[Block]) -> bool {
    blocks.iter().any(|block| match block {
        Block::Lines(lines) => lines.iter().flatten().any(|run| run.style != Style::NONE),
        Block::Quote(_) | Block::Bullets(_) | Block::Numbers(..) | Block::Code(_) => true,
    })
}

/// Splits off what makes a line a quote, a bullet or a list number. A prefix with nothing after it
/// is none.
pub(super) fn split_prefix(line: &str) -> Option<(Prefix, &str)> {
    let (prefix, rest) = if let Some(rest) = line.strip_prefix("> ") {
        (Prefix::Quote, rest)
    } else if let Some(rest) = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")) {
        (Prefix::Bullet, rest)
    } else {
        let (digits, rest) = line.split_once(". ")?;
        let is_number = !digits.is_empty()
            && digits.len() <= NUMBER_DIGITS_MAX
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits == "0" || !digits.starts_with('0'));
        (Prefix::Number(is_number.then(|| digits.parse().ok())??), rest)
    };
    (!rest.trim().is_empty()).then_some((prefix, rest))
}

/// A code block and the text around it; `None` where the block begins or ends the text.
struct Fenced<'a> {
    before: Option<&'a str>,
    code: &'a str,
    after: Option<&'a str>,
}

/// Finds the next code block: fences around several lines, or around the whole of one line. Fences
/// around a part of a line are left to [`inline`].
fn next_code(text: &str) -> Option<Fenced<'_>> {
    let mut from = 0;
    loop {
        let open = from + text[from..].find(FENCE)?;
        let start = open + FENCE.len();
        let close = start + text[start..].find(FENCE)?;
        let end = close + FENCE.len();
        let (before, code, after) = (&text[..open], &text[start..close], &text[end..]);
        let begins_line = before.is_empty() || before.ends_with('\n');
        let ends_line = after.is_empty() || after.starts_with('\n');
        let is_block = code.contains('\n') || (begins_line && ends_line);
        if !is_block || code.trim().is_empty() {
            // The fence that closes nothing may open a block itself.
            from = if code.trim().is_empty() { close } else { end };
            continue;
        }
        let code = code.strip_prefix('\n').unwrap_or(code);
        return Some(Fenced {
            before: (!before.is_empty()).then(|| before.strip_suffix('\n').unwrap_or(before)),
            code: code.strip_suffix('\n').unwrap_or(code),
            after: (!after.is_empty()).then(|| after.strip_prefix('\n').unwrap_or(after)),
        });
    }
}

fn parse_lines(text: &str, blocks: &mut Vec<Block>) {
    let mut expected = None;
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let prefix = split_prefix(line);
        let runs = inline::parse(prefix.map_or(line, |(_, rest)| rest));
        match (prefix.map(|(prefix, _)| prefix), blocks.last_mut()) {
            (Some(Prefix::Quote), Some(Block::Quote(lines)))
            | (Some(Prefix::Bullet), Some(Block::Bullets(lines)))
            | (None, Some(Block::Lines(lines))) => lines.push(runs),
            (Some(Prefix::Number(number)), Some(Block::Numbers(_, items)))
                if expected == Some(number) =>
            {
                items.push(runs);
            }
            (Some(Prefix::Quote), _) => blocks.push(Block::Quote(vec![runs])),
            (Some(Prefix::Bullet), _) => blocks.push(Block::Bullets(vec![runs])),
            (Some(Prefix::Number(number)), _) => blocks.push(Block::Numbers(number, vec![runs])),
            (None, _) => blocks.push(Block::Lines(vec![runs])),
        }
        expected = match prefix {
            Some((Prefix::Number(number), _)) => Some(number + 1),
            _ => None,
        };
    }
}
