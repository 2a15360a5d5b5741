//! A line as stretches of one style, and how such stretches nest. Knows neither syntax.

use std::{cmp::Reverse, fmt};

/// Which of the four inline styles hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Style(u8);

impl Style {
    pub(super) const NONE: Self = Self(0);
    pub(super) const BOLD: Self = Self(1);
    pub(super) const ITALIC: Self = Self(2);
    pub(super) const STRIKE: Self = Self(4);
    pub(super) const CODE: Self = Self(8);
    /// In the order in which they nest when they cover the same text: code is always innermost.
    pub(super) const EACH: [Self; 4] = [Self::BOLD, Self::ITALIC, Self::STRIKE, Self::CODE];

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// A stretch of characters of one line with one style.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) text: String,
    pub(super) style: Style,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("text_bytes", &self.text.len())
            .field("style", &self.style)
            .finish()
    }
}

/// Joins characters of the same style.
pub(super) fn runs(chars: impl IntoIterator<Item = (char, Style)>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (char, style) in chars {
        match runs.last_mut() {
            Some(run) if run.style == style => run.text.push(char),
            _ => runs.push(Run { text: char.into(), style }),
        }
    }
    runs
}

/// What comes next when runs are written as nested elements.
#[derive(Debug)]
pub(super) enum Token<'a> {
    Open(Style),
    Text(&'a Run),
    Close(Style),
}

/// Writes runs as nested elements: what lasts longer opens first.
pub(super) fn nest<'a>(runs: &'a [Run], mut put: impl FnMut(Token<'a>)) {
    let ends = span_ends(runs);
    let mut open: Vec<Style> = Vec::new();
    for (run, ends) in runs.iter().zip(ends) {
        let kept = open.iter().position(|&mark| !run.style.has(mark)).unwrap_or(open.len());
        for mark in open.drain(kept..).rev() {
            put(Token::Close(mark));
        }
        let mut opening: Vec<(Style, usize)> = Style::EACH
            .into_iter()
            .zip(ends)
            .filter(|&(mark, _)| run.style.has(mark) && !open.contains(&mark))
            .collect();
        // Code holds no markup, so it goes inside whatever else begins here.
        opening.sort_by_key(|&(mark, end)| (mark == Style::CODE, Reverse(end)));
        for (mark, _) in opening {
            put(Token::Open(mark));
            open.push(mark);
        }
        put(Token::Text(run));
    }
    for mark in open.into_iter().rev() {
        put(Token::Close(mark));
    }
}

/// For each run and each style, the index of the first later run that lacks it.
fn span_ends(runs: &[Run]) -> Vec<[usize; 4]> {
    let mut ends = vec![[0; 4]; runs.len()];
    let mut next = [runs.len(); 4];
    for (index, run) in runs.iter().enumerate().rev() {
        for (mark, next) in Style::EACH.into_iter().zip(&mut next) {
            if !run.style.has(mark) {
                *next = index;
            }
        }
        ends[index] = next;
    }
    ends
}
