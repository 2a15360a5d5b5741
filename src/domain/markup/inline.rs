//! One line of WhatsApp markup: `*bold*`, `_italic_`, `~strike~`, `` `code` ``. Reading and writing
//! follow one rule.
//!
//! A pair of markers counts when the opening one follows no letter or digit and precedes no space,
//! and the closing one precedes no letter or digit and follows no space. So words like
//! `snake_case_name` and sums like `2 * 3 * 4` stay as they are. Within links nothing is a marker.
//! Markers do not pair across lines. The rules are those that the apps show; the network publishes
//! none.

use super::run::{Run, Style, Token, nest, runs};

const FENCE: usize = 3;
const MARKERS: [(char, Style); 3] =
    [('*', Style::BOLD), ('_', Style::ITALIC), ('~', Style::STRIKE)];

/// Reads one line.
pub(super) fn parse(line: &str) -> Vec<Run> {
    let chars: Vec<char> = line.chars().collect();
    let len = chars.len();
    let mut line = Line {
        inert: in_links(&chars),
        styles: vec![Style::NONE; len],
        hidden: vec![false; len],
        chars,
    };
    line.pair_code();
    let closers = line.closers();
    line.pair(0, len, Style::NONE, &closers);
    let Line { chars, styles, hidden, .. } = line;
    runs(chars.into_iter().zip(styles).zip(hidden).filter(|(_, hidden)| !hidden).map(|(it, _)| it))
}

/// A line as [`write()`] made it.
pub(super) struct Written {
    pub(super) text: String,
    /// A style that could be seen had to be left out.
    pub(super) is_lossy: bool,
    /// Characters that stand for themselves will be read as markers.
    pub(super) is_literal: bool,
}

/// Writes one line so that [`parse`] reads it as the characters and styles given, as far as markers
/// can say it.
pub(super) fn write(mut line: Vec<(char, Style)>) -> Written {
    let mut is_complete = true;
    for mark in [Style::CODE, Style::BOLD, Style::ITALIC, Style::STRIKE] {
        is_complete &= fit(&mut line, mark);
    }
    let plain: String = line.iter().map(|&(char, _)| char).collect();
    let is_styled = |runs: &[Run]| runs.iter().any(|run| run.style != Style::NONE);
    let is_visible = is_styled(&runs(line.iter().copied()));
    // Where styles cross, a piece would begin or end with a space; then the spaces go without.
    let mut spaced = line.clone();
    bare_spaces(&mut spaced);
    for attempt in [line, spaced] {
        let wanted = runs(attempt);
        let marked = mark_up(&wanted);
        if parse(&marked) == wanted {
            return Written { text: marked, is_lossy: !is_complete, is_literal: false };
        }
    }
    Written {
        is_lossy: !is_complete || is_visible,
        is_literal: is_styled(&parse(&plain)),
        text: plain,
    }
}

/// Takes all styles off spaces between characters of different styles.
fn bare_spaces(line: &mut [(char, Style)]) {
    let mut at = 0;
    while at < line.len() {
        let is_space = |it: &(char, Style)| it.0.is_whitespace();
        let end = line[at..].iter().position(|it| !is_space(it)).map_or(line.len(), |n| at + n);
        let before = at.checked_sub(1).map(|before| line[before].1);
        if before != line.get(end).map(|it| it.1) {
            line[at..end].iter_mut().for_each(|it| it.1 = Style::NONE);
        }
        at = end + 1;
    }
}

/// Takes a style off the characters where markers could not stand: spaces at its edges (nobody sees
/// those) and stretches that begin or end inside a word. Tells whether anything visible lost its
/// style.
fn fit(line: &mut [(char, Style)], mark: Style) -> bool {
    let mut is_complete = true;
    let mut at = 0;
    while at < line.len() {
        if !line[at].1.has(mark) {
            at += 1;
            continue;
        }
        let end = line[at..].iter().position(|it| !it.1.has(mark)).map_or(line.len(), |n| at + n);
        let visible = |it: &(char, Style)| !it.0.is_whitespace();
        let first = line[at..end].iter().position(visible).map_or(end, |n| at + n);
        let last = line[at..end].iter().rposition(visible).map_or(at, |n| at + n + 1);
        let joins_word = (first > 0 && is_word(line[first - 1].0))
            || line.get(last).is_some_and(|it| is_word(it.0));
        // A run of three backticks would end any code early.
        let has_fence = mark == Style::CODE && line[at..end].windows(FENCE).any(is_fence);
        let is_kept = first < last && !joins_word && !has_fence;
        for (index, it) in line.iter_mut().enumerate().take(end).skip(at) {
            if !is_kept || index < first || index >= last {
                it.1 = it.1.without(mark);
            }
        }
        is_complete &= is_kept || first >= last;
        at = end;
    }
    is_complete
}

fn is_fence(chars: &[(char, Style)]) -> bool {
    chars.iter().all(|it| it.0 == '`')
}

fn mark_up(wanted: &[Run]) -> String {
    let mut text = String::new();
    let mut fence = "";
    nest(wanted, |token| match token {
        Token::Open(Style::CODE) => fence = "`",
        Token::Close(Style::CODE) => text.push_str(fence),
        Token::Open(mark) | Token::Close(mark) => {
            text.extend(MARKERS.iter().filter(|it| it.1 == mark).map(|it| it.0));
        }
        Token::Text(run) if run.style.has(Style::CODE) => {
            fence = if run.text.contains('`') { "```" } else { "`" };
            text.push_str(fence);
            text.push_str(&run.text);
        }
        Token::Text(run) => text.push_str(&run.text),
    });
    text
}

struct Line {
    chars: Vec<char>,
    /// Positions at which no marker counts: links, and what code covers.
    inert: Vec<bool>,
    styles: Vec<Style>,
    /// Positions of markers that paired.
    hidden: Vec<bool>,
}

impl Line {
    fn opens(&self, at: usize, width: usize, end: usize) -> bool {
        (at == 0 || !is_word(self.chars[at - 1]))
            && at + width < end
            && !self.chars[at + width].is_whitespace()
            && self.chars[at + width] != self.chars[at]
    }

    fn closes(&self, at: usize, width: usize) -> bool {
        at > 0
            && !self.chars[at - 1].is_whitespace()
            && self.chars.get(at + width).is_none_or(|&next| !is_word(next))
    }

    fn is_marker(&self, at: usize, marker: char, width: usize) -> bool {
        at + width <= self.chars.len()
            && (at..at + width).all(|at| self.chars[at] == marker && !self.inert[at])
    }

    /// Code comes first: nothing inside it is a marker.
    fn pair_code(&mut self) {
        // Once no closing mark of a width is found, none follows a later opening mark either.
        let mut is_exhausted = [false; FENCE + 1];
        let mut at = 0;
        while at < self.chars.len() {
            let width = if self.is_marker(at, '`', FENCE) { FENCE } else { 1 };
            let can_open =
                self.is_marker(at, '`', width) && self.opens(at, width, self.chars.len());
            if !can_open || is_exhausted[width] {
                at += if self.chars[at] == '`' { width } else { 1 };
                continue;
            }
            let close = (at + width + 1..self.chars.len())
                .find(|&close| self.is_marker(close, '`', width) && self.closes(close, width));
            let Some(close) = close else {
                is_exhausted[width] = true;
                at += width;
                continue;
            };
            for index in at..close + width {
                self.inert[index] = true;
                self.hidden[index] = index < at + width || index >= close;
                self.styles[index] = Style::CODE;
            }
            at = close + width;
        }
    }

    /// For each marker, the nearest position at or after each one where it could close.
    fn closers(&self) -> [Vec<usize>; 3] {
        MARKERS.map(|(marker, _)| {
            let mut nearest = vec![usize::MAX; self.chars.len() + 1];
            for at in (0..self.chars.len()).rev() {
                let is_closer = self.is_marker(at, marker, 1) && self.closes(at, 1);
                nearest[at] = if is_closer { at } else { nearest[at + 1] };
            }
            nearest
        })
    }

    /// Pairs markers from left to right; a style does not open again within itself, so this goes
    /// three deep at most.
    fn pair(&mut self, start: usize, end: usize, style: Style, closers: &[Vec<usize>; 3]) {
        let mut at = start;
        while at < end {
            let close = MARKERS.iter().zip(closers).find_map(|(&(marker, mark), closers)| {
                let can_open =
                    !style.has(mark) && self.is_marker(at, marker, 1) && self.opens(at, 1, end);
                let close = if can_open { *closers.get(at + 2)? } else { usize::MAX };
                (close < end).then_some((close, mark))
            });
            let Some((close, mark)) = close else {
                at += 1;
                continue;
            };
            self.hidden[at] = true;
            self.hidden[close] = true;
            for style in &mut self.styles[at + 1..close] {
                *style = style.with(mark);
            }
            self.pair(at + 1, close, style.with(mark), closers);
            at = close + 1;
        }
    }
}

/// Whether a character joins with a marker's neighbor into one word. Combining marks belong to the
/// letter before them.
fn is_word(char: char) -> bool {
    char.is_alphanumeric()
        || matches!(char,
            '\u{300}'..='\u{36F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}' | '\u{20D0}'..='\u{20FF}'
            | '\u{FE20}'..='\u{FE2F}')
}

/// Marks the characters of links: `scheme://…`, `www.…` and `host.name/…`, up to the next space,
/// without the punctuation and markers at the end.
fn in_links(chars: &[char]) -> Vec<bool> {
    let mut inert = vec![false; chars.len()];
    let mut at = 0;
    for token in chars.split(|char| char.is_whitespace()) {
        let start = token.iter().position(|char| char.is_alphanumeric()).unwrap_or(token.len());
        let end = token
            .iter()
            .rposition(|char| !"*_~`.,;:!?)]}>'\"".contains(*char))
            .map_or(start, |last| start.max(last + 1));
        if let Some(link) = link_start(&token[start..end]) {
            inert[at + start + link..at + end].fill(true);
        }
        at += token.len() + 1;
    }
    inert
}

fn link_start(token: &[char]) -> Option<usize> {
    let is_scheme = |char: &char| char.is_ascii_alphanumeric() || "+-.".contains(*char);
    if let Some(colon) = token.windows(3).position(|it| it == [':', '/', '/']) {
        let start = token[..colon].iter().rposition(|char| !is_scheme(char)).map_or(0, |at| at + 1);
        return (start < colon).then_some(start);
    }
    let host: String = token.iter().take_while(|&&char| char != '/').collect();
    let is_host = host.chars().all(|char| char.is_alphanumeric() || ".-:".contains(char))
        && host.trim_matches('.').contains('.');
    let has_path = host.chars().count() < token.len();
    (host.to_ascii_lowercase().starts_with("www.") || (is_host && has_path)).then_some(0)
}
